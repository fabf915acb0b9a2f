from __future__ import annotations

from pathlib import Path

import pytest
from growing_archives import table_of
from tiny_archives import build_archive, write_pictures


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where an archive can be."""
    return tmp_path / "archive"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of twenty."""
    return write_pictures(tmp_path / "pictures", 20)


@pytest.fixture
def cases(root: Path, tmp_path: Path) -> Path:
    """The manifest of an archive of ten cases."""
    table = table_of(tmp_path / "cases.csv", [f"c{n}" for n in range(10)], site="cervix")
    build_archive(root, table)
    return table


@pytest.fixture
def encoder(tiny_open_clip_dir: Path) -> str:
    """A tiny one that reads text, by its short name."""
    return f"open_clip:{tiny_open_clip_dir}?text_tower=minilm"

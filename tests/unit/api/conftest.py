"""A real archive of five cases, opened through the front door with tiny random models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.server.ground import write_sources

import coin_retrieval as coin
from indexer import build


@pytest.fixture(scope="session")
def encoder_name(tiny_open_clip_dir: Path) -> str:
    return f"open_clip:{tiny_open_clip_dir}?text_tower=minilm&device=cpu&dtype=float32"


@pytest.fixture(scope="session")
def generator_name(tiny_pipeline_dir: Path) -> str:
    return f"{tiny_pipeline_dir}?text_encoder=minilm&device=cpu&dtype=float32"


@pytest.fixture(scope="session")
def archive_dir(encoder_name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("front")
    root, table = folder / "archive", write_sources(folder / "sources")
    build(root, table, encoder=encoder_name, workers=1)
    return root


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def archive(
    archive_dir: Path, generator_name: str, cache: Path
) -> Iterator[coin.SearchableArchive]:
    with coin.open(archive_dir, generator=generator_name, cache=cache) as opened:
        yield opened

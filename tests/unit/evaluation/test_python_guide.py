"""The Python of docs/evaluation.md runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tiny_archives import write_table
from unit.conftest import write_cells

from indexer import build

GUIDE = Path(__file__).parents[3] / "docs" / "evaluation.md"
BLOCKS = re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with all that the guide names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for seed, (name, origin) in enumerate(
        [("training", "real"), ("held_out", "real"), ("drawn", "generated")]
    ):
        write_cells(tmp_path / name, per_finding=6, seed=seed, origin=origin)
    stripes = write_cells(tmp_path / "stripes", per_finding=2, seed=9)
    text = stripes.read_text().replace("eosinophil,", "stripes,").replace("lymphocyte,", "stripes,")
    stripes.with_name("outside.csv").write_text(text)
    write_table(
        tmp_path / "reports.csv",
        [
            {"report": "orange granules", "finding": "eosinophil"},
            {"report": "bilobed nucleus", "finding": "eosinophil"},
            {"report": "round dark nucleus", "finding": "lymphocyte"},
            {"report": "scant cytoplasm", "finding": "lymphocyte"},
        ],
    )
    build("archive", ["training/cases.csv"])


@pytest.mark.usefixtures("desk")
def test_every_block_of_the_guide_runs() -> None:
    names: dict[str, object] = {}
    for block in BLOCKS:
        exec(compile(block, "guide", "exec"), names)  # noqa: S102  the document's own code
    assert len(BLOCKS) == 2

"""``from indexer import build``: what ``coin-index build`` does, from Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tiny_archives import write_pictures, write_table

from coin_retrieval.config import FaissStoreSettings, HnswIndex, IvfIndex, OpenClipEncoderSettings
from coin_retrieval.errors import InputError, SettingsError
from coin_retrieval.factory import open_archive
from indexer import build


@pytest.fixture
def table(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "images", 4)
    rows = [
        {"image_path": f"images/cell_{i:03d}.png", "case_id": f"c{i}", "site": site}
        for i, site in enumerate(("cervix", "cervix", "urine", "blood"))
    ]
    return write_table(tmp_path / "cases.csv", rows)


def test_text_and_paths_are_taken_alike(root: Path, table: Path, encoder: str) -> None:
    first = build(str(root), [str(table)], encoder=encoder, workers=1)
    assert (first.embedded, first.manifest.counts.cases) == (4, 4)
    again = build(root, table, workers=1)
    assert (again.embedded, again.reused) == (0, 4), "the archive's own encoder"


def test_where_takes_one_value_or_several(root: Path, table: Path, encoder: str) -> None:
    assert build(root, table, encoder=encoder, where={"site": "Cervix"}).manifest.counts.cases == 2
    several = build(root, table, where={"site": ["urine", "blood"]}, drop=True).manifest
    assert several.where == {"site": ("urine", "blood")}
    assert several.counts.cases == 2


def test_settings_are_taken_as_they_are_and_kept_by_the_next_build(
    root: Path, table: Path, tiny_open_clip_dir: Path
) -> None:
    settings = OpenClipEncoderSettings(model=str(tiny_open_clip_dir), text_tower="minilm")
    build(root, table, encoder=settings, store="hnsw?m=8&ef=256")
    assert build(root, table).manifest.store.index == HnswIndex(m=8, ef=256)
    with open_archive(root) as archive:
        assert archive.store.kind == "hnsw (8 links, ef 256)"
    ivf = FaissStoreSettings(index=IvfIndex(lists=2, probes=1, train_from=4))
    assert build(root, table, store=ivf, catalog="sqlite").manifest.store == ivf
    with open_archive(root) as archive:
        assert archive.store.kind == "ivf (2 lists, 1 probed, 2-bit)"


def test_the_manifest_can_be_read_from_another_folder_and_on_another_machine(
    root: Path, table: Path, tiny_open_clip_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_open_clip_dir.parent)
    named = f"open_clip:{tiny_open_clip_dir.name}?text_tower=minilm&device=cpu"
    kept = build(root, table, encoder=named).manifest.encoder_settings
    assert kept.model == str(tiny_open_clip_dir)
    assert kept.device == "auto"


def test_a_listener_is_told_every_stage_to_its_end(root: Path, table: Path, encoder: str) -> None:
    told: list[tuple[str, int, int]] = []
    build(root, table, encoder=encoder, on=lambda *step: told.append(step))
    assert told == [
        ("loading the encoder", 0, 1),
        ("loading the encoder", 1, 1),
        *(("indexing", done, 4) for done in range(5)),
        ("writing the version", 0, 1),
        ("writing the version", 1, 1),
    ]


def test_a_listener_that_raises_stops_the_build_and_the_next_one_resumes(
    root: Path, table: Path, encoder: str
) -> None:
    class StoppedError(Exception):
        pass

    def stop(stage: str, done: int, of: int) -> None:
        if stage == "writing the version":
            raise StoppedError

    with pytest.raises(StoppedError):
        build(root, table, encoder=encoder, on=stop)
    assert not (root / "CURRENT").exists()
    assert build(root, table, encoder=encoder).embedded == 0


@pytest.mark.parametrize("sources", [3, [3], [None], None])
def test_what_is_no_path_is_refused_with_what_is_expected(root: Path, sources: object) -> None:
    with pytest.raises(InputError, match=r"not a path.*pathlib"):
        build(root, sources)  # type: ignore[arg-type]
    assert not root.exists()


def test_a_store_that_does_not_exist_is_refused_with_those_that_do(
    root: Path, table: Path, encoder: str
) -> None:
    with pytest.raises(SettingsError, match=r"hnsw\?m=32"):
        build(root, table, encoder=encoder, store="annoy")
    assert not root.exists()


def test_importing_it_loads_nothing_heavy() -> None:
    script = (
        "import sys, indexer; from indexer import build\n"
        "heavy = {'torch', 'numpy', 'pydantic', 'faiss', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True)

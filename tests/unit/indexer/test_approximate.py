"""Archives whose segments have approximate indexes."""

from __future__ import annotations

from pathlib import Path

import faiss
import pytest
from tiny_archives import build_archive, write_picture, write_pictures

from coin_retrieval.archive import ArchiveManifest
from coin_retrieval.factory import open_archive
from coin_retrieval.presenting.phrases import percent, scope_words
from coin_retrieval.search.result import Scope
from indexer.removing import remove

LISTS = "ivf?train_from=20&lists=2"


def _index_files(root: Path, manifest: ArchiveManifest) -> list[bytes]:
    paths = [root / segment.folder / "index.faiss" for segment in manifest.segments]
    return [path.read_bytes() for path in paths if path.exists()]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "pictures", 40)


def test_what_is_purged_leaves_no_trace_in_codes_or_centroids(
    root: Path, tmp_path: Path, pictures: Path
) -> None:
    build_archive(root, pictures, store=LISTS)
    gone = [f"cell_{number:03d}" for number in range(5)]
    purged = remove(root, gone, purge=True, wait_s=0).manifest
    for name in gone:
        (pictures / f"{name}.png").unlink()
    never = build_archive(tmp_path / "never", pictures, store=LISTS).manifest
    assert _index_files(root, purged) == _index_files(tmp_path / "never", never) != []
    assert len(list(root.rglob("index.faiss"))) == 1


def test_what_is_added_trains_nothing_again(root: Path, tmp_path: Path, pictures: Path) -> None:
    first = build_archive(root, pictures, store=LISTS).manifest
    more = write_picture(tmp_path / "more" / "new.png", seed=900).parent
    second = build_archive(root, pictures, more, store=LISTS).manifest
    assert second.segments[0] == first.segments[0]
    assert len(second.segments) == 2
    assert len(_index_files(root, second)) == 1, "few rows are scanned"
    assert second.index_kind == "ivf (2 lists, 2 probed, 2-bit) + flat"


def test_the_manifest_says_what_made_the_index_and_the_answer_how_much_it_finds(
    tmp_path: Path, pictures: Path
) -> None:
    store = "auto?scan_mb=0&memory_mb=0"
    manifest = build_archive(tmp_path / "archive", pictures, store=store).manifest
    assert manifest.index_library == f"FAISS {faiss.__version__}"
    assert manifest.index_kind.startswith("ivf")
    recall = manifest.measured_recall
    assert recall is not None
    found = recall.model_copy(update={"images": 0.99, "texts": 0.98, "prototypes": 0.97})
    assert scope_words(Scope(40, 40, found), exact=False) == (
        "Approximate search of all of the archive’s 40 pictures: of the nearest it finds "
        f"{percent(0.99)} for pictures and {percent(0.98)} for texts and {percent(0.97)} for drawn "
        "pictures, as was measured."
    )


def test_the_automatic_choice_is_exact_for_a_small_archive(tmp_path: Path, pictures: Path) -> None:
    manifest = build_archive(tmp_path / "archive", pictures, store="auto").manifest
    assert (manifest.index_kind, manifest.measured_recall) == ("flat", None)
    with open_archive(tmp_path / "archive") as archive:
        assert archive.store.exact

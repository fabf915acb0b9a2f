"""What a build makes of its sources, keeps of the version before, and leaves alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from growing_archives import ids_of
from tiny_archives import build_archive, write_picture, write_pictures

from coin_retrieval.archive import ArchiveLayout
from coin_retrieval.archive.locks import building
from coin_retrieval.archive.publish import KEPT_VERSIONS
from coin_retrieval.archive.verify import verify
from coin_retrieval.errors import ArchiveBusyError, ArchiveError, ArchiveSchemaError, InputError
from coin_retrieval.factory import open_archive
from coin_retrieval.images.decoding import load_image
from coin_retrieval.testing.histogram_encoder import HistogramEncoder
from indexer.building import BuildReport


def _thumbnails(root: Path) -> set[str]:
    return {path.stem for path in (root / "thumbnails").glob("*/*")}


def test_every_picture_of_a_folder_finds_itself(root: Path, pictures: Path) -> None:
    build_archive(root, pictures)
    encoder = HistogramEncoder()
    with open_archive(root) as archive:
        for path in sorted(pictures.iterdir()):
            hit = archive.store.search(encoder.encode([load_image(path)]), 1)[0][0]
            record = archive.catalog.images([hit.image_id])[hit.image_id]
            assert record.case_id == path.stem
            assert hit.similarity == pytest.approx(1, abs=1e-5)


def test_a_fresh_archive_verifies_without_findings(root: Path, pictures: Path) -> None:
    build_archive(root, pictures)
    with open_archive(root) as archive:
        assert verify(archive) == []


def test_a_second_build_embeds_nothing_and_answers_the_same(root: Path, pictures: Path) -> None:
    first = build_archive(root, pictures)
    with open_archive(root) as archive:
        ids = np.sort(archive.store.ids())
        vectors = archive.store.vectors(ids)
    encoder = HistogramEncoder()
    second = build_archive(root, pictures, encoder=encoder)
    assert (first.embedded, first.reused) == (20, 0)
    assert (second.embedded, second.reused, encoder.seen) == (0, 20, 0)
    with open_archive(root) as archive:
        np.testing.assert_array_equal(np.sort(archive.store.ids()), ids)
        np.testing.assert_array_equal(archive.store.vectors(ids), vectors)


def test_new_pictures_are_embedded_and_old_ones_reused(root: Path, pictures: Path) -> None:
    build_archive(root, pictures)
    write_picture(pictures / "new.png", seed=99)
    report = build_archive(root, pictures)
    assert (report.embedded, report.reused) == (1, 20)


def test_a_moved_picture_is_reused_by_its_content(root: Path, pictures: Path) -> None:
    build_archive(root, pictures)
    (pictures / "cell_000.png").rename(pictures / "renamed.png")
    report = build_archive(root, pictures, drop=True)
    assert (report.embedded, report.reused) == (0, 20)
    assert "renamed" in ids_of(root)


def test_another_encoder_embeds_everything_again(root: Path, pictures: Path) -> None:
    build_archive(root, pictures)
    other = HistogramEncoder(revision="2")
    report = build_archive(root, pictures, encoder=other)
    assert (report.embedded, other.seen) == (20, 20)
    with open_archive(root) as archive:
        archive.require_encoder(other.spec)


def test_ids_are_the_same_in_archives_built_apart(tmp_path: Path, pictures: Path) -> None:
    build_archive(tmp_path / "one", pictures)
    copied = shutil.copytree(pictures, tmp_path / "elsewhere")
    build_archive(tmp_path / "two", copied, batch_size=3)
    assert ids_of(tmp_path / "one") == ids_of(tmp_path / "two")


def test_the_last_eight_versions_are_kept(root: Path, pictures: Path) -> None:
    for _ in range(9):
        build_archive(root, pictures)
    names = sorted(path.name for path in (root / "versions").iterdir())
    assert names == [f"{n:06d}" for n in range(2, 10)]
    assert (root / "CURRENT").read_text() == "000009\n"


def test_a_picture_taken_out_is_gone_with_its_thumbnail_when_its_version_is(
    root: Path, pictures: Path
) -> None:
    build_archive(root, pictures)
    (pictures / "cell_000.png").unlink()
    build_archive(root, pictures, drop=True)
    assert "cell_000" not in ids_of(root)
    for _ in range(KEPT_VERSIONS - 1):
        assert len(_thumbnails(root)) == 20, "the archive may be rolled back to the version before"
        build_archive(root, pictures)
    assert len(_thumbnails(root)) == 19


def test_a_lost_thumbnail_is_made_again_without_embedding(root: Path, pictures: Path) -> None:
    build_archive(root, pictures)
    lost = next((root / "thumbnails").glob("*/*"))
    lost.unlink()
    report = build_archive(root, pictures)
    assert report.embedded == 0
    assert lost.is_file()


def test_two_builders_at_once_are_refused(root: Path, pictures: Path) -> None:
    with (
        building(ArchiveLayout(root)),
        pytest.raises(ArchiveBusyError, match=r"process \d+"),
    ):
        build_archive(root, pictures)
    assert build_archive(root, pictures).embedded == 20


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path, pictures: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("…")
    with pytest.raises(InputError, match=r"chapter\.tex"):
        build_archive(tmp_path / "thesis", pictures)
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter.tex"]


def test_an_archive_inside_its_own_source_does_not_index_itself(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "in", 3)
    build_archive(folder / "archive", folder)
    report = build_archive(folder / "archive", folder)
    assert report.manifest.counts.rows == 3


def test_an_archive_of_a_newer_program_is_left_alone(root: Path, pictures: Path) -> None:
    report = build_archive(root, pictures)
    file = report.folder / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"schema_version": 99}))
    with pytest.raises(ArchiveSchemaError):
        build_archive(root, pictures)
    assert (root / "CURRENT").read_text() == "000001\n"


def test_a_spoilt_version_is_replaced_and_nothing_of_it_reused(root: Path, pictures: Path) -> None:
    first = build_archive(root, pictures)
    vectors = root / first.manifest.segments[0].folder / "vectors.faiss"
    data = bytearray(vectors.read_bytes())
    data[len(data) // 2] ^= 0xFF
    vectors.write_bytes(data)
    report: BuildReport = build_archive(root, pictures)
    assert report.embedded == 20
    assert "checksum" in report.warnings[0]
    with open_archive(root) as archive:
        assert verify(archive) == []


def test_recall_is_measured_for_an_approximate_index_and_not_for_an_exact_one(
    tmp_path: Path, pictures: Path
) -> None:
    exact = build_archive(tmp_path / "flat", pictures).manifest
    assert (exact.index_kind, exact.measured_recall) == ("flat", None)
    graph = build_archive(tmp_path / "hnsw", pictures, store="hnsw").manifest
    assert graph.index_kind.startswith("hnsw")
    assert graph.measured_recall is not None
    assert graph.measured_recall.images > 0.9
    assert graph.measured_recall.texts is None, "histograms read no text"


def test_an_index_is_searched_as_widely_as_its_recall_needs(root: Path, tmp_path: Path) -> None:
    # pictures are each other's neighbours at random, and the graph has next to no links
    folder = write_pictures(tmp_path / "many", 400)
    manifest = build_archive(root, folder, store="hnsw?m=2&ef_construction=2&ef=1").manifest
    recall = manifest.measured_recall
    assert recall is not None
    assert recall.width > 1
    assert recall.images >= 0.98 or recall.width == 32
    with open_archive(root) as archive:
        assert archive.store.kind == manifest.index_kind == f"hnsw (2 links, ef {recall.width:.0f})"


def test_an_archive_that_cannot_be_written_is_a_clear_error_and_loses_nothing(
    root: Path, pictures: Path
) -> None:
    build_archive(root, pictures)
    shutil.move(root / "thumbnails", root.parent / "aside")
    (root / "thumbnails").write_text("in the way")
    with pytest.raises(ArchiveError, match="cannot be written"):
        build_archive(root, pictures)
    (root / "thumbnails").unlink()
    shutil.move(root.parent / "aside", root / "thumbnails")
    assert build_archive(root, pictures).embedded == 0

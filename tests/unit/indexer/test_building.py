from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_archives import build_archive, write_picture, write_pictures, write_table

from coin_retrieval.archive import ArchiveLayout
from coin_retrieval.archive.lock import building
from coin_retrieval.archive.publish import KEPT_VERSIONS
from coin_retrieval.archive.verify import verify
from coin_retrieval.errors import (
    ArchiveBusyError,
    ArchiveError,
    ArchiveSchemaError,
    InputError,
    ModelError,
)
from coin_retrieval.factory import open_archive
from coin_retrieval.images import load_image
from coin_retrieval.testing.histogram_encoder import HistogramEncoder
from coin_retrieval.types import ImageId, Origin
from indexer.building import BuildReport


def _lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _thumbnails(root: Path) -> set[str]:
    return {path.stem for path in (root / "thumbnails").glob("*/*")}


def _ids(root: Path) -> dict[str, int]:
    """Case → id of its only image."""
    with open_archive(root) as archive:
        ids = [ImageId(i) for i in archive.catalog.select({}).tolist()]
        return {image.case_id: i for i, image in archive.catalog.images(ids).items()}


def _black(path: Path) -> Path:
    Image.new("RGB", (9, 9)).save(path)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "pictures", 20)


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


def test_the_catalog_knows_what_the_manifest_said(root: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "images" / "a.png", seed=1, side_px=30)
    table = write_table(
        tmp_path / "cases.csv",
        [
            {
                "image_path": "images/a.png",
                "case_id": "c1",
                "site": "cervix",
                "report": "Koilocytes.",
                "diagnosis": "LSIL",
                "mpp_um": "0.25",
                "split": "val",
            }
        ],
    )
    build_archive(root, table)
    with open_archive(root) as archive:
        (image,) = archive.catalog.case_images("c1")
        assert archive.catalog.cases(["c1"])["c1"].report == "Koilocytes."
        assert (image.diagnosis, image.mpp_um, image.origin) == ("LSIL", 0.25, Origin.REAL)
        assert (image.width_px, image.height_px) == (34, 30)
        assert image.attributes == {"split": "val"}
        assert archive.image_path(image) == tmp_path / "images" / "a.png"
        assert load_image(archive.thumbnail_path(image)).shape == (30, 34, 3)


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
    assert "renamed" in _ids(root)


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
    assert _ids(tmp_path / "one") == _ids(tmp_path / "two")


def test_unreadable_pictures_are_skipped_listed_and_counted(root: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "good.png", seed=1)
    whole = write_picture(tmp_path / "whole.png", seed=2).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "folder.png").mkdir()
    names = ["good", "cut", "empty", "text", "folder", "missing", "nul\0byte", "ünïcödé 🔬"]
    table = write_table(
        tmp_path / "cases.csv", [{"image_path": f"{name}.png", "case_id": "c"} for name in names]
    )
    report = build_archive(root, table)
    skipped = _lines(report.folder / "skipped.jsonl")
    assert [Path(str(line["path"])).stem for line in skipped] == names[1:]
    assert all(line["reason"] for line in skipped)
    counts = report.manifest.counts
    assert (counts.rows, counts.images, counts.skipped) == (8, 1, 7)


def test_a_pipe_does_not_hang_the_build(root: Path, tmp_path: Path) -> None:
    import os

    write_picture(tmp_path / "in" / "good.png", seed=1)
    os.mkfifo(tmp_path / "in" / "pipe.png")
    report = build_archive(root, tmp_path / "in")
    (line,) = _lines(report.folder / "skipped.jsonl")
    assert "regular file" in str(line["reason"])


def test_a_decompression_bomb_is_skipped(root: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "in" / "good.png", seed=1)
    Image.new("1", (20_000, 20_000)).save(tmp_path / "in" / "bomb.png")
    report = build_archive(root, tmp_path / "in")
    (line,) = _lines(report.folder / "skipped.jsonl")
    assert "pixels" in str(line["reason"])


def test_unusual_formats_are_indexed(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(rng.integers(0, 255, (20, 20, 3), dtype=np.uint8))
    rgb.convert("CMYK").save(folder / "cmyk.jpg")
    rgb.convert("RGBA").save(folder / "alpha.png")
    Image.fromarray(rng.integers(0, 65535, (20, 20), dtype=np.uint16)).save(folder / "deep.png")
    rgb.save(folder / "animated.gif", save_all=True, append_images=[rgb.rotate(90)])
    assert build_archive(root, folder).manifest.counts.images == 4


def test_a_picture_that_the_encoder_refuses_does_not_cost_its_batch(
    root: Path, pictures: Path
) -> None:
    _black(pictures / "black.png")
    report = build_archive(root, pictures, batch_size=64)
    assert report.manifest.counts.images == 20
    (line,) = _lines(report.folder / "skipped.jsonl")
    assert "black" in str(line["reason"])


def test_an_encoder_that_fails_on_everything_stops_the_build(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    _black(folder / "a.png")
    with pytest.raises(ModelError, match="black"):
        build_archive(root, folder)


def test_a_build_without_any_readable_picture_publishes_nothing(
    root: Path, pictures: Path, tmp_path: Path
) -> None:
    build_archive(root, pictures)
    table = write_table(tmp_path / "cases.csv", [{"image_path": "gone.png", "case_id": "c"}])
    with pytest.raises(InputError, match="no picture could be read"):
        build_archive(root, table, drop=True)
    assert len(_ids(root)) == 20


def test_the_same_picture_of_a_case_twice_is_one_image(root: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", seed=1)
    shutil.copy(tmp_path / "a.png", tmp_path / "b.png")
    rows = [
        {"image_path": "a.png", "case_id": "c", "diagnosis": "LSIL"},
        {"image_path": "b.png", "case_id": "c", "diagnosis": "HSIL"},
    ]
    report = build_archive(root, write_table(tmp_path / "cases.csv", rows))
    counts = report.manifest.counts
    assert (counts.rows, counts.images, counts.duplicates) == (2, 1, 1)
    (note,) = _lines(report.folder / "notes.jsonl")
    assert note["kind"] == "duplicate"
    assert note["differs_in"] == ["diagnosis"]


def test_the_same_picture_under_two_cases_stays_two_images_and_is_noted(
    root: Path, tmp_path: Path
) -> None:
    write_picture(tmp_path / "a.png", seed=1)
    rows = [{"image_path": "a.png", "case_id": "c1"}, {"image_path": "a.png", "case_id": "c2"}]
    encoder = HistogramEncoder()
    report = build_archive(root, write_table(tmp_path / "cases.csv", rows), encoder=encoder)
    counts = report.manifest.counts
    assert (counts.images, counts.cases, counts.repeated, counts.duplicates) == (2, 2, 1, 0)
    assert encoder.seen == 1
    (note,) = _lines(report.folder / "notes.jsonl")
    assert (note["kind"], note["case_id"], note["other_case_id"]) == ("repeated", "c2", "c1")


def test_rows_of_a_case_that_disagree_are_noted_and_the_first_stays(
    root: Path, tmp_path: Path
) -> None:
    write_pictures(tmp_path, 2)
    rows = [
        {"image_path": "cell_000.png", "case_id": "c", "site": "cervix"},
        {"image_path": "cell_001.png", "case_id": "c", "site": "urine", "stain": "Pap"},
    ]
    report = build_archive(root, write_table(tmp_path / "cases.csv", rows))
    with open_archive(root) as archive:
        case = archive.catalog.cases(["c"])["c"]
    assert (case.site, case.stain) == ("cervix", "Pap")
    (note,) = _lines(report.folder / "notes.jsonl")
    assert (note["kind"], note["kept"], note["other"]) == ("case_differs", "cervix", "urine")


def test_generated_pictures_are_flagged_and_counted(root: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path, 3)
    rows = [
        {"image_path": "cell_000.png", "case_id": "c1", "origin": "real"},
        {"image_path": "cell_001.png", "case_id": "c2", "origin": "generated"},
        {"image_path": "cell_002.png", "case_id": "c3", "origin": "translated"},
    ]
    manifest = build_archive(root, write_table(tmp_path / "cases.csv", rows)).manifest
    assert (manifest.counts.generated, manifest.counts.translated) == (1, 1)
    assert not manifest.demonstration


def test_an_archive_of_drawn_pictures_only_is_a_demonstration(root: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path, 1)
    rows = [{"image_path": "cell_000.png", "case_id": "c1", "origin": "generated"}]
    report = build_archive(root, write_table(tmp_path / "cases.csv", rows))
    assert report.manifest.demonstration


def test_only_the_rows_that_fit_are_indexed(root: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path, 3)
    rows = [
        {"image_path": f"cell_00{n}.png", "case_id": f"c{n}", "split": split, "site": "cervix"}
        for n, split in enumerate(["train", "val", "Train"])
    ]
    where = {"split": ["TRAIN"], "site": ["cervix"]}
    report = build_archive(root, write_table(tmp_path / "cases.csv", rows), where=where)
    assert sorted(_ids(root)) == ["c0", "c2"]
    assert report.manifest.counts.rows == 2
    assert report.manifest.where == {"split": ("TRAIN",), "site": ("cervix",)}


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
    assert "cell_000" not in _ids(root)
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

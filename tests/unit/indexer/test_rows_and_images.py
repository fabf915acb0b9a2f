"""What rows say of cases and images is in the archive; where it is odd, it is noted."""

from __future__ import annotations

import shutil
from pathlib import Path

from growing_archives import ids_of, lines_of
from tiny_archives import build_archive, write_picture, write_pictures, write_table

from coin_retrieval.factory import open_archive
from coin_retrieval.images.decoding import load_image
from coin_retrieval.testing.histogram_encoder import HistogramEncoder
from coin_retrieval.types import Origin


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
    (note,) = lines_of(report.folder / "notes.jsonl")
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
    (note,) = lines_of(report.folder / "notes.jsonl")
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
    (note,) = lines_of(report.folder / "notes.jsonl")
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
    assert sorted(ids_of(root)) == ["c0", "c2"]
    assert report.manifest.counts.rows == 2
    assert report.manifest.where == {"split": ("TRAIN",), "site": ("cervix",)}

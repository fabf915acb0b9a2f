"""What is added is the next version beside what was there, and costs what it adds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from growing_archives import add_to, content, lines_of, segments, sound, table_of
from tiny_archives import build_archive, write_table

from coin_retrieval.errors import EncoderMismatchError, NotFoundError
from coin_retrieval.factory import open_archive
from coin_retrieval.testing.histogram_encoder import HistogramEncoder
from indexer.versions import measuring

ARCHIVES = Path(__file__).parents[2] / "archives"


def test_what_is_added_is_found_beside_what_was_there(
    root: Path, cases: Path, tmp_path: Path
) -> None:
    before = content(root)
    report = add_to(root, table_of(tmp_path / "more.csv", ["new"], first=50))
    after = content(root)
    assert {i: after[i] for i in before} == before
    assert len(after) == 11
    assert (report.embedded, report.manifest.counts.cases) == (1, 11)
    assert segments(root) == [(10, 0), (1, 0)]
    assert [source.path for source in report.manifest.sources] == [
        str(cases), str(tmp_path / "more.csv"),
    ]  # fmt: skip
    sound(root)


def test_an_archive_added_to_is_the_one_that_is_built_of_all(
    root: Path, cases: Path, tmp_path: Path
) -> None:
    for number in range(4):
        more = table_of(tmp_path / f"more{number}.csv", [f"n{number}"], first=50 + number)
        add_to(root, more)
    sources = [cases, *(tmp_path / f"more{n}.csv" for n in range(4))]
    build_archive(tmp_path / "whole", *sources)
    assert content(root) == content(tmp_path / "whole")


def test_segments_are_merged_as_a_counter_carries(root: Path, cases: Path, tmp_path: Path) -> None:
    seen = []
    for number in range(4):
        add_to(root, table_of(tmp_path / f"m{number}.csv", [f"n{number}"], first=50 + number))
        seen.append([rows for rows, _ in segments(root)])
    assert seen == [[10, 1], [10, 2], [10, 2, 1], [10, 4]]
    sound(root)


def test_the_segments_that_stay_are_not_written_again(
    root: Path, cases: Path, tmp_path: Path
) -> None:
    kept = root / "segments" / "000001-0"
    before = {path.name: (path.stat().st_ino, path.read_bytes()) for path in kept.iterdir()}
    add_to(root, table_of(tmp_path / "more.csv", ["new"], first=50))
    assert {p.name: (p.stat().st_ino, p.read_bytes()) for p in kept.iterdir()} == before


def test_what_is_there_already_changes_nothing(root: Path, cases: Path) -> None:
    before = content(root)
    encoder = HistogramEncoder()
    report = add_to(root, cases, encoder=encoder)
    assert (encoder.seen, report.reused, report.manifest.counts.duplicates) == (0, 10, 0)
    assert content(root) == before
    assert segments(root) == [(10, 0)]


def test_a_row_that_says_something_else_replaces_its_image(
    root: Path, cases: Path, tmp_path: Path
) -> None:
    rows = [{"image_path": "pictures/3.png", "case_id": "c3", "diagnosis": "LSIL"}]
    add_to(root, write_table(tmp_path / "again.csv", rows))
    with open_archive(root) as archive:
        (image,) = archive.catalog.case_images("c3")
        assert image.diagnosis == "LSIL"
        assert archive.catalog.values("diagnosis") == {"LSIL": 1}
    assert segments(root) == [(10, 1), (1, 0)]
    sound(root)


def test_what_a_row_says_of_its_case_holds_for_all_images_of_it(root: Path, tmp_path: Path) -> None:
    build_archive(root, table_of(tmp_path / "cases.csv", ["c", "c", "d"]))
    report = add_to(root, table_of(tmp_path / "m.csv", ["c"], first=50, site="cervix"))
    with open_archive(root) as archive:
        assert len(archive.catalog.select({"site": ["cervix"]})) == 3
        assert archive.catalog.values("site") == {"cervix": 3}
        assert len(archive.catalog.case_images("c")) == 3
    assert report.manifest.change.removed == 0
    sound(root)


def test_a_row_that_contradicts_its_case_is_noted_and_the_case_stays(
    root: Path, cases: Path, tmp_path: Path
) -> None:
    report = add_to(root, table_of(tmp_path / "m.csv", ["c1"], first=50, site="urine"))
    (note,) = lines_of(report.folder / "notes.jsonl")
    assert (note["kind"], note["kept"], note["other"]) == ("case_differs", "cervix", "urine")
    sound(root)


def test_a_picture_of_another_case_is_noted_as_repeated(
    root: Path, cases: Path, tmp_path: Path
) -> None:
    rows = [{"image_path": "pictures/3.png", "case_id": "other"}]
    report = add_to(root, write_table(tmp_path / "m.csv", rows))
    assert (report.embedded, report.manifest.counts.repeated) == (0, 1)
    sound(root)


def test_another_encoder_is_refused(root: Path, cases: Path) -> None:
    with pytest.raises(EncoderMismatchError):
        add_to(root, cases, encoder=HistogramEncoder(revision="2"))


def test_there_must_be_an_archive(root: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="coin-index build"):
        add_to(root, table_of(tmp_path / "cases.csv", ["c"]))
    assert not root.exists()


def test_skipped_rows_of_the_version_before_stay_listed_until_they_can_be_read(
    root: Path, tmp_path: Path
) -> None:
    table = table_of(tmp_path / "cases.csv", ["a", "b"])
    rest = (tmp_path / "pictures" / "1.png").read_bytes()
    (tmp_path / "pictures" / "1.png").write_bytes(b"no picture")
    build_archive(root, table)
    more = add_to(root, table_of(tmp_path / "more.csv", ["c"], first=50))
    assert more.manifest.counts.skipped == 1
    (line,) = lines_of(more.folder / "skipped.jsonl")
    assert (line["path"], line["source"]) == ("pictures/1.png", str(table))
    (tmp_path / "pictures" / "1.png").write_bytes(rest)
    assert add_to(root, table).manifest.counts.skipped == 0
    sound(root)


@pytest.mark.parametrize("schema", [1, 2, 3])
def test_an_archive_of_an_earlier_program_is_written_as_segments(
    schema: int, root: Path, tmp_path: Path
) -> None:
    shutil.copytree(ARCHIVES / f"schema_{schema}", root)
    old = {p.name: p.read_bytes() for p in (root / "versions" / "000001").iterdir()}
    before = content(root)
    add_to(root, table_of(tmp_path / "more.csv", ["new"], first=50))
    after = content(root)
    assert {i: after[i] for i in before} == before
    assert segments(root) == [(9, 0)]
    assert {p.name: p.read_bytes() for p in (root / "versions" / "000001").iterdir()} == old


def test_what_is_measured_is_kept_while_the_archive_is_nearly_as_large(
    root: Path, cases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "ALWAYS_BELOW", 5)
    first = add_to(root, table_of(tmp_path / "m.csv", ["n"], first=50)).manifest
    assert (first.measured_images, first.counts.images) == (10, 11)
    second = add_to(root, table_of(tmp_path / "o.csv", ["o"], first=60)).manifest
    assert (second.measured_images, second.counts.images) == (12, 12)
    assert second.real_mean != first.real_mean


def test_what_reports_are_judged_by_is_measured_where_labels_come_along(
    root: Path, cases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "ALWAYS_BELOW", 5)
    before = build_archive(root, cases).manifest
    same = add_to(root, table_of(tmp_path / "m.csv", ["n"], first=50, site="cervix")).manifest
    assert same.measured_labels == before.measured_labels
    other = add_to(root, table_of(tmp_path / "o.csv", ["o"], first=60, site="urine")).manifest
    assert other.measured_labels != before.measured_labels

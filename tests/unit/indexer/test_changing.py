"""Archives that grow and shrink: every change is the next version, and costs what it changes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tiny_archives import LABEL, build_archive, write_picture, write_pictures, write_table

from coin_retrieval.archive import ArchiveLayout
from coin_retrieval.archive.verify import verify
from coin_retrieval.errors import (
    ArchiveCorruptError,
    EncoderMismatchError,
    FilterError,
    InputError,
    NotFoundError,
)
from coin_retrieval.factory import open_archive
from coin_retrieval.named_settings import read_store
from coin_retrieval.testing.histogram_encoder import HistogramEncoder
from coin_retrieval.types import ImageId
from indexer.building import BuildReport, BuildSettings, add
from indexer.history import history, rollback
from indexer.removing import compact, remove
from indexer.rows import read_sources
from indexer.versions import measuring

ARCHIVES = Path(__file__).parents[2] / "archives"


def add_to(root: Path, *sources: Path, encoder: HistogramEncoder | None = None) -> BuildReport:
    settings = BuildSettings(LABEL, read_store("flat"), 8, 2)
    rows = read_sources(sources, archive=root, where={})
    return add(root, rows, encoder=encoder or HistogramEncoder(), settings=settings)


def table_of(path: Path, cases: Sequence[str], *, first: int = 0, **fields: str) -> Path:
    """A manifest with a new picture for each case."""
    rows = []
    for number, case in enumerate(cases, start=first):
        picture = write_picture(path.parent / "pictures" / f"{number}.png", seed=number)
        rows.append({"image_path": f"pictures/{picture.name}", "case_id": case, **fields})
    return write_table(path, rows)


def content(root: Path, version: str | None = None) -> dict[int, tuple[object, object, bytes]]:
    """All that an archive says: each image's record and case, and its vector."""
    with open_archive(root, version=version) as archive:
        ids = archive.catalog.select({})
        images = archive.catalog.images(ImageId(i) for i in ids.tolist())
        cases = archive.catalog.cases({image.case_id for image in images.values()})
        vectors = archive.store.vectors(ids)
        return {
            i: (images[ImageId(i)], cases[images[ImageId(i)].case_id], row.tobytes())
            for i, row in zip(ids.tolist(), vectors, strict=True)
        }


def sound(root: Path) -> None:
    """Nothing is amiss, and the manifest's counts are those of a recount."""
    with open_archive(root) as archive:
        assert verify(archive) == []
        counts = archive.manifest.counts
        assert (counts.cases, counts.images) == archive.catalog.counts()
        hashes = [
            image.content_hash
            for image in archive.catalog.images(
                map(ImageId, archive.catalog.ids().tolist())
            ).values()
        ]
        assert counts.repeated == len(hashes) - len(set(hashes))


def segments(root: Path) -> list[tuple[int, int]]:
    with open_archive(root) as archive:
        return [(segment.rows, segment.removed) for segment in archive.manifest.segments]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.fixture
def cases(root: Path, tmp_path: Path) -> Path:
    """The manifest of an archive of ten cases."""
    table = table_of(tmp_path / "cases.csv", [f"c{n}" for n in range(10)], site="cervix")
    build_archive(root, table)
    return table


class TestAdding:
    def test_what_is_added_is_found_beside_what_was_there(
        self, root: Path, cases: Path, tmp_path: Path
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
        self, root: Path, cases: Path, tmp_path: Path
    ) -> None:
        for number in range(4):
            more = table_of(tmp_path / f"more{number}.csv", [f"n{number}"], first=50 + number)
            add_to(root, more)
        sources = [cases, *(tmp_path / f"more{n}.csv" for n in range(4))]
        build_archive(tmp_path / "whole", *sources)
        assert content(root) == content(tmp_path / "whole")

    def test_segments_are_merged_as_a_counter_carries(
        self, root: Path, cases: Path, tmp_path: Path
    ) -> None:
        seen = []
        for number in range(4):
            add_to(root, table_of(tmp_path / f"m{number}.csv", [f"n{number}"], first=50 + number))
            seen.append([rows for rows, _ in segments(root)])
        assert seen == [[10, 1], [10, 2], [10, 2, 1], [10, 4]]
        sound(root)

    def test_the_segments_that_stay_are_not_written_again(
        self, root: Path, cases: Path, tmp_path: Path
    ) -> None:
        kept = root / "segments" / "000001-0"
        before = {path.name: (path.stat().st_ino, path.read_bytes()) for path in kept.iterdir()}
        add_to(root, table_of(tmp_path / "more.csv", ["new"], first=50))
        assert {p.name: (p.stat().st_ino, p.read_bytes()) for p in kept.iterdir()} == before

    def test_what_is_there_already_changes_nothing(self, root: Path, cases: Path) -> None:
        before = content(root)
        encoder = HistogramEncoder()
        report = add_to(root, cases, encoder=encoder)
        assert (encoder.seen, report.reused, report.manifest.counts.duplicates) == (0, 10, 0)
        assert content(root) == before
        assert segments(root) == [(10, 0)]

    def test_a_row_that_says_something_else_replaces_its_image(
        self, root: Path, cases: Path, tmp_path: Path
    ) -> None:
        rows = [{"image_path": "pictures/3.png", "case_id": "c3", "diagnosis": "LSIL"}]
        add_to(root, write_table(tmp_path / "again.csv", rows))
        with open_archive(root) as archive:
            (image,) = archive.catalog.case_images("c3")
            assert image.diagnosis == "LSIL"
            assert archive.catalog.values("diagnosis") == {"LSIL": 1}
        assert segments(root) == [(10, 1), (1, 0)]
        sound(root)

    def test_what_a_row_says_of_its_case_holds_for_all_images_of_it(
        self, root: Path, tmp_path: Path
    ) -> None:
        build_archive(root, table_of(tmp_path / "cases.csv", ["c", "c", "d"]))
        report = add_to(root, table_of(tmp_path / "m.csv", ["c"], first=50, site="cervix"))
        with open_archive(root) as archive:
            assert len(archive.catalog.select({"site": ["cervix"]})) == 3
            assert archive.catalog.values("site") == {"cervix": 3}
            assert len(archive.catalog.case_images("c")) == 3
        assert report.manifest.change.removed == 0
        sound(root)

    def test_a_row_that_contradicts_its_case_is_noted_and_the_case_stays(
        self, root: Path, cases: Path, tmp_path: Path
    ) -> None:
        report = add_to(root, table_of(tmp_path / "m.csv", ["c1"], first=50, site="urine"))
        (note,) = [json.loads(line) for line in (report.folder / "notes.jsonl").open()]
        assert (note["kind"], note["kept"], note["other"]) == ("case_differs", "cervix", "urine")
        sound(root)

    def test_a_picture_of_another_case_is_noted_as_repeated(
        self, root: Path, cases: Path, tmp_path: Path
    ) -> None:
        rows = [{"image_path": "pictures/3.png", "case_id": "other"}]
        report = add_to(root, write_table(tmp_path / "m.csv", rows))
        assert (report.embedded, report.manifest.counts.repeated) == (0, 1)
        sound(root)

    def test_another_encoder_is_refused(self, root: Path, cases: Path) -> None:
        with pytest.raises(EncoderMismatchError):
            add_to(root, cases, encoder=HistogramEncoder(revision="2"))

    def test_there_must_be_an_archive(self, root: Path, tmp_path: Path) -> None:
        with pytest.raises(NotFoundError, match="coin-index build"):
            add_to(root, table_of(tmp_path / "cases.csv", ["c"]))
        assert not root.exists()

    def test_skipped_rows_of_the_version_before_stay_listed_until_they_can_be_read(
        self, root: Path, tmp_path: Path
    ) -> None:
        table = table_of(tmp_path / "cases.csv", ["a", "b"])
        rest = (tmp_path / "pictures" / "1.png").read_bytes()
        (tmp_path / "pictures" / "1.png").write_bytes(b"no picture")
        build_archive(root, table)
        more = add_to(root, table_of(tmp_path / "more.csv", ["c"], first=50))
        assert more.manifest.counts.skipped == 1
        (line,) = [json.loads(line) for line in (more.folder / "skipped.jsonl").open()]
        assert (line["path"], line["source"]) == ("pictures/1.png", str(table))
        (tmp_path / "pictures" / "1.png").write_bytes(rest)
        assert add_to(root, table).manifest.counts.skipped == 0
        sound(root)

    @pytest.mark.parametrize("schema", [1, 2, 3])
    def test_an_archive_of_an_earlier_program_is_written_as_segments(
        self, schema: int, root: Path, tmp_path: Path
    ) -> None:
        shutil.copytree(ARCHIVES / f"schema_{schema}", root)
        old = {p.name: p.read_bytes() for p in (root / "versions" / "000001").iterdir()}
        before = content(root)
        with open_archive(root) as archive:
            store = archive.manifest.store
        settings = BuildSettings(LABEL, store, 8, 2)
        rows = read_sources(
            [table_of(tmp_path / "more.csv", ["new"], first=50)], archive=root, where={}
        )
        add(root, rows, encoder=HistogramEncoder(), settings=settings)
        after = content(root)
        assert {i: after[i] for i in before} == before
        assert segments(root) == [(9, 0)]
        assert {p.name: p.read_bytes() for p in (root / "versions" / "000001").iterdir()} == old


class TestUnchangedFiles:
    def test_they_are_known_by_size_and_time_and_read_again_if_asked(
        self, root: Path, cases: Path
    ) -> None:
        picture = cases.parent / "pictures" / "3.png"
        stat = picture.stat()
        other = (cases.parent / "pictures" / "4.png").read_bytes()
        picture.write_bytes(other.ljust(stat.st_size, b"\0")[: stat.st_size])
        os.utime(picture, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        before = content(root)
        build_archive(root, cases)
        assert content(root) == before
        assert build_archive(root, cases, rehash=True, drop=True).manifest.counts != before

    def test_a_file_that_was_only_touched_is_not_embedded_again(
        self, root: Path, cases: Path
    ) -> None:
        os.utime(cases.parent / "pictures" / "3.png", ns=(1, 1))
        encoder = HistogramEncoder()
        build_archive(root, cases, encoder=encoder)
        assert encoder.seen == 0
        with open_archive(root) as archive:
            assert archive.catalog.case_images("c3")[0].file.modified_ns == 1


class TestBuildingAgain:
    def test_a_build_keeps_the_segments_of_what_has_not_changed(
        self, root: Path, cases: Path
    ) -> None:
        build_archive(root, cases)
        assert segments(root) == [(10, 0)]
        assert len(list((root / "segments").iterdir())) == 1

    def test_cases_that_a_forgotten_source_would_take_along_stop_the_build(
        self, root: Path, cases: Path, tmp_path: Path
    ) -> None:
        more = table_of(tmp_path / "more.csv", ["n1", "n2"], first=50)
        build_archive(root, cases, more)
        with pytest.raises(InputError, match=r"2 of 12 cases.*2 from .*more\.csv.*--drop"):
            build_archive(root, cases)
        assert len(content(root)) == 12
        assert build_archive(root, cases, drop=True).manifest.counts.cases == 10
        sound(root)

    def test_a_few_cases_may_go_unasked(self, root: Path, tmp_path: Path) -> None:
        names = [f"c{n}" for n in range(100)]
        build_archive(root, table_of(tmp_path / "cases.csv", names))
        build_archive(root, table_of(tmp_path / "cases.csv", names[:-1]))
        assert len(content(root)) == 99
        sound(root)

    def test_what_comes_back_is_not_embedded_again(
        self, root: Path, cases: Path, tmp_path: Path
    ) -> None:
        more = table_of(tmp_path / "more.csv", ["n1", "n2"], first=50)
        build_archive(root, cases, more)
        build_archive(root, cases, drop=True)
        build_archive(root, cases)
        encoder = HistogramEncoder()
        build_archive(root, cases, more, encoder=encoder)
        assert encoder.seen == 0
        sound(root)

    def test_a_source_whose_pictures_are_gone_stops_the_build(
        self, root: Path, cases: Path, tmp_path: Path
    ) -> None:
        share = tmp_path / "share"
        more = table_of(share / "more.csv", [f"n{n}" for n in range(20)], first=50)
        shutil.move(share / "pictures", tmp_path / "unmounted")
        with pytest.raises(InputError, match=r"20 of 20 rows of .*more\.csv.*--max-skipped 1\.00"):
            build_archive(root, cases, more)
        assert len(content(root)) == 10
        assert build_archive(root, cases, more, max_skipped=1).manifest.counts.skipped == 20
        shutil.move(tmp_path / "unmounted", share / "pictures")
        assert build_archive(root, cases, more).manifest.counts.skipped == 0

    def test_pictures_that_cannot_be_read_any_more_are_not_dropped_unasked(
        self, root: Path, cases: Path
    ) -> None:
        (cases.parent / "pictures" / "3.png").unlink()
        with pytest.raises(InputError, match="1 of 10 cases"):
            build_archive(root, cases)
        assert len(content(root)) == 10


class TestRemoving:
    def test_cases_are_gone_from_every_answer_and_their_segment_stays(
        self, root: Path, cases: Path
    ) -> None:
        before = content(root)
        report = remove(root, ["c3", "c4"])
        assert (report.cases, report.images) == (2, 2)
        after = content(root)
        assert {case.case_id for _, case, _ in after.values()}.isdisjoint({"c3", "c4"})
        assert {i: before[i] for i in after} == after
        assert segments(root) == [(10, 2)]
        sound(root)

    def test_a_filter_removes_the_images_that_fit(self, root: Path, tmp_path: Path) -> None:
        rows = [
            {"image_path": f"{n}.png", "case_id": case, "split": split}
            for n, (case, split) in enumerate([("a", "x"), ("a", "y"), ("b", "x"), ("c", "y")])
        ]
        for number in range(4):
            write_picture(tmp_path / f"{number}.png", seed=number)
        build_archive(root, write_table(tmp_path / "cases.csv", rows))
        report = remove(root, where={"split": ["X"]})
        assert (report.cases, report.images) == (1, 2)
        with open_archive(root) as archive:
            assert list(archive.catalog.case_ids()) == ["a", "c"]
        sound(root)

    def test_a_case_that_is_not_there_is_an_error_and_nothing_is_removed(
        self, root: Path, cases: Path
    ) -> None:
        with pytest.raises(NotFoundError, match="nobody"):
            remove(root, ["c3", "nobody"])
        with pytest.raises(FilterError, match="organ"):
            remove(root, where={"organ": ["x"]})
        with pytest.raises(InputError, match="nothing to remove"):
            remove(root, where={"site": ["liver"]})
        with pytest.raises(InputError, match="nothing would be left"):
            remove(root, where={"site": ["cervix"]})
        assert len(content(root)) == 10

    def test_removing_twice_adds_up(self, root: Path, cases: Path) -> None:
        remove(root, ["c3"])
        remove(root, ["c4"])
        assert segments(root) == [(10, 2)]
        assert [kept.manifest.change.removed for kept in history(root)] == [1, 1, 0]
        sound(root)

    def test_what_was_removed_may_come_again(self, root: Path, cases: Path) -> None:
        before = content(root)
        remove(root, ["c3"])
        encoder = HistogramEncoder()
        add_to(root, cases, encoder=encoder)
        assert encoder.seen == 0
        assert content(root) == before
        sound(root)

    def test_a_reader_keeps_its_version(self, root: Path, cases: Path) -> None:
        with open_archive(root) as archive:
            remove(root, ["c3"])
            assert archive.superseded
            assert len(archive.catalog.select({})) == 10
            assert (
                len(archive.store.search(archive.store.vectors(archive.store.ids()[:1]), 20)[0])
                == 10
            )


class TestPurging:
    def test_no_byte_of_it_is_left_in_any_version(self, root: Path, tmp_path: Path) -> None:
        names = [f"patient-{n:03d}" for n in range(40)]
        table = table_of(tmp_path / "cases.csv", names, diagnosis="LSIL")
        build_archive(root, table)
        build_archive(root, table)
        gone = names[5:15]
        held = content(root)
        traces: list[bytes] = []
        for image_id, (image, case, row) in held.items():
            if case.case_id in gone:
                traces += [
                    case.case_id.encode(),
                    image.content_hash.encode(),
                    bytes.fromhex(image.content_hash),
                    str(image_id).encode(),
                    int(image_id).to_bytes(8, "little"),
                    row,
                ]
        assert all(_found(root, trace) for trace in traces[:6:5])
        report = remove(root, gone, purge=True, wait_s=0)
        assert not [trace for trace in traces if _found(root, trace)]
        assert report.readers == ()
        assert [kept.manifest.version for kept in history(root)] == ["000003"]
        assert len(content(root)) == 30
        sound(root)

    def test_what_was_removed_before_is_purged_too(self, root: Path, cases: Path) -> None:
        row = next(row for _, case, row in content(root).values() if case.case_id == "c3")
        remove(root, ["c3"])
        assert _found(root, row)
        remove(root, ["c4"], purge=True, wait_s=0)
        assert not _found(root, row)

    def test_lists_do_not_name_it(self, root: Path, tmp_path: Path) -> None:
        write_pictures(tmp_path, 3)
        rows = [
            {"image_path": "cell_000.png", "case_id": "secret", "site": "a"},
            {"image_path": "cell_000.png", "case_id": "secret", "site": "b"},
            {"image_path": "gone.png", "case_id": "secret"},
            {"image_path": "cell_001.png", "case_id": "other"},
        ]
        build_archive(root, write_table(tmp_path / "cases.csv", rows), max_skipped=1)
        assert _found(root, b"secret")
        remove(root, ["secret"], purge=True, wait_s=0)
        assert not _found(root, b"secret")

    def test_who_still_reads_is_named(self, root: Path, cases: Path) -> None:
        with open_archive(root):
            assert remove(root, ["c3"], purge=True, wait_s=0.1).readers == ("000001",)
        assert remove(root, ["c4"], purge=True, wait_s=0.1).readers == ()

    def test_a_picture_that_another_case_has_keeps_its_thumbnail(
        self, root: Path, cases: Path, tmp_path: Path
    ) -> None:
        rows = [{"image_path": "pictures/3.png", "case_id": "other"}]
        add_to(root, write_table(tmp_path / "m.csv", rows))
        remove(root, ["c3"], purge=True, wait_s=0)
        sound(root)


class TestGoingBack:
    def test_a_version_is_named_by_how_it_came_to_be(
        self, root: Path, cases: Path, tmp_path: Path
    ) -> None:
        add_to(root, table_of(tmp_path / "m.csv", ["n"], first=50))
        remove(root, ["c3"])
        told = [
            (kept.manifest.version, kept.manifest.change.command, kept.current)
            for kept in history(root)
        ]
        assert told == [
            ("000003", "remove", True), ("000002", "add", False), ("000001", "build", False),
        ]  # fmt: skip

    @pytest.mark.parametrize("version", [None, "2", "000002"])
    def test_the_archive_is_as_it_was_then_and_nothing_is_lost(
        self, root: Path, cases: Path, tmp_path: Path, version: str | None
    ) -> None:
        add_to(root, table_of(tmp_path / "m.csv", ["n"], first=50))
        wanted = content(root)
        remove(root, ["c3", "n"])
        latest = content(root)
        assert rollback(root, version).version == "000004"
        assert content(root) == wanted
        sound(root)
        rollback(root, "000003")
        assert content(root) == latest
        sound(root)

    def test_a_version_that_was_never_published_is_not_told(self, root: Path, cases: Path) -> None:
        remove(root, ["c3"])
        (root / "CURRENT").write_text("000001\n")
        assert [kept.manifest.version for kept in history(root)] == ["000001"]

    def test_a_version_that_is_not_kept_is_refused(self, root: Path, cases: Path) -> None:
        with pytest.raises(NotFoundError, match="coin-index history"):
            rollback(root)
        with pytest.raises(NotFoundError, match="none is kept"):
            rollback(root, "7")

    def test_compacting_leaves_out_what_was_removed_and_changes_no_answer(
        self, root: Path, cases: Path, tmp_path: Path
    ) -> None:
        for number in range(3):
            add_to(root, table_of(tmp_path / f"m{number}.csv", [f"n{number}"], first=50 + number))
        remove(root, ["c3", "n1"])
        before = content(root)
        compact(root)
        assert content(root) == before
        assert segments(root) == [(11, 0)]
        sound(root)


def test_an_archive_that_may_not_be_written_opens_and_answers(root: Path, cases: Path) -> None:
    remove(root, ["c3"])
    folders = [path for path in (root, *root.rglob("*")) if path.is_dir()]
    for path in root.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    root.chmod(0o555)
    try:
        with open_archive(root) as archive:
            assert (
                len(archive.store.search(archive.store.vectors(archive.store.ids()[:1]), 20)[0])
                == 9
            )
            assert verify(archive) == []
    finally:
        for path in folders:
            path.chmod(0o755)


def test_a_removed_row_cannot_be_smuggled_back_by_a_changed_list(root: Path, cases: Path) -> None:
    remove(root, ["c3"])
    path = ArchiveLayout(root).published() / "removed-000001-0.npy"
    whole = path.read_bytes()
    np.save(path, np.array([12], np.uint32))
    with pytest.raises(ArchiveCorruptError, match="removed rows"):
        open_archive(root)
    path.write_bytes(whole)
    assert len(content(root)) == 9


def _found(root: Path, trace: bytes) -> bool:
    """Whether any file below holds these bytes, or is named by them."""
    return any(
        trace in os.fsencode(path) or (path.is_file() and trace in path.read_bytes())
        for path in root.rglob("*")
    )


class TestMeasuring:
    """What is measured is measured on samples, and again only when enough has changed."""

    @pytest.fixture(autouse=True)
    def large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(measuring, "ALWAYS_BELOW", 5)

    def test_it_is_kept_while_the_archive_is_nearly_as_large(
        self, root: Path, cases: Path, tmp_path: Path
    ) -> None:
        first = add_to(root, table_of(tmp_path / "m.csv", ["n"], first=50)).manifest
        assert (first.measured_images, first.counts.images) == (10, 11)
        second = add_to(root, table_of(tmp_path / "o.csv", ["o"], first=60)).manifest
        assert (second.measured_images, second.counts.images) == (12, 12)
        assert second.real_mean != first.real_mean

    def test_what_reports_are_judged_by_is_measured_where_labels_come_along(
        self, root: Path, cases: Path, tmp_path: Path
    ) -> None:
        before = build_archive(root, cases).manifest
        same = add_to(root, table_of(tmp_path / "m.csv", ["n"], first=50, site="cervix")).manifest
        assert same.measured_labels == before.measured_labels
        other = add_to(root, table_of(tmp_path / "o.csv", ["o"], first=60, site="urine")).manifest
        assert other.measured_labels != before.measured_labels

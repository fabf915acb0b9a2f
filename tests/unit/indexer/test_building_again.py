"""What a build finds again is neither embedded nor lost."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from growing_archives import content, segments, sound, table_of
from tiny_archives import build_archive

from coin_retrieval.errors import InputError
from coin_retrieval.factory import open_archive
from coin_retrieval.testing.histogram_encoder import HistogramEncoder


def test_they_are_known_by_size_and_time_and_read_again_if_asked(root: Path, cases: Path) -> None:
    picture = cases.parent / "pictures" / "3.png"
    stat = picture.stat()
    other = (cases.parent / "pictures" / "4.png").read_bytes()
    picture.write_bytes(other.ljust(stat.st_size, b"\0")[: stat.st_size])
    os.utime(picture, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    before = content(root)
    build_archive(root, cases)
    assert content(root) == before
    assert build_archive(root, cases, rehash=True, drop=True).manifest.counts != before


def test_a_file_that_was_only_touched_is_not_embedded_again(root: Path, cases: Path) -> None:
    os.utime(cases.parent / "pictures" / "3.png", ns=(1, 1))
    encoder = HistogramEncoder()
    build_archive(root, cases, encoder=encoder)
    assert encoder.seen == 0
    with open_archive(root) as archive:
        assert archive.catalog.case_images("c3")[0].file.modified_ns == 1


def test_a_build_keeps_the_segments_of_what_has_not_changed(root: Path, cases: Path) -> None:
    build_archive(root, cases)
    assert segments(root) == [(10, 0)]
    assert len(list((root / "segments").iterdir())) == 1


def test_cases_that_a_forgotten_source_would_take_along_stop_the_build(
    root: Path, cases: Path, tmp_path: Path
) -> None:
    more = table_of(tmp_path / "more.csv", ["n1", "n2"], first=50)
    build_archive(root, cases, more)
    with pytest.raises(InputError, match=r"2 of 12 cases.*2 from .*more\.csv.*--drop"):
        build_archive(root, cases)
    assert len(content(root)) == 12
    assert build_archive(root, cases, drop=True).manifest.counts.cases == 10
    sound(root)


def test_a_few_cases_may_go_unasked(root: Path, tmp_path: Path) -> None:
    names = [f"c{n}" for n in range(100)]
    build_archive(root, table_of(tmp_path / "cases.csv", names))
    build_archive(root, table_of(tmp_path / "cases.csv", names[:-1]))
    assert len(content(root)) == 99
    sound(root)


def test_what_comes_back_is_not_embedded_again(root: Path, cases: Path, tmp_path: Path) -> None:
    more = table_of(tmp_path / "more.csv", ["n1", "n2"], first=50)
    build_archive(root, cases, more)
    build_archive(root, cases, drop=True)
    build_archive(root, cases)
    encoder = HistogramEncoder()
    build_archive(root, cases, more, encoder=encoder)
    assert encoder.seen == 0
    sound(root)


def test_a_source_whose_pictures_are_gone_stops_the_build(
    root: Path, cases: Path, tmp_path: Path
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
    root: Path, cases: Path
) -> None:
    (cases.parent / "pictures" / "3.png").unlink()
    with pytest.raises(InputError, match="1 of 10 cases"):
        build_archive(root, cases)
    assert len(content(root)) == 10

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from PIL import Image
from tiny_archives import write_pictures

from coin_retrieval.archive import ArchiveLayout
from coin_retrieval.images.decoding import content_hash, load_image
from coin_retrieval.tables.cases import CaseRow
from coin_retrieval.types import FileState, ImageId, ImageRecord
from indexer.embedding.pictures import PictureReader, ReadPicture, Unreadable


@pytest.fixture
def layout(tmp_path: Path) -> ArchiveLayout:
    return ArchiveLayout(tmp_path / "archive")


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return sorted(write_pictures(tmp_path / "in", 30).iterdir())


def _row(path: Path) -> CaseRow:
    return CaseRow(image_path=path, case_id="")


def _reader(layout: ArchiveLayout, *, embedded: bool = False, ahead: int = 8) -> PictureReader:
    return PictureReader(layout, lambda _: embedded, workers=4, ahead=ahead)


def test_pictures_come_in_the_order_asked(layout: ArchiveLayout, paths: list[Path]) -> None:
    found = list(_reader(layout).read_all((_row(path), None) for path in paths))
    assert [p.content_hash for p in found if isinstance(p, ReadPicture)] == [
        content_hash(path.read_bytes()) for path in paths
    ]


def test_each_picture_leaves_a_small_thumbnail(layout: ArchiveLayout, tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    Image.new("RGB", (1000, 400), "red").save(path)
    picture = _reader(layout).read(_row(path))
    assert isinstance(picture, ReadPicture)
    assert load_image(layout.thumbnail(picture.content_hash)).shape[1::-1] == (256, 102)


def test_what_is_embedded_and_has_a_thumbnail_is_not_decoded(
    layout: ArchiveLayout, paths: list[Path]
) -> None:
    _reader(layout).read(_row(paths[0]))
    again = _reader(layout, embedded=True).read(_row(paths[0]))
    assert isinstance(again, ReadPicture)
    assert again.decoded is None


def test_an_empty_thumbnail_left_by_a_power_cut_is_written_again(
    layout: ArchiveLayout, paths: list[Path]
) -> None:
    picture = _reader(layout).read(_row(paths[0]))
    assert isinstance(picture, ReadPicture)
    thumbnail = layout.thumbnail(picture.content_hash)
    thumbnail.write_bytes(b"")
    _reader(layout, embedded=True).read(_row(paths[0]))
    assert thumbnail.stat().st_size > 0


def test_a_huge_file_is_refused_before_it_is_read(layout: ArchiveLayout, tmp_path: Path) -> None:
    path = tmp_path / "huge.tif"
    with path.open("wb") as file:
        file.truncate(2**40)
    found = _reader(layout).read(_row(path))
    assert isinstance(found, Unreadable)
    assert "too large" in found.reason


def test_reading_keeps_only_a_few_pictures_ahead_of_a_slow_encoder(
    layout: ArchiveLayout, paths: list[Path]
) -> None:
    reading = _reader(layout, ahead=5).read_all((_row(path), None) for path in paths)
    next(reading)
    reading.close()
    assert 1 <= len(list(layout.thumbnails.glob("*/*"))) <= 6


def test_of_what_has_no_thumbnail_nobody_asks_whether_it_is_embedded(
    layout: ArchiveLayout, paths: list[Path]
) -> None:
    asked: list[str] = []
    reader = PictureReader(layout, lambda digest: bool(asked.append(digest)), workers=1, ahead=1)
    for path in paths:
        reader.read(_row(path))
    assert asked == []
    reader.read(_row(paths[0]))
    assert len(asked) == 1


def test_stopping_early_leaves_no_thread_behind(layout: ArchiveLayout, paths: list[Path]) -> None:
    reading = _reader(layout).read_all((_row(path), None) for path in paths)
    next(reading)
    reading.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("picture")]


def test_a_file_of_the_size_and_time_that_it_had_is_not_read_again(
    layout: ArchiveLayout, paths: list[Path]
) -> None:
    picture = _reader(layout).read(_row(paths[0]))
    assert isinstance(picture, ReadPicture)
    state = FileState("in", picture.size_bytes, picture.modified_ns)
    digest = picture.content_hash
    known = ImageRecord(ImageId(1), "c", "", digest, 1, 1, file=state)
    other = paths[1].read_bytes()
    paths[0].write_bytes(other[: state.size_bytes].ljust(state.size_bytes, b"x"))
    os.utime(paths[0], ns=(state.modified_ns, state.modified_ns))
    again = _reader(layout, embedded=True).read(_row(paths[0]), known)
    assert again == ReadPicture(digest, None, state.size_bytes, state.modified_ns)
    os.utime(paths[0], ns=(state.modified_ns + 1, state.modified_ns + 1))
    changed = _reader(layout, embedded=True).read(_row(paths[0]), known)
    assert not isinstance(changed, ReadPicture) or changed.content_hash != digest

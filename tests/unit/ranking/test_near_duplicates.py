from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from unit.search.conftest import patch

from coin_retrieval.archive.thumbnails import write_thumbnail
from coin_retrieval.ranking import near_duplicates
from coin_retrieval.ranking.near_duplicates import Likeness, alike, glance, overlapping
from coin_retrieval.types import ImageId, ImageRecord, RgbImage


def textured(number: int) -> RgbImage:
    """A disc with noise in it, 96 px."""
    noise = np.random.default_rng(number).integers(-12, 13, (96, 96, 3))
    large = np.kron(patch(number), np.ones((3, 3, 1)))
    return (large + noise).clip(0, 255).astype(np.uint8)


def squeezed(image: RgbImage, quality: int = 40) -> RgbImage:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


def halved(image: RgbImage) -> RgbImage:
    return np.asarray(Image.fromarray(image).resize((48, 48)))


COPIES = {
    "compressed": squeezed,
    "shrunk": halved,
    "turned": np.rot90,
    "mirrored": np.fliplr,
    "turned and mirrored": lambda image: np.flipud(np.rot90(image)),
}


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_is_alike(how: str) -> None:
    picture = textured(1)
    assert alike(glance(picture), glance(np.ascontiguousarray(COPIES[how](picture))))


@pytest.mark.parametrize("number", range(2, 8))
def test_another_picture_is_not_alike(number: int) -> None:
    assert not alike(glance(textured(1)), glance(textured(number)))


def test_equal_colours_elsewhere_are_not_alike() -> None:
    picture = np.full((64, 64, 3), 240, np.uint8)
    other = picture.copy()
    picture[:16, :16] = 0
    other[24:40, 24:40] = 0
    assert not alike(glance(picture), glance(other))


def test_two_blank_fields_prove_nothing() -> None:
    noise = np.random.default_rng(0).integers(-6, 7, (2, 64, 64, 3))
    first, second = (glance((220 + one).astype(np.uint8)) for one in noise)
    assert not alike(first, second)


def lettered() -> RgbImage:
    """A dark F on a light ground: no turn of it is its mirror image."""
    letter = np.full((64, 64, 3), 230, np.uint8)
    letter[8:56, 16:24] = letter[8:16, 16:48] = letter[28:36, 16:40] = (60, 20, 90)
    return letter


@pytest.mark.parametrize("quarter", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_copy_is_known_however_it_lies(quarter: int, mirrored: bool) -> None:
    copy = np.rot90(lettered()[:, ::-1] if mirrored else lettered(), quarter)
    assert alike(glance(lettered()), glance(np.ascontiguousarray(copy)))


def test_a_glance_has_the_mean_colours_of_parts() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    seen = glance(picture)
    parts = picture.reshape(16, 4, 16, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(seen.colours, parts, atol=1)
    np.testing.assert_array_equal(seen.ordered, np.sort(seen.colours.reshape(256, 3), axis=0))


def test_one_colour_alone_has_no_structure() -> None:
    assert glance(np.full((32, 32, 3), (200, 30, 40), np.uint8)).structure == 0


def record(number: int, content_hash: str) -> ImageRecord:
    return ImageRecord(ImageId(number), f"C{number}", "", content_hash, 96, 96)


def test_pictures_are_compared_by_their_thumbnails(tmp_path: Path) -> None:
    pictures = {"a": textured(1), "b": squeezed(textured(1)), "c": textured(2)}
    for name, picture in pictures.items():
        write_thumbnail(tmp_path / f"{name}.jpg", picture)
    likeness = Likeness(lambda image: tmp_path / f"{image.content_hash}.jpg")
    assert likeness.same(record(0, "a"), record(1, "b"))
    assert not likeness.same(record(0, "a"), record(2, "c"))


def test_equal_contents_are_the_same_without_looking() -> None:
    assert Likeness().same(record(0, "a"), record(1, "a"))
    assert not Likeness().same(record(0, "a"), record(1, "b"))
    assert not Likeness().same(record(0, ""), record(1, ""))


def test_a_missing_thumbnail_proves_nothing(tmp_path: Path) -> None:
    likeness = Likeness(lambda image: tmp_path / f"{image.content_hash}.jpg")
    assert not likeness.same(record(0, "a"), record(1, "b"))


class Thumbnails:
    """Thumbnails in a folder, and how often each was asked for."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.folder = folder
        self.asked: list[str] = []
        for number, name in enumerate(names):
            write_thumbnail(folder / f"{name}.jpg", textured(number))

    def __call__(self, image: ImageRecord) -> Path:
        self.asked.append(image.content_hash)
        return self.folder / f"{image.content_hash}.jpg"


def test_a_picture_is_looked_at_once(tmp_path: Path) -> None:
    thumbnails = Thumbnails(tmp_path, "a", "b", "c")
    likeness = Likeness(thumbnails)
    for other in ("b", "c", "b"):
        likeness.same(record(0, "a"), record(1, other))
    assert thumbnails.asked == ["a", "b", "c"]


def test_no_more_pictures_are_remembered_than_there_is_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_duplicates, "_REMEMBERED", 2)
    thumbnails = Thumbnails(tmp_path, "a", "b", "c")
    likeness = Likeness(thumbnails)
    likeness.same(record(0, "a"), record(1, "b"))
    likeness.same(record(0, "a"), record(1, "b"))  # there is room for both
    likeness.same(record(0, "a"), record(2, "c"))  # they are forgotten for this
    likeness.same(record(1, "b"), record(0, "a"))
    assert thumbnails.asked == ["a", "b", "c", "b", "a"]


@pytest.mark.parametrize(
    ("size", "copy"),
    [((50, 30), True), ((60, 100), True), ((104, 60), True), ((106, 60), False), ((80, 75), False)],
)
def test_only_pictures_of_one_shape_are_looked_at(
    tmp_path: Path, size: tuple[int, int], copy: bool
) -> None:
    write_thumbnail(tmp_path / "a.jpg", textured(1))
    write_thumbnail(tmp_path / "b.jpg", textured(1))
    likeness = Likeness(lambda image: tmp_path / f"{image.content_hash}.jpg")
    first = ImageRecord(ImageId(0), "C0", "", "a", 100, 60)
    assert likeness.same(first, ImageRecord(ImageId(1), "C1", "", "b", *size)) is copy


def test_copies_alone_can_be_looked_for(tmp_path: Path) -> None:
    whole = field(1)
    pictures = {"a": window(whole, 0, 0), "b": window(whole, 60, 0), "c": window(whole, 0, 0)}
    for name, picture in pictures.items():
        write_thumbnail(tmp_path / f"{name}.jpg", picture)
    likeness = Likeness(lambda image: tmp_path / f"{image.content_hash}.jpg")
    assert likeness.same(record(0, "a"), record(1, "b"))
    assert not likeness.same(record(0, "a"), record(1, "b"), fields=False)
    assert likeness.same(record(0, "a"), record(2, "c"), fields=False)


def field(number: int, side: int = 300) -> RgbImage:
    """A field of many discs."""
    rng = np.random.default_rng(number)
    rows, columns = np.mgrid[:side, :side]
    picture = np.full((side, side, 3), 235, np.uint8)
    for _ in range(60):
        y, x = rng.integers(0, side, 2)
        inside = (rows - y) ** 2 + (columns - x) ** 2 < rng.integers(20, 140)
        picture[inside] = rng.integers(40, 200, 3)
    return picture


def window(image: RgbImage, top: int, left: int) -> RgbImage:
    return np.ascontiguousarray(image[top : top + 200, left : left + 200])


@pytest.mark.parametrize(("down", "right"), [(0, 60), (80, 0), (60, 60), (100, 20), (5, 0)])
def test_fields_that_overlap_are_told_whichever_comes_first(down: int, right: int) -> None:
    whole = field(1)
    one = glance(window(whole, 0, 0))
    other = glance(squeezed(window(whole, down, right), 70))
    assert overlapping(one, other)
    assert overlapping(other, one)


@pytest.mark.parametrize("number", range(2, 12))
def test_other_fields_do_not_overlap(number: int) -> None:
    assert not overlapping(glance(window(field(1), 0, 0)), glance(window(field(number), 0, 0)))


def test_fields_that_touch_only_at_an_edge_are_two() -> None:
    whole = field(1, 400)
    assert not overlapping(glance(window(whole, 0, 0)), glance(window(whole, 180, 0)))


def test_small_pictures_are_no_fields() -> None:
    cell = textured(1)
    assert not overlapping(glance(cell), glance(cell))


def test_blank_fields_overlap_nothing() -> None:
    blank = np.full((200, 200, 3), 240, np.uint8)
    assert not overlapping(glance(blank), glance(blank))

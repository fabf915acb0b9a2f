from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from unit.search.conftest import patch

from coin_retrieval.archive.thumbnails import write_thumbnail
from coin_retrieval.ranking.near_duplicates import Likeness, alike, glance
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


def record(number: int, content_hash: str) -> ImageRecord:
    return ImageRecord(ImageId(number), f"C{number}", "", content_hash, 96, 96)


def test_pictures_are_compared_by_their_thumbnails(tmp_path: Path) -> None:
    pictures = {"a": textured(1), "b": squeezed(textured(1)), "c": textured(2)}
    for name, picture in pictures.items():
        write_thumbnail(tmp_path / f"{name}.webp", picture)
    likeness = Likeness(lambda image: tmp_path / f"{image.content_hash}.webp")
    assert likeness.same(record(0, "a"), record(1, "b"))
    assert not likeness.same(record(0, "a"), record(2, "c"))


def test_equal_contents_are_the_same_without_looking() -> None:
    assert Likeness().same(record(0, "a"), record(1, "a"))
    assert not Likeness().same(record(0, "a"), record(1, "b"))
    assert not Likeness().same(record(0, ""), record(1, ""))


def test_a_missing_thumbnail_proves_nothing(tmp_path: Path) -> None:
    likeness = Likeness(lambda image: tmp_path / f"{image.content_hash}.webp")
    assert not likeness.same(record(0, "a"), record(1, "b"))

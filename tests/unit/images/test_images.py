from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from coin_retrieval.errors import ImageError
from coin_retrieval.images import decoding as images
from coin_retrieval.images.decoding import (
    ImageLike,
    as_rgb,
    content_hash,
    decode_image,
    decode_sized,
    load_image,
)
from coin_retrieval.images.png import encode_png
from coin_retrieval.images.resizing import fit_square, resize, thumbnail

RED = np.broadcast_to(np.array([200, 30, 40], np.uint8), (12, 20, 3))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def bomb(side_px: int) -> bytes:
    """A few hundred bytes that claim to be ``side_px`` square."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", side_px, side_px, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1000)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused(kind: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    with pytest.raises(ImageError, match="cannot be decoded"):
        decode_image(data[: int(kept * len(data))])


@pytest.mark.parametrize("side_px", [11_000, 20_000, 65_000])
def test_a_decompression_bomb_is_refused_from_its_header(side_px: int) -> None:
    with pytest.raises(ImageError, match=r"too many pixels.*export a region"):
        decode_image(bomb(side_px))


def test_a_picture_may_have_exactly_as_many_pixels_as_are_allowed() -> None:
    data = encode_png(RED)
    assert decode_image(data, max_pixels=240).shape == RED.shape
    with pytest.raises(ImageError, match=r"20 × 12.*at most 239"):
        decode_image(data, max_pixels=239)


def test_a_file_may_have_exactly_as_many_bytes_as_are_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = encode_png(RED)
    monkeypatch.setattr(images, "MAX_BYTES", len(data))
    assert decode_image(data).shape == RED.shape
    with pytest.raises(ImageError, match="too large a file"):
        decode_image(data + b"\0")


def test_a_content_is_known_by_its_sha_256() -> None:
    assert content_hash(b"abc").startswith("ba7816bf8f01cfea")


@pytest.mark.parametrize("data", [b"", b"not a picture", b"%PDF-1.7\n", b"<svg/>"])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError, match="JPEG, PNG"):
        decode_image(data)


def test_a_format_that_is_not_listed_is_refused_though_it_could_be_read() -> None:
    with pytest.raises(ImageError, match="cannot be decoded"):
        decode_image(encoded(Image.fromarray(RED), "PPM"))


def test_what_is_refused_is_called_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"^cell\.png has too many"):
        decode_image(encode_png(RED), name="cell.png", max_pixels=1)
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"damaged\.png cannot be decoded"):
        load_image(damaged)


def test_a_cmyk_picture_becomes_rgb() -> None:
    picture = decode_image(encoded(Image.fromarray(RED).convert("CMYK"), "JPEG", quality=95))
    assert picture.shape == RED.shape
    assert np.abs(picture.astype(int) - RED).max() < 20


@pytest.mark.parametrize("top", [65535, 4095, 255])
def test_a_16_bit_picture_keeps_its_range(top: int) -> None:
    ramp = np.linspace(0, top, 256).astype(np.uint16)[None].repeat(4, 0)
    picture = decode_image(encoded(Image.fromarray(ramp), "PNG"))
    assert picture.shape == (4, 256, 3)
    np.testing.assert_allclose(picture[0, :, 0], np.arange(256), atol=1)


@pytest.mark.parametrize(
    ("values", "grey"),
    [
        ([0.0, 255.0], [0, 255]),  # an 8-bit picture in a deep file
        ([255.0, 256.0], [15, 15]),  # one level more: 12 bits
        ([2048.0, 4095.0], [127, 255]),
        ([4095.0, 4096.0], [15, 15]),  # one level more: 16 bits
        ([32768.0, 65535.0], [127, 255]),
        ([50_000.0, 100_000.0], [127, 255]),  # beyond 16 bits: by its own brightest
        ([-40.0, 255.0], [0, 255]),
        ([float("nan"), 255.0], [0, 255]),
        ([float("inf"), 255.0], [0, 255]),
    ],
)
def test_a_deep_picture_is_scaled_by_the_bits_that_it_uses(
    values: list[float], grey: list[int]
) -> None:
    deep = Image.fromarray(np.array([values], np.float32))
    picture = decode_image(encoded(deep, "TIFF"))
    assert picture.tolist() == [[[level] * 3 for level in grey]]


def test_of_an_animation_the_first_frame_is_taken() -> None:
    frames = [Image.fromarray(np.full((8, 8, 3), value, np.uint8)) for value in (10, 200)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode_image(data).max() == 10


def test_transparency_lies_over_white() -> None:
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert decode_image(encoded(clear, "PNG")).min() == 255


@pytest.mark.parametrize("mode", ["LA", "P"])
def test_transparency_of_grey_and_of_palettes_lies_over_white(mode: str) -> None:
    clear = Image.new(mode, (4, 4), 0)
    options = {"transparency": 0} if mode == "P" else {}
    assert decode_image(encoded(clear, "PNG", **options)).min() == 255


def test_the_cameras_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(RED), "JPEG", exif=exif)
    assert decode_image(data).shape == (20, 12, 3)


def test_a_missing_file_is_told_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"absent\.png"):
        load_image(tmp_path / "absent.png")


def test_png_text_survives_in_any_script() -> None:
    with Image.open(io.BytesIO(encode_png(RED, text={"report": "Kerne ≈ 宫颈"}))) as image:
        assert image.info["report"] == "Kerne ≈ 宫颈"


def test_png_needs_no_text() -> None:
    np.testing.assert_array_equal(decode_image(encode_png(RED)), RED)


def test_a_resize_names_the_width_first_and_keeps_what_fits() -> None:
    assert resize(RED, 5, 7).shape == (7, 5, 3)
    same = resize(RED, 20, 12)
    assert same.flags.c_contiguous
    np.testing.assert_array_equal(same, RED)


def test_a_resize_of_another_shape_with_one_equal_side_is_one() -> None:
    assert resize(RED, 20, 6).shape == (6, 20, 3)
    assert resize(RED, 10, 12).shape == (12, 10, 3)


def test_shrinking_averages_instead_of_leaving_out() -> None:
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2] = 255
    assert abs(int(resize(stripes, 8, 8)[4, 4, 0]) - 127) < 20


@pytest.mark.parametrize(
    ("size", "shown"),
    [((12, 20), (6, 10)), ((20, 12), (10, 6)), ((4, 8), (4, 8)), ((1, 100), (1, 10))],
)
def test_a_thumbnail_shrinks_the_longer_side_and_never_enlarges(
    size: tuple[int, int], shown: tuple[int, int]
) -> None:
    assert thumbnail(np.zeros((*size, 3), np.uint8), 10).shape == (*shown, 3)


@pytest.mark.parametrize("upright", [False, True])
def test_a_square_is_cut_from_the_middle_and_stretched_by_a_quarter_at_most(upright: bool) -> None:
    ramp = np.arange(200, dtype=np.uint8)
    wide = np.broadcast_to(ramp[None, :, None], (40, 200, 3))
    square = fit_square(wide.swapaxes(0, 1) if upright else wide, 50)
    line = square[:, 25, 0] if upright else square[25, :, 0]
    assert square.shape == (50, 50, 3)
    np.testing.assert_allclose(line, ramp[75:125], atol=2)  # 40 px high: 50 px wide are kept


def test_what_is_nearly_square_is_not_cut() -> None:
    ramp = np.arange(0, 250, 2, dtype=np.uint8)
    wide = np.broadcast_to(ramp[None, :, None], (100, 125, 3))
    square = fit_square(wide, 125)
    np.testing.assert_allclose(square[60, :, 0], ramp, atol=2)


def test_a_square_may_be_cut_without_stretching() -> None:
    ramp = np.arange(200, dtype=np.uint8)
    wide = np.broadcast_to(ramp[None, :, None], (40, 200, 3))
    np.testing.assert_allclose(
        fit_square(wide, 40, max_stretch=1.0)[20, :, 0], ramp[80:120], atol=2
    )


@pytest.mark.parametrize("held", ["str", "path", "bytes", "pillow", "array", "rgba", "pillow L"])
def test_a_picture_is_the_same_however_python_holds_it(held: str, tmp_path: Path) -> None:
    grey = np.repeat(np.arange(60, dtype=np.uint8).reshape(6, 10, 1), 3, axis=2)
    file = tmp_path / "picture.png"
    file.write_bytes(encode_png(grey))
    ways: dict[str, ImageLike] = {
        "str": str(file),
        "path": file,
        "bytes": file.read_bytes(),
        "pillow": Image.open(file),
        "array": grey,
        "rgba": np.dstack([grey, np.full((6, 10), 255, np.uint8)]),
        "pillow L": Image.fromarray(grey[..., 0]),
    }
    assert np.array_equal(as_rgb(ways[held]), grey)


def test_transparent_pixels_of_an_array_are_white() -> None:
    assert as_rgb(np.zeros((2, 3, 4), np.uint8)).min() == 255


def test_a_greyscale_array_of_sixteen_bits_keeps_its_range() -> None:
    picture = as_rgb(np.array([[0, 65535]], np.uint16))
    assert picture.shape == (1, 2, 3)
    assert picture.min() == 0
    assert picture.max() == 255


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 8, 9), np.uint8),
        np.zeros((8, 9, 3), np.float32),
        np.zeros((8, 9, 3), np.uint16),
        np.zeros((0, 9, 3), np.uint8),
        np.zeros(9, np.uint8),
        np.zeros((8, 9), bool),
    ],
)
def test_an_array_that_is_no_picture_is_refused_with_what_to_do(array: np.ndarray) -> None:
    with pytest.raises(ImageError, match=r"uint8 \[height width 3\].*moveaxis"):
        as_rgb(array)


@pytest.mark.parametrize("thing", [None, 7, object(), ["a.png"]])
def test_a_thing_that_is_no_picture_is_refused(thing: object) -> None:
    with pytest.raises(ImageError, match="not a picture"):
        as_rgb(thing)  # type: ignore[arg-type]


def test_a_pillow_image_of_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = encoded(Image.fromarray(noise), "PNG")
    opened = Image.open(io.BytesIO(data[: len(data) // 2]))
    with pytest.raises(ImageError, match="cannot be decoded"):
        as_rgb(opened)


SMOOTH = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize(("side_px", "shown_px"), [(1535, 1535), (1536, 768), (3072, 768)])
def test_a_large_picture_comes_as_small_as_every_encoder_bears(
    kind: str, side_px: int, shown_px: int
) -> None:
    large = Image.fromarray(SMOOTH).resize((side_px + 100, side_px), Image.Resampling.BICUBIC)
    data = encoded(large, kind)
    decoded = decode_sized(data)
    by = side_px // shown_px
    assert decoded.size_px == (side_px + 100, side_px)
    assert decoded.image.shape == (shown_px, -(-(side_px + 100) // by), 3)
    whole = decode_image(data, whole=True)
    assert whole.shape == (side_px, side_px + 100, 3)
    small = np.asarray(Image.fromarray(whole).reduce(by), int)
    assert np.abs(decoded.image - small).mean() < 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_lying_on_its_side_has_the_size_that_is_seen(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(RED).resize((1600, 1700)), kind, exif=exif)
    decoded = decode_sized(data)
    assert decoded.size_px == (1700, 1600)
    assert decoded.image.shape == (800, 850, 3)


def test_there_is_room_for_all_pixels_before_any_is_decoded() -> None:
    asked: list[int] = []

    @contextmanager
    def room(pixels: int) -> Iterator[None]:
        asked.append(pixels)
        yield

    decode_sized(encoded(Image.fromarray(RED), "JPEG"), room=room)
    assert asked == [240]

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unit.server.ground import disc, png

import coin_retrieval as coin
from coin_retrieval.errors import ImageError, SettingsError, UnsupportedError


@pytest.fixture(scope="module")
def encoder(encoder_name: str) -> coin.Encoder:
    return coin.Encoder(encoder_name)


def test_pictures_are_embedded_in_order_however_they_are_held(
    encoder: coin.Encoder, tmp_path: Path
) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(png(disc(1)))
    rows = encoder.encode([file, disc(2), np.asarray(disc(3)), str(file)])
    assert rows.shape == (4, encoder.spec.dim)
    assert rows.dtype == np.float32
    assert np.allclose(rows[0], rows[3])
    assert np.allclose(rows[1], encoder.encode(disc(2))[0], atol=1e-6)


def test_one_picture_alone_is_one_row(encoder: coin.Encoder) -> None:
    array = np.asarray(disc(3))
    for alone in (disc(3), array, array[None], png(disc(3))):
        assert encoder.encode(alone).shape == (1, encoder.spec.dim)


def test_no_pictures_are_no_rows(encoder: coin.Encoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.spec.dim)


def test_pictures_are_read_batch_by_batch_and_a_listener_is_told(encoder: coin.Encoder) -> None:
    told: list[tuple[str, int, int]] = []
    encoder.encode((disc(n) for n in range(5)), batch_size=2, on=lambda *step: told.append(step))
    assert told == [("encoding", done, 5) for done in (0, 2, 4, 5)]


def test_texts_lie_in_the_same_space(encoder: coin.Encoder) -> None:
    assert encoder.reads_text
    assert encoder.encode_text("koilocytes").shape == (1, encoder.spec.dim)
    assert encoder.encode_text(["koilocytes", "blasts"]).shape == (2, encoder.spec.dim)
    assert "pictures and texts" in repr(encoder)


def test_an_encoder_of_pictures_says_that_it_reads_no_text(tiny_timm_dir: Path) -> None:
    encoder = coin.Encoder(f"timm:{tiny_timm_dir}?device=cpu&dtype=float32")
    assert not encoder.reads_text
    with pytest.raises(UnsupportedError, match="text tower"):
        encoder.encode_text("koilocytes")


@pytest.mark.parametrize("images", [3, None, [3], [None], [["a.png"]]])
def test_what_is_no_picture_is_an_input_error(encoder: coin.Encoder, images: Any) -> None:
    with pytest.raises(coin.InputError, match="picture"):
        encoder.encode(images)


def test_what_is_no_text_is_an_input_error(encoder: coin.Encoder) -> None:
    with pytest.raises(coin.InputError, match="not a text"):
        encoder.encode_text(["koilocytes", 3])  # type: ignore[list-item]


def test_a_batch_that_is_no_number_is_an_input_error(encoder: coin.Encoder) -> None:
    with pytest.raises(coin.InputError, match="batch_size is no whole number"):
        encoder.encode([disc(1)], batch_size="8")  # type: ignore[arg-type]


def test_a_missing_file_is_an_image_error(encoder: coin.Encoder) -> None:
    with pytest.raises(ImageError, match="cannot be read"):
        encoder.encode("nowhere.png")


@pytest.mark.parametrize("name", ["nonsense", "timm:"])
def test_a_name_that_means_nothing_lists_those_that_do(name: str) -> None:
    with pytest.raises(SettingsError, match="starter"):
        coin.Encoder(name)

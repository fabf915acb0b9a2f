from __future__ import annotations

import numpy as np
import pytest

from coin_retrieval.config import OpenClipEncoderSettings, StainMap
from coin_retrieval.encoding.open_clip.encoder import OpenClipEncoder
from coin_retrieval.encoding.showing import how_shown, shown
from coin_retrieval.encoding.stains import colours_of, home_colours, stain_map
from coin_retrieval.types import RgbImage


def cast(image: RgbImage) -> RgbImage:
    """Under yellow light: blue is mostly absorbed, and every contrast is lower."""
    dense = -np.log((image + 1.0) / 256.0) * (0.8, 0.7, 0.5) + (0.05, 0.1, 0.7)
    yellow: RgbImage = (np.exp(-dense) * 256 - 1).clip(0, 255).astype(np.uint8)
    return yellow


@pytest.fixture
def home() -> list[RgbImage]:
    random = np.random.default_rng(3)
    smooth = random.integers(60, 250, (12, 8, 8, 3), dtype=np.uint8)
    return [np.kron(image, np.ones((16, 16, 1), np.uint8)) for image in smooth]


def test_another_laboratorys_pictures_get_the_colours_of_home(home: list[RgbImage]) -> None:
    yellow = [cast(image) for image in home]
    change = stain_map(colours_of(yellow), colours_of(home))
    back = [shown(image, change) for image in yellow]
    before = np.abs(np.stack(yellow).astype(float) - home).mean()
    after = np.abs(np.stack(back).astype(float) - home).mean()
    assert after < before / 8


def test_a_picture_keeps_what_sets_it_apart_from_its_laboratory(home: list[RgbImage]) -> None:
    dark = (home[0] * 0.5).astype(np.uint8)
    here = [*home[1:], dark]
    same = stain_map(colours_of(here), colours_of(here))
    np.testing.assert_allclose(shown(dark, same), dark, atol=1)


def test_a_channel_without_contrast_is_shifted_and_not_torn_apart(home: list[RgbImage]) -> None:
    flat = [np.full((32, 32, 3), 200, np.uint8)] * 3
    change = stain_map(colours_of(flat), colours_of(home))
    assert change[:3] == (1.0, 1.0, 1.0)


def test_drawn_pictures_and_texts_stay_and_the_space_is_another(
    tiny_open_clip_dir: object, home: list[RgbImage]
) -> None:
    settings = OpenClipEncoderSettings(
        model=str(tiny_open_clip_dir), text_tower="minilm", device="cpu"
    )
    change = (0.8, 0.5, 0.4, 0.0, 0.1, 0.2)
    plain = OpenClipEncoder(settings)
    other = OpenClipEncoder(settings.model_copy(update={"stain_map": change}))
    other_colours = [shown(image, change) for image in home]
    np.testing.assert_array_equal(other.encode(home), plain.encode(other_colours))
    np.testing.assert_array_equal(other.encode_drawn(home), plain.encode(home))
    np.testing.assert_array_equal(other.encode_text(["nuclei"]), plain.encode_text(["nuclei"]))
    assert other.spec != plain.spec


def test_the_starter_knows_the_colours_of_the_sites_it_was_taught() -> None:
    known = home_colours()
    assert {"peripheral blood", "cervix"} <= known.keys()
    assert all(0 < value < 2 for one in known.values() for value in (*one.mean, *one.deviation))


@pytest.mark.parametrize(
    ("stain", "margin", "told"),
    [
        (None, 0.0, ""),
        ((1.0,) * 6, 0.0, "their colours moved to home's"),
        (None, -0.2, "20% of their side cut off at each edge"),
        (
            (1.0,) * 6,
            0.15,
            "their colours moved to home's and 15% of their side added at each edge",
        ),
    ],
)
def test_how_pictures_are_shown_is_told(stain: StainMap | None, margin: float, told: str) -> None:
    assert how_shown(stain, margin) == told

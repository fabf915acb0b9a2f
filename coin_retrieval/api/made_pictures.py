"""Queries that are made: pictures of a layout of nuclei, and of another kind of picture."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from coin_retrieval.api.arguments import AnyPath, whole
from coin_retrieval.errors import InputError
from coin_retrieval.factory import make_picture_maker
from coin_retrieval.files import as_path
from coin_retrieval.images.decoding import ImageLike, as_rgb
from coin_retrieval.presenting.phrases import layout_words
from coin_retrieval.prototypes.layouts import layout_of_table
from coin_retrieval.types import LayoutSource

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from coin_retrieval.generation.joint import Pair
    from coin_retrieval.metrics.instances import NuclearMeasures
    from coin_retrieval.prototypes.made import MadePicture
    from coin_retrieval.types import RgbImage

_of_layouts = lru_cache(maxsize=1)(lambda path: make_picture_maker(layout_model=path))
_of_pictures = lru_cache(maxsize=1)(lambda path: make_picture_maker(translator=path))
"""What was used last stays loaded."""


def draw_layout(
    layout: str | LayoutSource, *, model: AnyPath, n: int = 4, seed: int = 0
) -> DrawnPair:
    """A synthetic picture whose nuclei lie as they are asked, to search with.

    Of ``n`` drawings it is the one that obeys the layout most.

    Args:
        layout: "twelve crowded large nuclei, two mitoses", a CSV of ``x_px``, ``y_px`` and
            ``type``, or a layout.
        model: a directory that ``coin train joint`` wrote.

    Raises:
        InputError: no layout, a nucleus outside the picture, or a kind that the model lacks.
        WeightsError: no such model.
        MissingDependencyError: scipy is not installed (the extra ``systems``).
    """
    maker, seed = _of_layouts(as_path(model)), whole(seed, what="the seed")
    if not isinstance(layout, str | LayoutSource):
        raise InputError(
            "not a layout", value=type(layout).__name__, expected="words, a CSV or a layout"
        )
    if isinstance(layout, str) and Path(layout).suffix.lower() == ".csv":
        config = maker.need_layouts().config
        layout = layout_of_table(Path(layout), config.kinds, side_px=config.side_px)
    asked = maker.layout(layout, seed=seed)
    return DrawnPair(maker.pair(asked, n=whole(n, what="n"), seed=seed))


def translate(image: ImageLike, *, model: AnyPath, seed: int = 0) -> RgbImage:
    """A picture of one kind as one of another, uint8 [side side 3]: synthetic, to search with.

    Args:
        model: a directory that ``coin train cyclegan`` wrote, or a YAML file of settings of
            style transfer.
        seed: which of the square's eight orientations it is translated in.

    Raises:
        ImageError: not a picture.
        WeightsError, SettingsError: no such model.
    """
    return translated(image, model=model, seed=seed).image


def translated(image: ImageLike, *, model: AnyPath, seed: int = 0) -> MadePicture:
    """As :func:`translate`, and how it was made."""
    maker = _of_pictures(as_path(model))
    return maker.translated(as_rgb(image), seed=whole(seed, what="the seed"))


class DrawnPair:
    """A synthetic picture and what it shows: never a patient's cells."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair

    @property
    def image(self) -> Image.Image:
        """The picture."""
        return Image.fromarray(self.pair.image)

    @property
    def labels(self) -> NDArray[np.uint8]:
        """What each pixel is, [h w]."""
        return self.pair.labels

    @property
    def measures(self) -> NuclearMeasures:
        """Count, size, crowding and N/C ratio of its nuclei."""
        return self.pair.measures

    @property
    def obedience(self) -> float:
        """F1 of its nuclei's centres against the asked ones, within 6 px."""
        return self.pair.obedience

    def __str__(self) -> str:
        measures = self.pair.made().measures
        return "" if measures is None else layout_words(measures)

    def __repr__(self) -> str:
        return f"<synthetic picture: {self}>"

"""Slides that OpenSlide reads: Aperio, Hamamatsu, Leica, MIRAX, Philips, Ventana, TIFF, DICOM …"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from coin_retrieval.errors import ImageError, MissingDependencyError
from coin_retrieval.images.slides.base import Slide
from coin_retrieval.types import RgbImage

try:
    import openslide
except ImportError as error:  # pragma: no cover - the extra is installed where tests run
    raise MissingDependencyError(
        "whole slides need OpenSlide", remedy='pip install "coin-retrieval[slides]"'
    ) from error

_FAULTS = (openslide.OpenSlideError, OSError)


class OpenSlideSlide(Slide):
    """A slide behind OpenSlide.

    Raises:
        ImageError: OpenSlide does not read it.
    """

    def __init__(self, path: Path, paths: Sequence[Path] = ()) -> None:
        self._path = path
        self._handle = self._open()
        found = self._handle.properties
        super().__init__(paths or [path], self._handle.level_dimensions, _mpp_um(found))

    def close(self) -> None:
        """Let go of the file."""
        self._handle.close()

    def _read(self, level: int, x_px: int, y_px: int, width_px: int, height_px: int) -> RgbImage:
        across, down = (
            whole / part for whole, part in zip(self.size_px, self.levels_px[level], strict=True)
        )
        asked = (round(x_px * across), round(y_px * down)), level, (width_px, height_px)
        try:
            return _on_white(self._handle.read_region(*asked))
        except _FAULTS:
            # a handle that failed once answers nothing any more, whoever asks
            return self._read_anew(*asked)

    def _read_anew(self, location: tuple[int, int], level: int, size: tuple[int, int]) -> RgbImage:
        handle = self._open()
        try:
            found = _on_white(handle.read_region(location, level, size))
        except _FAULTS as error:
            self._handle = self._open()
            raise ImageError(
                f"level {level} of {self._path.name} cannot be decoded ({error})",
                value=f"{size[0]} × {size[1]} pixels at {location[0]}, {location[1]}",
            ) from error
        self._handle = handle
        return found

    def _open(self) -> openslide.OpenSlide:
        try:
            return openslide.OpenSlide(self._path)
        except _FAULTS as error:
            raise ImageError(
                f"the slide {self._path.name} cannot be opened ({error})",
                expected="a whole file of a scanner that OpenSlide knows",
            ) from error


def _mpp_um(found: openslide.lowlevel._PropertyMap | dict[str, str]) -> float | None:
    try:
        across = float(found[openslide.PROPERTY_NAME_MPP_X])
        down = float(found[openslide.PROPERTY_NAME_MPP_Y])
    except (KeyError, ValueError):
        return None
    return math.sqrt(across * down) if min(across, down) > 0 else None


def _on_white(region: Image.Image) -> RgbImage:
    """OpenSlide leaves transparent what the scanner left out."""
    white = Image.new("RGBA", region.size, "white")
    return np.asarray(Image.alpha_composite(white, region).convert("RGB"), dtype=np.uint8)

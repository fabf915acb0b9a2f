"""DICOM whole slides in any transfer syntax that pydicom decodes (JPEG-LS and the like)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from coin_retrieval.errors import ImageError, MissingDependencyError
from coin_retrieval.images.slides.base import Slide
from coin_retrieval.types import RgbImage

try:
    from wsidicom import WsiDicom
    from wsidicom.errors import WsiDicomError
except ImportError as error:  # pragma: no cover - the extra is installed where tests run
    raise MissingDependencyError(
        "this DICOM slide needs wsidicom", remedy='pip install "coin-retrieval[dicom]"'
    ) from error

_FAULTS = (
    WsiDicomError, OSError, EOFError, AttributeError, KeyError, IndexError, TypeError, ValueError,
    NotImplementedError, RuntimeError, struct.error,
)  # fmt: skip


class WsiDicomSlide(Slide):
    """A series of DICOM instances, a level each, behind wsidicom.

    Raises:
        ImageError: wsidicom does not read it.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._name = paths[0].name
        try:
            self._slide = WsiDicom.open(list(paths))
            levels = list(self._slide.pyramids.get(0))
        except _FAULTS as error:
            raise ImageError(
                f"the slide {self._name} cannot be opened ({error})",
                expected="a whole series of DICOM instances",
            ) from error
        self._levels = [level.level for level in levels]
        sizes = [(level.size.width, level.size.height) for level in levels]
        mpp = levels[0].mpp
        super().__init__(paths, sizes, (mpp.width + mpp.height) / 2 if mpp else None)

    def close(self) -> None:
        """Let go of the files."""
        self._slide.close()

    def _read(self, level: int, x_px: int, y_px: int, width_px: int, height_px: int) -> RgbImage:
        try:
            found = self._slide.read_region(
                (x_px, y_px), self._levels[level], (width_px, height_px)
            )
        except _FAULTS as error:
            lacking = "missing dependencies" in str(error) or "decoder" in str(error).lower()
            raise ImageError(
                f"level {level} of {self._name} cannot be decoded ({error})",
                remedy='pip install "coin-retrieval[jpegls]" if it is JPEG-LS' if lacking else None,
            ) from error
        return np.asarray(found.convert("RGB"), dtype=np.uint8)

"""The role of a slide: a pyramid of one picture, of which regions are read."""

from __future__ import annotations

import hashlib
import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coin_retrieval.errors import ImageError
from coin_retrieval.files import Closing, digest_file
from coin_retrieval.images.decoding import MAX_PIXELS
from coin_retrieval.images.resizing import resize
from coin_retrieval.types import RgbImage

LEAST_MPP_UM, MOST_MPP_UM = 0.01, 20.0
"""What a microscope's pixel may measure; 72 dots an inch, which programs write unasked, is none."""

_TOLERANCE = 1.01
_BLOCK_PX = 512


@dataclass(frozen=True, slots=True)
class Region:
    """Where on a slide, in pixels of its finest level; the origin is its upper left corner."""

    x_px: int
    y_px: int
    width_px: int
    height_px: int

    def within(self, size_px: tuple[int, int]) -> bool:
        """Whether it lies on a picture of this width and height."""
        return (
            min(self.x_px, self.y_px) >= 0
            and min(self.width_px, self.height_px) > 0
            and self.x_px + self.width_px <= size_px[0]
            and self.y_px + self.height_px <= size_px[1]
        )


class Slide(Closing):
    """A slide, opened for reading; several threads may read. Label and macro images are not in it.

    Args:
        paths: its files, the one that names it first.
        levels_px: width and height of each level, the finest first.
        mpp_um: micrometres a pixel of the finest level, as the file says.
    """

    def __init__(
        self, paths: Sequence[Path], levels_px: Sequence[tuple[int, int]], mpp_um: float | None
    ) -> None:
        self.paths = tuple(paths)
        self.levels_px = tuple(levels_px)
        self.size_px = self.levels_px[0]
        plausible = mpp_um is not None and LEAST_MPP_UM <= mpp_um <= MOST_MPP_UM
        self.mpp_um = mpp_um if plausible else None
        self.downsamples = tuple(
            math.sqrt((self.size_px[0] / width) * (self.size_px[1] / height))
            for width, height in self.levels_px
        )

    @abstractmethod
    def _read(self, level: int, x_px: int, y_px: int, width_px: int, height_px: int) -> RgbImage:
        """Pixels of a level, within it; where nothing was scanned they are white.

        Raises:
            ImageError: they cannot be decoded.
        """

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of its files."""
        digests = sorted(digest_file(path) for path in self.paths)
        return (
            digests[0]
            if len(digests) == 1
            else hashlib.sha256("".join(digests).encode()).hexdigest()
        )

    def read(
        self, region: Region, width_px: int, height_px: int, *, most_pixels: int = MAX_PIXELS
    ) -> RgbImage:
        """A region at a size, from the coarsest level that has its details.

        Where that cannot be decoded, finer ones are tried: a broken level costs no region.

        Raises:
            ImageError: it lies elsewhere, no level can be decoded there, or more than
                ``most_pixels`` of one would have to be.
        """
        if not region.within(self.size_px):
            raise ImageError(
                "not a region of the slide", value=region, expected=f"within {self.size_px}"
            )
        wanted = region.width_px / width_px
        fine = [n for n, d in enumerate(self.downsamples) if d <= wanted * _TOLERANCE] or [0]
        fault: ImageError | None = None
        for level in sorted(fine, key=lambda n: self.downsamples[n], reverse=True):
            x, y, width, height = self._at(region, level)
            if width * height > most_pixels:
                fault = fault or ImageError(
                    "too large a region for its levels",
                    value=f"{width} × {height} pixels",
                    expected=f"at most {most_pixels:,} pixels",
                )
                break
            try:
                return resize(self._read(level, x, y, width, height), width_px, height_px)
            except ImageError as error:
                fault = fault or error
        raise fault or ImageError("the slide has no level")

    def overview(self, longest_px: int) -> tuple[RgbImage, float]:
        """The whole slide, small, and how many pixels of the finest level one of its is.

        It is read block by block, as a slide may have no coarse level; a block that cannot be
        read is black, so that whoever looks for something in it does not pass it over.
        """
        scale = max(1.0, max(self.size_px) / longest_px)
        width, height = (max(1, math.ceil(side / scale)) for side in self.size_px)
        found = np.zeros((height, width, 3), np.uint8)
        for y in range(0, height, _BLOCK_PX):
            for x in range(0, width, _BLOCK_PX):
                block = found[y : y + _BLOCK_PX, x : x + _BLOCK_PX]
                left, top = int(x * scale), int(y * scale)
                right = min(self.size_px[0], round((x + block.shape[1]) * scale))
                bottom = min(self.size_px[1], round((y + block.shape[0]) * scale))
                region = Region(left, top, max(1, right - left), max(1, bottom - top))
                try:
                    block[:] = self.read(region, block.shape[1], block.shape[0])
                except ImageError:
                    continue
        return found, scale

    def broken_levels(self) -> Iterator[tuple[int, str]]:
        """Levels of which none of nine places can be decoded, and why."""
        for level, (width, height) in enumerate(self.levels_px):
            faults = []
            for number in range(9):
                x, y = (number % 3 * (width - 1)) // 2, (number // 3 * (height - 1)) // 2
                try:
                    self._read(level, x, y, 1, 1)
                except ImageError as error:
                    faults.append(str(error))
            if len(faults) == 9:
                yield level, faults[0]

    def _at(self, region: Region, level: int) -> tuple[int, int, int, int]:
        """The region in pixels of a level, within it."""
        across, down = (
            whole / part for whole, part in zip(self.size_px, self.levels_px[level], strict=True)
        )
        width, height = self.levels_px[level]
        x, y = min(width - 1, int(region.x_px / across)), min(height - 1, int(region.y_px / down))
        right = min(width, max(x + 1, round((region.x_px + region.width_px) / across)))
        bottom = min(height, max(y + 1, round((region.y_px + region.height_px) / down)))
        return x, y, right - x, bottom - y

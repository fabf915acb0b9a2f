"""Tiles of a slide: known by the slide's content, where they lie on it, and at which size."""

from __future__ import annotations

import hashlib
from pathlib import Path

from coin_retrieval.errors import ImageError
from coin_retrieval.images.containers.base import Container, LazyPicture
from coin_retrieval.images.containers.parts import tile_of
from coin_retrieval.images.slides import open_slide


class SlideContainer(Container):
    """A slide, opened.

    Raises:
        ImageError, MissingDependencyError: see :func:`open_slide`.
    """

    def __init__(self, path: Path) -> None:
        self.slide = open_slide(path)

    def close(self) -> None:
        """Let go of its files."""
        self.slide.close()

    def picture(self, part: str) -> LazyPicture:
        """See :class:`Container`."""
        tile = tile_of(part)
        if tile is None:
            raise ImageError("not a region of a slide", value=part)
        named = f"{self.slide.digest}#{tile.part()}"
        return LazyPicture.of_pixels(
            hashlib.sha256(named.encode()).hexdigest(),
            lambda: self.slide.read(tile.region, tile.width_px, tile.height_px),
        )

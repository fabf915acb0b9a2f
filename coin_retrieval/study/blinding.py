"""Pictures that tell nothing of where they come from: one size, one codec, names drawn by lot."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from coin_retrieval.images.jpeg import encode_jpeg
from coin_retrieval.images.resizing import fit_square
from coin_retrieval.types import RgbImage

MOST_PX = 512
QUALITY = 95


class Blinding:
    """Blinded pictures by their names; the same picture has one name, however often it shows."""

    def __init__(self, size_px: int) -> None:
        self.size_px = size_px
        self.pictures: dict[str, bytes] = {}
        self._names: dict[str, str] = {}

    def name_of(self, source: str, image: RgbImage) -> str:
        """The name under which a picture is shown.

        Args:
            source: what the picture is, for this object alone.
        """
        if source not in self._names:
            self._names[source] = secrets.token_hex(8)
            # encoded anew: neither metadata nor a file's own compression is left
            data = encode_jpeg(fit_square(image, self.size_px), quality=QUALITY)
            self.pictures[self._names[source]] = data
        return self._names[source]


def common_size_px(images: Sequence[RgbImage]) -> int:
    """The largest square to which no picture has to be enlarged: blur would tell it apart."""
    return min(MOST_PX, *(int(min(image.shape[:2])) for image in images))

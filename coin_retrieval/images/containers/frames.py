"""Frames of a DICOM instance."""

from __future__ import annotations

import hashlib
from pathlib import Path

from coin_retrieval.errors import ImageError
from coin_retrieval.files import digest_file
from coin_retrieval.images.containers.base import Container, LazyPicture
from coin_retrieval.images.containers.parts import fields
from coin_retrieval.images.dicom.pixels import read_frame


class DicomContainer(Container):
    """An instance; it is opened for each frame, as pydicom reads no more of it than that."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def close(self) -> None:
        """Nothing is held."""

    def picture(self, part: str) -> LazyPicture:
        """See :class:`Container`."""
        number = fields(part).get("frame", "")
        if not number.isdecimal() or int(number) < 1:
            raise ImageError("no number of a frame", value=number, expected="1, 2, …")
        named = f"{digest_file(self._path)}#frame={int(number)}"
        return LazyPicture.of_pixels(
            hashlib.sha256(named.encode()).hexdigest(),
            lambda: read_frame(self._path, int(number)),
        )

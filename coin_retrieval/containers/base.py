"""The role of a file that holds pictures, and a picture that is decoded when it is asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from coin_retrieval.files import Closing
from coin_retrieval.types import RgbImage


@dataclass(frozen=True, slots=True)
class LazyPicture:
    """A picture by its content (SHA-256, hex); ``decode`` gives its pixels.

    What ``decode`` raises is an ``ImageError``.
    """

    content_hash: str
    decode: Callable[[], RgbImage]


class Container(Closing):
    """A file that holds pictures, opened for reading; several threads may read."""

    @abstractmethod
    def picture(self, part: str) -> LazyPicture:
        """The picture that a URI's fragment names (see :mod:`coin_retrieval.containers.parts`).

        Raises:
            ImageError: there is none, or it cannot be read.
        """

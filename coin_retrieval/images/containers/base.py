"""The role of a file that holds pictures, and a picture that is decoded when it is asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Self

from coin_retrieval.files import Closing
from coin_retrieval.images.decoding import Decoded, Room, content_hash, decode_sized, enough_of
from coin_retrieval.types import RgbImage


@dataclass(frozen=True, slots=True)
class LazyPicture:
    """A picture by its content (SHA-256, hex), decoded when it is asked for.

    ``read`` is asked whether it is to be whole, and enters the room before it decodes.
    """

    content_hash: str
    read: Callable[[bool, Room], Decoded]

    @classmethod
    def of_file(cls, data: bytes, *, name: str) -> Self:
        """A file's bytes."""
        return cls(
            content_hash(data),
            lambda whole, room: decode_sized(data, name=name, whole=whole, room=room),
        )

    @classmethod
    def of_pixels(cls, content_hash: str, pixels: Callable[[], RgbImage]) -> Self:
        """What is no file of a picture: a tile, a frame."""
        return cls(content_hash, lambda whole, _: enough_of(pixels(), whole=whole))

    def decode(self) -> RgbImage:
        """All pixels.

        Raises:
            ImageError: it cannot be decoded.
        """
        return self.read(True, nullcontext).image

    def decoded(self, room: Room) -> Decoded:
        """As many pixels as an encoder needs; see :func:`coin_retrieval.images.decode_sized`.

        Raises:
            ImageError: it cannot be decoded.
        """
        return self.read(False, room)


class Container(Closing):
    """A file that holds pictures, opened for reading; several threads may read."""

    @abstractmethod
    def picture(self, part: str) -> LazyPicture:
        """The picture of a URI's fragment (see :mod:`coin_retrieval.images.containers.parts`).

        Raises:
            ImageError: there is none, or it cannot be read.
        """

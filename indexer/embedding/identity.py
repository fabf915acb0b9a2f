"""The numbers that images keep for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from coin_retrieval.types import ImageId

BITS = 53
"""A JSON reader that keeps numbers as doubles keeps these exactly."""


class ImageNumbers:
    """One number for each (case, content): a hash of both, so every rebuild finds the same.

    Where two would get the same number (odds of about n² / 2^54), the later one takes the next hash
    in line; images that have a number keep it.

    Args:
        owner: the case and the content that have a number already, if any.
    """

    def __init__(
        self, owner: Callable[[ImageId], tuple[str, str] | None], *, bits: int = BITS
    ) -> None:
        self._bits = bits
        self._owner = owner

    def number(self, case_id: str, content_hash: str) -> ImageId:
        """The image's number, the same at every call.

        Args:
            case_id: the case.
            content_hash: SHA-256 (hex) of the picture's file.
        """
        attempt = 0
        while True:
            number = self.candidate(case_id, content_hash, attempt=attempt)
            if self._owner(number) in (None, (case_id, content_hash)):
                return number
            attempt += 1

    def candidate(self, case_id: str, content_hash: str, *, attempt: int = 0) -> ImageId:
        """The number that the image has, unless another image had it first."""
        return ImageId(_hash(f"{content_hash}{attempt}/{case_id}", self._bits))


def _hash(text: str, bits: int) -> int:
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> (64 - bits)

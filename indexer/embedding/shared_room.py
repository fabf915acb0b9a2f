"""Memory that several threads share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class SharedRoom:
    """Lets threads work while what they hold together is at most ``most``, in whatever unit.

    Ten pictures of 9,900² pixels, decoded at once, would hold 5 GB. What is too large for it has
    it alone.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._changed = threading.Condition()

    @contextmanager
    def holding(self, size: int) -> Iterator[None]:
        """Wait for room, and give it back afterwards."""
        with self._changed:
            self._changed.wait_for(lambda: not self._held or self._held + size <= self._most)
            self._held += size
        try:
            yield
        finally:
            with self._changed:
                self._held -= size
                self._changed.notify_all()

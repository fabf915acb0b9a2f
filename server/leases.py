"""Which retriever answers: replaced between requests, closed when nobody asks it any more."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from coin_retrieval.search.retriever import Retriever


class Leased:
    """A retriever, and how many requests use it."""

    def __init__(self, retriever: Retriever) -> None:
        self.retriever = retriever
        self._lock = threading.Lock()
        self._users = 0
        self._retired = False

    @contextmanager
    def lease(self) -> Iterator[Retriever]:
        """Its archive stays open until this ends."""
        with self._lock:
            self._users += 1
        try:
            yield self.retriever
        finally:
            with self._lock:
                self._users -= 1
                close = self._retired and not self._users
            if close:
                self.retriever.archive.close()

    def retire(self) -> None:
        """Close the archive as soon as no request uses it."""
        with self._lock:
            self._retired = True
            close = not self._users
        if close:
            self.retriever.archive.close()

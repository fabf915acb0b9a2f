"""Which retriever answers: replaced between requests, closed when nobody asks it any more."""

from __future__ import annotations

import threading

from coin_retrieval.search.retriever import Retriever


class Leased:
    """A retriever, and how many requests use it."""

    def __init__(self, retriever: Retriever) -> None:
        self.retriever = retriever
        self._lock = threading.Lock()
        self._users = 0
        self._retired = False

    def take(self) -> bool:
        """Whether it may still be asked; then its archive stays open until it is given back."""
        with self._lock:
            open_still = not self._retired or self._users > 0
            self._users += open_still
            return open_still

    def give_back(self) -> None:
        """Nobody asks it any more on behalf of who took it."""
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

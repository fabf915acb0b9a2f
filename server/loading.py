"""Loads the models in the background, so that the server answers while they come."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from typing import Literal

from coin_retrieval.limits import MAX_SEED
from coin_retrieval.search.query import Query
from coin_retrieval.search.retriever import Retriever
from server.errors import NotReadyError

log = logging.getLogger("coin.server")

WARM_UP_REPORT = "Cells with round nuclei and pale cytoplasm."


class Loading:
    """A retriever that is on its way: loading, then ready, or failed for good.

    Args:
        load: opens the archive and loads the models; called once, in a thread of its own.
        on_failure: called with what went wrong.
    """

    def __init__(
        self, load: Callable[[], Retriever], on_failure: Callable[[Exception], None]
    ) -> None:
        self._load = load
        self._on_failure = on_failure
        self._retriever: Retriever | None = None
        self._failed = False
        self._began = time.monotonic()
        self.seconds_taken = 0.0

    def start(self) -> None:
        """Begin; a daemon thread, so that a server told to stop need not wait for a download."""
        threading.Thread(target=self._run, name="coin-loading", daemon=True).start()

    @property
    def state(self) -> Literal["loading", "ready", "failed"]:
        """How far it is."""
        if self._failed:
            return "failed"
        return "loading" if self._retriever is None else "ready"

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start, or that loading took."""
        return self.seconds_taken or time.monotonic() - self._began

    def retriever(self) -> Retriever:
        """The retriever.

        Raises:
            NotReadyError: it is not there yet, or will never be.
        """
        if self._retriever is not None:
            return self._retriever
        if self._failed:
            raise NotReadyError(
                "the archive or the models could not be loaded",
                expected="a server whose /readyz says ready",
                remedy="tell the operator; the server's log has the cause",
            )
        raise NotReadyError(
            "the models are still loading",
            value=f"{self.elapsed_s:.0f} s so far",
            expected="a server whose /readyz says ready",
            remedy="ask again in a few seconds",
        )

    def close(self) -> None:
        """Release the archive's files, if they were opened."""
        if self._retriever is not None:
            self._retriever.archive.close()

    def _run(self) -> None:
        try:
            retriever = self._load()
            warm_up(retriever)
        except Exception as error:  # noqa: BLE001 - a thread's exception would be lost otherwise
            self._failed = True
            self.seconds_taken = time.monotonic() - self._began
            self._on_failure(error)
            return
        self.seconds_taken = time.monotonic() - self._began
        self._retriever = retriever
        log.info("ready after %.1f s", self.seconds_taken)


def warm_up(retriever: Retriever) -> None:
    """Ask one question that passes every stage, so that the first user does not pay for it."""
    # a seed nobody asked for yet: what lies in the cache would not be drawn
    seed = secrets.randbelow(MAX_SEED)
    result = retriever.search(Query(report=WARM_UP_REPORT, k=1, prototypes=1, seed=seed))
    for prototype in result.prototypes:
        prototype.path.unlink(missing_ok=True)

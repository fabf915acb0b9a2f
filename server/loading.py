"""Loads models and archive in the background, and each version of it that is published later."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from coin_retrieval.archive.opening import open_layout
from coin_retrieval.errors import CoinError
from coin_retrieval.factory import open_archive
from coin_retrieval.limits import MAX_SEED
from coin_retrieval.search.query import Query
from coin_retrieval.search.retriever import Retriever
from server.leases import Leased
from server.wire.errors import NotReadyError, kind_of

log = logging.getLogger("coin.server")

WARM_UP_REPORT = "Cells with round nuclei and pale cytoplasm."


class Loading:
    """A retriever that is on its way: loading, then ready, or failed for good.

    Once ready, it looks for a newly published version of the archive, opens it beside the one that
    answers, and switches between two requests.

    Args:
        load: opens the archive and loads the models; called once, in a thread of its own.
        on_failure: called with what went wrong.
        look_every_s: seconds between two looks for a new version.
    """

    def __init__(
        self,
        load: Callable[[], Retriever],
        on_failure: Callable[[Exception], None],
        *,
        look_every_s: float,
    ) -> None:
        self._load = load
        self._on_failure = on_failure
        self._look_every_s = look_every_s
        self._leased: Leased | None = None
        self._failed = False
        self._closing = threading.Event()
        self.archive_problem = ""
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
        return "loading" if self._leased is None else "ready"

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start, or that loading took."""
        return self.seconds_taken or time.monotonic() - self._began

    @contextmanager
    def lease(self) -> Iterator[Retriever]:
        """The retriever of the version that is published now; its archive stays open so long.

        Raises:
            NotReadyError: it is not there yet, or will never be.
        """
        leased = self._ready()
        while not leased.take():
            # it was replaced, and closed, since it was looked up
            leased = self._ready()
        try:
            yield leased.retriever
        finally:
            leased.give_back()

    def _ready(self) -> Leased:
        leased = self._leased
        if leased is not None:
            return leased
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
        """Stop looking; release the archive's files, if they were opened."""
        self._closing.set()
        leased, self._leased = self._leased, None
        if leased is not None:
            leased.retire()

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
        self._leased = Leased(retriever)
        log.info("ready after %.1f s", self.seconds_taken)
        while not self._closing.wait(self._look_every_s):
            if self._leased is not None:
                self._look(self._leased)

    def _look(self, leased: Leased) -> None:
        """Switch to the published version, if it is another one and can be served."""
        old = leased.retriever
        try:
            published = open_layout(old.archive.root).current_name()
            if published is None or published == old.archive.version:
                self.archive_problem = ""
                return
            archive = open_archive(old.archive.root)
            try:
                fresh = old.on(archive)
            except CoinError:
                archive.close()
                raise
        except CoinError as error:
            if self.archive_problem != kind_of(error):
                log.error("the archive's new version is not served: %s", error)
            self.archive_problem = kind_of(error)
            return
        warm_up(fresh)
        self._leased, self.archive_problem = Leased(fresh), ""
        leased.retire()
        log.info("version %s answers now, instead of %s", archive.version, old.archive.version)


def warm_up(retriever: Retriever) -> None:
    """Ask one question that passes every stage, so that the first user does not pay for it."""
    # a seed nobody asked for yet: what lies in the cache would not be drawn
    seed = secrets.randbelow(MAX_SEED)
    result = retriever.search(Query(report=WARM_UP_REPORT, k=1, prototypes=1, seed=seed))
    for prototype in result.prototypes:
        prototype.path.unlink(missing_ok=True)

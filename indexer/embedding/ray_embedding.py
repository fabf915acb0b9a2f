"""Pictures embedded by Ray Data, on all GPUs or processors of a machine or a cluster."""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from coin_retrieval.archive.layout import ArchiveLayout
from coin_retrieval.archive.opening import open_layout
from coin_retrieval.catalog.writing import chunks
from coin_retrieval.config import EncoderSettings
from coin_retrieval.encoding.base import Encoder
from coin_retrieval.errors import (
    CoinError,
    EncoderMismatchError,
    MissingDependencyError,
    ModelError,
)
from coin_retrieval.factory import make_encoder
from coin_retrieval.types import EncoderSpec, ImageRecord
from indexer.embedding.contents import EmbeddedContents
from indexer.embedding.embedding import Batch, IndexedRow, KnownRows, RowEmbedder, SkippedRow
from indexer.embedding.pictures import PictureReader
from indexer.rows import SourceRow

_BATCHES_A_CALL = 8
"""While one is embedded the next are read."""

_ROWS_AT_ONCE = 100_000
"""That Ray is given; they lie in its memory."""


class _Done(NamedTuple):
    outcomes: list[IndexedRow | SkippedRow]
    batches: list[Batch]
    encoding_s: float


class RayEmbedder:
    """What :class:`RowEmbedder` does, by actors: one a GPU or, where there is none, a processor.

    Rows come back in order. What an actor has embedded lies in the journal as soon as it is here;
    actors that die are replaced, and what they had in hand is embedded again. Without a cluster
    (``RAY_ADDRESS``) one is started on this machine, for this build and on loopback only.

    Args:
        archive: its address; every machine must see it and the pictures there.
    """

    def __init__(
        self,
        settings: EncoderSettings,
        spec: EncoderSpec,
        archive: Path,
        *,
        contents: EmbeddedContents,
        batch_size: int,
        workers: int,
    ) -> None:
        self.embedded = 0
        self.encoding_s = 0.0
        self._contents = contents
        self._on_processor = settings.device == "cpu"
        self._rows_a_call = _BATCHES_A_CALL * batch_size
        self._actor = {
            "settings": settings,
            "spec": spec,
            "archive": archive.absolute(),
            "embedded": frozenset(contents.journal),
            "batch_size": batch_size,
            "workers": workers,
        }

    def embed(self, rows: KnownRows) -> Iterator[IndexedRow | SkippedRow]:
        """See :meth:`RowEmbedder.embed`.

        Raises:
            ModelError: the encoder fails on every picture of a batch, or Ray itself fails.
            EncoderMismatchError: a machine has another encoder under this name.
            MissingDependencyError: Ray is not installed.
        """
        with _connected() as ray:
            for some in chunks(rows, _ROWS_AT_ONCE):
                for done in self._done(ray, list(chunks(some, self._rows_a_call))):
                    for batch in done.batches:
                        self._keep(batch)
                    self.encoding_s += done.encoding_s
                    yield from done.outcomes

    def _keep(self, batch: Batch) -> None:
        """Two actors may have had the same picture."""
        embedded = self._contents.known(batch.hashes)
        new = [n for n, name in enumerate(batch.hashes) if name not in embedded]
        if new:
            hashes = [batch.hashes[n] for n in new]
            self._contents.journal.write(hashes, batch.sizes_px[new], batch.embeddings[new])
            self.embedded += len(new)

    def _done(self, ray: Any, calls: list[Any]) -> Iterator[_Done]:
        found = ray.cluster_resources()
        gpus = 0 if self._on_processor else int(found.get("GPU", 0))
        data = ray.data.from_items(
            [{"rows": pickle.dumps(call)} for call in calls], override_num_blocks=len(calls)
        ).map(
            _Actor,
            fn_constructor_kwargs=self._actor,
            compute=ray.data.ActorPoolStrategy(
                min_size=1, max_size=min(len(calls), gpus or int(found.get("CPU", 1)))
            ),
            num_cpus=1,
            num_gpus=1 if gpus else None,
        )
        data.context.execution_options.preserve_order = True
        data.context.enable_progress_bars = False
        try:
            for answer in data.iter_rows():
                done: _Done | CoinError = pickle.loads(answer["done"])  # noqa: S301 - our actors'
                if isinstance(done, CoinError):
                    raise done
                yield done
        except CoinError:
            raise
        except Exception as error:  # Ray has many of its own
            raise _failed(error) from error


@dataclass
class _Actor:
    """Reads and embeds in a process of Ray's; made once a process, and called with many rows."""

    settings: EncoderSettings
    spec: EncoderSpec
    archive: Path
    embedded: frozenset[str]
    batch_size: int
    workers: int

    def __call__(self, given: dict[str, bytes]) -> dict[str, bytes]:
        """Rows to what became of them, or to the error; Ray would hand on no more than its text."""
        done: _Done | CoinError
        try:
            done = self._done(pickle.loads(given["rows"]))  # noqa: S301 - our own process'
        except CoinError as error:
            done = error
        return {"done": pickle.dumps(done)}

    def _done(self, rows: list[tuple[SourceRow, ImageRecord | None]]) -> _Done:
        known = self.embedded | {was.content_hash for _, was in rows if was is not None}
        batches: list[Batch] = []
        embedder = RowEmbedder(
            self._encoder,
            PictureReader(
                self._layout,
                known.__contains__,
                workers=self.workers,
                ahead=self.batch_size + 2 * self.workers,
            ),
            embedded=known.intersection,
            keep=lambda *batch: batches.append(Batch(*batch)),
            batch_size=self.batch_size,
        )
        outcomes = list(embedder.embed(rows))
        return _Done(outcomes, batches, embedder.encoding_s)

    @cached_property
    def _layout(self) -> ArchiveLayout:
        return open_layout(self.archive)

    @cached_property
    def _encoder(self) -> Encoder:
        encoder = make_encoder(self.settings)
        if encoder.spec != self.spec:
            raise EncoderMismatchError(
                "a machine of the cluster has another encoder",
                value=str(encoder.spec),
                expected=str(self.spec),
                remedy="install the same program and the same weights on all of them",
            )
        return encoder


@contextmanager
def _connected() -> Iterator[Any]:
    """Ray, on the cluster that is there or on this machine."""
    # read when it is imported: nothing is reported to its makers; its warning that an actor's
    # arguments might be lost is not for users; without a cluster nobody else is to reach it
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    if "RAY_ADDRESS" not in os.environ:
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        import ray.data
    except ImportError as error:
        raise MissingDependencyError(
            f"--engine ray needs more ({error})", remedy="pip install coin-retrieval[ray]"
        ) from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    started = not ray.is_initialized()
    try:
        if started:
            ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        yield ray
    except (ConnectionError, TimeoutError) as error:
        raise _failed(error) from error
    finally:
        if started:
            ray.shutdown()


def _failed(error: BaseException) -> ModelError:
    return ModelError(
        f"Ray cannot embed the pictures ({' '.join(str(error).split())[-300:]})",
        remedy="look into its log (/tmp/ray/session_latest/logs); the same command resumes",
    )

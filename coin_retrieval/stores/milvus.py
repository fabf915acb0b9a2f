"""Vectors on a Milvus server: partitions of one collection, searched together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from coin_retrieval.config import IvfIndex, MilvusStoreSettings
from coin_retrieval.errors import ArchiveCorruptError, NotFoundError
from coin_retrieval.stores.base import VectorStore, Where, to_hits
from coin_retrieval.stores.milvus_server import (
    Partition,
    check_collection,
    connect,
    lists,
    telling,
    where_expression,
)
from coin_retrieval.stores.milvus_writing import count_rows
from coin_retrieval.types import Embeddings, Hit, ImageIds, Location, RowMask

_MOST_HITS = 16_384
"""The server lists no more at once, neither of a search nor of a query."""

_LISTED = 100_000
"""Row numbers in one expression; more are asked for in parts."""

_VECTORS_AT_ONCE = 1000
_QUERIES_AT_ONCE = 100
_ROW = (1 << 32) - 1


class _Part(NamedTuple):
    partition: Partition
    alive: RowMask | None


class MilvusStore(VectorStore):
    """Rows of one or several partitions, numbered on from one to the next.

    Every question asks for the state in which all rows had been written, which lies in the past:
    nothing is waited for, and no replica that lags answers.
    """

    def __init__(self, settings: MilvusStoreSettings, parts: Sequence[_Part], *, dim: int) -> None:
        self.dim = dim
        self._settings = settings
        self._client = connect(settings)
        self._parts = tuple(parts)
        self._collection = parts[0].partition.collection
        self._timestamp = max(part.partition.timestamp for part in parts)
        ends = np.cumsum([0, *(part.partition.rows for part in parts)]).tolist()
        self._spans = tuple(pairwise(ends))
        self._starts = {
            part.partition.first_place >> 32: start
            for part, (start, _) in zip(parts, self._spans, strict=True)
        }
        self._alive = np.ones(ends[-1], np.bool_)
        for part, (start, end) in zip(parts, self._spans, strict=True):
            if part.alive is not None:
                self._alive[start:end] = part.alive
        self._alive_count = int(np.count_nonzero(self._alive))
        self._width = 1.0

    @classmethod
    def open(
        cls,
        settings: MilvusStoreSettings,
        folder: Path,
        location: Location,
        *,
        dim: int,
        alive: RowMask | None = None,
    ) -> Self:
        """What :class:`MilvusStoreWriter` sealed.

        Raises:
            ArchiveCorruptError: it is not on the server, or not all of it, or another archive's.
            ArchiveSchemaError: another program wrote it.
            ArchiveServerError: the server is away or refuses.
        """
        partition = Partition.read(location.collection)
        client = connect(settings)
        with telling(settings):
            check_collection(client, settings, partition.collection, dim=dim)
            there = client.has_partition(partition.collection, partition.name)
            if there:
                client.load_partitions(partition.collection, [partition.name])
            rows = count_rows(client, partition) if there else 0
        if not there or rows != partition.rows:
            raise ArchiveCorruptError(
                "the vectors are not all on the server",
                value=f"{rows} rows of {partition.name}",
                expected=f"{partition.rows}",
                remedy="restore the server's data from a backup, or build the archive again",
            )
        return cls(settings, [_Part(partition, alive)], dim=dim)

    def joined_with(self, others: Sequence[MilvusStore]) -> MilvusStore:
        """This and others of its collection as one: a search asks the server once."""
        parts = [part for store in (self, *others) for part in store._parts]
        return MilvusStore(self._settings, parts, dim=self.dim)

    @property
    def exact(self) -> bool:
        """Whether unfiltered searches are exact."""
        return not isinstance(self._settings.index, IvfIndex)

    @property
    def kind(self) -> str:
        """What the index is, with the numbers that decide its recall."""
        if self.exact:
            return "milvus flat"
        return f"milvus ivf ({lists(self._settings)} lists, {self._probes()} probed)"

    def __len__(self) -> int:
        return self._alive_count

    @property
    def row_count(self) -> int:
        """How many rows were written."""
        return int(self._spans[-1][1])

    def ids(self) -> ImageIds:
        """All ids that can be found, int64 [n], in the order of their rows."""
        ids = np.empty(self.row_count, np.int64)
        for part in self._parts:
            first = part.partition.first_place
            for start in range(first, first + part.partition.rows, _MOST_HITS):
                within = f"place >= {start} and place < {start + _MOST_HITS}"
                for row, found in self._query(within):
                    ids[row] = found["image_id"]
        return ids[self._alive]

    def rows(self, ids: ImageIds) -> np.ndarray:
        """The row of each id, int64 [n]; -1 where there is none."""
        known: dict[int, int] = {}
        for row, found in self._of_ids(ids):
            known[found["image_id"]] = row
        return np.array([known.get(i, -1) for i in ids.tolist()], np.int64)

    def vectors(self, ids: ImageIds) -> Embeddings:
        """The stored rows of these ids, float32 [n dim], in their order.

        Raises:
            NotFoundError: an id is not there.
        """
        known = {found["image_id"]: found["vector"] for _, found in self._of_ids(ids, "vector")}
        if missing := [i for i in ids.tolist() if i not in known]:
            raise NotFoundError(
                "no such id in the store",
                value=missing[:5],
                expected=f"ids among the {len(self)} stored",
            )
        rows = [known[i] for i in ids.tolist()]
        return np.array(rows, np.float32).reshape(len(rows), self.dim)

    def nearest(self, queries: Embeddings, k: int) -> list[list[Hit]]:
        """What a look into every list finds."""
        every = lists(self._settings)
        return self._find(queries, min(k, len(self)), self._alive, None, probes=every)

    def widen(self, times: float) -> None:
        """Look into so many times as many lists."""
        self._width = times

    def _search(self, queries: Embeddings, k: int, mask: RowMask | None) -> list[list[Hit]]:
        return self._search_where(queries, k, mask, None)

    def _search_where(
        self, queries: Embeddings, k: int, mask: RowMask | None, where: Where | None
    ) -> list[list[Hit]]:
        inside = self._alive if mask is None else self._alive & mask
        k = min(k, int(np.count_nonzero(inside)))
        if not k:
            return [[] for _ in queries]
        found = self._find(queries, k, inside, where, probes=self._probes())
        if not self.exact and any(len(hits) < k for hits in found):
            return self._find(queries, k, inside, where, probes=lists(self._settings))
        return found

    def _find(
        self, queries: Embeddings, k: int, inside: RowMask, where: Where | None, *, probes: int
    ) -> list[list[Hit]]:
        """The nearest ``k`` of the rows ``inside``."""
        if where and k <= _MOST_HITS:
            fitting = " and ".join(filter(None, (where_expression(where), self._removed())))
            found = self._ask(queries, k, fitting, inside, probes)
            # digests may collide, and a filter may be newer than the rows' terms
            if found is not None and (not self.exact or all(len(h) == k for h in found)):
                return found
        listed = self._listed(inside)
        if listed is not None and k <= _MOST_HITS:
            found = self._ask(queries, k, listed, inside, probes)
            if found is not None:
                return found
        merged: list[list[Hit]] = [[] for _ in queries]
        rows = np.flatnonzero(inside)
        for start in range(0, len(rows), _MOST_HITS):
            some = rows[start : start + _MOST_HITS]
            part = self._ask(
                queries, min(k, len(some)), f"place in {self._places(some)}", inside, probes
            )
            assert part is not None  # noqa: S101 - the rows are named one by one
            for mine, hits in zip(merged, part, strict=True):
                mine[:] = sorted((*mine, *hits), key=lambda hit: -hit.similarity)[:k]
        return merged

    def _ask(
        self, queries: Embeddings, k: int, expression: str, inside: RowMask, probes: int
    ) -> list[list[Hit]] | None:
        """One search; ``None`` if it found a row that is not ``inside``."""
        hits: list[list[Hit]] = []
        parameters = {} if self.exact else {"nprobe": probes}
        for start in range(0, len(queries), _QUERIES_AT_ONCE):
            with telling(self._settings):
                found = self._client.search(
                    self._collection,
                    data=list(queries[start : start + _QUERIES_AT_ONCE]),
                    limit=k,
                    filter=expression,
                    output_fields=["image_id"],
                    search_params={"metric_type": "IP", "params": parameters},
                    **self._as_sealed(),
                )
            for of_query in found:
                rows = [self._row(hit["id"]) for hit in of_query]
                if not inside[rows].all():
                    return None
                ids = np.array([hit["entity"]["image_id"] for hit in of_query], np.int64)
                near = np.array([hit["distance"] for hit in of_query])
                best = np.argsort(-near, kind="stable")
                hits.append(to_hits(ids[best], near[best]))
        return hits

    def _listed(self, inside: RowMask) -> str | None:
        """An expression for these rows by their numbers, or for all others; "" for all rows.

        ``None`` where that would be too long.
        """
        outside = np.flatnonzero(~inside)
        if not len(outside):
            return ""
        rows = np.flatnonzero(inside)
        if min(len(rows), len(outside)) > _LISTED:
            return None
        if len(rows) < len(outside):
            return f"place in {self._places(rows)}"
        return f"place not in {self._places(outside)}"

    def _removed(self) -> str:
        gone = np.flatnonzero(~self._alive)
        return f"place not in {self._places(gone)}" if len(gone) else ""

    def _of_ids(self, ids: ImageIds, *fields: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
        wanted = np.unique(ids).tolist()
        for start in range(0, len(wanted), _VECTORS_AT_ONCE):
            some = wanted[start : start + _VECTORS_AT_ONCE]
            for row, found in self._query(f"image_id in {some}", *fields):
                if self._alive[row]:
                    yield row, found

    def _query(self, expression: str, *fields: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
        with telling(self._settings):
            found = self._client.query(
                self._collection,
                filter=expression,
                output_fields=["image_id", "place", *fields],
                limit=_MOST_HITS,
                **self._as_sealed(),
            )
        return ((self._row(entity["place"]), entity) for entity in found)

    def _as_sealed(self) -> dict[str, Any]:
        return {
            "partition_names": [part.partition.name for part in self._parts],
            "consistency_level": "Customized",
            "guarantee_timestamp": self._timestamp,
        }

    def _row(self, place: int) -> int:
        return int(self._starts[place >> 32]) + (place & _ROW)

    def _places(self, rows: np.ndarray) -> list[int]:
        numbers = np.searchsorted([end for _, end in self._spans], rows, side="right")
        starts = np.array([start for start, _ in self._spans], np.int64)
        firsts = np.array([part.partition.first_place for part in self._parts], np.int64)
        return [int(place) for place in firsts[numbers] + rows - starts[numbers]]

    def _probes(self) -> int:
        wanted = self._settings.index
        every = lists(self._settings)
        probes = (wanted.probes if isinstance(wanted, IvfIndex) else None) or max(8, every // 16)
        return min(every, round(self._width * probes))

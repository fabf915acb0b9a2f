"""Writes what :class:`~coin_retrieval.stores.milvus.MilvusStore` reads: a partition a segment."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Sequence

import numpy as np
from pymilvus.exceptions import MilvusException

from coin_retrieval.config import MilvusStoreSettings
from coin_retrieval.errors import ArchiveServerError, InputError
from coin_retrieval.stores.base import StoreWriter, Terms
from coin_retrieval.stores.milvus_server import (
    Partition,
    connect,
    make_collection,
    owner_of,
    telling,
    term_columns,
)
from coin_retrieval.types import Embeddings, ImageIds, Location

_AT_ONCE = 1000
_DEFAULT = "_default"
"""A partition that every collection has; rows of none are in it."""

_SERVED_ROWS = 4_194_304


class MilvusStoreWriter(StoreWriter):
    """Rows go to the server at once, into a partition that no reader knows before it is sealed.

    Args:
        space: digest of the embedding space; each has a collection of its own.
    """

    def __init__(self, settings: MilvusStoreSettings, *, dim: int, space: str = "") -> None:
        self.dim = dim
        self._settings = settings
        self._client = connect(settings)
        self._ids: list[ImageIds] = []
        self._count = 0
        self._sealed = False
        with telling(settings):
            self._collection = make_collection(self._client, settings, space=space, dim=dim)
            self._name = f"s{secrets.randbits(31):08x}"
            while self._client.has_partition(self._collection, self._name):
                self._name = f"s{secrets.randbits(31):08x}"
            self._client.create_partition(self._collection, self._name)

    @property
    def most_rows(self) -> int:
        """A server searches few large parts faster than many."""
        return _SERVED_ROWS

    def seal(self) -> Location:
        """Wait until the server has written all rows; see :class:`StoreWriter`."""
        ids = np.concatenate([np.empty(0, np.int64), *self._ids])
        if len(np.unique(ids)) < len(ids):
            raise InputError("an id came twice", expected="each id once")
        with telling(self._settings):
            self._client.flush(self._collection)
            self._client.load_partitions(self._collection, [self._name])
            # a reader asks for what was there at this moment of the server's own clock
            timestamp = int(self._client._get_connection().alloc_timestamp())
            there = count_rows(self._client, Partition(self._collection, self._name, 0, timestamp))
        if there != self._count:
            raise ArchiveServerError(
                "the vector server lost rows while they were written",
                value=f"{there} rows",
                expected=f"{self._count}",
                remedy="run the same command again",
            )
        self._sealed = True
        where = Partition(self._collection, self._name, self._count, timestamp)
        return Location(collection=str(where))

    def close(self) -> None:
        """Delete what was not sealed; where the server is away, a later change does."""
        if not self._sealed:
            self._sealed = True
            try:
                drop_partitions(self._settings, self._collection, [self._name])
            except ArchiveServerError:
                return

    def _add(self, ids: ImageIds, embeddings: Embeddings) -> None:
        self._add_described(ids, embeddings, ())

    def _add_described(self, ids: ImageIds, embeddings: Embeddings, terms: Sequence[Terms]) -> None:
        first = Partition(self._collection, self._name, 0, 0).first_place + self._count
        rows = [
            {
                "image_id": int(image_id),
                "place": first + row,
                "vector": embeddings[row],
                **term_columns(terms[row] if terms else {}),
            }
            for row, image_id in enumerate(ids.tolist())
        ]
        with telling(self._settings):
            for start in range(0, len(rows), _AT_ONCE):
                some = rows[start : start + _AT_ONCE]
                self._client.insert(self._collection, some, partition_name=self._name)
        self._ids.append(ids.copy())
        self._count += len(ids)


def count_rows(client: object, partition: Partition) -> int:
    """How many rows a partition has, by the server's own count."""
    found = client.query(  # type: ignore[attr-defined]
        partition.collection,
        filter="",
        output_fields=["count(*)"],
        partition_names=[partition.name],
        consistency_level="Customized",
        guarantee_timestamp=partition.timestamp,
    )
    return int(found[0]["count(*)"])


def drop_partitions(settings: MilvusStoreSettings, collection: str, names: Collection[str]) -> None:
    """Delete segments for good: no search finds a row of theirs from then on.

    Whole partitions go. Rows that are deleted one by one have come back in searches, after a
    restart or from a replica that lags (milvus issues 42951, 46851).

    Raises:
        ArchiveServerError: the server is away, or refuses.
    """
    client = connect(settings)
    with telling(settings):
        for name in names:
            if client.has_partition(collection, name):
                client.release_partitions(collection, [name])
                client.drop_partition(collection, name)


def drop_other_partitions(settings: MilvusStoreSettings, kept: Iterable[Location]) -> None:
    """Delete an archive's segments but these, and its collections in which none is left.

    Raises:
        ArchiveServerError: the server is away, or refuses.
    """
    partitions = [Partition.read(location.collection) for location in kept]
    named = {(partition.collection, partition.name) for partition in partitions}
    client = connect(settings)
    with telling(settings):
        for collection in client.list_collections():
            if not collection.startswith(f"{settings.name}__"):
                continue
            if owner_of(client, collection) != settings.owner:
                continue
            names = [n for n in client.list_partitions(collection) if n != _DEFAULT]
            others = [name for name in names if (collection, name) not in named]
            if len(others) < len(names):
                drop_partitions(settings, collection, others)
            else:
                for alias in client.list_aliases(collection)["aliases"]:
                    client.drop_alias(alias)
                client.drop_collection(collection)


def point_alias(settings: MilvusStoreSettings, location: Location) -> None:
    """Let the archive's name mean the collection of its current version.

    Raises:
        ArchiveServerError: the server is away, or refuses.
    """
    client, collection = connect(settings), Partition.read(location.collection).collection
    with telling(settings):
        try:
            known = client.describe_alias(settings.name)["collection_name"]
        except MilvusException:
            client.create_alias(collection, settings.name)
            return
        if known != collection:
            client.alter_alias(collection, settings.name)

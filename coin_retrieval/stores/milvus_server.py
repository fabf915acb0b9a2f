"""The Milvus server: connections, one schema, and what it says in words.

A collection holds rows of one embedding space and one schema; a segment of an archive is a
partition of it. Rows are written once and never changed, so that no search can meet a change
halfway; what an archive takes out stands in its versions, and is deleted as a whole partition.

What rows are found by is kept as 64-bit digests of field and value: an expression holds numbers
alone, whatever people type, and no name or diagnosis lies on the server.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

import grpc
from pymilvus import DataType, MilvusClient
from pymilvus.exceptions import MilvusException

from coin_retrieval.config import IvfIndex, MilvusStoreSettings
from coin_retrieval.errors import ArchiveCorruptError, ArchiveSchemaError, ArchiveServerError

# its own log has a traceback for every error that is told here in words
logging.getLogger("pymilvus").setLevel(logging.CRITICAL)

SCHEMA = 1
"""Raised when a field changes; a collection of another schema is another collection."""

FIELDS = (
    *("case_id", "site", "specimen", "stain", "patient_id"),
    *("diagnosis", "finding", "origin", "slide_id"),
)
"""Fields with a column of their own; all others are attributes, in one column of JSON."""

_LISTS = 1024
_CODE_OF_A_FAILED_CONNECTION = 2
_FULL = ("quota", "rate limit", "no space", "memory", "disk")


class Partition(NamedTuple):
    """Where a sealed segment lies: ``timestamp`` is when the server had all of its rows."""

    collection: str
    name: str
    rows: int
    timestamp: int

    @classmethod
    def read(cls, text: str | None) -> Partition:
        """What ``str`` wrote.

        Raises:
            ArchiveCorruptError: something else.
        """
        try:
            collection, name, rows, timestamp = (text or "").split("/")
            return cls(collection, name, int(rows), int(timestamp))
        except ValueError as error:
            raise ArchiveCorruptError(
                "the archive names no vectors",
                value=text,
                expected="a partition of a Milvus collection",
                remedy="build the archive again",
            ) from error

    def __str__(self) -> str:
        return f"{self.collection}/{self.name}/{self.rows}/{self.timestamp}"

    @property
    def first_place(self) -> int:
        """The place of its first row; a row's place is unique in the collection."""
        return int(self.name[1:], 16) << 32


def connect(settings: MilvusStoreSettings) -> MilvusClient:
    """A connection, shared by all that ask for the same one.

    Raises:
        ArchiveServerError: the server is away, or refuses.
    """
    with telling(settings):
        token = settings.token_file.read_text("utf-8").strip() if settings.token_file else ""
        return _client(settings.uri, token, settings.timeout_s)


@lru_cache(maxsize=32)
def _client(uri: str, token: str, timeout_s: float) -> MilvusClient:
    # a server that is back is asked within a second; gRPC alone would wait up to two minutes
    again = {"grpc.initial_reconnect_backoff_ms": 100, "grpc.max_reconnect_backoff_ms": 1000}
    return MilvusClient(uri, token=token, timeout=timeout_s, grpc_options=again)


@contextmanager
def telling(settings: MilvusStoreSettings) -> Iterator[None]:
    """What the server or the way to it refuses is told in words.

    Raises:
        ArchiveServerError: it is away, slow or full, or refuses.
    """
    try:
        yield
    except (MilvusException, grpc.RpcError, OSError, ValueError) as error:
        text = " ".join(str(getattr(error, "message", "") or error).split())[:300]
        problem = "the vector server cannot do what is asked"
        remedy = "look into the server's log; the same command goes on where it stopped"
        if getattr(error, "code", None) == _CODE_OF_A_FAILED_CONNECTION or "UNAVAILABLE" in text:
            problem, remedy = "the vector server is away", "start it, or mend its address"
        elif any(word in text.lower() for word in ("deadline", "timeout", "timed out")):
            problem = "the vector server did not answer in time"
            remedy = f"wait until it is less busy, or give it more than {settings.timeout_s:g} s"
        elif any(word in text.lower() for word in _FULL):
            problem, remedy = "the vector server is full", "give it room; then run the same again"
        raise ArchiveServerError(
            f"{problem} ({text})", value=settings.uri, expected="a Milvus server", remedy=remedy
        ) from error


def collection_name(settings: MilvusStoreSettings, *, space: str, dim: int) -> str:
    """What the collection of an embedding space is called, under this schema and index."""
    what = [settings.owner, space, dim, SCHEMA, settings.index.model_dump(mode="json")]
    return f"{settings.name}__{hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]}"


def make_collection(
    client: MilvusClient, settings: MilvusStoreSettings, *, space: str, dim: int
) -> str:
    """Make the collection unless it is there; returns its name. The caller is :func:`telling`.

    Raises:
        ArchiveSchemaError, ArchiveCorruptError: there is another one of this name.
    """
    name = collection_name(settings, space=space, dim=dim)
    if not client.has_collection(name):
        said = {"schema": SCHEMA, "owner": settings.owner, "space": space}
        schema = client.create_schema(auto_id=False, description=json.dumps(said))
        # not the image's id: one that has changed has a row in two partitions, of which a query
        # would answer one, and perhaps the one that was taken out
        schema.add_field("place", DataType.INT64, is_primary=True)
        schema.add_field("image_id", DataType.INT64)
        for field in FIELDS:
            schema.add_field(field, DataType.INT64)
        schema.add_field("attributes", DataType.JSON)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dim)
        index = client.prepare_index_params()
        ivf = isinstance(settings.index, IvfIndex)
        index.add_index(
            "vector",
            index_type="IVF_FLAT" if ivf else "FLAT",
            metric_type="IP",
            params={"nlist": lists(settings)} if ivf else {},
        )
        index.add_index("image_id", index_type="STL_SORT")
        client.create_collection(name, schema=schema, index_params=index)
    check_collection(client, settings, name, dim=dim)
    return name


def check_collection(
    client: MilvusClient, settings: MilvusStoreSettings, name: str, *, dim: int
) -> None:
    """Refuse a collection that this archive and this program did not write.

    Raises:
        ArchiveSchemaError: of another schema.
        ArchiveCorruptError: not there, another archive's, or of another width.
    """
    if not client.has_collection(name):
        raise ArchiveCorruptError(
            "the vectors are not on the server",
            value=name,
            expected=f"a collection of {settings.uri}",
            remedy="restore the server's data from a backup, or build the archive again",
        )
    found = client.describe_collection(name)
    try:
        said = json.loads(found["description"])
        schema, owner = int(said["schema"]), said["owner"]
    except (ValueError, LookupError, TypeError):
        schema, owner = 0, None
    if schema != SCHEMA:
        raise ArchiveSchemaError(
            f"the collection {name} was written by another program",
            value=f"schema {schema}",
            expected=f"schema {SCHEMA}",
            remedy="give the archive another name, or use the program that wrote it",
        )
    width = next(f["params"]["dim"] for f in found["fields"] if f["name"] == "vector")
    if owner != settings.owner or int(width) != dim:
        raise ArchiveCorruptError(
            f"the collection {name} is not this archive's",
            value=f"of {owner or 'nobody'}, {width}-d",
            expected=f"of {settings.owner or 'nobody'}, {dim}-d",
            remedy="give the archive a name that no other on this server has",
        )


def owner_of(client: MilvusClient, collection: str) -> str | None:
    """Which archive's a collection is; ``None`` where another program made it."""
    try:
        owner: str = json.loads(client.describe_collection(collection)["description"])["owner"]
    except (ValueError, LookupError, TypeError):
        return None
    return owner


def lists(settings: MilvusStoreSettings) -> int:
    """Inverted lists of a part that has an index."""
    wanted = settings.index.lists if isinstance(settings.index, IvfIndex) else None
    return wanted or _LISTS


def term_columns(terms: Mapping[str, str]) -> dict[str, Any]:
    """What a row is found by, as its columns."""
    own: dict[str, Any] = {field: _number(terms.get(field, "")) for field in FIELDS}
    others = {_key(f): str(_number(v)) for f, v in terms.items() if f not in FIELDS}
    return own | {"attributes": others}


def where_expression(where: Mapping[str, Sequence[str]]) -> str:
    """A filter as the server takes it; there is no text in it that anybody typed."""
    clauses = []
    for field, values in where.items():
        numbers = sorted({_number(value) for value in values if value})
        if field in FIELDS:
            clauses.append(f"{field} in {numbers}")
        else:
            quoted = ", ".join(f'"{number}"' for number in numbers)
            clauses.append(f'attributes["{_key(field)}"] in [{quoted}]')
    return " and ".join(clauses)


def _number(value: str) -> int:
    """A value as filters compare it, but for letter case, as a signed number; none is 0."""
    if not value:
        return 0
    digest = hashlib.blake2b(value.casefold().encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True) or 1


def _key(field: str) -> str:
    return f"k{hashlib.blake2b(field.encode(), digest_size=8).hexdigest()}"

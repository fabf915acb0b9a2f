from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymilvus import MilvusClient
from servers import Milvus, free_port

from coin_retrieval.config import MilvusStoreSettings
from coin_retrieval.errors import ArchiveCorruptError, ArchiveSchemaError, ArchiveServerError
from coin_retrieval.factory import make_store_writer, open_store
from coin_retrieval.stores.base import VectorStore
from coin_retrieval.stores.milvus_server import Partition, telling, where_expression
from coin_retrieval.stores.milvus_writing import drop_partitions
from coin_retrieval.testing.store_suite import DIM, far_apart_ids, random_units
from coin_retrieval.types import Embeddings, ImageIds, Location

pytestmark = pytest.mark.xdist_group("servers")

ROWS = 60
HOSTILE = (
    '"] or place > 0 or site in ["',
    "' or 1 == 1 --",
    "\\",
    '\\" or true',
    "a\nb\x00c",
    "Zürich 東京 🙂",
    "x" * 70_000,
    "0",
)
IDS, VECTORS = far_apart_ids(ROWS), random_units(ROWS, seed=1)
TERMS = [
    {"site": HOSTILE[row % 8], f"own {HOSTILE[row % 3]}": HOSTILE[row % 8], "case_id": f"c{row}"}
    for row in range(ROWS)
]


@pytest.fixture(scope="module")
def settings(milvus: Milvus) -> MilvusStoreSettings:
    return MilvusStoreSettings(uri=milvus.uri, name="unit", owner="us")


def write(
    settings: MilvusStoreSettings,
    ids: ImageIds = IDS,
    rows: Embeddings = VECTORS,
    terms: list[dict[str, str]] | None = None,
) -> Location:
    writer = make_store_writer(settings, Path(), dim=rows.shape[1])
    writer.add(ids, rows, terms or ())
    return writer.seal()


def read(settings: MilvusStoreSettings, location: Location, **options: Any) -> VectorStore:
    return open_store(settings, Path(), location, dim=DIM, **options)


@pytest.fixture(scope="module")
def location(settings: MilvusStoreSettings) -> Location:
    return write(settings, terms=TERMS)


@pytest.fixture
def store(settings: MilvusStoreSettings, location: Location) -> Iterator[VectorStore]:
    with read(settings, location) as opened:
        yield opened


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_a_filter_finds_what_it_names_whatever_is_typed(store: VectorStore, value: str) -> None:
    for field in ("site", f"own {HOSTILE[0]}", f"own {HOSTILE[1]}"):
        mask = np.array([terms.get(field, "") == value for terms in TERMS])
        (found,) = store.search(
            VECTORS[:1], ROWS, allowed=mask, where={field: [value.upper(), "nothing"]}
        )
        assert {hit.image_id for hit in found} == set(IDS[mask].tolist())


def test_no_text_that_was_typed_reaches_the_server() -> None:
    where = {"site": HOSTILE, HOSTILE[0]: HOSTILE, "origin": ["real"]}
    number = r"-?\d+"
    listed = rf'\[("?{number}"?(, )?)+\]'
    clause = rf'((site|origin)|attributes\["k[0-9a-f]{{16}}"\]) in {listed}'
    assert re.fullmatch(rf"({clause}( and )?)+", where_expression(where))


def test_a_filter_that_the_servers_columns_answer_otherwise_is_asked_by_rows(
    store: VectorStore,
) -> None:
    mask = np.arange(ROWS) < 10
    (found,) = store.search(VECTORS[:1], ROWS, allowed=mask, where={"site": [HOSTILE[0]]})
    assert {hit.image_id for hit in found} == set(IDS[mask].tolist())


def test_more_rows_than_a_server_lists_at_once_are_found_in_parts(
    store: VectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coin_retrieval.stores.milvus._MOST_HITS", 16)
    monkeypatch.setattr("coin_retrieval.stores.milvus._LISTED", 8)
    near = (VECTORS @ VECTORS[3])[np.arange(ROWS) % 2 == 0]
    wanted = IDS[::2][np.argsort(-near)][:25].tolist()
    (found,) = store.search(VECTORS[3:4], 25, allowed=np.arange(ROWS) % 2 == 0)
    assert [hit.image_id for hit in found] == wanted
    assert store.ids().tolist() == IDS.tolist()


def test_what_was_sealed_is_all_there_for_whoever_opens_it_next(milvus: Milvus) -> None:
    settings = MilvusStoreSettings(uri=milvus.uri, name="fresh")
    for turn in range(3):
        ids = IDS + turn
        location = write(settings, ids)
        (found,) = read(settings, location).search(VECTORS[:1], ROWS)
        assert {hit.image_id for hit in found} == set(ids.tolist())


def test_what_is_deleted_is_found_by_nobody_however_the_server_is_asked(
    settings: MilvusStoreSettings, milvus: Milvus
) -> None:
    kept, gone = write(settings, IDS + 1), write(settings, IDS + 2)
    reader = read(settings, gone)
    where = Partition.read(gone.collection)
    drop_partitions(settings, where.collection, [where.name])
    other = MilvusClient(milvus.uri)
    for level in ("Strong", "Bounded", "Eventually"):
        found = other.search(
            where.collection,
            data=[VECTORS[0]],
            limit=1000,
            consistency_level=level,
            output_fields=["image_id"],
            search_params={"metric_type": "IP"},
        )
        assert not {hit["entity"]["image_id"] for hit in found[0]} & set((IDS + 2).tolist())
    with pytest.raises(ArchiveServerError):
        reader.search(VECTORS[:1], 5)
    with pytest.raises(ArchiveCorruptError, match="not all on the server"):
        read(settings, gone)
    assert len(read(settings, kept).search(VECTORS[:1], ROWS)[0]) == ROWS


def test_searches_are_whole_while_other_segments_are_written_and_deleted(
    settings: MilvusStoreSettings, store: VectorStore
) -> None:
    wrong: list[int] = []
    done = False

    def search() -> int:
        asked = 0
        while not done:
            (found,) = store.search(VECTORS[:1], ROWS)
            asked += 1
            if {hit.image_id for hit in found} != set(IDS.tolist()):
                wrong.append(len(found))
        return asked

    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(search) for _ in range(2)]
        for turn in range(3):
            # the same ids, as when a record changes
            where = Partition.read(write(settings, IDS, random_units(ROWS, seed=turn)).collection)
            drop_partitions(settings, where.collection, [where.name])
        done = True
    assert sum(future.result() for future in asking) > 0
    assert wrong == []


def test_rows_that_the_server_lost_are_told_at_opening(
    settings: MilvusStoreSettings, location: Location
) -> None:
    there = Partition.read(location.collection)
    more = Location(collection=str(there._replace(rows=ROWS + 1)))
    with pytest.raises(ArchiveCorruptError, match=rf"{ROWS} rows.*expected {ROWS + 1}"):
        read(settings, more)


def test_another_archives_collection_is_refused(
    settings: MilvusStoreSettings, location: Location
) -> None:
    with pytest.raises(ArchiveCorruptError, match=r"not this archive's.*of us"):
        read(settings.model_copy(update={"owner": "them"}), location)
    with pytest.raises(ArchiveCorruptError, match=rf"{DIM}-d.*expected.*{DIM + 1}-d"):
        open_store(settings, Path(), location, dim=DIM + 1)


def test_a_collection_that_another_program_made_is_refused(
    settings: MilvusStoreSettings, milvus: Milvus
) -> None:
    MilvusClient(milvus.uri).create_collection("foreign", dimension=DIM)
    with pytest.raises(ArchiveSchemaError, match="another program"):
        read(settings, Location(collection="foreign/s00000001/5/1"))
    with pytest.raises(ArchiveCorruptError, match="not on the server"):
        read(settings, Location(collection="nowhere/s00000001/5/1"))
    with pytest.raises(ArchiveCorruptError, match="names no vectors"):
        read(settings, Location(files=("vectors.faiss",)))


def test_a_server_that_is_away_is_told(location: Location) -> None:
    away = MilvusStoreSettings(uri=f"http://127.0.0.1:{free_port()}", timeout_s=2)
    with pytest.raises(ArchiveServerError, match="is away"):
        read(away, location)
    with pytest.raises(ArchiveServerError, match="is away"):
        make_store_writer(away, Path(), dim=DIM)


def test_a_server_that_never_answers_is_told_in_time(location: Location) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        slow = MilvusStoreSettings(uri=f"http://127.0.0.1:{port}", timeout_s=2)
        began = time.monotonic()
        with pytest.raises(ArchiveServerError, match="remedy"):
            read(slow, location)
    assert time.monotonic() - began < 60


def test_what_a_server_says_when_it_is_full_is_told_as_that(
    settings: MilvusStoreSettings,
) -> None:
    from pymilvus.exceptions import MilvusException

    said = r"full \(.*quota exceeded.*give it room"
    with pytest.raises(ArchiveServerError, match=said), telling(settings):
        raise MilvusException(code=65535, message="disk quota exceeded, please allocate more")

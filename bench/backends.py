"""The same pictures in files and on servers: do they find the same cases, and how fast?

    python bench/backends.py ARCHIVE --milvus http://127.0.0.1:19530 \\
        --postgres postgresql://user@127.0.0.1/database --images 12909

Vectors and records of an archive in a folder, repeated with a little noise until there are so many,
are written through FAISS + SQLite and Milvus + PostgreSQL (a segment each), and asked for ten cases
with filters. An own answer differs where another case is listed at a place; cases whose
similarities differ by less than 1e-6 may stand in either order.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from measuring import machine, parser, quantiles, show

from coin_retrieval.archive import Archive
from coin_retrieval.catalog.base import Catalog
from coin_retrieval.catalog.postgres import drop_schemas
from coin_retrieval.catalog.records import image_terms
from coin_retrieval.config import (
    CatalogSettings,
    FaissStoreSettings,
    MilvusStoreSettings,
    PostgresCatalogSettings,
    SqliteCatalogSettings,
    StoreSettings,
)
from coin_retrieval.factory import (
    make_catalog_writer,
    make_store_writer,
    open_archive,
    open_catalog,
    open_store,
)
from coin_retrieval.ranking.case_search import CaseSearch
from coin_retrieval.ranking.fusion import FusedQuery
from coin_retrieval.stores.base import VectorStore
from coin_retrieval.stores.milvus_writing import drop_other_partitions
from coin_retrieval.timing import Stopwatch
from coin_retrieval.types import CaseRecord, ImageId, ImageRecord

_AT_ONCE = 1000
_TIE = 1e-6


def main() -> None:
    options_of = parser(__doc__)
    options_of.add_argument("--milvus", required=True)
    options_of.add_argument("--postgres", required=True)
    options_of.add_argument("--images", type=int, default=12_909)
    options_of.add_argument("--queries", type=int, default=100)
    options = options_of.parse_args()
    milvus = MilvusStoreSettings(uri=options.milvus, name="bench", timeout_s=300)
    postgres = PostgresCatalogSettings(url=options.postgres, name="bench")
    pairs: dict[str, tuple[StoreSettings, CatalogSettings]] = {
        "FAISS + SQLite": (FaissStoreSettings(), SqliteCatalogSettings()),
        "Milvus + PostgreSQL": (milvus, postgres),
    }
    with open_archive(Path(options.archive)) as archive, tempfile.TemporaryDirectory() as folder:
        rows, images, cases = _repeated(archive, options.images)
        queries = _queries(rows, archive, options.queries)
        figures, answers = {}, {}
        for name, (store, catalog) in pairs.items():
            began = time.perf_counter()
            with _written(store, catalog, Path(folder), rows, images, cases) as (vectors, records):
                written_s = time.perf_counter() - began
                answers[name], times = _ask(vectors, records, queries)
            figures[name] = {
                "written_per_s": round(len(rows) / written_s),
                "queries_per_s": round(len(times) / sum(times) * 1000, 1),
                **{f"{key}_ms": value for key, value in quantiles(times).items()},
            }
        first, other = answers.values()
        differing = sum(not _same(a, b) for a, b in zip(first, other, strict=True))
    drop_other_partitions(milvus, ())
    result = {
        "images": len(rows),
        "cases": len(cases),
        "queries": len(queries),
        "differing": differing,
        "machine": machine(),
    }
    show(result | figures, {"backends": figures}, as_json=options.json)


def _repeated(
    archive: Archive, count: int
) -> tuple[np.ndarray, list[ImageRecord], dict[str, CaseRecord]]:
    ids = archive.store.ids()
    own = archive.store.vectors(ids)
    records = archive.catalog.images(ImageId(i) for i in ids.tolist())
    there = archive.catalog.cases({image.case_id for image in records.values()})
    random = np.random.default_rng(0)
    images, cases, rows = [], {}, []
    for number in range(count):
        turn, place = divmod(number, len(ids))
        image = records[ImageId(int(ids[place]))]
        case = there[image.case_id]
        if turn:
            case = replace(case, case_id=f"{case.case_id} {turn}")
            image = replace(image, case_id=case.case_id, image_id=ImageId(image.image_id + turn))
        cases[case.case_id] = case
        images.append(image)
        noise = random.standard_normal(own.shape[1]) * 0.02 * bool(turn)
        row = own[place] + noise
        rows.append(row / np.linalg.norm(row))
    return np.array(rows, np.float32), images, cases


def _queries(
    rows: np.ndarray, archive: Archive, count: int
) -> list[tuple[np.ndarray, dict[str, list[str]]]]:
    """Vectors near the archive's own, each with no filter or one of several."""
    filters: list[dict[str, list[str]]] = [{}]
    for field in ("site", "diagnosis", "origin"):
        filters += [{field: [value]} for value in list(archive.catalog.values(field))[:3]]
    filters.append({"origin": ["real"], "site": list(archive.catalog.values("site"))[:2]})
    random = np.random.default_rng(1)
    chosen = rows[random.permutation(len(rows))[:count]]
    near = chosen + 0.05 * random.standard_normal(chosen.shape).astype(np.float32)
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    return [(row[None], filters[n % len(filters)]) for n, row in enumerate(near)]


@contextmanager
def _written(
    store: StoreSettings,
    catalog: CatalogSettings,
    folder: Path,
    rows: np.ndarray,
    images: list[ImageRecord],
    cases: dict[str, CaseRecord],
) -> Iterator[tuple[VectorStore, Catalog]]:
    vectors = make_store_writer(store, folder, dim=rows.shape[1])
    records = make_catalog_writer(catalog, folder)
    for start in range(0, len(rows), _AT_ONCE):
        some = images[start : start + _AT_ONCE]
        ids = np.array([image.image_id for image in some], np.int64)
        terms = [image_terms(cases[image.case_id], image) for image in some]
        vectors.add(ids, rows[start : start + _AT_ONCE], terms)
        records.put([cases[name] for name in {image.case_id for image in some}], some)
    where, listed = vectors.seal(), records.seal()
    with (
        open_store(store, folder, where, dim=rows.shape[1]) as read,
        open_catalog(catalog, folder, listed) as known,
    ):
        yield read, known
    if catalog.backend == "postgres":
        drop_schemas(catalog, [listed.collection or ""])


def _ask(store: VectorStore, catalog: Catalog, queries: Any) -> tuple[list[Any], list[float]]:
    search = CaseSearch(store, catalog)
    answers, times = [], []
    for row, where in queries:
        watch = Stopwatch()
        began = time.perf_counter()
        allowed = search.select(where, watch)
        fused = FusedQuery(row, row, np.ones(1))
        found = search.find(fused, 10, watch, allowed=allowed, where=where, near_duplicates=True)
        times.append(1000 * (time.perf_counter() - began))
        answers.append([(case.case.case_id, case.similarity) for case in found.cases])
    return answers, times


def _same(one: list[tuple[str, float]], other: list[tuple[str, float]]) -> bool:
    if [name for name, _ in one] == [name for name, _ in other]:
        return True
    near = np.allclose([s for _, s in one], [s for _, s in other], atol=_TIE)
    last = one[-1][1] + _TIE
    return bool(near) and {n for n, s in one if s > last} == {n for n, s in other if s > last}


if __name__ == "__main__":
    main()

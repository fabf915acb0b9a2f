from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coin_retrieval.config import FaissIndex, FaissStoreSettings, FlatIndex, HnswIndex, IvfIndex
from coin_retrieval.errors import ArchiveCorruptError, InputError
from coin_retrieval.stores.faiss import FaissStore
from coin_retrieval.stores.faiss_gpu import GpuRows
from coin_retrieval.stores.faiss_module import faiss
from coin_retrieval.stores.faiss_writing import FaissStoreWriter
from coin_retrieval.testing.store_suite import far_apart_ids, random_units
from coin_retrieval.types import Embeddings, ImageIds, Location


def _seal(index: FaissIndex, ids: ImageIds, rows: Embeddings, folder: Path) -> Location:
    folder.mkdir(exist_ok=True)
    writer = FaissStoreWriter(FaissStoreSettings(index=index), folder, dim=16)
    writer.add(ids, rows)
    return writer.seal()


def _store(index: FaissIndex, ids: ImageIds, rows: Embeddings, folder: Path) -> FaissStore:
    return _open(index, folder, _seal(index, ids, rows, folder))


def _open(index: FaissIndex, folder: Path, location: Location) -> FaissStore:
    return FaissStore.open(FaissStoreSettings(index=index), folder, location, dim=16)


def _clustered(n: int, *, dim: int = 16, seed: int = 0) -> np.ndarray:
    """Unit rows around 40 centres, as embeddings of a few classes lie."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((40, dim))
    rows = centres[rng.integers(0, 40, n)] + 0.4 * rng.standard_normal((n, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_ivf_stays_flat_until_training_is_worth_it(tmp_path: Path) -> None:
    store = _store(IvfIndex(), far_apart_ids(500), _clustered(500), tmp_path)
    assert store.exact
    assert store.kind == "flat"


def test_ivf_trains_itself_when_enough_rows_are_there(tmp_path: Path) -> None:
    ids = far_apart_ids(IvfIndex().train_from)
    store = _store(IvfIndex(), ids, _clustered(len(ids)), tmp_path)
    assert not store.exact
    assert len(store) == len(ids)
    assert store.recall(_clustered(100, seed=2)) >= 0.9


def test_measured_recall_falls_when_ivf_probes_too_few_lists(tmp_path: Path) -> None:
    location = _seal(
        IvfIndex(train_from=2000), far_apart_ids(4000), random_units(4000, seed=1, dim=16), tmp_path
    )
    queries = random_units(50, seed=2, dim=16)
    wide, narrow = (_open(IvfIndex(probes=n), tmp_path, location) for n in (40, 1))
    assert narrow.recall(queries) < wide.recall(queries)


def test_ivf_finds_k_even_when_the_probed_lists_hold_fewer(tmp_path: Path) -> None:
    ids, rows = far_apart_ids(2000), _clustered(2000)
    store = _store(IvfIndex(train_from=2000, probes=1), ids, rows, tmp_path)
    assert [len(found) for found in store.search(rows[:3], 1500)] == [1500] * 3


def test_hnsw_filters_to_a_far_corner_without_losing_hits(tmp_path: Path) -> None:
    ids, rows = far_apart_ids(3000), _clustered(3000)
    store = _store(HnswIndex(), ids, rows, tmp_path)
    query = rows[:1]
    corner = np.argsort(rows @ query[0])[:12]
    hits = store.search(query, 10, allowed=ids[corner])[0]
    best_first = corner[np.argsort(-(rows[corner] @ query[0]))][:10]
    assert [h.image_id for h in hits] == ids[best_first].tolist()


@pytest.mark.parametrize("index", [IvfIndex(train_from=1000, probes=40), HnswIndex()])
@pytest.mark.parametrize("share", [0.001, 0.01, 0.15, 0.5])
def test_filtered_searches_of_an_index_find_k_of_which_nearly_all_are_the_nearest(
    index: FaissIndex, share: float, tmp_path: Path
) -> None:
    """FAISS loses hits of an HNSW walk whose selector refuses most, and where its queue has no
    bounds it finds what the selector refuses (faiss issue 5504).
    """
    ids, rows = far_apart_ids(6000), _clustered(6000)
    store = _store(index, ids, rows, tmp_path)
    mask = np.random.default_rng(4).random(6000) < share
    queries = _clustered(40, seed=5)
    found = store.search(queries, 10, allowed=mask)
    assert {len(hits) for hits in found} == {min(10, int(mask.sum()))}
    hit = np.array([hit.image_id for hits in found for hit in hits])
    assert mask[store.rows(hit)].all()
    truth = np.sort(queries @ rows[mask].T, axis=1)[:, -10:][:, ::-1]
    last = truth[:, -1] - 1e-5
    good = [
        sum(hit.similarity >= least for hit in hits) / len(hits)
        for hits, least in zip(found, last, strict=True)
    ]
    assert np.mean(good) >= 0.98
    assert store.is_exact(mask) == (share <= 0.1)
    if store.is_exact(mask):
        assert np.mean(good) == 1


def test_a_filter_that_leaves_out_all_that_is_near_costs_next_to_nothing(tmp_path: Path) -> None:
    ids, rows, queries = far_apart_ids(6000), _clustered(6000), _clustered(30, seed=5)
    for index in (IvfIndex(train_from=1000, probes=10), HnswIndex()):
        store = _store(index, ids, rows, tmp_path / index.kind)
        good = []
        for query in queries:
            similar = rows @ query
            far = similar < np.quantile(similar, 0.6)
            hits = store.search(query[None], 10, allowed=far)[0]
            least = np.sort(similar[far])[-10] - 1e-5
            good += [hit.similarity >= least for hit in hits]
        assert len(good) == 300
        assert np.mean(good) >= 0.95


@pytest.mark.parametrize("index", [IvfIndex(train_from=1000, probes=1), HnswIndex(m=4, ef=10)])
def test_one_search_may_be_wider_than_others(index: FaissIndex, tmp_path: Path) -> None:
    store = _store(index, far_apart_ids(3000), random_units(3000, seed=1, dim=16), tmp_path)
    queries = random_units(40, seed=2, dim=16)
    truth = store.nearest(queries, 10)
    narrow, wide, whole = (
        sum(
            len({hit.image_id for hit in found} & {hit.image_id for hit in best})
            for found, best in zip(store.search(queries, 10, width=width), truth, strict=True)
        )
        for width in (1.0, 20.0, math.inf)
    )
    assert narrow < wide <= whole == 400
    assert store.search(queries, 10) == store.search(queries, 10, width=1.0)
    with pytest.raises(InputError, match="width"):
        store.search(queries, 10, width=0)


def _graph(store: FaissStore) -> Any:
    assert store._index is not None
    return faiss.downcast_index(store._index.index)


def test_a_graph_is_mapped_and_lists_keep_a_fraction_of_the_rows(tmp_path: Path) -> None:
    ids, rows = far_apart_ids(3000), _clustered(3000)
    store = _store(HnswIndex(), ids, rows, tmp_path / "hnsw")
    graph = _graph(store)
    assert not graph.hnsw.neighbors.is_owned
    for bits in (1, 2):
        _seal(IvfIndex(train_from=1000, bits=bits), ids, rows, tmp_path / f"{bits}")
    sizes = [(tmp_path / f"{bits}" / "index.faiss").stat().st_size for bits in (1, 2)]
    assert sizes[0] < sizes[1] < rows.nbytes


def test_linked_rows_lie_near_each_other(tmp_path: Path) -> None:
    store = _store(HnswIndex(), far_apart_ids(3000), _clustered(3000), tmp_path)
    graph = _graph(store)
    starts = faiss.vector_to_array(graph.hnsw.offsets)[:-1].astype(np.int64)
    places = starts[:, None] + np.arange(graph.hnsw.nb_neighbors(0))
    links = faiss.vector_to_array(graph.hnsw.neighbors)[places]
    apart = np.abs(links - np.arange(3000)[:, None])[links >= 0]
    assert np.median(apart) < 3000 / 10, "in any order it is about a third of all"


@pytest.mark.skipif(faiss.get_num_gpus() > 0, reason="there is a GPU")
def test_without_a_gpu_the_processor_searches(tmp_path: Path) -> None:
    store = _store(FlatIndex(), far_apart_ids(100), _clustered(100), tmp_path)
    assert GpuRows(store._flat).search(_clustered(2), 5) is None
    assert len(store.search(_clustered(2), 5)[1]) == 5


def test_an_index_proposes_and_the_rows_decide(tmp_path: Path) -> None:
    ids, rows = far_apart_ids(3000), _clustered(3000)
    store = _store(HnswIndex(), ids, rows, tmp_path)
    by_id = dict(zip(ids.tolist(), rows, strict=True))
    for hit in store.search(rows[:1], 10)[0]:
        assert hit.similarity == pytest.approx(float(by_id[hit.image_id] @ rows[0]), abs=1e-6)


def test_opening_reads_no_rows(tmp_path: Path) -> None:
    store = _store(FlatIndex(), far_apart_ids(100), _clustered(100), tmp_path)
    assert not store._flat.codes.is_owned


def test_a_file_that_is_no_index_is_refused(tmp_path: Path) -> None:
    location = _seal(FlatIndex(), far_apart_ids(10), _clustered(10), tmp_path)
    for name in location.files:
        kept = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(b"not an index" * 9)
        with pytest.raises(ArchiveCorruptError, match="build the archive again"):
            _open(FlatIndex(), tmp_path, location)
        (tmp_path / name).write_bytes(kept)


@pytest.mark.parametrize("files", [(), ("vectors.faiss",), ("ids.npy",), ("other", "files")])
def test_a_manifest_that_names_other_files_is_refused(
    tmp_path: Path, files: tuple[str, ...]
) -> None:
    with pytest.raises(ArchiveCorruptError, match="build the archive again"):
        _open(FlatIndex(), tmp_path, Location(files=files))


@pytest.mark.parametrize("name", ["vectors.faiss", "ids.npy", "index.faiss"])
def test_a_cut_off_file_is_refused(tmp_path: Path, name: str) -> None:
    location = _seal(HnswIndex(), far_apart_ids(100), _clustered(100), tmp_path)
    file = tmp_path / name
    file.write_bytes(file.read_bytes()[:-500])
    with pytest.raises(ArchiveCorruptError):
        _open(HnswIndex(), tmp_path, location)


def test_an_index_of_another_width_is_refused(tmp_path: Path) -> None:
    location = _seal(FlatIndex(), far_apart_ids(10), _clustered(10), tmp_path)
    with pytest.raises(ArchiveCorruptError, match="32-d"):
        FaissStore.open(FaissStoreSettings(), tmp_path, location, dim=32)


def test_how_widely_a_graph_is_searched_is_what_the_settings_say_when_it_is_opened(
    tmp_path: Path,
) -> None:
    location = _seal(
        HnswIndex(m=4, ef_construction=8),
        far_apart_ids(3000),
        random_units(3000, seed=1, dim=16),
        tmp_path,
    )
    narrow, wide = (_open(HnswIndex(m=4, ef=ef), tmp_path, location) for ef in (10, 400))
    assert (narrow.kind, wide.kind) == ("hnsw (4 links, ef 10)", "hnsw (4 links, ef 400)")
    queries = random_units(50, seed=2, dim=16)
    assert wide.recall(queries) > narrow.recall(queries) + 0.1


def test_how_many_lists_are_probed_is_what_the_settings_say_when_it_is_opened(
    tmp_path: Path,
) -> None:
    rows = random_units(2000, seed=1, dim=16)
    index = IvfIndex(lists=50, probes=1, train_from=2000)
    location = _seal(index, far_apart_ids(2000), rows, tmp_path)
    assert _open(index, tmp_path, location).kind == "ivf (50 lists, 1 probed, 2-bit)"
    assert _open(IvfIndex(), tmp_path, location).kind == "ivf (50 lists, 8 probed, 2-bit)"
    wide = _open(IvfIndex(probes=1000), tmp_path, location)
    assert wide.kind == "ivf (50 lists, 50 probed, 2-bit)"
    assert wide.recall(random_units(50, seed=2, dim=16)) == pytest.approx(1, abs=0.01)


def test_lists_have_at_least_thirty_nine_rows_unless_they_are_named(tmp_path: Path) -> None:
    rows, ids = _clustered(800), far_apart_ids(800)
    store = _store(IvfIndex(train_from=800, bits=1), ids, rows, tmp_path)
    assert store.kind == f"ivf ({800 // 39} lists, 8 probed, 1-bit)"


def test_more_lists_than_rows_are_not_made(tmp_path: Path) -> None:
    index = IvfIndex(lists=5000, train_from=300)
    store = _store(index, far_apart_ids(300), _clustered(300), tmp_path)
    assert store.kind.startswith("ivf (300 lists")


def test_torch_is_loaded_before_faiss() -> None:
    script = (
        "import sys, builtins\n"
        "order = []\n"
        "class Watch:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('torch', 'faiss'): order.append(name)\n"
        "sys.meta_path.insert(0, Watch())\n"
        "import coin_retrieval.stores.faiss\n"
        "assert order == ['torch', 'faiss'], order\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)

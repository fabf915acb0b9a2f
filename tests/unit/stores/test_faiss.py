from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from coin_retrieval.config import FaissIndex, FaissStoreSettings, FlatIndex, HnswIndex, IvfIndex
from coin_retrieval.errors import ArchiveCorruptError
from coin_retrieval.stores.faiss import FaissStore
from coin_retrieval.testing.store_suite import far_apart_ids, random_units
from coin_retrieval.types import Location


def _store(index: FaissIndex) -> FaissStore:
    return FaissStore(16, FaissStoreSettings(index=index))


def _open(index: FaissIndex, folder: Path, location: Location) -> FaissStore:
    return FaissStore.open(FaissStoreSettings(index=index), folder, location, dim=16)


def _clustered(n: int, *, dim: int = 16, seed: int = 0) -> np.ndarray:
    """Unit rows around 40 centres, as embeddings of a few classes lie."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((40, dim))
    rows = centres[rng.integers(0, 40, n)] + 0.4 * rng.standard_normal((n, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_ivf_stays_flat_until_training_is_worth_it() -> None:
    store = _store(IvfIndex())
    store.add(far_apart_ids(500), _clustered(500))
    assert store.exact
    assert store.kind == "flat"


def test_ivf_trains_itself_when_enough_rows_are_there() -> None:
    store = _store(IvfIndex())
    ids = far_apart_ids(IvfIndex().train_from + 200)
    rows = _clustered(len(ids))
    store.add(ids[: IvfIndex().train_from - 1], rows[: IvfIndex().train_from - 1])
    assert store.exact
    store.add(ids[IvfIndex().train_from - 1 :], rows[IvfIndex().train_from - 1 :])
    assert not store.exact
    assert len(store) == len(ids)
    assert store.recall(_clustered(100, seed=2)) >= 0.9


def test_measured_recall_falls_when_ivf_probes_too_few_lists() -> None:
    store = _store(IvfIndex(train_from=2000))
    store.add(far_apart_ids(4000), random_units(4000, seed=1, dim=16))
    queries = random_units(50, seed=2, dim=16)
    before = store.recall(queries)
    store._index.nprobe = 1
    assert store.recall(queries) < before


def test_ivf_finds_k_even_when_the_probed_lists_hold_fewer() -> None:
    store = _store(IvfIndex(train_from=2000))
    ids, rows = far_apart_ids(2000), _clustered(2000)
    store.add(ids, rows)
    store._index.nprobe = 1
    hits = store.search(rows[:3], 1500)
    assert [len(found) for found in hits] == [1500] * 3


def test_hnsw_filters_to_a_far_corner_without_losing_hits() -> None:
    store = _store(HnswIndex())
    ids, rows = far_apart_ids(3000), _clustered(3000)
    store.add(ids, rows)
    query = rows[:1]
    corner = np.argsort(rows @ query[0])[:12]
    hits = store.search(query, 10, allowed=ids[corner])[0]
    best_first = corner[np.argsort(-(rows[corner] @ query[0]))][:10]
    assert [h.image_id for h in hits] == ids[best_first].tolist()


@pytest.mark.parametrize("index", [FlatIndex(), IvfIndex(train_from=2000), HnswIndex()])
def test_threads_that_search_with_different_filters_do_not_disturb_each_other(
    index: FaissIndex,
) -> None:
    store = _store(index)
    ids, rows = far_apart_ids(2500), _clustered(2500)
    store.add(ids, rows)

    def disturbed(turn: int) -> bool:
        allowed = ids[turn::50]
        found = store.search(rows[:5], 20, allowed=allowed)
        return any(h.image_id not in allowed for hits in found for h in hits) or any(
            len(hits) != 20 for hits in found
        )

    with ThreadPoolExecutor(8) as pool:
        assert not any(pool.map(disturbed, [turn % 50 for turn in range(200)]))


def test_a_file_that_is_no_index_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vectors.faiss").write_bytes(b"not an index")
    with pytest.raises(ArchiveCorruptError, match="build the archive again"):
        _open(FlatIndex(), tmp_path, Location(files=("vectors.faiss",)))


def test_a_manifest_that_names_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveCorruptError, match="build the archive again"):
        _open(FlatIndex(), tmp_path, Location())


def test_a_cut_off_index_is_refused(tmp_path: Path) -> None:
    store = _store(FlatIndex())
    store.add(far_apart_ids(100), _clustered(100))
    location = store.seal(tmp_path)
    file = tmp_path / location.files[0]
    file.write_bytes(file.read_bytes()[:-500])
    with pytest.raises(ArchiveCorruptError):
        _open(FlatIndex(), tmp_path, location)


def test_an_index_of_another_width_is_refused(tmp_path: Path) -> None:
    location = _store(FlatIndex()).seal(tmp_path)
    with pytest.raises(ArchiveCorruptError, match="16-d"):
        FaissStore.open(FaissStoreSettings(), tmp_path, location, dim=32)


def test_how_widely_a_graph_is_searched_is_what_the_settings_say_when_it_is_opened(
    tmp_path: Path,
) -> None:
    store = _store(HnswIndex(m=4, ef_construction=8, ef=10))
    store.add(far_apart_ids(3000), random_units(3000, seed=1, dim=16))
    location = store.seal(tmp_path)
    wide = _open(HnswIndex(m=4, ef=200), tmp_path, location)
    assert (store.kind, wide.kind) == ("hnsw (4 links, ef 10)", "hnsw (4 links, ef 200)")
    queries = random_units(50, seed=2, dim=16)
    assert wide.recall(queries) > store.recall(queries) + 0.1


def test_how_many_lists_are_probed_is_what_the_settings_say_when_it_is_opened(
    tmp_path: Path,
) -> None:
    store = _store(IvfIndex(lists=50, probes=1, train_from=2000))
    store.add(far_apart_ids(2000), random_units(2000, seed=1, dim=16))
    location = store.seal(tmp_path)
    assert store.kind == "ivf (50 lists, 1 probed)"
    assert _open(IvfIndex(), tmp_path, location).kind == "ivf (50 lists, 8 probed)"
    wide = _open(IvfIndex(probes=1000), tmp_path, location)
    assert wide.kind == "ivf (50 lists, 50 probed)"
    assert wide.recall(random_units(50, seed=2, dim=16)) == 1.0


def test_lists_have_at_least_thirty_nine_rows_unless_they_are_named() -> None:
    store = _store(IvfIndex(train_from=2000))
    store.add(far_apart_ids(2000), _clustered(2000))
    assert store.kind == f"ivf ({2000 // 39} lists, 8 probed)"


def test_more_lists_than_rows_are_not_made() -> None:
    store = _store(IvfIndex(lists=5000, train_from=300))
    store.add(far_apart_ids(300), _clustered(300))
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

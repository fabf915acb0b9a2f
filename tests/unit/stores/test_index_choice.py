from __future__ import annotations

from coin_retrieval.config import AutoIndex, FlatIndex, HnswIndex, IvfIndex
from coin_retrieval.stores.index_choice import choose_index, lists_of, probes_of

GRAPH = HnswIndex(m=16, ef_construction=100)


def test_the_automatic_choice_scans_few_rows_links_more_and_lists_most() -> None:
    kinds = [
        choose_index(AutoIndex(), rows=rows, dim=512)
        for rows in (0, 10_000, 100_000, 200_000, 10**6)
    ]
    assert kinds == [None, None, None, GRAPH, IvfIndex(train_from=1)]


def test_the_automatic_choice_depends_on_width_memory_and_the_recall_that_is_wanted() -> None:
    assert choose_index(AutoIndex(), rows=200_000, dim=256) is None
    assert choose_index(AutoIndex(), rows=250_000, dim=1024) == IvfIndex(train_from=1)
    roomy = AutoIndex(memory_mb=2000, recall=0.9)
    graph = GRAPH.model_copy(update={"recall": 0.9})
    assert choose_index(roomy, rows=10**6, dim=512) == graph
    assert choose_index(AutoIndex(recall=1), rows=10**6, dim=512) is None, "all means exact"


def test_an_index_that_is_named_is_taken_unless_it_cannot_be_trained() -> None:
    assert choose_index(FlatIndex(), rows=10**7, dim=512) is None
    assert choose_index(HnswIndex(m=8), rows=1, dim=512) == HnswIndex(m=8)
    assert choose_index(IvfIndex(), rows=9_999, dim=512) is None
    assert choose_index(IvfIndex(), rows=10_000, dim=512) == IvfIndex()


def test_lists_grow_with_the_root_of_the_rows_and_probes_with_the_lists() -> None:
    lists = [lists_of(IvfIndex(), rows=rows) for rows in (30, 400, 10**4, 10**6)]
    assert lists == [1, 10, 100, 1000]
    assert [probes_of(AutoIndex(), lists=lists) for lists in (4, 100, 1024)] == [4, 8, 16]
    assert probes_of(IvfIndex(probes=3), lists=100) == 3

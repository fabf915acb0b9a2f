"""Which index so many rows get, and with which numbers: all of it is decided here."""

from __future__ import annotations

from math import isqrt

from coin_retrieval.config import AutoIndex, FaissIndex, FlatIndex, HnswIndex, IvfIndex

INDEXED_ROWS = 1_048_576
"""Rows of a segment that has an index: one is searched faster than several, and made in minutes."""

_ROWS_A_LIST = 39
"""FAISS's k-means wants at least 39 training points a centroid (``ClusteringParameters``)."""

_LINKS, _CANDIDATES = 16, 100
"""Of a graph that is chosen: half of the named kind's, and as good, since its width is tuned
(docs/performance.md, "Kinds of index")."""

_FEWEST_PROBES = 8
_PROBED_SHARE = 1 / 64


def choose_index(wanted: FaissIndex, *, rows: int, dim: int) -> IvfIndex | HnswIndex | None:
    """The index that ``rows`` rows of ``dim`` numbers get; ``None``: they are scanned."""
    if isinstance(wanted, AutoIndex):
        return _by_size(wanted, rows, dim)
    if isinstance(wanted, FlatIndex) or not rows:
        return None
    if isinstance(wanted, IvfIndex) and rows < wanted.train_from:
        return None
    return wanted


def _by_size(auto: AutoIndex, rows: int, dim: int) -> IvfIndex | HnswIndex | None:
    if auto.recall == 1 or rows * dim * 4 <= auto.scan_mb * 1e6:
        return None
    graph = HnswIndex(recall=auto.recall, m=_LINKS, ef_construction=_CANDIDATES)
    # a byte a dimension, and four a link, of which the lowest layer has twice as many
    if rows * (dim + 8 * graph.m) <= auto.memory_mb * 1e6:
        return graph
    return IvfIndex(recall=auto.recall, train_from=1)


def lists_of(wanted: IvfIndex, *, rows: int) -> int:
    """How many lists so many rows are put into."""
    if wanted.lists is None:
        return max(1, min(isqrt(rows), rows // _ROWS_A_LIST))
    return min(wanted.lists, rows)


def probes_of(wanted: FaissIndex, *, lists: int) -> int:
    """How many of its lists a search looks into that is not told to look wider."""
    named = wanted.probes if isinstance(wanted, IvfIndex) else None
    return min(lists, named or max(_FEWEST_PROBES, round(lists * _PROBED_SHARE)))


def ef_of(wanted: FaissIndex) -> int:
    """How many candidates a search of a graph keeps that is not told to look wider."""
    return wanted.ef if isinstance(wanted, HnswIndex) else HnswIndex().ef

"""What an approximate index loses, and how widely it must be searched to lose little."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from coin_retrieval.archive.manifest import MeasuredRecall
from coin_retrieval.stores.base import VectorStore
from coin_retrieval.types import Embeddings

K = 10
QUERIES = 256

_STEP = 2**0.25
_WIDEST = 32.0


def measure_recall(
    store: VectorStore,
    *,
    images: Embeddings | None = None,
    texts: Embeddings | None = None,
    prototypes: Embeddings | None = None,
    before: MeasuredRecall | None = None,
) -> MeasuredRecall | None:
    """Recall@10 with the archive's pictures, with texts and with drawn pictures.

    ``None`` for an exact store: there is nothing to measure. The store is searched ever more widely
    until recall is its target with each kind; it stays so.

    Args:
        images: a sample of the archive's pictures, float32 [n dim].
        texts: the archive's own words, float32 [n dim], where its encoder reads them.
        prototypes: pictures drawn of reports, float32 [n dim], where there are any.
        before: measured of the same store: what is not asked again is kept, and no narrower.
    """
    if store.exact:
        return None
    asked = {"images": images, "texts": texts, "prototypes": prototypes}
    kinds = {kind: _some(rows) for kind, rows in asked.items() if rows is not None and len(rows)}
    if not kinds:
        return before
    truth = store.nearest(np.concatenate(list(kinds.values())), min(K, len(store)))
    ends = np.cumsum([0, *map(len, kinds.values())])
    spans = dict(zip(kinds, pairwise(ends.tolist()), strict=True))
    width = before.width if before else 1.0
    while True:
        store.widen(width)
        found = {
            kind: store.recall(rows, k=K, truth=truth[slice(*spans[kind])])
            for kind, rows in kinds.items()
        }
        if width >= _WIDEST or min(found.values()) >= store.target_recall:
            kept = before.model_dump() if before else {"k": K}
            return MeasuredRecall(**kept | found | {"width": width})
        width = min(_WIDEST, round(width * _STEP, 2))


def _some(rows: np.ndarray) -> np.ndarray:
    chosen: np.ndarray = rows[np.random.default_rng(0).permutation(len(rows))[:QUERIES]]
    return chosen

"""What an approximate index loses, measured when it is built."""

from __future__ import annotations

import numpy as np

from coin_retrieval.archive.manifest import MeasuredRecall
from coin_retrieval.catalog.base import Catalog
from coin_retrieval.encoding.base import Encoder, SupportsText
from coin_retrieval.stores.base import VectorStore
from coin_retrieval.types import Embeddings, ImageId

K = 10
QUERIES = 256

TARGET = 0.98
"""Recall that an index is searched widely enough for."""

_WIDEST = 16
_READ_FOR_TEXTS = 8 * QUERIES


def measure_recall(store: VectorStore, texts: Embeddings | None) -> MeasuredRecall | None:
    """Recall@10 with archive pictures and, where the encoder reads, with the archive's own texts.

    ``None`` for an exact store: there is nothing to measure. The store is searched twice, four …
    times as widely as its settings say, until either recall is :data:`TARGET`; it stays so.
    """
    if store.exact:
        return None
    ids = np.sort(store.ids())
    sample = store.vectors(np.random.default_rng(0).permutation(ids)[:QUERIES])
    width = 1
    while True:
        store.widen(width)
        found = MeasuredRecall(
            k=K,
            images=store.recall(sample, k=K),
            texts=None if texts is None else store.recall(texts, k=K),
            width=width,
        )
        if width >= _WIDEST or min(found.images, found.texts or 1.0) >= TARGET:
            return found
        width *= 2


def own_texts(encoder: Encoder | None, catalog: Catalog) -> Embeddings | None:
    """The archive's own words, float32 [n dim]; ``None`` without any or a reader of them."""
    if not isinstance(encoder, SupportsText):
        return None
    texts = _texts(catalog)
    return encoder.encode_text(texts) if texts else None


def _texts(catalog: Catalog) -> list[str]:
    """Distinct texts such as a report has: the cases' own, else finding and site."""
    ids = np.random.default_rng(0).permutation(catalog.select({}))[:_READ_FOR_TEXTS]
    images = catalog.images(ImageId(i) for i in ids.tolist()).values()
    cases = catalog.cases({image.case_id for image in images})
    found = {
        cases[image.case_id].report
        or ", ".join(filter(None, (image.finding or image.diagnosis, cases[image.case_id].site)))
        for image in images
    }
    distinct = sorted(text for text in found if text)
    return [distinct[i] for i in np.random.default_rng(0).permutation(len(distinct))[:QUERIES]]

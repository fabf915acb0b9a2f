"""What an approximate index loses, measured when it is built."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from coin_retrieval.archive.manifest import MeasuredRecall
from coin_retrieval.encoding.base import Encoder, SupportsText
from coin_retrieval.stores.base import VectorStore
from coin_retrieval.types import Embeddings
from indexer.records import Records

K = 10
QUERIES = 256


def measure_recall(store: VectorStore, texts: Embeddings | None) -> MeasuredRecall | None:
    """Recall@10 with archive pictures and, where the encoder reads, with the archive's own texts.

    ``None`` for an exact store: there is nothing to measure.
    """
    if store.exact:
        return None
    ids = np.sort(store.ids())
    sample = np.random.default_rng(0).permutation(ids)[:QUERIES]
    images = store.recall(store.vectors(sample), k=K)
    return MeasuredRecall(
        k=K, images=images, texts=None if texts is None else store.recall(texts, k=K)
    )


def own_texts(encoder: Encoder, records: Records) -> Embeddings | None:
    """The archive's own words, float32 [n dim]; ``None`` without any or a reader of them."""
    texts = _texts(records)
    return encoder.encode_text(texts) if isinstance(encoder, SupportsText) and texts else None


def _texts(records: Records) -> list[str]:
    """Distinct texts such as a report has: the cases' own, else finding and site."""
    found: Iterable[str] = (
        case.report or ", ".join(filter(None, (image.finding or image.diagnosis, case.site)))
        for case, images in records.by_case()
        for image in images
    )
    distinct = sorted({text for text in found if text})
    return [distinct[i] for i in np.random.default_rng(0).permutation(len(distinct))[:QUERIES]]

"""The archive's own words: by them it is measured how well texts are found."""

from __future__ import annotations

import numpy as np

from coin_retrieval.calibrating.index_recall import QUERIES
from coin_retrieval.catalog.base import Catalog
from coin_retrieval.encoding.base import Encoder, SupportsText
from coin_retrieval.types import Embeddings, ImageId

_READ_FOR_TEXTS = 8 * QUERIES


def own_texts(encoder: Encoder | None, catalog: Catalog) -> Embeddings | None:
    """The archive's own words, float32 [n dim]; ``None`` without any or a reader of them."""
    if not isinstance(encoder, SupportsText):
        return None
    texts = _texts(catalog)
    return encoder.encode_text(texts) if texts else None


def _texts(catalog: Catalog) -> list[str]:
    """Distinct texts such as a report has: the cases' own, else finding and site."""
    ids = catalog.sample(_READ_FOR_TEXTS, {})
    images = catalog.images(ImageId(i) for i in ids.tolist()).values()
    cases = catalog.cases({image.case_id for image in images})
    found = {
        cases[image.case_id].report
        or ", ".join(filter(None, (image.finding or image.diagnosis, cases[image.case_id].site)))
        for image in images
    }
    distinct = sorted(text for text in found if text)
    return [distinct[i] for i in np.random.default_rng(0).permutation(len(distinct))[:QUERIES]]

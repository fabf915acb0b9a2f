"""What is measured of an archive when it is built, on samples, and only when enough has changed."""

from __future__ import annotations

from typing import Any

from coin_retrieval.archive import ArchiveManifest
from coin_retrieval.calibrating.index_recall import QUERIES, measure_recall
from coin_retrieval.calibrating.text_closeness import measure_closeness
from coin_retrieval.catalog.base import Catalog
from coin_retrieval.encoding.base import Encoder
from coin_retrieval.stores.base import VectorStore
from coin_retrieval.types import Origin, content_digest
from coin_retrieval.wordings.known import known_digest
from indexer.versions.neighbours import measure_neighbours, real_mean
from indexer.versions.own_texts import own_texts

ALWAYS_BELOW = 5000
"""Images: measuring fewer takes no time."""

_MEASURED = (
    "real_mean",
    "own_neighbours",
    "similarity_scale",
    "measured_recall",
    "measured_images",
)
_JUDGED_BY = ("finding", "diagnosis", "site")
_DRIFT = 0.1
"""The share of its images by which an archive may have grown or shrunk since it was measured."""


def measures(
    store: VectorStore,
    catalog: Catalog,
    *,
    encoder: Encoder | None,
    before: ArchiveManifest | None,
) -> dict[str, Any]:
    """The fields of a manifest that are measured.

    Args:
        encoder: by which texts are embedded; ``None``, where none is at hand, measures with
            pictures alone, and only what was never measured.
        before: the manifest of the version before, if it is in the same space: what it says is kept
            while the archive is nearly as large as it was then and its index of the same kind; what
            reports are judged by, while it also has the same labels and sites.
    """
    images = len(store)
    values = {name: sorted(catalog.values(name)) for name in _JUDGED_BY}
    labels = content_digest(values | {"known": known_digest()})
    if before is not None and _holds(before, store, unread=encoder is None):
        kept = {name: getattr(before, name) for name in _MEASURED}
        if before.measured_recall is not None:
            store.widen(before.measured_recall.width)
        if labels == before.measured_labels and images >= ALWAYS_BELOW:
            return kept | {"closeness": before.closeness, "measured_labels": labels}
        return kept | {"closeness": measure_closeness(catalog), "measured_labels": labels}
    origins = catalog.values("origin")
    # where all are real, or none is, nothing need be filtered
    some_real = Origin.REAL.value in origins and len(origins) > 1
    asked = {"origin": [Origin.REAL.value]} if some_real else {}
    texts = own_texts(encoder, catalog)
    neighbours = measure_neighbours(store, catalog, asked, texts)
    pictures = store.vectors(catalog.sample(QUERIES, {}))
    return {
        "real_mean": real_mean(store, catalog, asked),
        "own_neighbours": neighbours.close_match,
        "similarity_scale": neighbours.scale,
        "measured_recall": measure_recall(store, images=pictures, texts=texts),
        "measured_images": images,
        "measured_labels": labels,
        "closeness": measure_closeness(catalog),
    }


def _holds(before: ArchiveManifest, store: VectorStore, *, unread: bool) -> bool:
    """Whether what was measured before is still true enough."""
    if not before.measured_images or (before.measured_recall is None) != store.exact:
        return False
    drift = abs(len(store) - before.measured_images)
    return unread or (len(store) >= ALWAYS_BELOW and drift <= _DRIFT * before.measured_images)

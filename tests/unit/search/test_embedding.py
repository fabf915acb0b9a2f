"""Where the networks of a query compute."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from coin_retrieval.errors import ImageError
from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.search.query_embedder import QueryEmbedder
from coin_retrieval.testing.histogram_encoder import HistogramEncoder
from coin_retrieval.types import RgbImage


class Watched(HistogramEncoder):
    """Remembers in which threads it computed."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[int] = set()

    def _embed(self, images: Sequence[RgbImage]) -> NDArray[np.float32]:
        self.threads.add(threading.get_ident())
        return super()._embed(images)


def test_pictures_are_embedded_in_one_thread_whoever_asks(tmp_path: Path) -> None:
    encoder = Watched()
    embedder = QueryEmbedder(encoder, None, PrototypeCache(tmp_path))
    pictures = list(np.random.default_rng(0).integers(0, 256, (8, 20, 20, 3), np.uint8))
    with ThreadPoolExecutor(8) as callers:
        rows = list(callers.map(lambda picture: embedder.images([picture]), pictures))
    assert len(encoder.threads) == 1
    np.testing.assert_array_equal(np.concatenate(rows), encoder.encode(pictures))
    with pytest.raises(ImageError, match="not an RGB picture"):
        embedder.images([pictures[0].astype(np.float32)])

"""Rows on a GPU, where there is one that has room for them: a scan of all is then exact and fast.

Written to FAISS's documentation and run here without a GPU only.
"""

from __future__ import annotations

from threading import Lock
from typing import Any

import numpy as np

from coin_retrieval.stores.faiss_module import faiss
from coin_retrieval.types import Embeddings

_MOST_HITS = 2048
"""FAISS's GPU indexes find no more."""


class GpuRows:
    """A flat index's rows on the first GPU, copied there when they are first searched."""

    def __init__(self, rows: Any) -> None:
        self._rows = rows
        self._there = faiss.get_num_gpus() > 0
        self._copied: tuple[Any, Any] | None = None
        self._lock = Lock()  # a GPU's resources are for one thread at a time

    def search(self, queries: Embeddings, k: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Similarities and rows [n k]; ``None`` where the processor has to search."""
        if not self._there or k > _MOST_HITS:
            return None
        with self._lock:
            try:
                if self._copied is None:
                    resources = faiss.StandardGpuResources()
                    copied = faiss.index_cpu_to_gpu(resources, 0, self._rows)
                    # the index keeps no reference of its own to the resources
                    self._copied = resources, copied
                found: tuple[np.ndarray, np.ndarray] = self._copied[1].search(queries, k)
            except RuntimeError:  # no room for them: asked once
                self._there, self._copied = False, None
                return None
        return found

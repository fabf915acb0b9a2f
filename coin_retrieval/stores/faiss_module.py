"""The one place that imports FAISS.

torch comes first: FAISS's OpenMP runtime, loaded before torch's, can crash the process or leave it
one thread (faiss issue 4273).
"""

from __future__ import annotations

from typing import Any

import torch  # noqa: F401

import faiss as _faiss  # isort: skip

faiss: Any = _faiss
"""Untyped: its own stubs lack what its Python wrappers add, such as selectors by keyword."""

# A scan for four queries at once is faster as a product of matrices, for sixteen four times
# (bench/scans.py). FAISS counts queries times numbers of each, and waits for 128,000 of them; this
# is four of 1,024, and leaves a single query to its own loop up to 4,096. Products of 256 queries
# at a time are as fast as of its 4,096, which take 17 MB.
faiss.cvar.distance_compute_blas_threshold = 4096
faiss.cvar.distance_compute_blas_query_bs = 256

__all__ = ["faiss"]

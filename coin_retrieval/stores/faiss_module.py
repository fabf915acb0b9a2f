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

__all__ = ["faiss"]

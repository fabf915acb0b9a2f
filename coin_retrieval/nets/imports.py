"""Vendors' imports without the search for garbage among what stays for good."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected_imports() -> Iterator[None]:
    """Within it no garbage is collected.

    Torch, transformers and open_clip make some million objects that live as long as the program;
    to look for garbage among them again and again is a quarter of a cold start
    (``bench/cold_search.py``).
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()

from __future__ import annotations

import gc

import pytest

from coin_retrieval.nets.imports import uncollected_imports


def test_garbage_waits_until_the_imports_are_done_even_if_they_fail() -> None:
    assert gc.isenabled()
    with uncollected_imports(), uncollected_imports():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), uncollected_imports():
        raise ImportError
    assert gc.isenabled()


def test_who_runs_without_collection_keeps_it_so() -> None:
    gc.disable()
    try:
        with uncollected_imports():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()

"""Vendors' imports without what they pull in and a search never runs.

torchvision, timm and transformers load torch's compiler to mark functions for it; transformers and
diffusers load parts of scipy for losses and samplers. Nothing here compiles, trains with those
losses or uses those samplers, and together they are a sixth of a cold start (measured by
``bench/cold_search.py``). Within :func:`lean_imports` such modules are represented by stand-ins
that know what vendors ask for while they are imported; whatever else is asked of a stand-in loads
the real module at once. Afterwards the stand-ins are gone, and whoever imports those modules gets
the real ones.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from threading import RLock
from types import ModuleType, SimpleNamespace
from typing import Any

_ONE_AT_A_TIME = RLock()


@contextmanager
def lean_imports() -> Iterator[None]:
    """Within it, imports leave out the compiler and parts of scipy, unless they are loaded.

    Nor is garbage collected: modules stay, and to search their objects for garbage again and again
    is a seventh of a start.
    """
    with _ONE_AT_A_TIME, _uncollected():
        for name, known in _DEFERRED.items():
            if name not in sys.modules and (spec := _spec(name)) is not None:
                sys.modules[name] = _StandIn(spec, known)
        try:
            yield
        finally:
            _remove_stand_ins()


@contextmanager
def _uncollected() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _StandIn(ModuleType):
    """A module that is not loaded: it has what ``known`` lists, and becomes real for all else."""

    def __init__(self, spec: ModuleSpec, known: dict[str, Any]) -> None:
        super().__init__(spec.name)
        self.__spec__ = spec
        self.__dict__.update(known)
        if spec.submodule_search_locations is not None:
            # submodules may be imported by their own names, and are real
            self.__path__ = list(spec.submodule_search_locations)

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return getattr(_real(self.__name__), attribute)


def _spec(name: str) -> ModuleSpec | None:
    try:
        return find_spec(name)
    except ModuleNotFoundError:
        return None  # scipy is no requirement of ours


def _real(name: str) -> ModuleType:
    _remove_stand_ins()
    return import_module(name)


def _remove_stand_ins() -> None:
    for name in _DEFERRED:
        if isinstance(sys.modules.get(name), _StandIn):
            del sys.modules[name]


def _when_called(module: str, name: str) -> Callable[..., Any]:
    """A function that loads its module when it is called."""

    def call(*args: Any, **options: Any) -> Any:
        return getattr(_real(module), name)(*args, **options)

    return call


def _as_it_is(function: Any = None, *_: Any, **__: Any) -> Any:
    """A mark for the compiler, as decorator with or without arguments: nothing is compiled here."""
    return _as_it_is if function is None else function


class _Compiled:
    """What the compiler wraps modules in: there are none before it is loaded."""


_DEFERRED: dict[str, dict[str, Any]] = {
    "torch._dynamo": {
        "disable": _as_it_is,
        "allow_in_graph": _as_it_is,
        "assume_constant_result": _as_it_is,
        "eval_frame": SimpleNamespace(OptimizedModule=_Compiled),
    },
    "torch._dynamo.utils": {
        "is_compile_supported": _when_called("torch._dynamo.utils", "is_compile_supported")
    },
    "scipy.optimize": {
        "linear_sum_assignment": _when_called("scipy.optimize", "linear_sum_assignment")
    },
    "scipy.integrate": {},
    "scipy.stats": {},
}
"""Modules by name, a package before its parts, with what vendors ask of each while they load."""

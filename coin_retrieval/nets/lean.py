"""Vendors without what they import for nobody: half of a cold start (``docs/performance.md``).

Transformers, diffusers and torchvision load torch's compiler, its distributed tensors, SymPy and
SciPy for decorators, annotations and checks of features that no search uses. Only the programs ask
for this, at their start: a process that imports the library keeps its vendors as they are. Results
are the same bit for bit, and what is put off loads whole as soon as anything asks for it.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import FunctionType, ModuleType
from typing import Any

_DYNAMO = "torch._dynamo"
_GATES = ("is_torch_distributed_available", "is_torch_flex_attn_available")
_LOADING = threading.RLock()
_marked: list[tuple[str, Any]] = []


def import_lean() -> None:
    """From now on, this process puts off or leaves out what its models have no use for.

    Modules that are loaded already stay as they are.
    """
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Late(ModuleType):
    """A module that runs when something is asked of it that has no stand-in."""

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("__"):
            _load(self)
        try:
            return self.__dict__[name]
        except KeyError:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}") from None


def _load(module: ModuleType) -> None:
    with _LOADING:
        parent = sys.modules.get(module.__name__.rpartition(".")[0])
        if isinstance(parent, _Late):
            _load(parent)  # as ever, a package runs before its modules, and may run them itself
        loader = module.__spec__.loader if module.__spec__ else None
        if not isinstance(module, _Late) or not isinstance(loader, _LateLoader) or loader.running:
            return
        loader.running = True
        for name in loader.stand_ins:
            del module.__dict__[name]
        loader.real.exec_module(module)
        module.__class__ = ModuleType  # type: ignore[assignment]  # as it would have been
        if module.__name__ == _DYNAMO:
            for decorator, marked in _marked:
                getattr(module, decorator)(marked)


class _LateLoader(Loader):
    def __init__(self, real: Any, stand_ins: Mapping[str, Any]) -> None:
        self.real, self.stand_ins = real, stand_ins
        self.running = False

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__.update(self.stand_ins)
        module.__class__ = _Late


class _TunedLoader(Loader):
    def __init__(
        self, real: Any, tuned: Callable[[ModuleType], AbstractContextManager[None]]
    ) -> None:
        self._real, self._tuned = real, tuned

    def exec_module(self, module: ModuleType) -> None:
        with self._tuned(module):
            self._real.exec_module(module)


class _LoadedLoader(Loader):
    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None: ...


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        parent = sys.modules.get(fullname.rpartition(".")[0])
        if fullname not in _LATE and fullname not in _TUNED:
            if not isinstance(parent, _Late):
                return None
            _load(parent)
            loaded = sys.modules.get(fullname)
            return ModuleSpec(fullname, _LoadedLoader(loaded)) if loaded else None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and spec.loader is not None:
            late = _LATE.get(fullname)
            spec.loader = (
                _TunedLoader(spec.loader, _TUNED[fullname])
                if late is None
                else _LateLoader(spec.loader, late)
            )
        return spec


def _function(module: str, name: str) -> Callable[..., Any]:
    def late(*args: Any, **options: Any) -> Any:
        return getattr(importlib.import_module(module), name)(*args, **options)

    return late


class _LateType(type):
    """Of a class that stands for another: in annotations, checks and calls."""

    real: Callable[[], Any]

    def __call__(cls, *args: Any, **options: Any) -> Any:
        return cls.real()(*args, **options)

    def __instancecheck__(cls, instance: Any) -> bool:
        # of a class that is not there yet, nothing can be an instance
        loaded = sys.modules.get(cls.__module__)
        return not (loaded is None or isinstance(loaded, _Late)) and isinstance(
            instance, cls.real()
        )

    def __getattr__(cls, name: str) -> Any:
        return getattr(cls.real(), name)


def _class(module: str, name: str) -> type:
    real = staticmethod(lambda: getattr(importlib.import_module(module), name))
    return _LateType(name, (), {"__module__": module, "real": real})


class _EvalFrame:
    """``torch._dynamo.eval_frame``: diffusers asks of every network whether it is compiled."""

    OptimizedModule = _class(f"{_DYNAMO}.eval_frame", "OptimizedModule")

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(f"{_DYNAMO}.eval_frame"), name)


def _disable(function: Any = None, *args: Any, **options: Any) -> Any:
    """``torch._dynamo.disable``: while there is no compiler, a function is not compiled anyway."""
    if function is None:
        return lambda later: _disable(later, *args, **options)
    dynamo = sys.modules[_DYNAMO]
    if not isinstance(function, FunctionType):
        _load(dynamo)
        return dynamo.disable(function, *args, **options)

    @functools.wraps(function)
    def call(*given: Any, **named: Any) -> Any:
        if isinstance(dynamo, _Late):
            return function(*given, **named)
        return dynamo.disable(function, *args, **options)(*given, **named)

    return call


def _mark(decorator: str) -> Callable[[Any], Any]:
    """A decorator that gives back what it gets: said to the compiler when that is loaded."""

    def mark(marked: Any) -> Any:
        _marked.append((decorator, marked))
        return marked

    return mark


@contextmanager
def _transformers(module: Any) -> Iterator[None]:
    """Without distributed tensors and FlexAttention; and 500 models' names are read once.

    ``import transformers`` reads every model's source for its ``__all__``, line by line, and then
    reads them all again: there are more of them than its cache has places.
    """
    yield
    for gate in _GATES:
        if hasattr(module, gate):
            setattr(module, gate, lambda: False)
    if hasattr(module, "fetch__all__") and hasattr(module, "create_import_structure_from_path"):
        line_by_line = module.fetch__all__

        def fetch(source: str) -> Any:
            start = source.rfind("\n__all__") + 1
            return line_by_line(source[start:])

        module.fetch__all__ = fetch
        module.create_import_structure_from_path = functools.cache(
            module.create_import_structure_from_path.__wrapped__
        )


@contextmanager
def _diffusers(_: ModuleType) -> Iterator[None]:
    """Every installed package's files are listed when somebody asks, not at once."""
    at_once = importlib.metadata.packages_distributions
    importlib.metadata.packages_distributions = lambda: _Distributions(at_once)
    try:
        yield
    finally:
        importlib.metadata.packages_distributions = at_once


class _Distributions(Mapping[str, list[str]]):
    def __init__(self, read: Callable[[], Mapping[str, list[str]]]) -> None:
        self._all = functools.cache(read)

    def __getitem__(self, package: str) -> list[str]:
        return self._all()[package]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


_UTILS, _TRACE = f"{_DYNAMO}.utils", f"{_DYNAMO}._trace_wrapped_higher_order_op"
_FLEX, _OPTIMIZE = "torch.nn.attention.flex_attention", "scipy.optimize"
_LATE: Mapping[str, Mapping[str, Any]] = {
    _DYNAMO: {
        "disable": _disable,
        "eval_frame": _EvalFrame(),
        "allow_in_graph": _mark("allow_in_graph"),
        "assume_constant_result": _mark("assume_constant_result"),
    },
    _UTILS: {"is_compile_supported": _function(_UTILS, "is_compile_supported")},
    _TRACE: {"TransformGetItemToIndex": _class(_TRACE, "TransformGetItemToIndex")},
    _FLEX: {
        "BlockMask": _class(_FLEX, "BlockMask"),
        "create_block_mask": _function(_FLEX, "create_block_mask"),
    },
    _OPTIMIZE: {"linear_sum_assignment": _function(_OPTIMIZE, "linear_sum_assignment")},
    "scipy.integrate": {},
    "scipy.stats": {},
}
"""Modules that wait, each with what may be had of them without running them."""

_TUNED: Mapping[str, Callable[[ModuleType], AbstractContextManager[None]]] = {
    "transformers.utils.import_utils": _transformers,
    "diffusers.utils.import_utils": _diffusers,
}

"""Libraries that are imported when they are chosen, and told of when they are missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from coin_retrieval.errors import MissingDependencyError
from coin_retrieval.nets.imports import uncollected_imports


@contextmanager
def installed(module: str, *, package: str) -> Iterator[None]:
    """While imports are made that need ``module``, of the PyPI packages ``package``.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        with uncollected_imports():
            yield
    except ImportError as error:
        raise MissingDependencyError(
            f"this backend needs {module} ({error})", remedy=f"pip install {package}"
        ) from error

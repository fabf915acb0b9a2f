"""A published archive: its files, its manifest, its versions.

Its parts load when they are first used: who reads an answer needs none of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coin_retrieval.archive.archive import Archive
    from coin_retrieval.archive.layout import ArchiveLayout
    from coin_retrieval.archive.manifest import ArchiveManifest

__all__ = ["Archive", "ArchiveLayout", "ArchiveManifest"]

_MODULES = {"Archive": "archive", "ArchiveLayout": "layout", "ArchiveManifest": "manifest"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)

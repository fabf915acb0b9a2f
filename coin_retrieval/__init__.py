"""COIN Retrieval: report text → synthetic prototype → nearest real cytology cases.

The front door: what stands in ``__all__`` is public and typed, and loads when it is first used.

Examples:
    >>> import coin_retrieval as coin
    >>> from indexer import build
    >>> built = build("archive", ["cases.csv"])
    >>> archive = coin.open("archive")
    >>> result = archive.search("Koilocytes with perinuclear halos", where={"site": "cervix"}, k=3)
    >>> result  # in a notebook: prototypes (marked), cases, closeness, shares
    <3 cases, mode fused, 4 synthetic prototypes>
      1  <case ...>
      2  <case ...>
      3  <case ...>
    >>> result.cases[0].explain()
    Case ...
    >>> sorted(result.to_dict()), len(result.to_pandas()), result.sheet().mode
    (['cases', ...], 3, 'RGB')
    >>> coin.draw("Bilobed nucleus, coarse orange granules", n=2)
    <2 synthetic prototypes, seeds 0, 1>
    >>> coin.Encoder("starter").encode(["cell.png", result.cases[0].thumbnail]).shape
    (2, 256)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from coin_retrieval.api.archive import SearchableArchive, open  # noqa: A004
    from coin_retrieval.api.drawing import DrawnPrototypes, draw
    from coin_retrieval.api.encoder import Encoder
    from coin_retrieval.api.explanation import Explanation
    from coin_retrieval.api.made_pictures import DrawnPair, draw_layout, translate
    from coin_retrieval.api.measuring import Measured
    from coin_retrieval.api.result import Case, Result
    from coin_retrieval.client import Client
    from coin_retrieval.errors import CoinError, InputError
    from coin_retrieval.search.query import Query

__all__ = [
    "Case",
    "Client",
    "CoinError",
    "DrawnPair",
    "DrawnPrototypes",
    "Encoder",
    "Explanation",
    "InputError",
    "Measured",
    "Query",
    "Result",
    "SearchableArchive",
    "draw",
    "draw_layout",
    "open",
    "translate",
]

_ROOMS = {
    "api.archive": ("SearchableArchive", "open"),
    "api.drawing": ("DrawnPrototypes", "draw"),
    "api.encoder": ("Encoder",),
    "api.explanation": ("Explanation",),
    "api.made_pictures": ("DrawnPair", "draw_layout", "translate"),
    "api.measuring": ("Measured",),
    "api.result": ("Case", "Result"),
    "client": ("Client",),
    "errors": ("CoinError", "InputError"),
    "search.query": ("Query",),
}
_HOMES = {name: f"{__name__}.{room}" for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a public name from its room; once (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""What is asked, and what is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from coin_retrieval.catalog.base import Where
from coin_retrieval.types import CaseMatch, Provenance, RgbImage, SearchMode


@dataclass(frozen=True, slots=True)
class Query:
    """A report or an image, and how to search with it.

    ``mode`` ``None`` means the best there is: fused where the encoder reads text and a generator
    draws, else the one of the two that can; an image is always searched as itself. ``k`` counts
    cases. Prototype i is drawn from ``seed + i``.
    """

    report: str = ""
    image: RgbImage | None = None
    mode: SearchMode | None = None
    k: int = 10
    where: Where = field(default_factory=dict)
    prototypes: int = 4
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Prototype:
    """A synthetic picture in the cache: ``prototype_id`` is its provenance's digest."""

    prototype_id: str
    path: Path
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Cases, best first, with the prototypes that stood for the report.

    ``dropped_text`` is the end of the report that no model could read. ``timings_ms`` has one entry
    a stage: prompt, generate, encode, search, catalog, total.
    """

    report: str
    mode: SearchMode
    dropped_text: str
    prototypes: tuple[Prototype, ...]
    cases: tuple[CaseMatch, ...]
    timings_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Drawing:
    """Prototypes of a report, and what it took; ``timings_ms`` as in :class:`SearchResult`."""

    report: str
    dropped_text: str
    prototypes: tuple[Prototype, ...]
    timings_ms: Mapping[str, float]

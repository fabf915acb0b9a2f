"""A synthetic picture that stands for a query, and a set of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from coin_retrieval.language.understanding import Understanding
from coin_retrieval.types import Provenance


@dataclass(frozen=True, slots=True)
class Prototype:
    """A synthetic picture in the cache.

    ``prototype_id`` is a hash of its provenance under the cache's own key: who can guess a report
    cannot guess its pictures' names.
    """

    prototype_id: str
    path: Path
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Drawing:
    """Prototypes of what a report affirms, and what it took; ``timings_ms`` has one entry a stage.

    ``language`` tells how far the report's words are known, and which were corrected.
    """

    report: str
    language: Understanding
    dropped_text: str
    prototypes: tuple[Prototype, ...]
    timings_ms: Mapping[str, float]

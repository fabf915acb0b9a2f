"""What is asked, and what is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coin_retrieval.catalog.base import Where
from coin_retrieval.prototypes.prototype import Prototype
from coin_retrieval.types import CaseMatch, RgbImage, SearchMode

if TYPE_CHECKING:
    from coin_retrieval.search.support import Support


@dataclass(frozen=True, slots=True)
class Query:
    """A report, an image or both, and how to search with them.

    ``mode`` says how the report is searched. ``None`` means what the archive was calibrated to,
    else the best there is: fused where the encoder reads text and a generator draws, else the one
    of the two that can; an image alone is always searched as itself. ``k`` counts cases.

    ``prototypes`` ``None`` means as many as the archive was calibrated to, else 4; prototype i is
    drawn from ``seed + i``. ``liked`` and ``disliked`` are cases that the reader marked,
    ``unlike`` says in words what is not looked for. ``diversity`` 0 is by similarity alone, 1 as
    different as possible. ``near_duplicates`` lets pictures that repeat another case's count.
    """

    report: str = ""
    image: RgbImage | None = None
    mode: SearchMode | None = None
    k: int = 10
    where: Where = field(default_factory=dict)
    prototypes: int | None = None
    seed: int = 0
    liked: tuple[str, ...] = ()
    disliked: tuple[str, ...] = ()
    unlike: str = ""
    diversity: float = 0.0
    near_duplicates: bool = False


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Cases, best first, with the prototypes that stood for the report.

    ``support`` is what the cases' diagnoses amount to; ``notices`` are for the reader, such as that
    the archive's calibration does not apply. ``dropped_text`` is the end of the report that no
    model could read. ``timings_ms`` has one entry a stage: prompt, generate, encode, search,
    catalog, total.
    """

    report: str
    mode: SearchMode
    dropped_text: str
    prototypes: tuple[Prototype, ...]
    cases: tuple[CaseMatch, ...]
    timings_ms: Mapping[str, float]
    support: Support | None = None
    notices: tuple[str, ...] = ()

"""Ways to build a query from a report, as a calibration tries them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coin_retrieval.config import FusionMethod, FusionSettings, ModalityMeans
from coin_retrieval.types import SearchMode

PROTOTYPE_COUNTS = (1, 4, 8)
WHITENINGS = (0.0, 0.05)
"""Off, or little: mostly the archive's mean off the query. More loses what texts are found by."""

TEXT_WEIGHTS = (0.2, 0.4, 0.6, 0.8)
"""0 is mode prototype and 1 is mode text: both are candidates of their own. Finer steps differ by
less than a thousand reports can tell."""

_METHODS: tuple[FusionMethod, ...] = ("mean", "max", "rrf")
_SIMPLEST = (SearchMode.TEXT, SearchMode.PROTOTYPE, SearchMode.FUSED)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way: a mode, its fusion, and how many prototypes are drawn (0 in mode text)."""

    mode: SearchMode
    fusion: FusionSettings
    prototypes: int

    @property
    def complexity(self) -> tuple[int, int, int, int]:
        """What has to be paid or believed, dearest first: models, corrections, method, pictures.

        Whitening rests on the archive alone, a shift on a generator, centring on reports too.
        """
        return (
            _SIMPLEST.index(self.mode),
            3 * self.fusion.centring + 2 * self.fusion.shift + bool(self.fusion.whitening),
            _METHODS.index(self.fusion.method),
            self.prototypes,
        )

    def __str__(self) -> str:
        parts = [self.mode.value]
        if self.mode is SearchMode.FUSED:
            parts.append(f"text {self.fusion.text_weight:g}")
        if self.prototypes:
            parts.append(f"{self.fusion.method} of {self.prototypes}")
        parts += [name for name in ("centring", "shift") if getattr(self.fusion, name)]
        if self.fusion.whitening:
            parts.append(f"whitening {self.fusion.whitening:g}")
        return ", ".join(parts)


def candidates(
    modes: Sequence[SearchMode],
    means: ModalityMeans,
    *,
    counts: Sequence[int] = PROTOTYPE_COUNTS,
    whitenings: Sequence[float] = WHITENINGS,
) -> list[Candidate]:
    """Every way worth trying in these modes, none twice.

    One prototype is the same by every method. Texts know no shift, and centring moves prototypes
    by as much as a shift does: without a text the shift is the simpler name for it.
    """
    found: list[Candidate] = []
    for whitening in whitenings:
        plain = FusionSettings(means=means, whitening=whitening)
        found += _of_one_space(modes, plain, counts)
    return found


def _of_one_space(
    modes: Sequence[SearchMode], plain: FusionSettings, counts: Sequence[int]
) -> list[Candidate]:
    found: list[Candidate] = []
    if SearchMode.TEXT in modes:
        for centring in (False, True):
            fusion = plain.model_copy(update={"centring": centring})
            found.append(Candidate(SearchMode.TEXT, fusion, 0))
    for count in counts:
        for method in _METHODS[:1] if count == 1 else _METHODS:
            drawn = plain.model_copy(update={"method": method})
            if SearchMode.PROTOTYPE in modes:
                for shift in (False, True):
                    fusion = drawn.model_copy(update={"shift": shift})
                    found.append(Candidate(SearchMode.PROTOTYPE, fusion, count))
            if SearchMode.FUSED in modes:
                for correction in ({}, {"shift": True}, {"centring": True}):
                    for weight in TEXT_WEIGHTS:
                        fusion = drawn.model_copy(update={"text_weight": weight} | correction)
                        found.append(Candidate(SearchMode.FUSED, fusion, count))
    return found

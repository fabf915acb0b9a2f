"""Prototypes drawn and embedded before anybody asks, so that a look-up answers at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coin_retrieval.errors import GenerationError
from coin_retrieval.progress import Progress, counted, silent
from coin_retrieval.search.query import Query
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.types import SearchMode


@dataclass(frozen=True, slots=True)
class Warmed:
    """One wording: how many of its pictures lie in the cache, and how many had to be drawn.

    ``failed`` says why nothing could be drawn; empty if all went well.
    """

    wording: str
    ready: int
    drawn: int
    failed: str = ""


def warm(
    retriever: Retriever,
    wordings: Sequence[str],
    *,
    prototypes: int | None = None,
    seed: int = 0,
    on: Progress = silent,
) -> list[Warmed]:
    """Draw and embed the prototypes of every wording, as a search by it would.

    What the cache has is neither drawn nor embedded again, so that an interrupted run is resumed by
    the same call. A wording whose picture comes out blank is told and does not stop the others.

    Args:
        prototypes: how many; ``None`` as a search takes where nobody says.
        on: told of the wordings that lie behind.

    Raises:
        UnsupportedError: the retriever has no generator.
        InputError: ``prototypes`` or ``seed`` is out of range.
        SettingsError: the cache cannot be written.
    """
    warmed = []
    for wording in counted(wordings, "drawing", on):
        plan = retriever.plan(
            Query.of(report=wording, mode=SearchMode.PROTOTYPE, prototypes=prototypes, seed=seed)
        )
        missing = sum(retriever.cache.get(picture) is None for picture in plan.drawings)
        try:
            found = retriever.embed(plan)
        except GenerationError as error:
            warmed.append(Warmed(wording, 0, 0, failed=f"{error.problem}: {error.value}"))
        else:
            warmed.append(Warmed(wording, len(found.prototypes), missing))
    return warmed

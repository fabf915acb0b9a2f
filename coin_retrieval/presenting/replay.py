"""An answer of before, searched again: the same, or what has changed since."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from coin_retrieval.errors import InputError, ReplayError
from coin_retrieval.presenting.answer import SearchAnswer
from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.search.plan import PublicPlan, SearchPlan
from coin_retrieval.search.result import SearchResult

_NAMES = {
    "archive_version": "the archive's version",
    "archive": "the archive's files",
    "encoder": "the encoder",
    "generator": "the generator or its weights",
    "image": "the picture",
    "prototypes": "the prototypes",
    "fusion": "weights and corrections",
    "closeness": "the threshold of a close match",
}
_SHOWN = 80


def read_answer(file: Path) -> SearchAnswer:
    """An answer that ``coin search --json`` or ``--save`` wrote, or a server gave.

    Raises:
        InputError: it cannot be read, or is no answer of this program.
    """
    try:
        return SearchAnswer.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        told = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
        raise InputError(
            f"the answer cannot be replayed ({told})",
            value=str(file),
            expected="the JSON of coin search --json, with its plan",
            remedy="save the search's answer with --save DIRECTORY or --json",
        ) from error


def require_same_plan(before: SearchAnswer, plan: SearchPlan, cache: PrototypeCache) -> None:
    """Refuse to search where anything that the answer rested on is another now.

    Raises:
        ReplayError: the changes, one by one; nothing is drawn.
    """
    changes = list(_changes(before.plan, plan.public()))
    changes += [
        f"a prototype is gone: seed {picture.seed} is no longer in the cache"
        for picture in plan.drawings
        if picture.digest in before.plan.prototypes and cache.get(picture) is None
    ]
    if changes:
        raise _changed(changes)


def require_same_cases(before: SearchAnswer, result: SearchResult) -> None:
    """Refuse an answer whose cases, or whose order of cases, are others than before.

    Raises:
        ReplayError: at which place the lists part.
    """
    then = [case.case_id for case in before.cases]
    now = [found.case.case_id for found in result.cases]
    if then == now:
        return
    place = next(
        (p for p, (one, other) in enumerate(zip(then, now, strict=False)) if one != other),
        min(len(then), len(now)),
    )
    raise _changed(
        [f"the cases from place {place + 1} on: {then[place:place + 1]} then, "
         f"{now[place:place + 1]} now"]
    )  # fmt: skip


def _changes(then: PublicPlan, now: PublicPlan) -> Iterator[str]:
    for name in PublicPlan.model_fields:
        before, after = getattr(then, name), getattr(now, name)
        if before != after:
            known = _NAMES.get(name, name)
            yield f"{known}: {_short(before)} then, {_short(after)} now"


def _short(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"{len(value)} ({', '.join(str(part)[:12] for part in value)})"[:_SHOWN]
    text = "none" if value is None else str(value)
    return text[:12] if len(text) == 64 else text[:_SHOWN]


def _changed(changes: list[str]) -> ReplayError:
    return ReplayError(
        "this search cannot be replayed: what it rested on has changed",
        value=changes,
        expected="the archive, models and prototypes of the answer",
        remedy="restore what has changed, or search again without --replay",
    )

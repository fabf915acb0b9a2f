"""What :mod:`coin_retrieval.search.support` found, in words: the same ones wherever it shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coin_retrieval.presenting.answer import ShareAnswer, SupportAnswer
    from coin_retrieval.search.support import Support

BANNER = "SYNTHETIC prototypes — drawn by a model, no patient"
DEMONSTRATION_BANNER = "demonstration: no patients"
FOOTER = "Reference and decision support; not a diagnosis."

NO_CLOSE_MATCH = "No close match."
CAUTION = (
    "Decision support, not a diagnosis: a share says how the nearest cases of this archive are "
    "distributed, not how likely a diagnosis is for this patient."
)
NO_DIAGNOSIS = "no diagnosis given"


def closeness(support: Support) -> str:
    """Whether any case is close, and how often that is said wrongly."""
    if support.close is None or support.threshold is None or support.false_alarm_rate is None:
        return (
            f"Whether these cases are close was not judged (score {support.score:.3f}): no "
            "threshold serves such a query. coin calibrate measures one for reports and pictures; "
            "marked cases, exclusions and a picture beside a report have none."
        )
    if support.close:
        return (
            f"Close cases found: score {support.score:.3f}, at least {support.threshold:.3f}. "
            "The archive holds similar pictures; whether they are the same entity is for the "
            "reader to judge."
        )
    return (
        f"{NO_CLOSE_MATCH} Score {support.score:.3f}, below {support.threshold:.3f}: the archive "
        "may hold nothing like this, and these cases may mislead. "
        f"Of queries that do have a match, {percent(support.false_alarm_rate)} are told this too."
    )


def percent(share: float) -> str:
    """A share in whole percent."""
    return f"{share * 100:.0f} %"


def shares_heading(support: Support) -> str:
    """On what the shares rest."""
    if not support.cases:
        return "No real case among the nearest: pictures that were drawn are no evidence."
    noun = "real case" if support.cases == 1 else "real cases"
    heading = f"Diagnoses of the {support.cases} nearest {noun}"
    if support.not_real:
        heading += f" ({support.not_real} not real, not counted)"
    return f"{heading}, weighted by similarity, with 95 % intervals:"


def share_words(share: ShareAnswer, support: SupportAnswer) -> str:
    """One diagnosis: never without its n and its interval."""
    return (
        f"{share.diagnosis or NO_DIAGNOSIS}: {percent(share.share)} ({percent(share.low)} to "
        f"{percent(share.high)}), {share.cases} of {support.cases} cases"
    )


def repeats_words(diagnoses: Sequence[str], diagnosis: str) -> str:
    """How many pictures of other cases repeat one of this case, and what else they are called.

    Args:
        diagnoses: of the repeating pictures, one each.
        diagnosis: the case's own.
    """
    if not diagnoses:
        return ""
    count = len(diagnoses)
    words = f"+{count} near duplicate{'' if count == 1 else 's'}"
    others = sorted({*diagnoses} - {diagnosis, ""})
    return f"{words}, also called {', '.join(others)}" if others else words

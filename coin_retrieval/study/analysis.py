"""What a study's answers say: paired gains with intervals, agreement and time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from coin_retrieval.errors import InputError
from coin_retrieval.metrics.intervals import Estimate, wilson
from coin_retrieval.study.figures import (
    DiagnosisFigures,
    Gain,
    GroupGain,
    PeriodFigures,
    ReaderFigures,
    RealOrDrawnFigures,
)
from coin_retrieval.study.kind import Kind
from coin_retrieval.study.making import DRAWN
from coin_retrieval.study.models import Reading, Study
from coin_retrieval.study.table import (
    LEAST_READERS,
    Arm,
    Values,
    agreement,
    arm_of,
    difference,
    estimate,
    mean,
    ratio,
)

_KAPPA_DRAWS = 500
_RARITIES = ("rare", "between", "common")


def analyse(study: Study, *, seed: int = 0) -> DiagnosisFigures | RealOrDrawnFigures:
    """The figures of a study, as far as it was answered.

    Raises:
        InputError: nobody has answered yet, or nobody read a picture in both ways.
    """
    if not study.readings:
        raise InputError("nobody has answered yet", expected="a study with answers")
    if study.kind is Kind.REAL_OR_DRAWN:
        return _real_or_drawn(study, seed)
    return _diagnosis(study, seed)


def _diagnosis(study: Study, seed: int) -> DiagnosisFigures:
    readers, items = _axes(study)
    without, aided = (
        arm_of([r for r in study.readings if r.aided is way], readers, items, study.choices)
        for way in (False, True)
    )
    paired = np.isfinite(without.first) & np.isfinite(aided.first)
    if not paired.any():
        raise InputError(
            "no picture was read both without and with retrieval by one reader",
            expected="readers who have come to their second period",
        )
    one, other = (_only(arm, paired) for arm in (without, aided))
    about = {r.item: r for r in study.readings}

    def gain(name: str, columns: Sequence[int] | slice = slice(None)) -> Gain:
        a, b = (getattr(arm, name)[:, columns] for arm in (one, other))
        return Gain(
            without=estimate([a], mean, seed=seed),
            aided=estimate([b], mean, seed=seed),
            gain=estimate([a, b], difference, seed=seed),
        )

    def groups(of: Callable[[Reading], str]) -> list[GroupGain]:
        named = [of(about[item]) for item in items]
        return [
            GroupGain(group=group, items=len(columns), first=gain("first", columns))
            for group in dict.fromkeys(named)
            if paired[:, columns := [n for n, name in enumerate(named) if name == group]].any()
        ]

    return DiagnosisFigures(
        title=study.title, readers=len(readers), items=len(items), readings=len(study.readings),
        planned=study.planned, pairs=int(paired.sum()), readers_drawn=len(readers) >= LEAST_READERS,
        first=gain("first"), any=gain("any"), confidence=gain("confidence"),
        seconds=gain("seconds"),
        time_ratio=estimate([one.seconds, other.seconds], ratio, seed=seed),
        time_p=_wilcoxon(one.seconds[paired], other.seconds[paired]),
        kappa=Gain(
            without=_kappa(one, seed), aided=_kappa(other, seed),
            gain=estimate([one.choice, other.choice],
                          lambda a, b: agreement(b) - agreement(a), draws=_KAPPA_DRAWS, seed=seed),
        ),
        by_finding=sorted(groups(lambda r: r.truth), key=lambda group: group.group),
        by_rarity=sorted(groups(_rarity(about.values())), key=lambda g: _place(g.group)),
        by_reader=[_reader(name, one.first[n], other.first[n]) for n, name in enumerate(readers)],
        by_period=[_period(study.readings, period) for period in (1, 2)],
    )  # fmt: skip


def _real_or_drawn(study: Study, seed: int) -> RealOrDrawnFigures:
    from sklearn.metrics import roc_auc_score

    readers, items = _axes(study)
    arm = arm_of(study.readings, readers, items, study.choices)
    about = {r.item: r for r in study.readings}
    drawn = np.array([about[item].drawn for item in items])
    said_drawn = arm.choice == study.choices.index(DRAWN)
    signed = np.where(said_drawn, arm.confidence, -arm.confidence)
    truth = np.broadcast_to(drawn.astype(float), signed.shape)

    def auroc(scores: Values, truths: Values) -> float:
        found = []
        for row, is_drawn in zip(scores, truths, strict=True):
            known = np.isfinite(row)
            if len({*is_drawn[known]}) == 2:
                found.append(float(roc_auc_score(is_drawn[known], row[known])))
        return float(np.mean(found)) if found else float("nan")

    findings = [about[item].finding for item in items]
    return RealOrDrawnFigures(
        title=study.title, readers=len(readers), items=len(items), readings=len(study.readings),
        planned=study.planned, readers_drawn=len(readers) >= LEAST_READERS,
        accuracy=estimate([arm.first], mean, seed=seed),
        drawn_told=estimate([arm.first[:, drawn]], mean, seed=seed),
        real_told=estimate([arm.first[:, ~drawn]], mean, seed=seed),
        auroc=estimate([signed, truth], auroc, draws=_KAPPA_DRAWS, seed=seed),
        kappa=_kappa(arm, seed),
        seconds=estimate([arm.seconds], mean, seed=seed),
        by_finding=[
            (name, len(columns), estimate([arm.first[:, columns]], mean, seed=seed))
            for name in sorted(set(findings))
            if (columns := [n for n, finding in enumerate(findings) if finding == name])
        ],
        by_reader=[(name, _share(arm.first[n])) for n, name in enumerate(readers)],
    )  # fmt: skip


def _axes(study: Study) -> tuple[list[str], list[int]]:
    return (
        sorted({reading.reader for reading in study.readings}),
        sorted({reading.item for reading in study.readings}),
    )


def _only(arm: Arm, where: np.ndarray) -> Arm:
    return Arm(*(np.where(where, getattr(arm, name), np.nan) for name in Arm.__dataclass_fields__))


def _kappa(arm: Arm, seed: int) -> Estimate:
    return estimate([arm.choice], agreement, draws=_KAPPA_DRAWS, seed=seed)


def _wilcoxon(one: Values, other: Values) -> float:
    from scipy.stats import wilcoxon

    if not (one != other).any():
        return 1.0
    return float(wilcoxon(np.log(other) - np.log(one)).pvalue)


def _rarity(readings: Iterable[Reading]) -> Callable[[Reading], str]:
    """A third of the labels each, by how many pictures of them the archive has."""
    counts = Counter({reading.truth: reading.in_archive for reading in readings})
    ranked = sorted(counts, key=lambda label: (counts[label], label))
    third = {
        label: _RARITIES[min(2, 3 * place // len(ranked))] for place, label in enumerate(ranked)
    }
    span = {
        name: sorted(counts[label] for label in ranked if third[label] == name)
        for name in _RARITIES
    }

    def group(reading: Reading) -> str:
        name = third[reading.truth]
        held = " to ".join(str(count) for count in dict.fromkeys((span[name][0], span[name][-1])))
        return f"{name} ({held} in the archive)"

    return group


def _place(group: str) -> int:
    return _RARITIES.index(group.split(" ", 1)[0])


def _reader(name: str, without: Values, aided: Values) -> ReaderFigures:
    from scipy.stats import binomtest

    mended = int(((without == 0) & (aided == 1)).sum())
    spoilt = int(((without == 1) & (aided == 0)).sum())
    turned = mended + spoilt
    return ReaderFigures(
        reader=name, without=mean(without), aided=mean(aided), mended=mended, spoilt=spoilt,
        p=float(binomtest(mended, turned).pvalue) if turned else 1.0,
    )  # fmt: skip


def _period(readings: Sequence[Reading], period: int) -> PeriodFigures:
    def share(aided: bool) -> float:
        right = [
            r.answers[0] == r.truth for r in readings if r.period == period and r.aided is aided
        ]
        return float(np.mean(right)) if right else float("nan")

    return PeriodFigures(period=period, without=share(False), aided=share(True))


def _share(right: Values) -> Estimate:
    known = right[np.isfinite(right)]
    low, high = wilson(float(known.mean()), len(known))
    return Estimate(mean=float(known.mean()), low=low, high=high)

"""Studies whose answers are known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from coin_retrieval.study.kind import Kind
from coin_retrieval.study.models import Answer, HelpCase, Item, StudyPlan
from coin_retrieval.study.store import StudyStore, make_study

CHOICES = ("HSIL", "LSIL", "NILM")
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
WASHOUT_DAYS = 28


def plan_of(kind: Kind = Kind.DIAGNOSIS, *, items: int = 12) -> StudyPlan:
    """Items of three labels in turn; of the real-or-drawn kind, every other one drawn."""
    drawn = kind is Kind.REAL_OR_DRAWN
    return StudyPlan(
        kind=kind,
        title="A study",
        choices=("real", "drawn") if drawn else CHOICES,
        washout_days=0 if drawn else WASHOUT_DAYS,
        items=tuple(
            Item(
                picture=f"p{n}",
                truth=("real", "drawn")[n % 2] if drawn else CHOICES[n % 3],
                finding=CHOICES[n % 3],
                in_archive=(5, 50, 500)[n % 3],
                drawn=drawn and n % 2 == 1,
                source=f"case-{n}",
                help=() if drawn else (HelpCase(picture="h", diagnosis=CHOICES[n % 3]),),
            )
            for n in range(items)
        ),
        made={},
    )


def made_in(folder: Path, plan: StudyPlan, *, readers: int = 2) -> tuple[StudyStore, list[str]]:
    """The study in a file, and its readers' tokens."""
    pictures = dict.fromkeys(["h", *(item.picture for item in plan.items)], b"picture")
    file = folder / "study.db"
    tokens = make_study(file, plan, pictures, readers=readers)
    return StudyStore(file), list(tokens.values())


def right(plan: StudyPlan, item: int, *, aided: bool) -> bool:
    """Half of the pictures are known without retrieval, three quarters with it."""
    del plan
    return item // 3 % 4 < (3 if aided else 2)


def read_all(store: StudyStore, plan: StudyPlan, token: str) -> None:
    """Read a whole study as :func:`right` says, waiting the washout out."""
    reader, now = store.reader_of(token), BEGUN
    by_picture = {item.picture: n for n, item in enumerate(plan.items)}
    while (view := store.view(reader, now=now)).phase != "done":
        if view.now is None:
            assert view.opens_at is not None
            now = view.opens_at
            continue
        item = by_picture[view.now.picture]
        truth = plan.items[item].truth
        wrong = next(choice for choice in view.choices if choice != truth)
        first = truth if right(plan, item, aided=view.now.aided) else wrong
        others = [wrong, truth] if view.most_answers > 1 else []
        store.answer(
            reader,
            Answer(
                reading=view.now.reading,
                answers=tuple(dict.fromkeys([first, *others])),
                confidence=4 if view.now.aided else 3,
                took_ms=8000 if view.now.aided else 4000,
            ),
            now=now,
        )
        now += timedelta(minutes=1)

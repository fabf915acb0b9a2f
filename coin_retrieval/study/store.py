"""A study's database: SQLite in a file, or PostgreSQL by its URL (SQLAlchemy)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, func, insert, inspect, select, update
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from coin_retrieval.databases import connect
from coin_retrieval.errors import InputError, NotFoundError, SettingsError
from coin_retrieval.files import Closing
from coin_retrieval.study import tables
from coin_retrieval.study.kind import Kind
from coin_retrieval.study.models import (
    MOST_ANSWERS,
    Answer,
    HelpCase,
    ReaderView,
    Reading,
    ReadingView,
    ResultView,
    Study,
    StudyPlan,
)
from coin_retrieval.study.order import readings_of

SCHEMA_VERSION = 1
_TOKEN_BYTES = 24


class StudyStore(Closing):
    """One study: made once, read by its readers, answered once a reading. Safe for threads."""

    def __init__(self, where: str | Path) -> None:
        """Open a study that :func:`make_study` wrote.

        Raises:
            SettingsError: no study is there.
            MissingDependencyError: the database's driver is not installed.
        """
        if isinstance(where, Path) and not where.is_file():
            raise _no_study(where)
        self._engine = _engine(where)
        try:
            there = inspect(self._engine).has_table(tables.StudyEntry.__tablename__)
        except DatabaseError as error:
            raise _no_study(where) from error
        if not there:
            raise _no_study(where)
        with Session(self._engine) as session:
            self._study = session.scalars(select(tables.StudyEntry)).one()
            session.expunge(self._study)

    @property
    def kind(self) -> Kind:
        """What readers are asked."""
        return Kind(self._study.kind)

    def reader_of(self, token: str) -> int:
        """The reader whose link has this token.

        Raises:
            NotFoundError: no reader has it.
        """
        with Session(self._engine) as session:
            found = session.scalar(
                select(tables.ReaderEntry.reader_id).where(
                    tables.ReaderEntry.token == _digest(token)
                )
            )
        if found is None:
            raise NotFoundError(
                "this link belongs to no reader of the study",
                expected="the link as it was given out, whole",
                remedy="ask whoever leads the study for your link",
            )
        return found

    def view(self, reader: int, *, now: datetime | None = None) -> ReaderView:
        """Where a reader stands: the next picture, the washout, or the results."""
        now = now or datetime.now(UTC)
        with Session(self._engine) as session:
            code = session.get_one(tables.ReaderEntry, reader).code
            rows = session.scalars(_readings_of(reader)).all()
            behind = [row for row in rows if row.answers is not None]
            base = {
                "title": self._study.title,
                "kind": self.kind,
                "reader": code,
                "choices": tuple(self._study.choices),
                "most_answers": 1 if self.kind is Kind.REAL_OR_DRAWN else MOST_ANSWERS,
                "done": len(behind),
                "of": len(rows),
                "period": rows[-1].period,
            }
            following = next((row for row in rows if row.answers is None), None)
            if following is None:
                results = tuple(_result(session, row) for row in rows)
                return ReaderView(**base, phase="done", results=results)
            base["period"] = following.period
            opens = self._opens_at(behind, following.period)
            if opens is not None and now < opens:
                return ReaderView(**base, phase="washout", opens_at=opens)
            item = session.get_one(tables.ItemEntry, following.item_id)
            shown = ReadingView(
                reading=following.reading_id,
                picture=item.picture,
                aided=following.aided,
                help=tuple(HelpCase(**one) for one in item.help) if following.aided else (),
            )
            return ReaderView(**base, phase="reading", now=shown)

    def answer(self, reader: int, given: Answer, *, now: datetime | None = None) -> ReaderView:
        """Keep an answer for good, and tell what comes next.

        Raises:
            InputError: it is not the reading that is due, or answers what cannot be answered.
        """
        now = now or datetime.now(UTC)
        due = self.view(reader, now=now)
        if due.now is None or due.now.reading != given.reading:
            raise InputError(
                "this picture is not the one that is to be read now",
                value=given.reading,
                expected="the picture that the study shows; an answer is given once",
                remedy="reload the page",
            )
        unknown = [one for one in given.answers if one not in due.choices]
        if unknown or len({*given.answers}) < len(given.answers):
            raise InputError(
                "the answer is none of the choices, or one is given twice",
                value=", ".join(unknown or given.answers),
                expected=", ".join(due.choices),
            )
        if len(given.answers) > due.most_answers:
            raise InputError(
                "too many answers", value=len(given.answers), expected=f"{due.most_answers} at most"
            )
        with Session(self._engine) as session, session.begin():
            session.execute(
                update(tables.ReadingEntry)
                .where(
                    tables.ReadingEntry.reading_id == given.reading,
                    tables.ReadingEntry.answered_at.is_(None),
                )
                .values(
                    answers=list(given.answers),
                    confidence=given.confidence,
                    took_ms=given.took_ms,
                    answered_at=now,
                )
            )
        return self.view(reader, now=now)

    def picture(self, name: str) -> bytes:
        """A picture of the study.

        Raises:
            NotFoundError: no such picture.
        """
        with Session(self._engine) as session:
            found = session.get(tables.PictureEntry, name)
            if found is None:
                raise NotFoundError("no such picture", value=name, expected="one of this study")
            return found.data

    def study(self) -> Study:
        """All that was answered so far."""
        with Session(self._engine) as session:
            rows = session.execute(
                select(tables.ReadingEntry, tables.ItemEntry, tables.ReaderEntry.code)
                .join(tables.ItemEntry)
                .join(tables.ReaderEntry)
                .where(tables.ReadingEntry.answered_at.is_not(None))
                .order_by(tables.ReadingEntry.reading_id)
            ).all()
            planned = session.scalar(select(func.count()).select_from(tables.ReadingEntry))
            return Study(
                kind=self.kind,
                title=self._study.title,
                choices=tuple(self._study.choices),
                washout_days=self._study.washout_days,
                made=self._study.made,
                planned=planned or 0,
                readings=tuple(_exported(*row) for row in rows),
            )

    def close(self) -> None:
        """Release the database."""
        self._engine.dispose()

    def _opens_at(self, behind: Sequence[tables.ReadingEntry], period: int) -> datetime | None:
        """When a later period opens: the washout after the last answer of the one before it."""
        last = [row.answered_at for row in behind if row.period < period and row.answered_at]
        if not last:
            return None
        return _utc(max(last)) + timedelta(days=self._study.washout_days)


def database_of(named: str) -> str | Path:
    """What a command line names: a URL as it is, else the path of a file."""
    return named if "://" in named else Path(named)


def make_study(
    where: str | Path,
    plan: StudyPlan,
    pictures: Mapping[str, bytes],
    *,
    readers: int,
    seed: int = 0,
) -> dict[str, str]:
    """Write a study; returns each reader's code and the token of the reader's link.

    Tokens are kept as digests only, so this is the one time that they are told.

    Raises:
        InputError: a study is there already.
    """
    engine = _engine(where)
    tables.Base.metadata.create_all(engine)
    tokens = {f"R{n + 1}": secrets.token_urlsafe(_TOKEN_BYTES) for n in range(readers)}
    with Session(engine) as session, session.begin():
        if session.scalar(select(func.count()).select_from(tables.StudyEntry)):
            raise InputError(
                "a study is there already",
                value=_shown(where),
                expected="an empty database: answers of before are never mixed with others",
                remedy="name another file or database",
            )
        session.add(
            tables.StudyEntry(
                study_id=1,
                schema_version=SCHEMA_VERSION,
                created_at=datetime.now(UTC),
                **plan.model_dump(mode="json", exclude={"items"}),
            )
        )
        session.execute(
            insert(tables.PictureEntry),
            [{"name": name, "data": data} for name, data in pictures.items()],
        )
        session.execute(
            insert(tables.ItemEntry),
            [{"item_id": n, **item.model_dump(mode="json")} for n, item in enumerate(plan.items)],
        )
        for number, (code, token) in enumerate(tokens.items()):
            session.add(tables.ReaderEntry(reader_id=number, code=code, token=_digest(token)))
            session.flush()
            planned = readings_of(plan.items, kind=plan.kind, reader=number, seed=seed)
            session.add_all(
                tables.ReadingEntry(
                    reader_id=number, item_id=one.item, period=one.period, place=one.place,
                    aided=one.aided,
                )
                for one in planned
            )  # fmt: skip
    engine.dispose()
    return tokens


def _readings_of(reader: int) -> Any:
    reading = tables.ReadingEntry
    return (
        select(reading)
        .where(reading.reader_id == reader)
        .order_by(reading.period, reading.place)
    )  # fmt: skip


def _result(session: Session, row: tables.ReadingEntry) -> ResultView:
    item = session.get_one(tables.ItemEntry, row.item_id)
    return ResultView(
        picture=item.picture, truth=item.truth, drawn=item.drawn, aided=row.aided,
        answers=tuple(row.answers or ()),
    )  # fmt: skip


def _exported(row: tables.ReadingEntry, item: tables.ItemEntry, code: str) -> Reading:
    return Reading(
        reader=code, item=item.item_id, picture=item.picture, truth=item.truth,
        finding=item.finding, in_archive=item.in_archive, drawn=item.drawn, source=item.source,
        period=row.period, place=row.place, aided=row.aided, answers=tuple(row.answers or ()),
        confidence=row.confidence or 0, took_ms=row.took_ms or 0,
        answered_at=_utc(row.answered_at or datetime.now(UTC)),
    )  # fmt: skip


def _utc(time: datetime) -> datetime:
    # SQLite forgets the zone; all of them are written in UTC
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def _engine(where: str | Path) -> Engine:
    return connect(URL.create("sqlite", database=str(where)) if isinstance(where, Path) else where)


def _shown(where: str | Path) -> str:
    if isinstance(where, Path):
        return str(where)
    return connect(where).url.render_as_string(hide_password=True)


def _no_study(where: str | Path) -> SettingsError:
    return SettingsError(
        "no study is there",
        value=_shown(where),
        expected="a file or database that coin study create wrote",
    )

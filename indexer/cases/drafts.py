"""What rows say of their cases, merged before any picture is read; on the disk, however many."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from coin_retrieval.tables.cases import CaseRow
from coin_retrieval.types import CaseRecord

OF_CASE = ("site", "specimen", "stain", "report", "patient_id")
_AT_ONCE = 500


class CaseDrafts:
    """Cases by their ids: the first value of each field stays, and what is empty may be filled.

    It lies in a temporary file that SQLite deletes when this is let go of.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", check_same_thread=False)
        self._database.executescript(
            """
            PRAGMA synchronous = OFF;
            PRAGMA journal_mode = OFF;
            CREATE TABLE cases (
                case_id TEXT PRIMARY KEY, first INTEGER, last INTEGER,
                named INTEGER, indexed INTEGER, fields TEXT
            ) WITHOUT ROWID;
            CREATE TABLE notes (note TEXT);
            """
        )
        self._waiting: list[tuple[CaseRow, int, bool]] = []

    def take(self, row: CaseRow, source: int, *, kept: bool) -> None:
        """What a row of a source says; if it is not kept, only that the source names the case."""
        self._waiting.append((row, source, kept))
        if len(self._waiting) >= _AT_ONCE:
            self._merge()

    def shared(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Cases that more than one source names, with the first and the last of them."""
        self._merge()
        query = "SELECT case_id, first, last FROM cases WHERE first < last ORDER BY case_id"
        for case_id, first, last in self._database.execute(query):
            yield case_id, (first, last)

    def records(self, case_ids: Iterable[str]) -> dict[str, CaseRecord]:
        """The merged cases, of those that rows name."""
        self._merge()
        return {
            case_id: _record(case_id, fields)
            for case_id, fields in self._of("case_id, fields", case_ids, "named")
        }

    def named(self, case_ids: Iterable[str]) -> set[str]:
        """Which of these cases a row names that is kept."""
        self._merge()
        return {case_id for (case_id,) in self._of("case_id", case_ids, "named")}

    def indexed(self, case_ids: Iterable[str]) -> set[str]:
        """Which of these cases have a picture, as :meth:`index` was told."""
        return {case_id for (case_id,) in self._of("case_id", case_ids, "indexed")}

    def index(self, case_ids: Iterable[str]) -> None:
        """Note that these cases have a picture."""
        self._database.executemany(
            "UPDATE cases SET indexed = 1 WHERE case_id = ?", [(name,) for name in case_ids]
        )

    def all_indexed(self) -> Iterator[str]:
        """The cases that have a picture."""
        for (case_id,) in self._database.execute("SELECT case_id FROM cases WHERE indexed"):
            yield case_id

    def count_indexed(self) -> int:
        """How many cases have a picture."""
        return int(self._database.execute("SELECT SUM(indexed) FROM cases").fetchone()[0] or 0)

    def notes(self) -> Iterator[dict[str, Any]]:
        """Where rows of a case disagree."""
        self._merge()
        for (note,) in self._database.execute("SELECT note FROM notes ORDER BY rowid"):
            yield json.loads(note)

    def _merge(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        names = dict.fromkeys(row.case_id for row, _, _ in waiting)
        known = {
            case_id: [first, named, _record(case_id, fields)]
            for case_id, first, named, fields in self._of("case_id, first, named, fields", names)
        }
        notes: list[dict[str, Any]] = []
        last: dict[str, int] = {}
        for row, source, kept in waiting:
            entry = known.setdefault(row.case_id, [source, 0, CaseRecord(case_id=row.case_id)])
            last[row.case_id] = source
            if kept:
                entry[1] = 1
                entry[2] = merged(entry[2], row, notes, path=row.place)
        self._database.executemany(
            "INSERT INTO cases VALUES (?, ?, ?, ?, 0, ?) ON CONFLICT (case_id) "
            "DO UPDATE SET last = excluded.last, named = excluded.named, fields = excluded.fields",
            [
                (name, known[name][0], last[name], known[name][1], _fields(known[name][2]))
                for name in names
            ],
        )
        self._database.executemany(
            "INSERT INTO notes VALUES (?)", [(json.dumps(note),) for note in notes]
        )

    def _of(
        self, columns: str, case_ids: Iterable[str], condition: str = "1"
    ) -> Iterator[tuple[Any, ...]]:
        wanted = list(case_ids)
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            marks = ", ".join("?" * len(some))
            yield from self._database.execute(
                f"SELECT {columns} FROM cases WHERE {condition} AND case_id IN ({marks})",  # noqa: S608
                some,
            )


def merged(
    case: CaseRecord, row: CaseRow | CaseRecord, notes: list[dict[str, Any]], *, path: str = ""
) -> CaseRecord:
    """The case with what a row adds; where they disagree, the case stays and it is noted."""
    for name in OF_CASE:
        old, new = getattr(case, name), getattr(row, name)
        if not old and new:
            case = replace(case, **{name: new})
        elif new and new != old:
            note = {"kind": "case_differs", "case_id": row.case_id, "field": name}
            notes.append(note | {"kept": old, "other": new, "path": path})
    return case


def _fields(case: CaseRecord) -> str:
    return json.dumps([getattr(case, name) for name in OF_CASE])


def _record(case_id: str, fields: str) -> CaseRecord:
    return CaseRecord(case_id=case_id, **dict(zip(OF_CASE, json.loads(fields), strict=True)))

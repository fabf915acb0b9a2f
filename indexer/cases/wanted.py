"""What a change wants its cases to be: as its rows say, beside what the archive says of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from coin_retrieval.catalog.base import Catalog
from coin_retrieval.catalog.writing import chunks
from coin_retrieval.types import CaseRecord
from indexer.cases.drafts import CaseDrafts, merged


class CasesWanted:
    """The cases of a change.

    Args:
        drafts: what its rows say.
        before: what the archive says, which comes first; ``None`` where the rows alone count.
    """

    def __init__(self, drafts: CaseDrafts, before: Catalog | None) -> None:
        self._drafts = drafts
        self._before = before

    def records(self, case_ids: Iterable[str]) -> dict[str, CaseRecord]:
        """The cases' records, of those that the change names."""
        drafts = self._drafts.records(case_ids)
        if self._before is None:
            return drafts
        known = self._before.cases(drafts)
        return drafts | {name: merged(known[name], drafts[name], []) for name in known}

    def index(self, case_ids: Iterable[str]) -> None:
        """Note that these cases have a picture."""
        self._drafts.index(case_ids)

    def changed(self) -> Iterator[dict[str, CaseRecord]]:
        """Cases that the archive has and that say more now, some at a time."""
        for some in chunks(self._drafts.all_indexed()):
            known = self._before.cases(some) if self._before is not None else {}
            wanted = self.records(known)
            if differing := {name: wanted[name] for name in known if wanted[name] != known[name]}:
                yield differing

    def notes(self) -> Iterator[dict[str, Any]]:
        """Where rows of a case disagree, with each other or with the archive."""
        yield from self._drafts.notes()
        if self._before is not None:
            for some in chunks(self._drafts.all_indexed()):
                drafts = self._drafts.records(some)
                notes: list[dict[str, Any]] = []
                for name, case in self._before.cases(some).items():
                    merged(case, drafts[name], notes)
                yield from notes

    def count(self) -> int:
        """How many of them have a picture and are not in the archive."""
        if self._before is None:
            return self._drafts.count_indexed()
        return sum(
            len(set(some) - self._before.cases(some).keys())
            for some in chunks(self._drafts.all_indexed())
        )

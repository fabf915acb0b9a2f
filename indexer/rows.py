"""All rows of all sources, checked as a whole before anything is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from coin_retrieval.archive.manifest import SourceEntry
from coin_retrieval.catalog.base import CASE_FIELDS, IMAGE_FIELDS, Where
from coin_retrieval.errors import FilterError, InputError
from coin_retrieval.tables.cases import IDENTITIES, CaseRow
from indexer.cases.drafts import CaseDrafts
from indexer.cases.pseudonyms import fingerprint, pseudonymised
from indexer.sources import FileSource, FolderSource, Source, open_source
from indexer.sources.dicom import STUDY
from indexer.tiling.settings import Tiling


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A row, and the number of the source that it stands in."""

    row: CaseRow
    source: int


@dataclass(frozen=True)
class SourceRows:
    """What is to be indexed and where it stands; ``cases`` are what the rows say of theirs.

    ``notes`` say how sources were read, where that had to be guessed; ``labelled`` whether they
    tell pictures apart, by two findings or diagnoses at least.
    ``pseudonym_key`` is the fingerprint of the ``key`` that patients and slides are hashed with.
    """

    sources: tuple[SourceEntry, ...]
    cases: CaseDrafts
    opened: tuple[Source, ...]
    where: Where
    key: bytes | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()
    labelled: bool = False

    @property
    def pseudonym_key(self) -> str:
        """See above; empty, if there is no key."""
        return fingerprint(self.key) if self.key else ""

    def __len__(self) -> int:
        return sum(source.rows for source in self.sources)

    def __iter__(self) -> Iterator[SourceRow]:
        """The rows once more, in order: from the sources, so that none is held."""
        for number, source in enumerate(self.opened):
            for row in source.rows():
                if row.fits(self.where):
                    yield SourceRow(_named(row, self.key), number)


def read_sources(
    paths: Sequence[Path],
    *,
    archive: Path,
    where: Where,
    pseudonym_key: bytes | None = None,
    columns: Mapping[str, str] | None = None,
    tiling: Tiling | None = None,
) -> SourceRows:
    """Read every source and keep the rows that fit ``where``, compared as the catalog does.

    Args:
        pseudonym_key: of the pseudonyms that patients and slides get; ``where`` names them as the
            sources do.
        columns: what manifests call a column, by our name for it.
        tiling: how slides are cut.

    Raises:
        CaseTableError: a manifest that cannot be used as it is.
        FilterError: ``where`` names a field that no row has.
        InputError: a path that is no source, a folder's case in another source too, or no row.
    """
    keyed = pseudonym_key is not None
    opened = tuple(
        open_source(path, archive=archive, columns=columns or {}, tiling=tiling, keyed=keyed)
        for path in paths
    )
    by_name = {
        n for n, source in enumerate(opened) if isinstance(source, FolderSource | FileSource)
    }
    drafts = CaseDrafts()
    fields = {*CASE_FIELDS, *IMAGE_FIELDS, *IDENTITIES}
    entries: list[SourceEntry] = []
    # these are no file names: the same one elsewhere is the same study
    studies: set[str] = set()
    labels: set[str] = set()
    for number, source in enumerate(opened):
        kept = 0
        for row in source.rows():
            fields |= row.attributes.keys()
            fits = row.fits(where)
            kept += fits
            if fits and len(labels) < 2 and (label := row.finding or row.diagnosis):
                labels.add(label)
            if row.case_id == row.attributes.get(STUDY):
                studies.add(row.case_id)
            drafts.take(_named(row, pseudonym_key), number, kept=fits)
        entries.append(source.entry(kept))
    for case_id, (earlier, later) in drafts.shared():
        if {earlier, later} & by_name and case_id not in studies:
            raise _same_case(case_id, paths[earlier], paths[later])
    for name in where:
        if name not in fields:
            raise FilterError(
                "no such field in the sources",
                value=name,
                expected=f"one of {', '.join(sorted(fields))}",
            )
    notes = tuple(note for source in opened for note in source.notes())
    if not any(entry.rows for entry in entries):
        raise InputError(
            "no pictures to index",
            value=[str(path) for path in paths],
            expected="at least one row" + (f" with {dict(where)}" if where else ""),
            remedy="; ".join(["check the sources" + (" and --where" if where else ""), *notes]),
        )
    return SourceRows(
        tuple(entries), drafts, opened, where, pseudonym_key, notes, labelled=len(labels) > 1
    )


def _named(row: CaseRow, key: bytes | None) -> CaseRow:
    return row if key is None else pseudonymised(row, key)


def _same_case(case_id: str, one: Path, other: Path) -> InputError:
    """Cases of a folder are named by file names: the same name elsewhere is another patient."""
    return InputError(
        "two sources name the same case",
        value=f"{case_id} in {one} and in {other}",
        expected="file names that differ between folders",
        remedy="build from the folder above both, or write a manifest with case_id",
    )

"""All rows of all sources, checked as a whole before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coin_retrieval.archive.manifest import SourceEntry
from coin_retrieval.case_table import IDENTITIES, CaseRow
from coin_retrieval.catalog.base import CASE_FIELDS, IMAGE_FIELDS, Where
from coin_retrieval.errors import FilterError, InputError
from indexer.pseudonyms import fingerprint, pseudonymised
from indexer.sources import FolderSource, open_source


@dataclass(frozen=True)
class SourceRows:
    """What is to be indexed, in order, and where it came from.

    ``pseudonym_key`` is the fingerprint of the key that patients and slides are hashed with.
    """

    rows: tuple[CaseRow, ...]
    sources: tuple[SourceEntry, ...]
    pseudonym_key: str = ""


def read_sources(
    paths: Sequence[Path], *, archive: Path, where: Where, pseudonym_key: bytes | None = None
) -> SourceRows:
    """Read every source and keep the rows that fit ``where``, compared as the catalog does.

    Args:
        pseudonym_key: of the pseudonyms that patients and slides get; ``where`` names them as the
            sources do.

    Raises:
        CaseTableError: a manifest that cannot be used as it is.
        FilterError: ``where`` names a field that no row has.
        InputError: a path that is no source, a folder's case in another source too, or no row.
    """
    rows: list[CaseRow] = []
    entries: list[SourceEntry] = []
    fields = {*CASE_FIELDS, *IMAGE_FIELDS, *IDENTITIES}
    seen_in: dict[str, int] = {}
    folders: set[int] = set()
    for number, path in enumerate(paths):
        source = open_source(path, archive=archive)
        if isinstance(source, FolderSource):
            folders.add(number)
        kept = []
        for row in source.rows():
            fields |= row.attributes.keys()
            earlier = seen_in.setdefault(row.case_id, number)
            if earlier != number and {earlier, number} & folders:
                raise _same_case(row.case_id, paths[earlier], path)
            if row.fits(where):
                kept.append(pseudonymised(row, pseudonym_key) if pseudonym_key else row)
        rows += kept
        entries.append(source.entry(len(kept)))
    for field in where:
        if field not in fields:
            raise FilterError(
                "no such field in the sources",
                value=field,
                expected=f"one of {', '.join(sorted(fields))}",
            )
    if not rows:
        raise InputError(
            "no pictures to index",
            value=[str(path) for path in paths],
            expected="at least one row" + (f" with {dict(where)}" if where else ""),
            remedy="check the sources" + (" and --where" if where else ""),
        )
    of_key = fingerprint(pseudonym_key) if pseudonym_key else ""
    return SourceRows(tuple(rows), tuple(entries), of_key)


def _same_case(case_id: str, one: Path, other: Path) -> InputError:
    """Cases of a folder are named by file names: the same name elsewhere is another patient."""
    return InputError(
        "two sources name the same case",
        value=f"{case_id} in {one} and in {other}",
        expected="file names that differ between folders",
        remedy="build from the folder above both, or write a manifest with case_id",
    )

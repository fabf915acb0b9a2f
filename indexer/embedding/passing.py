"""Every row of a change on its way into new segments; what is odd goes into its version's lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from coin_retrieval.archive.layout import NOTES, SKIPPED
from coin_retrieval.archive.uris import to_uri
from coin_retrieval.catalog.writing import chunks
from coin_retrieval.errors import InputError
from coin_retrieval.progress import Progress, SupportsNotes
from coin_retrieval.tables.cases import CaseRow
from coin_retrieval.types import ImageRecord
from indexer.cases.wanted import CasesWanted
from indexer.embedding.contents import EmbeddedContents
from indexer.embedding.embedding import IndexedRow, SkippedRow
from indexer.embedding.engines import Embedder
from indexer.embedding.indexed import Indexed
from indexer.embedding.indexing import Indexing
from indexer.embedding.skipped import skipped_line
from indexer.rows import SourceRow, SourceRows
from indexer.versions.version import write_lines

_ROWS_AT_ONCE = 500


@dataclass(slots=True)
class Passed:
    """What became of the rows until now: ``unreadable`` counts those of each source by its number,
    ``left_out`` those that shall not be indexed.
    """

    rows: int = 0
    images: Indexed = field(default_factory=Indexed)
    unreadable: Counter[int] = field(default_factory=Counter)
    left_out: int = 0
    first_reason: str = ""
    embedded: int = 0
    encoding_s: float = 0.0

    @property
    def skipped(self) -> int:
        """Rows that have no image."""
        return self.unreadable.total() + self.left_out

    def refuse_none(self) -> None:
        """There must be a picture.

        Raises:
            InputError: none could be read.
        """
        if self.skipped == self.rows:
            raise InputError(
                "no picture could be read",
                value=f"{self.skipped} skipped, the first: {self.first_reason}",
                expected="at least one readable picture",
                remedy="check the image paths: they are relative to the manifest's folder",
            )


def pass_rows(
    sourced: SourceRows,
    embedder: Embedder,
    indexing: Indexing,
    cases: CasesWanted,
    staged: Path,
    passed: Passed,
    *,
    known: EmbeddedContents | None,
    on: Progress,
) -> None:
    """Embed and index every row, and count in ``passed`` what becomes of it.

    Args:
        staged: the folder of the version that is written.
        known: where unchanged files are known from; ``None`` to read all of them.
    """
    (staged / SKIPPED).touch()
    (staged / NOTES).touch()
    on("indexing", 0, len(sourced))
    outcomes = embedder.embed(_with_files(sourced, known))
    for some in chunks(_counted(outcomes, embedder, passed, len(sourced), on), _ROWS_AT_ONCE):
        skipped = [row for row in some if isinstance(row, SkippedRow)]
        indexed = [row for row in some if isinstance(row, IndexedRow)]
        done = indexing.take(indexed)
        cases.index({row.row.row.case_id for row in indexed})
        write_lines(staged / SKIPPED, (skipped_line(row, sourced.sources) for row in skipped))
        write_lines(staged / NOTES, done.notes)
        passed.images = passed.images.plus(done)
        passed.rows += len(some)
        passed.unreadable.update(row.row.source for row in skipped if not row.meant)
        passed.left_out += sum(row.meant for row in skipped)
        if skipped:
            passed.first_reason = passed.first_reason or skipped[0].reason
            if isinstance(on, SupportsNotes):
                on.note(f"{passed.unreadable.total():,} skipped")
    write_lines(staged / NOTES, cases.notes())


def _counted(
    outcomes: Iterable[IndexedRow | SkippedRow],
    embedder: Embedder,
    passed: Passed,
    total: int,
    on: Progress,
) -> Iterator[IndexedRow | SkippedRow]:
    for number, outcome in enumerate(outcomes, start=1):
        passed.embedded, passed.encoding_s = embedder.embedded, embedder.encoding_s
        yield outcome
        on("indexing", number, total)


def _with_files(
    sourced: SourceRows, known: EmbeddedContents | None
) -> Iterator[tuple[SourceRow, ImageRecord | None]]:
    """Every row, and as what its file was indexed before."""
    for some in chunks(sourced, _ROWS_AT_ONCE):
        uris = [_uri(row.row) for row in some]
        held = {} if known is None else known.of_uris(uris)
        yield from ((row, held.get(uri)) for row, uri in zip(some, uris, strict=True))


def _uri(row: CaseRow) -> str:
    try:
        return to_uri(row.image_path, row.part)
    except ValueError:
        return ""  # a NUL in the name: no file is called so

"""Sources to a published archive: exactly these (build), or these besides what it has (add)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from coin_retrieval.archive import ArchiveLayout, ArchiveManifest
from coin_retrieval.archive.layout import NOTES, SKIPPED
from coin_retrieval.archive.manifest import Change, Counts
from coin_retrieval.archive.publish import next_version, staging
from coin_retrieval.archive.uris import to_uri
from coin_retrieval.case_table import CaseRow
from coin_retrieval.catalog.base import Catalog, Where
from coin_retrieval.catalog.writing import chunks
from coin_retrieval.config import (
    CatalogSettings,
    EncoderSettings,
    SqliteCatalogSettings,
    StoreSettings,
)
from coin_retrieval.encoding.base import Encoder
from coin_retrieval.errors import EncoderMismatchError, InputError
from coin_retrieval.progress import Progress, SupportsNotes, silent
from coin_retrieval.types import ImageRecord
from indexer import MAX_SKIPPED
from indexer.cases_wanted import CasesWanted
from indexer.changing import changing, clean_up
from indexer.embedding.contents import EmbeddedContents
from indexer.embedding.embedding import IndexedRow, RowEmbedder, SkippedRow
from indexer.embedding.given import take_given
from indexer.embedding.indexing import Indexed, Indexing
from indexer.embedding.pictures import PictureReader
from indexer.embedding.skipped import skipped_line, skipped_still
from indexer.losses import refuse_losses, refuse_skips
from indexer.rows import SourceRow, SourceRows
from indexer.run_records import RunClock, RunRecord, said, write_record
from indexer.sources.clip_retrieval import ClipRetrievalSource
from indexer.versions.journal import Journal
from indexer.versions.new_segments import NewSegments
from indexer.versions.segments_before import ArchiveBefore, open_before, open_pools
from indexer.versions.version import VersionContent, portable, publish_version, write_lines

_ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """How to build: encoder, store and catalog are kept by the archive, the rest is of this build.

    ``drop`` lets cases go that the sources do not name, ``max_skipped`` is the share of a source's
    rows that may be unreadable, ``rehash`` reads files again whose size and time are as they were.
    """

    encoder: EncoderSettings
    store: StoreSettings
    batch_size: int = 32
    workers: int = 4
    catalog: CatalogSettings = field(default_factory=SqliteCatalogSettings)
    drop: bool = False
    max_skipped: float = MAX_SKIPPED
    rehash: bool = False


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did: ``embedded`` pictures passed the encoder, ``reused`` images did not.

    ``run`` is what it took, as the archive's ``runs/`` has it.
    """

    manifest: ArchiveManifest
    folder: Path
    embedded: int
    reused: int
    run: RunRecord
    warnings: tuple[str, ...]


def build(
    root: Path,
    sourced: SourceRows,
    *,
    encoder: Encoder,
    settings: BuildSettings,
    where: Where,
    on: Progress = silent,
) -> BuildReport:
    """Index ``sourced`` as the archive's next version; what is embedded already is not again.

    The archive then holds exactly these rows. ``on`` is told of every row. A build that is
    stopped, by whatever, leaves the published version as it is, and the next one resumes.

    Raises:
        ArchiveBusyError: another process builds it.
        ArchiveSchemaError: a newer program wrote it; it is left alone.
        ArchiveError: the disk is full, or may not be written.
        InputError: no picture could be read, cases would be lost, or the folder holds something
            else.
        ModelError: the encoder fails.
    """
    with changing(root, new=True) as layout:
        return _Run(layout, encoder, settings, sourced, on, adding=False).build(where)


def add(
    root: Path,
    sourced: SourceRows,
    *,
    encoder: Encoder,
    settings: BuildSettings,
    on: Progress = silent,
) -> BuildReport:
    """Index ``sourced`` besides what the archive holds, as its next version.

    What it costs depends on what is added, not on what is there. An image that is there already is
    left, or replaced if a row says anything else of it; a case keeps what it says, and rows fill
    what it leaves empty.

    Raises:
        NotFoundError: no archive there.
        EncoderMismatchError: it was built with another encoder.
        ArchiveBusyError, ArchiveSchemaError, ArchiveError, InputError, ModelError: see
            :func:`build`.
    """
    with changing(root) as layout:
        return _Run(layout, encoder, settings, sourced, on, adding=True).add()


class _Run:
    """One build, under the archive's lock."""

    def __init__(
        self,
        layout: ArchiveLayout,
        encoder: Encoder,
        settings: BuildSettings,
        sourced: SourceRows,
        on: Progress,
        *,
        adding: bool,
    ) -> None:
        self._layout = layout
        self._encoder = encoder
        self._settings = settings
        self._sourced = sourced
        self._on = on
        self._adding = adding
        self._warnings: list[str] = [*sourced.notes]
        self._clock = RunClock()
        self._embedder: RowEmbedder | None = None
        self._total = Indexed()
        self._rows = 0
        self._skipped: Counter[int] = Counter()
        self._left_out = 0
        self._first_reason = ""

    def build(self, where: Where) -> BuildReport:
        """Exactly these rows."""
        before = open_before(self._layout, thorough=True, warnings=self._warnings)
        with before:
            if not self._settings.drop:
                refuse_losses(before.catalog, self._sourced.cases.named)
            return self._run(before, where)

    def add(self) -> BuildReport:
        """These rows besides."""
        before = open_before(self._layout, thorough=False, warnings=self._warnings)
        with before:
            own = before.manifest.encoder if before.manifest else None
            if own is not None and own != self._encoder.spec:
                raise EncoderMismatchError(
                    "the archive was built with another encoder",
                    value=str(self._encoder.spec),
                    expected=str(own),
                    remedy="add without naming an encoder, or build the archive again",
                )
            return self._run(before, before.manifest.where if before.manifest else {})

    def _run(self, before: ArchiveBefore, where: Where) -> BuildReport:
        try:
            manifest = self._published(before, where)
        except BaseException as error:
            self._record(error=said(error))
            raise
        run = self._record(version=manifest.version)
        images = self._total.unchanged + self._total.replaced + self._total.added
        folder = self._layout.version(manifest.version)
        reused = images - run.embedded
        return BuildReport(manifest, folder, run.embedded, reused, run, tuple(self._warnings))

    def _record(self, *, version: str | None = None, error: str | None = None) -> RunRecord:
        """Write down what this run did; that it cannot be written is no more than a warning."""
        embedder = self._embedder
        record = RunRecord.model_validate(
            self._clock.taken()
            | {
                "command": self._command,
                "encoder": str(self._encoder.spec),
                "encoding_s": round(embedder.encoding_s, 3) if embedder else 0,
                "workers": self._settings.workers,
                "batch_size": self._settings.batch_size,
                "sources": self._sourced.sources,
                "rows": self._rows,
                "embedded": embedder.embedded if embedder else 0,
                "skipped": sum(self._skipped.values()),
                "version": version,
                "error": error,
            }
        )
        if failure := write_record(self._layout, record):
            self._warnings.append(failure)
        return record

    @property
    def _command(self) -> Literal["add", "build"]:
        return "add" if self._adding else "build"

    def _published(self, before: ArchiveBefore, where: Where) -> ArchiveManifest:
        spec, settings = self._encoder.spec, self._settings
        journal = Journal(self._layout, spec)
        if journal.broken:
            self._warnings.append(f"{journal.broken} broken journal files were thrown away")
        thorough = not self._adding
        pools = open_pools(self._layout, spec, thorough=thorough)
        contents = EmbeddedContents(spec.dim, journal, pools)
        new = NewSegments(
            self._layout,
            journal.folder / "segments",
            contents,
            store=settings.store,
            catalog=settings.catalog,
        )
        if not self._adding:
            before.keep_only(spec, settings.store, settings.catalog)
        if before.manifest and before.manifest.pseudonym_key and not self._sourced.pseudonym_key:
            self._warnings.append(
                "the version before had pseudonyms for patients and slides, this one names them "
                "as the sources do: --pseudonymise"
            )
        version = next_version(self._layout)
        with new, contents, staging(self._layout, version) as staged:
            for source in self._sourced.opened:
                if isinstance(source, ClipRetrievalSource):
                    take_given(source, self._encoder, contents)
            cases = CasesWanted(self._sourced.cases, before.catalog if self._adding else None)
            self._index(before, new, contents, cases, staged)
            self._refuse_losses(before)
            if self._adding:
                new.rewrite(before, cases.changed())
            self._on("writing the version", 0, 1)
            manifest = self._publish(before, new, cases, staged, version, where)
        self._on("writing the version", 1, 1)
        clean_up(self._layout, sweep=not self._adding)
        return manifest

    def _index(
        self,
        before: ArchiveBefore,
        new: NewSegments,
        contents: EmbeddedContents,
        cases: CasesWanted,
        staged: Path,
    ) -> None:
        """Pass every row through; what is odd goes into the lists of the version."""
        settings = self._settings
        reader = PictureReader(
            self._layout,
            contents.__contains__,
            workers=settings.workers,
            ahead=settings.batch_size + 2 * settings.workers,
        )
        self._embedder = RowEmbedder(
            self._encoder, reader, contents=contents, batch_size=settings.batch_size
        )
        indexing = Indexing(
            before,
            new,
            contents,
            cases,
            sources=[source.path for source in self._sourced.sources],
            adding=self._adding,
        )
        (staged / SKIPPED).touch()
        (staged / NOTES).touch()
        self._on("indexing", 0, len(self._sourced))
        outcomes = self._embedder.embed(self._with_files(contents))
        for some in chunks(self._counted(outcomes), _ROWS_AT_ONCE):
            skipped = [row for row in some if isinstance(row, SkippedRow)]
            indexed = [row for row in some if isinstance(row, IndexedRow)]
            self._skipped.update(row.row.source for row in skipped if not row.meant)
            self._left_out += sum(row.meant for row in skipped)
            done = indexing.take(indexed)
            cases.index({row.row.row.case_id for row in indexed})
            sources = self._sourced.sources
            write_lines(staged / SKIPPED, (skipped_line(row, sources) for row in skipped))
            write_lines(staged / NOTES, done.notes)
            done.notes.clear()
            self._total = self._total.plus(done)
            self._rows += len(some)
            if skipped and isinstance(self._on, SupportsNotes):
                self._on.note(f"{sum(self._skipped.values()):,} skipped")
            self._first_reason = self._first_reason or (skipped[0].reason if skipped else "")
        write_lines(staged / NOTES, cases.notes())

    def _counted(
        self, outcomes: Iterable[IndexedRow | SkippedRow]
    ) -> Iterator[IndexedRow | SkippedRow]:
        for number, outcome in enumerate(outcomes, start=1):
            yield outcome
            self._on("indexing", number, len(self._sourced))

    def _with_files(
        self, contents: EmbeddedContents
    ) -> Iterator[tuple[SourceRow, ImageRecord | None]]:
        """Every row, and as what its file was indexed before."""
        for some in chunks(self._sourced, _ROWS_AT_ONCE):
            uris = [_uri(row.row) for row in some]
            known = {} if self._settings.rehash else contents.of_uris(uris)
            yield from ((row, known.get(uri)) for row, uri in zip(some, uris, strict=True))

    def _refuse_losses(self, before: ArchiveBefore) -> None:
        skipped = sum(self._skipped.values()) + self._left_out
        if skipped == self._rows:
            raise InputError(
                "no picture could be read",
                value=f"{skipped} skipped, the first: {self._first_reason}",
                expected="at least one readable picture",
                remedy="check the image paths: they are relative to the manifest's folder",
            )
        most = self._settings.max_skipped
        refuse_skips(self._sourced.sources, self._skipped, max_skipped=most)
        if not (self._adding or self._settings.drop):
            refuse_losses(before.catalog, self._sourced.cases.indexed)

    def _publish(
        self,
        before: ArchiveBefore,
        new: NewSegments,
        cases: CasesWanted,
        staged: Path,
        version: str,
        where: Where,
    ) -> ArchiveManifest:
        was = before.manifest if before.manifest and self._same_space(before) else None
        carried = skipped_still(self._layout, was, self._sourced) if self._adding else []
        write_lines(staged / SKIPPED, carried)
        kept = new.merge(before, keep_unseen=self._adding)
        removed = before.images - sum(int(np.count_nonzero(alive)) for _, alive in kept)
        removed -= self._total.replaced + new.copied
        sources = self._sourced.sources
        if self._adding and before.manifest:
            again = {source.path for source in sources}
            sources = (*(s for s in before.manifest.sources if s.path not in again), *sources)
        content = VersionContent(
            kept=kept,
            new=new.seal(),
            encoder=self._encoder.spec,
            encoder_settings=portable(self._settings.encoder),
            store=self._settings.store,
            catalog=self._settings.catalog,
            change=Change(
                command=self._command,
                added=self._total.added,
                removed=max(0, removed),
            ),
            counts=partial(self._counts, was, cases, len(carried)),
            sources=sources,
            where=where,
            calibration=was.calibration if was else None,
            before=was,
            pseudonym_key=self._sourced.pseudonym_key,
        )
        return publish_version(self._layout, staged, version, content, encoder=self._encoder)

    def _same_space(self, before: ArchiveBefore) -> bool:
        return before.manifest is not None and before.manifest.encoder == self._encoder.spec

    def _counts(
        self,
        was: ArchiveManifest | None,
        cases: CasesWanted,
        carried: int,
        catalog: Catalog,
        images: dict[str, int],
    ) -> Counts:
        skipped = sum(self._skipped.values()) + self._left_out
        duplicates = self._total.duplicates
        repeated = self._total.repeated
        count = cases.count()
        if self._adding and was is not None:
            skipped += carried
            duplicates += was.counts.duplicates
            repeated += was.counts.repeated
            count += was.counts.cases
        return Counts(
            rows=images["images"] + skipped + duplicates,
            cases=count,
            skipped=skipped,
            duplicates=duplicates,
            repeated=repeated,
            **images,
        )


def _uri(row: CaseRow) -> str:
    try:
        return to_uri(row.image_path, row.part)
    except ValueError:
        return ""  # a NUL in the name: no file is called so

"""One build or addition, under the archive's lock."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coin_retrieval.archive import ArchiveLayout, ArchiveManifest
from coin_retrieval.archive.layout import SKIPPED
from coin_retrieval.archive.manifest import Change, Counts
from coin_retrieval.archive.publish import next_version, staging
from coin_retrieval.catalog.base import Where
from coin_retrieval.encoding.base import Encoder
from coin_retrieval.errors import EncoderMismatchError
from coin_retrieval.progress import Progress
from indexer.cases.losses import refuse_losses, refuse_skips
from indexer.cases.wanted import CasesWanted
from indexer.changing import clean_up
from indexer.choices import BuildSettings
from indexer.embedding.contents import EmbeddedContents
from indexer.embedding.engines import make_embedder
from indexer.embedding.given import take_given
from indexer.embedding.indexing import Indexing
from indexer.embedding.passing import Passed, pass_rows
from indexer.embedding.skipped import skipped_still
from indexer.rows import SourceRows
from indexer.run_records import RunClock, RunRecord, said, write_record
from indexer.sources.clip_retrieval import ClipRetrievalSource
from indexer.versions.journal import Journal
from indexer.versions.new_segments import NewSegments
from indexer.versions.segments_before import ArchiveBefore, open_before, open_pools
from indexer.versions.version import VersionContent, portable, publish_version, write_lines


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


class Run:
    """What a build does; ``adding``, beside what the archive holds."""

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
        self._passed = Passed()

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
        images = self._passed.images
        reused = images.unchanged + images.replaced + images.added - run.embedded
        folder = self._layout.version(manifest.version)
        return BuildReport(manifest, folder, run.embedded, reused, run, tuple(self._warnings))

    def _record(self, *, version: str | None = None, error: str | None = None) -> RunRecord:
        """Write down what this run did; that it cannot be written is no more than a warning."""
        record = RunRecord.model_validate(
            self._clock.taken()
            | {
                "command": self._command,
                "encoder": str(self._encoder.spec),
                "encoding_s": round(self._passed.encoding_s, 6),
                "workers": self._settings.workers,
                "batch_size": self._settings.batch_size,
                "sources": self._sourced.sources,
                "rows": self._passed.rows,
                "embedded": self._passed.embedded,
                "skipped": self._passed.unreadable.total(),
                "version": version,
                "error": error,
            }
        )
        if failure := write_record(self._layout, record):
            self._warnings.append(failure)
        return record

    @property
    def _command(self) -> str:
        return "add" if self._adding else "build"

    def _published(self, before: ArchiveBefore, where: Where) -> ArchiveManifest:
        spec, settings = self._encoder.spec, self._settings
        journal = Journal(self._layout, spec)
        if journal.broken:
            self._warnings.append(f"{journal.broken} broken journal files were thrown away")
        pools = open_pools(self._layout, spec, thorough=not self._adding)
        contents = EmbeddedContents(journal, pools)
        new = NewSegments(self._layout, contents, store=settings.store, catalog=settings.catalog)
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
        settings, sourced = self._settings, self._sourced
        pass_rows(
            sourced,
            make_embedder(settings, self._encoder, self._layout, contents),
            Indexing(
                before,
                new,
                contents,
                cases,
                sources=[source.path for source in sourced.sources],
                adding=self._adding,
            ),
            cases,
            staged,
            self._passed,
            known=None if settings.rehash else contents,
            on=self._on,
        )

    def _refuse_losses(self, before: ArchiveBefore) -> None:
        self._passed.refuse_none()
        most = self._settings.max_skipped
        refuse_skips(self._sourced.sources, self._passed.unreadable, max_skipped=most)
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
        was, passed = before.manifest, self._passed
        if was is not None and was.encoder != self._encoder.spec:
            was = None
        beside = was if self._adding else None
        carried = skipped_still(self._layout, beside, self._sourced)
        write_lines(staged / SKIPPED, carried)
        kept = new.merge(before, keep_unseen=self._adding)
        removed = before.images - sum(int(np.count_nonzero(alive)) for _, alive in kept)
        removed -= passed.images.replaced + new.copied
        sources = self._sourced.sources
        if beside is not None:
            again = {source.path for source in sources}
            sources = (*(s for s in beside.sources if s.path not in again), *sources)

        def counts(images: dict[str, int]) -> Counts:
            own = {
                "skipped": passed.skipped + len(carried),
                "duplicates": passed.images.duplicates,
                "repeated": passed.images.repeated,
                "cases": cases.count(),
            }
            for name in ("duplicates", "repeated", "cases"):
                own[name] += getattr(beside.counts, name) if beside else 0
            rows = images["images"] + own["skipped"] + own["duplicates"]
            return Counts(rows=rows, **own, **images)

        content = VersionContent(
            kept=kept,
            new=new.seal(),
            encoder=self._encoder.spec,
            encoder_settings=portable(self._settings.encoder),
            store=self._settings.store,
            catalog=self._settings.catalog,
            change=Change(
                command=self._command, added=passed.images.added, removed=max(0, removed)
            ),
            counts=counts,
            sources=sources,
            where=where,
            calibration=was.calibration if was else None,
            before=was,
            pseudonym_key=self._sourced.pseudonym_key,
        )
        return publish_version(self._layout, staged, version, content, encoder=self._encoder)

"""Sources to a published archive."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from coin_retrieval import factory
from coin_retrieval.archive import Archive, ArchiveLayout, ArchiveManifest
from coin_retrieval.archive.calibration import Calibration
from coin_retrieval.archive.lock import building
from coin_retrieval.archive.manifest import check_seals
from coin_retrieval.archive.publish import next_version, publish, staging
from coin_retrieval.archive.thumbnails import sweep_thumbnails
from coin_retrieval.catalog.base import Where
from coin_retrieval.config import (
    CatalogSettings,
    EncoderSettings,
    SqliteCatalogSettings,
    StoreSettings,
)
from coin_retrieval.encoding.base import Encoder
from coin_retrieval.errors import ArchiveCorruptError, ArchiveError, InputError
from coin_retrieval.progress import Progress, silent
from coin_retrieval.types import ImageId, ImageRecord
from indexer.contents import EmbeddedContents
from indexer.embedding import Embedded, RowEmbedder
from indexer.identity import ImageNumbers
from indexer.journal import Journal
from indexer.pictures import PictureReader
from indexer.records import make_records
from indexer.rows import SourceRows
from indexer.version import VersionContent, write_version

_OWN = frozenset({"CURRENT", "versions", "thumbnails", "work", "lock"})


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """How to build: ``batch_size`` and ``threads`` change no answer, the rest is kept."""

    encoder: EncoderSettings
    store: StoreSettings
    batch_size: int = 32
    threads: int = 4
    catalog: CatalogSettings = field(default_factory=SqliteCatalogSettings)


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did: ``embedded`` pictures passed the encoder, ``reused`` images did not."""

    manifest: ArchiveManifest
    folder: Path
    embedded: int
    reused: int
    warnings: tuple[str, ...]


def refuse_foreign_folder(root: Path) -> None:
    """An archive is written into a new or an empty folder, or over an archive; over nothing else.

    Raises:
        InputError: a file, or a folder with something else in it.
    """
    if root.is_dir():
        foreign = sorted(path.name for path in root.iterdir() if path.name not in _OWN)
        layout = ArchiveLayout(root)
        if foreign and not (layout.current.exists() or layout.versions.is_dir()):
            raise InputError(
                "the folder holds something else",
                value=f"{root} with {', '.join(foreign[:3])}",
                expected="a new or an empty folder, or an archive",
                remedy="name another folder for the archive",
            )
    elif root.exists() or root.is_symlink():
        raise InputError(
            "the archive's place is taken by a file",
            value=str(root),
            expected="a new or an empty folder, or an archive",
        )


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
        InputError: no picture could be read, or the folder holds something else.
        ModelError: the encoder fails.
    """
    refuse_foreign_folder(root)
    try:
        with building(ArchiveLayout(root)):
            return _Build(root, encoder, settings).run(sourced, where, on)
    except OSError as error:
        raise ArchiveError(
            f"the archive cannot be written ({error.strerror or error})",
            value=str(error.filename or root),
            expected="a writable folder with enough space",
            remedy="make space or choose another folder; the same command resumes the build",
        ) from error


class _Build:
    """One build, under the archive's lock."""

    def __init__(self, root: Path, encoder: Encoder, settings: BuildSettings) -> None:
        self._layout = ArchiveLayout(root)
        self._encoder = encoder
        self._settings = settings
        self._warnings: list[str] = []
        self._calibration: Calibration | None = None

    def run(self, sourced: SourceRows, where: Where, on: Progress) -> BuildReport:
        contents = EmbeddedContents(self._encoder.spec.dim)
        journal = Journal(self._layout, self._encoder.spec)
        if broken := journal.read_into(contents):
            self._warnings.append(f"{broken} broken journal files were thrown away")
        before = self._read_previous(contents, sourced.pseudonym_key)
        done = self._embed(sourced, contents, journal, on)
        records = make_records(done.indexed, contents, ImageNumbers(before or ()))
        content = VersionContent(
            records,
            contents,
            tuple(done.skipped),
            sourced.sources,
            where,
            self._calibration,
            sourced.pseudonym_key,
        )
        version = next_version(self._layout)
        on("writing the version", 0, 1)
        with staging(self._layout, version) as staged:
            manifest = write_version(
                staged,
                version,
                content,
                encoder=self._encoder,
                encoder_settings=self._settings.encoder,
                store_settings=self._settings.store,
                catalog_settings=self._settings.catalog,
            )
            folder = publish(self._layout, staged, version)
        on("writing the version", 1, 1)
        journal.clear()
        if before is not None:
            kept = (*before, *records.images.values())
            sweep_thumbnails(self._layout, {image.content_hash for image in kept})
        reused = len(records.images) - done.embedded
        return BuildReport(manifest, folder, done.embedded, reused, tuple(self._warnings))

    def _read_previous(
        self, contents: EmbeddedContents, pseudonym_key: str
    ) -> list[ImageRecord] | None:
        """Records of the published version; its embeddings go into ``contents`` if they fit.

        In the same space its calibration holds, too, and is kept. ``None`` where it cannot be
        read: then nothing of it may be swept away either.
        """
        if self._layout.current_name() is None:
            return []
        try:
            with factory.open_archive(self._layout.root) as archive:
                # reuse would carry a spoilt byte into every later version
                check_seals(self._layout.published(), archive.manifest)
                if archive.manifest.encoder == self._encoder.spec:
                    contents.add_archive(archive)
                    self._calibration = archive.manifest.calibration
                if archive.manifest.pseudonym_key and not pseudonym_key:
                    self._warnings.append(
                        "the version before had pseudonyms for patients and slides, this one "
                        "names them as the sources do: --pseudonymise"
                    )
                return _records(archive)
        except ArchiveCorruptError as error:
            self._warnings.append(f"the version before cannot be read, nothing is reused: {error}")
            return None

    def _embed(
        self, sourced: SourceRows, contents: EmbeddedContents, journal: Journal, on: Progress
    ) -> Embedded:
        size, threads = self._settings.batch_size, self._settings.threads
        reader = PictureReader(
            self._layout, contents.__contains__, threads=threads, ahead=size + 2 * threads
        )
        embedder = RowEmbedder(
            self._encoder, reader, contents=contents, journal=journal, batch_size=size
        )
        done = embedder.embed(sourced.rows, on)
        if not done.indexed:
            raise InputError(
                "no picture could be read",
                value=f"{len(done.skipped)} skipped, the first: {done.skipped[0].reason}",
                expected="at least one readable picture",
                remedy="check the image paths: they are relative to the manifest's folder",
            )
        return done


def _records(archive: Archive) -> list[ImageRecord]:
    ids = (ImageId(i) for i in archive.catalog.select({}).tolist())
    return list(archive.catalog.images(ids).values())

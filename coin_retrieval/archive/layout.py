"""Where the parts of an archive lie.

ARCHIVE/
    CURRENT                 the name of the published version; replaced last, in one step
    segments/000002-0/      rows of one or several versions: vectors.faiss ids.npy catalog.sqlite …
    versions/000002/        manifest.json skipped.jsonl notes.jsonl, and which rows of its segments
                            it leaves out: removed-000002-0.npy
    thumbnails/ab/ab12….jpg by content, shared between versions (.webp of earlier programs)
    runs/2026-11-29….json   what each build and add did, and how long it took
    work/                   embeddings and segments of a build that has not been published yet
    lock                    held by the process that builds
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from coin_retrieval.errors import ArchiveCorruptError, NotFoundError

if TYPE_CHECKING:
    from coin_retrieval.archive.remote.address import Remote

MANIFEST = "manifest.json"
SKIPPED = "skipped.jsonl"
NOTES = "notes.jsonl"


@dataclass(frozen=True, slots=True)
class ArchiveLayout:
    """Paths inside an archive's folder; nothing here needs to exist.

    Of an archive on servers (``remote``) the folder is a mirror of what its versions say of
    themselves.
    """

    root: Path
    remote: Remote | None = field(default=None, compare=False)

    @property
    def address(self) -> Path:
        """By which others open it."""
        return self.remote.file if self.remote else self.root

    @property
    def current(self) -> Path:
        """The pointer file."""
        return self.root / "CURRENT"

    @property
    def versions(self) -> Path:
        """The folder of published versions."""
        return self.root / "versions"

    def version(self, name: str) -> Path:
        """The folder of a version."""
        return self.versions / name

    @property
    def segments(self) -> Path:
        """The folder of segments."""
        return self.root / "segments"

    @property
    def thumbnails(self) -> Path:
        """The folder of thumbnails."""
        return self.root / "thumbnails"

    @property
    def work(self) -> Path:
        """The folder of what an unfinished build has embedded."""
        return self.root / "work"

    @property
    def runs(self) -> Path:
        """The folder of what builds and additions did."""
        return self.root / "runs"

    @property
    def lock(self) -> Path:
        """The file that a builder locks."""
        return self.root / "lock"

    def thumbnail(self, content_hash: str) -> Path:
        """The thumbnail of a picture, by the SHA-256 (hex) of its file.

        A JPEG; a WebP where an earlier program made it.
        """
        path = self.thumbnails / content_hash[:2] / f"{content_hash}.jpg"
        earlier = path.with_suffix(".webp")
        return earlier if earlier.exists() else path

    def current_name(self) -> str | None:
        """The published version's name; ``None`` before the first publication.

        Raises:
            ArchiveCorruptError: the pointer does not hold a version's name.
        """
        try:
            name = self.current.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise _unreadable_pointer(self.current, str(error)) from error
        if not name.isdigit():
            raise _unreadable_pointer(self.current, name)
        return name

    def published(self) -> Path:
        """The folder of the published version.

        Raises:
            NotFoundError: no such folder, or nothing in it that looks like an archive.
            ArchiveCorruptError: half-written: nothing was published yet, or its files are gone.
        """
        if not self.is_archive():
            raise NotFoundError(
                "not an archive",
                value=str(self.root),
                expected="a folder that coin-index build has made",
                remedy=f"coin-index build {self.root} SOURCE…",
            )
        name = self.current_name()
        if name is None:
            raise ArchiveCorruptError(
                "the archive was never finished",
                value=str(self.root),
                expected="a published version",
                remedy="run the same coin-index build again: it resumes where it stopped",
            )
        folder = self.versions / name
        if not (folder / MANIFEST).is_file():
            raise ArchiveCorruptError(
                "the published version is gone",
                value=str(folder),
                expected=f"a folder with {MANIFEST}",
                remedy="build the archive again, or restore it from a backup",
            )
        return folder

    def is_archive(self) -> bool:
        """Whether a build has ever written here."""
        # a mirror has folders before anything was built
        own = (self.current, self.lock) if self.remote else (self.current, self.versions, self.lock)
        return any(path.exists() for path in own)


def _unreadable_pointer(path: Path, found: str) -> ArchiveCorruptError:
    return ArchiveCorruptError(
        f"{path} does not name a version",
        value=found,
        expected="a number such as 000001",
        remedy="build the archive again, or restore it from a backup",
    )

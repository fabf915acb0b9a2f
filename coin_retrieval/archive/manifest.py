"""What an archive says of itself."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from coin_retrieval.archive.layout import ArchiveLayout
from coin_retrieval.archive.measured.calibration import Calibration, CloseMatch
from coin_retrieval.archive.measured.closeness import TextCloseness
from coin_retrieval.archive.measured.similarity_scale import SimilarityScale
from coin_retrieval.archive.schema import SCHEMA_VERSION, to_present
from coin_retrieval.config import CatalogSettings, EncoderSettings, StoreSettings
from coin_retrieval.errors import ArchiveCorruptError, ArchiveSchemaError
from coin_retrieval.files import digest_file
from coin_retrieval.starter import ENCODER
from coin_retrieval.types import EncoderSpec, Location

_STARTER = "starter"
_NUMBERS = re.compile(r"\[\n(?:\s+[-+.\deE]+,?\n)+\s*\]")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Counts(_Part):
    """How much there is: every row read is an image, was skipped, or is a duplicate.

    ``duplicates`` are rows that repeat a case's own picture. ``repeated`` are images whose content
    came before under another case; ``generated`` and ``translated`` are never patients' cells.
    """

    rows: int = Field(ge=0)
    images: int = Field(ge=0)
    cases: int = Field(ge=0)
    skipped: int = Field(ge=0)
    duplicates: int = Field(ge=0)
    repeated: int = Field(ge=0)
    generated: int = Field(ge=0)
    translated: int = Field(ge=0)

    @model_validator(mode="after")
    def _add_up(self) -> Self:
        if self.rows != self.images + self.skipped + self.duplicates:
            raise ValueError("rows must be images + skipped + duplicates")
        return self


class SourceEntry(_Part):
    """What was read: ``sha256`` is the manifest file's, of a folder there is none."""

    path: str
    kind: Literal["folder", "table", "file"]
    rows: int
    sha256: str | None = None


class MeasuredRecall(_Part):
    """Recall@k of an approximate index against the exact scan, for each kind of query.

    ``images`` and, where the encoder reads text, ``texts`` are the archive's own, and were asked
    when it was built; ``prototypes`` were drawn by ``coin calibrate``. Texts and drawings lie
    outside the pictures' cloud, where graphs and lists find less. ``width`` is how many times as
    widely as its settings say the index is searched to find so much.
    """

    k: int
    images: float = Field(ge=0, le=1)
    texts: float | None = Field(default=None, ge=0, le=1)
    prototypes: float | None = Field(default=None, ge=0, le=1)
    width: float = Field(default=1, ge=1)


class FileSeal(_Part):
    """Size and SHA-256 of a file of the version."""

    size_bytes: int
    sha256: str


class Segment(_Part):
    """Rows that were written once and are only read: vectors, and records beside them.

    ``folder`` is relative to the archive's. Of its ``rows`` the version leaves out ``removed``,
    which ``removed_file`` in the version's folder lists. ``files`` seals every file.
    """

    folder: str
    rows: int = Field(ge=0)
    store: Location
    catalog: Location
    files: dict[str, FileSeal]
    removed: int = Field(default=0, ge=0)
    removed_file: str | None = None

    @property
    def earlier(self) -> bool:
        """Whether an earlier program wrote it, into its version's own folder."""
        return self.folder.startswith("versions/")

    @property
    def dated(self) -> bool:
        """Whether an upgrade writes it anew: so is what keeps its look-ups in its database."""
        return self.earlier or self.catalog.files == ("catalog.sqlite",)

    @model_validator(mode="after")
    def _sealed(self) -> Self:
        if lacking := {*self.store.files, *self.catalog.files} - self.files.keys():
            raise ValueError(f"no checksum of {', '.join(sorted(lacking))}")
        if (self.removed_file is None) != (self.removed == 0) or self.removed > self.rows:
            raise ValueError(f"{self.removed} of {self.rows} rows removed in {self.removed_file}")
        return self


class Change(_Part):
    """How a version came to be from the one before: by which command, and how many images."""

    command: str
    added: int = 0
    removed: int = 0
    note: str = ""


class ArchiveManifest(_Part):
    """One published version of an archive.

    ``encoder_settings`` load the encoder whose identity is ``encoder``, so that a search needs no
    further setting. ``measured_recall`` is ``None`` for an exact index, ``index_library`` what it
    was measured with. ``demonstration``: every picture was drawn, no patient stands
    behind any of them.

    ``store`` and ``catalog`` are settings, ``segments`` what was written with them; ``files`` seals
    every other file of the version.

    ``real_mean`` is the mean embedding of the real pictures (of all, where none is real), and
    ``own_neighbours`` how close the archive's own pictures are to other cases; archives of schema 1
    have neither, and one case has no neighbours. ``similarity_scale`` says what a similarity means
    here; before schema 4 nobody measured it. All of it was measured, on a sample, when the archive
    had ``measured_images`` images, and labels and sites of the digest ``measured_labels``.
    ``closeness`` is by what reports are judged; there is none before schema 4, and none of an
    archive of which the program knows no report that it holds. ``calibration`` is what
    ``coin calibrate`` found.

    ``pseudonym_key`` is the fingerprint of the key that patients and slides were hashed with, never
    the key; empty where they are named as the sources name them.
    """

    schema_version: int = SCHEMA_VERSION
    version: str
    program: str
    created_at: AwareDatetime
    change: Change
    encoder: EncoderSpec
    encoder_settings: EncoderSettings
    store: StoreSettings
    catalog: CatalogSettings
    segments: tuple[Segment, ...]
    index_kind: str
    index_library: str = ""
    measured_recall: MeasuredRecall | None
    counts: Counts
    sources: tuple[SourceEntry, ...]
    where: dict[str, tuple[str, ...]]
    demonstration: bool
    files: dict[str, FileSeal]
    real_mean: tuple[float, ...] | None = None
    own_neighbours: CloseMatch | None = None
    similarity_scale: SimilarityScale | None = None
    measured_images: int = 0
    measured_labels: str = ""
    closeness: TextCloseness | None = None
    calibration: Calibration | None = None
    pseudonym_key: str = ""


def read_manifest(path: Path) -> ArchiveManifest:
    """Read ``manifest.json``; what an earlier program wrote is read as the present schema.

    Raises:
        ArchiveSchemaError: written by a newer program.
        ArchiveCorruptError: missing, or not a manifest.
    """
    payload = _read(path)
    try:
        manifest = ArchiveManifest.model_validate(to_present(payload))
    except (ValidationError, LookupError, TypeError) as error:
        raise _corrupt(path, error) from error
    return _with_model(manifest, _STARTER, str(ENCODER))


def written_schema(path: Path) -> int:
    """The schema that ``manifest.json`` was written in. Raises as :func:`read_manifest` does."""
    return int(_read(path)["schema_version"])


def _read(path: Path) -> dict[str, Any]:
    try:
        payload: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        schema = int(payload["schema_version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _corrupt(path, error) from error
    if schema > SCHEMA_VERSION:
        raise ArchiveSchemaError(
            f"{path} was written by a newer program",
            value=f"archive schema {schema}",
            expected=f"at most {SCHEMA_VERSION}",
            remedy="update coin-retrieval, or build the archive again",
        )
    return payload


def write_manifest(manifest: ArchiveManifest, path: Path) -> None:
    """Write it as JSON for people, too."""
    path.write_text(manifest_text(manifest), encoding="utf-8")


def manifest_text(manifest: ArchiveManifest) -> str:
    """What ``manifest.json`` holds: indented, but a vector stands on one line."""
    text = _with_model(manifest, str(ENCODER), _STARTER).model_dump_json(indent=2)
    # a line break inside a string is escaped, so that none of a string is ever touched
    return _NUMBERS.sub(lambda match: "[" + " ".join(match[0][1:-1].split()) + "]", text) + "\n"


def seal(path: Path) -> FileSeal:
    """Size and digest of a file as it lies on the disk."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileSeal(size_bytes=path.stat().st_size, sha256=digest)


def sealed_files(
    layout: ArchiveLayout, manifest: ArchiveManifest
) -> Iterator[tuple[str, Path, FileSeal]]:
    """Every file of a version: its name for people, where it lies, and what it was."""
    for segment in manifest.segments:
        folder = layout.root / segment.folder
        for name, sealed in segment.files.items():
            shown = name if segment.earlier else f"{segment.folder}/{name}"
            yield shown, folder / name, sealed
    for name, sealed in manifest.files.items():
        yield name, layout.version(manifest.version) / name, sealed


def check_sizes(layout: ArchiveLayout, manifest: ArchiveManifest) -> None:
    """The cheap part of verification, done at every opening.

    Raises:
        ArchiveCorruptError: a file is missing or cut off.
    """
    for _, path, sealed in sealed_files(layout, manifest):
        size = path.stat().st_size if path.is_file() else None
        if size != sealed.size_bytes:
            raise ArchiveCorruptError(
                f"{path} is {'missing' if size is None else 'not as it was published'}",
                value="no file" if size is None else f"{size} bytes",
                expected=f"{sealed.size_bytes} bytes",
                remedy="build the archive again, or restore it from a backup",
            )


def check_seals(layout: ArchiveLayout, manifest: ArchiveManifest) -> None:
    """The thorough part: every byte of every file.

    Raises:
        ArchiveCorruptError: a checksum does not hold.
    """
    check_sizes(layout, manifest)
    for _, path, sealed in sealed_files(layout, manifest):
        check_seal(path, sealed)


def check_seal(path: Path, sealed: FileSeal) -> None:
    """Every byte of one file; read again only if its size or time of change is another.

    Raises:
        ArchiveCorruptError: it is missing, or not as it was published.
    """
    try:
        found = digest_file(path)
    except OSError as error:
        found = error.strerror or "unreadable"
    if found != sealed.sha256:
        raise ArchiveCorruptError(
            f"the checksum of {path} does not hold",
            value=found,
            expected=sealed.sha256,
            remedy="build the archive again, or restore it from a backup",
        )


def _with_model(manifest: ArchiveManifest, old: str, new: str) -> ArchiveManifest:
    """The embedded encoder lies elsewhere on each machine: in the file it has a name, no path."""
    if manifest.encoder_settings.model != old:
        return manifest
    settings = manifest.encoder_settings.model_copy(update={"model": new})
    return manifest.model_copy(update={"encoder_settings": settings})


def _corrupt(path: Path, error: Exception) -> ArchiveCorruptError:
    return ArchiveCorruptError(
        f"{path} is not an archive's manifest",
        value=f"{type(error).__name__}: {error}",
        expected="the JSON that coin-index build writes",
        remedy="build the archive again, or restore it from a backup",
    )

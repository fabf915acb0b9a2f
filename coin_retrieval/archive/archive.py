"""A published archive, opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from coin_retrieval.archive.layout import ArchiveLayout
from coin_retrieval.archive.manifest import ArchiveManifest, sealed_files
from coin_retrieval.archive.uris import to_path
from coin_retrieval.catalog.base import Catalog
from coin_retrieval.errors import EncoderMismatchError, NotFoundError
from coin_retrieval.files import Closing
from coin_retrieval.images.containers import picture_at
from coin_retrieval.images.containers.parts import part_of
from coin_retrieval.images.decoding import decode_image
from coin_retrieval.stores.base import VectorStore
from coin_retrieval.types import EncoderSpec, ImageRecord, RgbImage, content_digest

if TYPE_CHECKING:
    from coin_retrieval.archive.remote.address import Remote


@dataclass(frozen=True, slots=True)
class Archive(Closing):
    """One version of an archive: what it says of itself, its vectors and its records.

    ``root`` is the archive's folder. Reading is thread-safe. ``lease`` is a lock that tells writers
    that the version is read.
    """

    root: Path
    manifest: ArchiveManifest
    store: VectorStore
    catalog: Catalog
    lease: IO[bytes] | Closing | None = None
    remote: Remote | None = None

    @property
    def version(self) -> str:
        """The version's name, e.g. ``000002``."""
        return self.manifest.version

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over the checksums of the version's files: which archive this is."""
        files = sealed_files(ArchiveLayout(self.root), self.manifest)
        seals = {name: sealed.sha256 for name, _, sealed in files}
        return content_digest({"version": self.version, "files": seals})

    def require_encoder(self, spec: EncoderSpec) -> None:
        """Refuse an encoder whose space is another one.

        Raises:
            EncoderMismatchError: any part of the identity differs; the message says which.
        """
        own = self.manifest.encoder
        if spec == own:
            return
        differing = [
            name
            for name in ("name", "revision", "dim", "preprocessing", "weights")
            if getattr(spec, name) != getattr(own, name)
        ]
        raise EncoderMismatchError(
            f"the archive {self.root} was built with another encoder",
            value=f"{spec}, another {', '.join(differing)}",
            expected=str(own),
            remedy="search without naming an encoder, or build the archive again with this one",
        )

    def thumbnail_path(self, image: ImageRecord) -> Path:
        """The thumbnail, at most 256 px a side."""
        path = ArchiveLayout(self.root).thumbnail(image.content_hash)
        if self.remote is not None and not path.exists():
            self.remote.files.fetch("thumbnails", image.content_hash, path)
        return path

    def image_path(self, image: ImageRecord) -> Path:
        """The file of the picture, where it lay when the archive was built; it may be gone since.

        Raises:
            UnsupportedError: it does not lie in a file.
        """
        return to_path(image.uri)

    def picture(self, image: ImageRecord) -> RgbImage:
        """The picture itself: what an archive on servers keeps of it, else from where it lay.

        Raises:
            UnsupportedError: it does not lie in a file.
            ImageError: it is gone, or cannot be decoded.
            NotFoundError: it is another picture now.
        """
        kept = self.remote and self.remote.files.get("pictures", image.content_hash)
        if kept:
            return decode_image(kept)
        found = picture_at(self.image_path(image), part_of(image.uri))
        if found.content_hash != image.content_hash:
            raise NotFoundError(
                "the source picture has changed since it was indexed",
                value=image.image_id,
                expected=f"SHA-256 {image.content_hash[:12]}…",
                remedy="bring the file that was indexed back to its place, "
                "or run coin-index build again",
            )
        return found.decode()

    def close(self) -> None:
        """Release files and connections."""
        self.store.close()
        self.catalog.close()
        if self.lease is not None:
            self.lease.close()

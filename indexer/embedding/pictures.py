"""Pictures from the disk: each is read once, for its hash, its pixels and its thumbnail."""

from __future__ import annotations

import stat
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

from coin_retrieval.archive.layout import ArchiveLayout
from coin_retrieval.archive.thumbnails import has_thumbnail, write_thumbnail
from coin_retrieval.errors import ImageError, MissingDependencyError
from coin_retrieval.images.containers import picture_at
from coin_retrieval.images.decoding import MAX_BYTES, Decoded
from coin_retrieval.images.png import encode_png
from coin_retrieval.tables.cases import CaseRow
from coin_retrieval.types import ImageRecord, RgbImage
from indexer.embedding.shared_room import SharedRoom

READ_BYTES = 256 * 1024 * 1024
"""Of files that are being read and decoded at once."""

DECODED_PIXELS = 100_000_000
"""Pixels that are being decoded at once: 400 MB, in Pillow's four bytes each."""

HELD_PIXELS = 100_000_000
"""Decoded pixels (300 MB) that may wait for the encoder before reading pauses."""


@dataclass(frozen=True, slots=True)
class ReadPicture:
    """A file that was read; ``decoded`` is ``None`` where nothing needs its pixels."""

    content_hash: str
    decoded: Decoded | None
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A picture that cannot be indexed, and why; ``meant``: that shall not be."""

    reason: str
    meant: bool = False


class _LeftOutError(Exception):
    """A picture that shall not be indexed."""


class PictureReader:
    """Reads pictures in threads, ahead of the encoder, in order and within bounds.

    ``is_embedded`` says whether a content (SHA-256, hex) that has a thumbnail needs no pixels any
    more. Whatever has none is decoded for it, and handed on whether it is embedded or not.
    """

    def __init__(
        self, layout: ArchiveLayout, is_embedded: Callable[[str], bool], *, workers: int, ahead: int
    ) -> None:
        self._layout = layout
        self._is_embedded = is_embedded
        self._workers = workers
        self._ahead = ahead
        self._bytes = SharedRoom(READ_BYTES)
        self._pixels = SharedRoom(DECODED_PIXELS)
        self._counting = Lock()
        self._held_pixels = 0

    def read_all(
        self, rows: Iterable[tuple[CaseRow, ImageRecord | None]]
    ) -> Generator[ReadPicture | Unreadable, None, None]:
        """What became of each row's picture, in order; closing the iterator stops the threads.

        Args:
            rows: which name where it lies, and as what each was indexed before, by this encoder.
        """
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="picture")
        waiting: deque[Future[ReadPicture | Unreadable]] = deque()
        coming = iter(rows)
        self._held_pixels = 0
        try:
            while True:
                while len(waiting) < self._ahead and self._held_pixels < HELD_PIXELS:
                    row = next(coming, None)
                    if row is None:
                        break
                    waiting.append(pool.submit(self._read_held, *row))
                if not waiting:
                    return
                picture = waiting.popleft().result()
                self._hold(picture, -1)
                yield picture
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _read_held(self, row: CaseRow, known: ImageRecord | None) -> ReadPicture | Unreadable:
        picture = self.read(row, known)
        self._hold(picture, 1)
        return picture

    def _hold(self, picture: ReadPicture | Unreadable, sign: int) -> None:
        if isinstance(picture, ReadPicture) and picture.decoded is not None:
            with self._counting:
                self._held_pixels += sign * (picture.decoded.image.size // 3)

    def read(self, row: CaseRow, known: ImageRecord | None = None) -> ReadPicture | Unreadable:
        """Read a row's picture, decode it if anything needs its pixels, and leave its thumbnail.

        A file of the size and the time of change that it had before is not read again.
        """
        try:
            if row.left_out:
                raise _LeftOutError(row.left_out)
            size, modified_ns = _refuse_odd_files(row)
            if known is not None and (size, modified_ns) == (
                known.file.size_bytes,
                known.file.modified_ns,
            ):
                digest = known.content_hash
                if self._is_kept(digest):
                    return ReadPicture(digest, None, size, modified_ns)
            # of a file that holds many pictures only one of them is read
            with self._bytes.holding(0 if row.part else size):
                return self._read(row, size, modified_ns)
        except _LeftOutError as reason:
            return Unreadable(str(reason), meant=True)
        except (ImageError, MissingDependencyError) as error:
            return Unreadable(str(error))
        except MemoryError:
            return Unreadable("the picture does not fit into memory")

    def _read(self, row: CaseRow, size: int, modified_ns: int) -> ReadPicture:
        picture = picture_at(row.image_path, row.part)
        digest = picture.content_hash
        thumbnail = self._layout.thumbnail(digest)
        shown = self._is_kept(digest)
        # every segment is looked into for an answer: what is new has no thumbnail, and is not asked
        if shown and self._is_embedded(digest):
            return ReadPicture(digest, None, size, modified_ns)
        decoded = picture.decoded(self._pixels.holding)
        if row.unfit is not None and (reason := row.unfit(decoded.image)):
            raise _LeftOutError(reason)
        if not shown:
            write_thumbnail(thumbnail, decoded.image)
            self._keep(digest, picture.decode() if self._layout.remote else decoded.image)
        return ReadPicture(digest, decoded, size, modified_ns)

    def _keep(self, digest: str, image: RgbImage) -> None:
        remote = self._layout.remote
        if remote is not None:
            remote.files.put("pictures", digest, encode_png(image))
            thumbnail = self._layout.thumbnail(digest)
            remote.files.put("thumbnails", digest, thumbnail.read_bytes())

    def _is_kept(self, digest: str) -> bool:
        remote = self._layout.remote
        if remote is not None:
            # put last: where it is, the picture is as well
            return remote.files.has("thumbnails", digest)
        return has_thumbnail(self._layout.thumbnail(digest))


def _refuse_odd_files(row: CaseRow) -> tuple[int, int]:
    """A pipe would hang the build, a huge file fill the memory before it is refused.

    Returns its size in bytes and its time of change in nanoseconds.

    Raises:
        ImageError: missing, not a regular file, or too large.
    """
    try:
        found = row.image_path.stat()
    except (OSError, ValueError) as error:
        # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError(f"the file cannot be found ({reason})") from error
    if not stat.S_ISREG(found.st_mode):
        raise ImageError("not a regular file")
    if not row.part and found.st_size > MAX_BYTES:
        raise ImageError(
            "too large a file", value=f"{found.st_size} bytes", expected=f"at most {MAX_BYTES}"
        )
    return found.st_size, found.st_mtime_ns

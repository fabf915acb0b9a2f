"""From a path and a part to a picture; files that hold many are kept open for a while."""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path

from coin_retrieval.containers.base import Container, LazyPicture
from coin_retrieval.containers.parts import fields
from coin_retrieval.errors import ImageError
from coin_retrieval.images import read_bytes

KEPT_OPEN = 16
_LOCK = threading.Lock()


def picture_at(path: Path, part: str = "") -> LazyPicture:
    """The picture that is a file, or that a part of it is.

    Raises:
        ImageError: it is missing, unreadable, or has no such part.
        MissingDependencyError: what reads such files is not installed.
    """
    if not part:
        return LazyPicture.of_file(read_bytes(path), name=path.name)
    try:
        return container_at(path, part).picture(part)
    except OSError as error:
        raise ImageError(f"the file cannot be read ({error.strerror or error})") from error


def container_at(path: Path, part: str) -> Container:
    """The file, opened as what a part of it names. It is closed when nobody holds it any more.

    Raises:
        ImageError: it is missing or unreadable.
        MissingDependencyError: what reads such files is not installed.
    """
    try:
        state = path.stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError(f"the file cannot be found ({reason})", value=str(path)) from error
    kind = next(iter(fields(part)), "")
    # one at a time: what is opened by many threads at once would be opened many times
    with _LOCK:
        return _opened(kind, path, state.st_size, state.st_mtime_ns)


@lru_cache(KEPT_OPEN)
def _opened(kind: str, path: Path, _size: int, _modified_ns: int) -> Container:
    """Opened once while the file stays as it is."""
    if kind == "member":
        from coin_retrieval.containers.tar import TarContainer

        return TarContainer(path)
    if kind == "xywh":
        from coin_retrieval.containers.slide import SlideContainer

        return SlideContainer(path)
    if kind == "frame":
        from coin_retrieval.containers.frames import DicomContainer

        return DicomContainer(path)
    if kind == "row":
        from coin_retrieval.containers.table import TableContainer

        return TableContainer(path)
    raise ImageError(
        "a part of a file that this program does not know",
        value=f"{path.name}, {kind or 'nothing'}",
        expected="member, xywh, frame or row",
    )

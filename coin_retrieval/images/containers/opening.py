"""From a path and a part to a picture; files that hold many are kept open for a while."""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path

from coin_retrieval.errors import ImageError
from coin_retrieval.images.containers.base import Container, LazyPicture
from coin_retrieval.images.containers.parts import fields, named
from coin_retrieval.images.decoding import load_image, read_bytes
from coin_retrieval.images.dicom.header import is_dicom, read_header
from coin_retrieval.types import RgbImage

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


def asked_picture(path: Path) -> tuple[RgbImage, float | None]:
    """A file to search with, and micrometres a pixel where it says so: of DICOM, one frame.

    Raises:
        ImageError: it cannot be read, holds several pictures, or a name may be part of its pixels.
        MissingDependencyError: pydicom is not installed.
    """
    if not is_dicom(path):
        return load_image(path), None
    header = read_header(path)
    if header.whole_slide or header.frames != 1 or header.burned_in:
        raise ImageError(
            "not a DICOM file to search with",
            value=f"{path.name}, {header.frames:,} frames"
            + (", BurnedInAnnotation YES" if header.burned_in else ""),
            expected="one picture without annotations in it",
            remedy="export the region as a picture, and tell its scale",
        )
    return picture_at(path, named(frame=1)).decode(), header.mpp_um


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
        from coin_retrieval.images.containers.tar import TarContainer

        return TarContainer(path)
    if kind == "xywh":
        from coin_retrieval.images.containers.slide import SlideContainer

        return SlideContainer(path)
    if kind == "frame":
        from coin_retrieval.images.containers.frames import DicomContainer

        return DicomContainer(path)
    if kind == "row":
        from coin_retrieval.images.containers.table import TableContainer

        return TableContainer(path)
    raise ImageError(
        "a part of a file that this program does not know",
        value=f"{path.name}, {kind or 'nothing'}",
        expected="member, xywh, frame or row",
    )

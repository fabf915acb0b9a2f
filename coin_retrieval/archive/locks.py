"""One builder at a time; and who reads which version: a shared lock that a writer can see."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout

from coin_retrieval.archive.layout import SKIPPED, ArchiveLayout
from coin_retrieval.errors import ArchiveBusyError
from coin_retrieval.files import Closing


@contextmanager
def building(layout: ArchiveLayout) -> Iterator[None]:
    """Hold the archive for one build; the system lets go of it when the process ends, however.

    Raises:
        ArchiveBusyError: another process holds it.
    """
    layout.root.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(layout.lock, blocking=False).acquire()
    except Timeout as error:
        raise ArchiveBusyError(
            f"the archive {layout.root} is being built",
            value=f"process {layout.lock.read_text(encoding='ascii').strip() or 'unknown'}",
            expected="one build at a time",
            remedy="wait until it ends, or stop it; the next build resumes what it embedded",
        ) from error
    with lock:
        layout.lock.write_text(str(os.getpid()), encoding="ascii")
        if layout.remote is None:
            yield
            return
        with layout.remote.versions.building():
            layout.remote.pull(layout)
            yield


def hold(layout: ArchiveLayout, version: Path) -> IO[bytes] | Closing | None:
    """A lock on a version's folder until it is closed; ``None`` where the disk knows no locks.

    The system lets go of it when the process ends, however.
    """
    if layout.remote is not None:
        return layout.remote.versions.hold(version.name)
    try:
        # never replaced while the version is there, as the manifest may be; reading is enough
        file = (version / SKIPPED).open("rb")
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def is_held(layout: ArchiveLayout, version: Path) -> bool:
    """Whether any process reads a version."""
    if layout.remote is not None:
        return layout.remote.versions.is_held(version.name)
    try:
        with (version / SKIPPED).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False

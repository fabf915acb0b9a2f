"""Who reads which version: an opened archive holds a shared lock that a writer can see."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO

from coin_retrieval.archive.layout import SKIPPED, ArchiveLayout
from coin_retrieval.files import Closing


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

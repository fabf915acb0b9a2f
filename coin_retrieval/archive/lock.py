"""One builder at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from coin_retrieval.archive.layout import ArchiveLayout
from coin_retrieval.errors import ArchiveBusyError


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

"""One builder at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from coin_retrieval.archive.layout import ArchiveLayout
from coin_retrieval.errors import ArchiveBusyError


@contextmanager
def building(layout: ArchiveLayout) -> Iterator[None]:
    """Hold the archive for one build; the system lets go of it when the process ends, however.

    Raises:
        ArchiveBusyError: another process holds it.
    """
    layout.root.mkdir(parents=True, exist_ok=True)
    with layout.lock.open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise ArchiveBusyError(
                f"the archive {layout.root} is being built",
                value=f"process {file.read().strip() or 'unknown'}",
                expected="one build at a time",
                remedy="wait until it ends, or stop it; the next build resumes what it embedded",
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield

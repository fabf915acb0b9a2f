"""Which ``coin-serve`` a command asks.

Apart from the other settings: a question to a server is answered before those have loaded.
"""

from __future__ import annotations

import os
from pathlib import Path

from coin_retrieval.errors import InputError

VARIABLE = "COIN_SERVER"


def asked_where(archive: Path | None, server: str | None) -> Path | str:
    """An archive's folder, or a server's address: what is named, else COIN_SERVER.

    Raises:
        InputError: both are named, or neither.
    """
    if archive is not None and server is not None:
        raise InputError(
            "one archive at a time",
            value=f"{archive} and --server {server}",
            expected="the archive's folder, or the server that searches one",
        )
    found = archive or server or os.environ.get(VARIABLE)
    if not found:
        raise InputError(
            "nothing to search in",
            expected=f"the folder of an archive, or --server URL, or {VARIABLE}",
            remedy="build an archive with coin-index build",
        )
    return found

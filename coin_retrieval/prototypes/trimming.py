"""Keeps the prototype cache below its size: what was not used for longest goes first."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from pathlib import Path

_KEPT_SHARE = 0.9
"""Down to this, so that a full cache is not searched through at each new prototype."""
_FRESH_S = 3600


def touch(path: Path) -> None:
    """Remember that a prototype was used; to the hour, and where the disk can be written."""
    try:
        if time.time() - path.stat().st_mtime > _FRESH_S:
            os.utime(path)
    except OSError:
        return


def trim(root: Path, max_bytes: int) -> int:
    """Delete whole prototypes, with their embeddings, until the cache fits; returns its bytes."""
    files: defaultdict[str, list[Path]] = defaultdict(list)
    for path in root.glob("??/*"):
        files[path.name.partition(".")[0]].append(path)
    sizes, used = {}, {}
    for name, paths in files.items():
        try:
            stats = [path.stat() for path in paths]
        except OSError:
            # another process deletes too
            continue
        sizes[name] = sum(stat.st_size for stat in stats)
        used[name] = max(stat.st_mtime for stat in stats)
    held = sum(sizes.values())
    if held <= max_bytes:
        return held
    for name in sorted(used, key=used.__getitem__):
        if held <= _KEPT_SHARE * max_bytes:
            break
        for path in files[name]:
            path.unlink(missing_ok=True)
        held -= sizes[name]
    return held

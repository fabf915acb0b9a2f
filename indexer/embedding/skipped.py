"""The list of rows without an image: which, and why."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coin_retrieval.archive import ArchiveLayout, ArchiveManifest
from coin_retrieval.archive.layout import SKIPPED
from coin_retrieval.archive.manifest import SourceEntry
from coin_retrieval.tables.cases import CaseRow
from indexer.embedding.embedding import SkippedRow
from indexer.rows import SourceRows


def skipped_line(skipped: SkippedRow, sources: Sequence[SourceEntry]) -> dict[str, Any]:
    """A line of the list; the path is relative to the source, where it lies in it."""
    row, source = skipped.row.row, sources[skipped.row.source]
    path = relative(row, source)
    return {
        "path": path,
        "source": source.path,
        "case_id": row.case_id,
        "reason": skipped.reason,
    }


def relative(row: CaseRow, source: SourceEntry) -> str:
    """A picture's path as its source names it, and which part of the file it is."""
    base = source.path if source.kind == "folder" else str(Path(source.path).parent)
    path = str(row.image_path)
    shown = os.path.relpath(path, base) if path.startswith(base) else path
    return f"{shown}#{row.part}" if row.part else shown


def skipped_still(
    layout: ArchiveLayout, before: ArchiveManifest | None, sourced: SourceRows
) -> list[dict[str, Any]]:
    """Lines of the version before that these sources do not name again."""
    if before is None:
        return []
    lines = [
        json.loads(line)
        for line in (layout.version(before.version) / SKIPPED).read_text("ascii").splitlines()
    ]
    if not lines:
        return []
    named = {
        (source.path, relative(row.row, source))
        for row in sourced
        for source in (sourced.sources[row.source],)
    }
    return [line for line in lines if (line.get("source", ""), line["path"]) not in named]

"""What ``coin-index`` answers when an archive changes: tables for people, objects for programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from coin_retrieval.archive import ArchiveManifest
from coin_retrieval.errors import InputError
from indexer.history import KeptVersion
from indexer.removing import RemovalReport


def read_case_ids(path: Path) -> list[str]:
    """One a line; empty lines are none.

    Raises:
        InputError: it cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"the list of cases cannot be read ({error})",
            value=str(path),
            expected="a text file (UTF-8) with one case_id a line",
        ) from error
    return [line.strip() for line in lines if line.strip()]


def version_object(manifest: ArchiveManifest, *, current: bool) -> dict[str, Any]:
    """A version, JSON-ready."""
    return {
        "version": manifest.version,
        "current": current,
        "created_at": manifest.created_at.isoformat(),
        "change": manifest.change.model_dump(),
        "counts": manifest.counts.model_dump(),
        "encoder": str(manifest.encoder),
        "index_kind": manifest.index_kind,
        "segments": [
            {"folder": segment.folder, "rows": segment.rows, "removed": segment.removed}
            for segment in manifest.segments
        ],
    }


def show_version(manifest: ArchiveManifest, archive: Path) -> None:
    """A version for people, in a line."""
    counts, parts = manifest.counts, len(manifest.segments)
    _console().print(
        f"{archive}: version {manifest.version}, {counts.images:,} images of {counts.cases:,} "
        f"cases in {parts} segment{'s' if parts > 1 else ''}",
        markup=False,
    )


def show_history(versions: Sequence[KeptVersion]) -> None:
    """The versions for people."""
    table = Table("version", "created (UTC)", "change", "images", "cases", "segments")
    for kept in versions:
        manifest, counts = kept.manifest, kept.manifest.counts
        table.add_row(
            f"{manifest.version}{' ←' if kept.current else ''}",
            f"{manifest.created_at:%Y-%m-%d %H:%M}",
            Text(_change(manifest)),
            f"{counts.images:,}",
            f"{counts.cases:,}",
            str(len(manifest.segments)),
        )
    _console().print(table)


def removal_object(report: RemovalReport, archive: Path) -> dict[str, Any]:
    """A removal's result, JSON-ready."""
    return {
        "archive": str(archive),
        "version": report.manifest.version,
        "cases": report.cases,
        "images": report.images,
        "purged": report.purged,
        "still_read": list(report.readers),
        "counts": report.manifest.counts.model_dump(),
    }


def show_removal(report: RemovalReport, archive: Path) -> None:
    """The same for people."""
    how = "purged; no version before is left" if report.purged else "coin-index rollback undoes it"
    _console().print(
        f"{archive}: version {report.manifest.version} without {report.images:,} images; "
        f"{report.cases:,} cases are gone ({how})",
        markup=False,
    )
    if report.readers:
        _console().print(
            f"Still read while it was deleted: version {', '.join(report.readers)}. What a server "
            "has in memory it keeps until it is restarted.",
            style="yellow",
            markup=False,
        )


def _change(manifest: ArchiveManifest) -> str:
    change = manifest.change
    numbers = [
        f"{sign}{count:,}" for sign, count in (("+", change.added), ("−", change.removed)) if count
    ]
    return " ".join([change.command, *numbers, *([f"({change.note})"] if change.note else [])])


def _console() -> Console:
    return Console(soft_wrap=True, highlight=False)

"""Sources to a published archive: exactly these (build), or these besides what it has (add)."""

from __future__ import annotations

from pathlib import Path

from coin_retrieval.catalog.base import Where
from coin_retrieval.encoding.base import Encoder
from coin_retrieval.progress import Progress, silent
from indexer.changing import changing
from indexer.choices import BuildSettings
from indexer.rows import SourceRows
from indexer.run import BuildReport, Run

__all__ = ["BuildReport", "BuildSettings", "add", "build"]


def build(
    root: Path,
    sourced: SourceRows,
    *,
    encoder: Encoder,
    settings: BuildSettings,
    where: Where,
    on: Progress = silent,
) -> BuildReport:
    """Index ``sourced`` as the archive's next version; what is embedded already is not again.

    The archive then holds exactly these rows. ``on`` is told of every row. A build that is
    stopped, by whatever, leaves the published version as it is, and the next one resumes.

    Raises:
        ArchiveBusyError: another process builds it.
        ArchiveSchemaError: a newer program wrote it; it is left alone.
        ArchiveError: the disk is full, or may not be written.
        InputError: no picture could be read, cases would be lost, or the folder holds something
            else.
        ModelError: the encoder fails.
    """
    with changing(root, new=True) as layout:
        return Run(layout, encoder, settings, sourced, on, adding=False).build(where)


def add(
    root: Path,
    sourced: SourceRows,
    *,
    encoder: Encoder,
    settings: BuildSettings,
    on: Progress = silent,
) -> BuildReport:
    """Index ``sourced`` besides what the archive holds, as its next version.

    What it costs depends on what is added, not on what is there. An image that is there already is
    left, or replaced if a row says anything else of it; a case keeps what it says, and rows fill
    what it leaves empty.

    Raises:
        NotFoundError: no archive there.
        EncoderMismatchError: it was built with another encoder.
        ArchiveBusyError, ArchiveSchemaError, ArchiveError, InputError, ModelError: see
            :func:`build`.
    """
    with changing(root) as layout:
        return Run(layout, encoder, settings, sourced, on, adding=True).add()

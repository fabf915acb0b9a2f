"""What is found out about a published version later goes into its manifest, in one step."""

from __future__ import annotations

from pathlib import Path

from coin_retrieval.archive.layout import MANIFEST
from coin_retrieval.archive.locks import building
from coin_retrieval.archive.manifest import (
    ArchiveManifest,
    MeasuredRecall,
    manifest_text,
    read_manifest,
)
from coin_retrieval.archive.measured.calibration import Calibration
from coin_retrieval.archive.opening import open_layout
from coin_retrieval.errors import ArchiveError, EncoderMismatchError
from coin_retrieval.files import replace_file
from coin_retrieval.types import EncoderSpec


def put_calibration(
    root: Path,
    calibration: Calibration,
    *,
    encoder: EncoderSpec,
    recall: MeasuredRecall | None = None,
) -> ArchiveManifest:
    """Write a calibration into the published version; returns the manifest as it is now.

    Vectors, records and seals stay as they are, and a reader sees the old manifest or the new one.
    A server that runs goes on with what it has opened.

    Args:
        encoder: that the calibration was made with.
        recall: of the index, with the pictures that were drawn; ``None`` leaves it as it is.

    Raises:
        ArchiveBusyError: another process builds the archive.
        EncoderMismatchError: it was built anew with another encoder meanwhile.
        ArchiveError: it may not be written.
    """
    layout = open_layout(root)
    try:
        with building(layout):
            path = layout.published() / MANIFEST
            manifest = read_manifest(path)
            if manifest.encoder != encoder:
                raise EncoderMismatchError(
                    "the archive was built with another encoder while it was calibrated",
                    value=str(encoder),
                    expected=str(manifest.encoder),
                    remedy="calibrate it again",
                )
            found = {} if recall is None else {"measured_recall": recall}
            amended = manifest.model_copy(update={"calibration": calibration, **found})
            content = manifest_text(amended)
            if layout.remote is not None:
                layout.remote.versions.replace(manifest.version, MANIFEST, content.encode())
            replace_file(path, content, flush=True)
    except OSError as error:
        raise ArchiveError(
            f"the calibration cannot be written ({error.strerror or error})",
            value=str(error.filename or root),
            expected="an archive that may be written",
            remedy="calibrate where the archive may be written, or change its permissions",
        ) from error
    return amended

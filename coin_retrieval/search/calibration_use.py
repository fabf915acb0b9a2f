"""Does an archive's calibration hold for this search?"""

from __future__ import annotations

from dataclasses import dataclass

from coin_retrieval.archive.manifest import ArchiveManifest
from coin_retrieval.archive.measured.calibration import Calibration
from coin_retrieval.prototypes.drawer import PrototypeDrawer

AGAIN = "it should be calibrated again"


@dataclass(frozen=True, slots=True)
class CalibrationUse:
    """The calibration to search with, else ``why_not``; ``notices`` are for the reader."""

    calibration: Calibration | None
    why_not: str
    notices: tuple[str, ...]


def calibration_use(manifest: ArchiveManifest, drawer: PrototypeDrawer | None) -> CalibrationUse:
    """What an archive's calibration is worth with this generator.

    A calibration with another generator is never used: what its prototypes were worth says nothing
    about these. Without a generator nothing is drawn, and what was found out about texts holds. An
    archive that has grown or shrunk since keeps its calibration, and says so.
    """
    calibration = manifest.calibration
    if calibration is None:
        return CalibrationUse(None, "the archive was not calibrated", ())
    drawn_by = calibration.generator
    if drawer is not None and drawn_by and drawn_by != drawer.identity:
        name = calibration.generator_name or drawn_by[:12]
        why_not = f"this archive was calibrated with another generator ({name})"
        return CalibrationUse(
            None, why_not, (f"{why_not}; that calibration is not used, and {AGAIN}",)
        )
    return CalibrationUse(calibration, "", images_notice(manifest))


def images_notice(manifest: ArchiveManifest) -> tuple[str, ...]:
    """On how many images the calibration was made, where the archive now holds another number."""
    calibration = manifest.calibration
    if calibration is None or calibration.images == manifest.counts.images:
        return ()
    return (
        f"this archive was calibrated on {calibration.images:,} images and now holds "
        f"{manifest.counts.images:,}: {AGAIN}",
    )

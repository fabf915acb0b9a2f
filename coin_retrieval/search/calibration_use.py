"""Does an archive's calibration hold for this search?"""

from __future__ import annotations

from coin_retrieval.archive.calibration import Calibration, CloseMatch
from coin_retrieval.archive.manifest import ArchiveManifest
from coin_retrieval.search.query import Query
from coin_retrieval.types import SearchMode

AGAIN = "run coin calibrate"


def applicable(
    manifest: ArchiveManifest, generator_identity: str | None
) -> tuple[Calibration | None, tuple[str, ...]]:
    """The calibration to search with, and what the reader should know about it.

    A calibration with another generator is never used: what its prototypes were worth says nothing
    about these. Without a generator nothing is drawn, and what was found out about texts holds. An
    archive that has grown or shrunk since keeps its calibration, and says so.

    Args:
        generator_identity: of the generator at hand; ``None`` if there is none.
    """
    calibration = manifest.calibration
    if calibration is None:
        return None, ()
    drawn_by = calibration.generator
    if generator_identity is not None and drawn_by and drawn_by != generator_identity:
        name = calibration.generator_name or drawn_by[:12]
        return None, (
            f"this archive was calibrated with another generator ({name}); "
            f"that calibration is not used: {AGAIN}",
        )
    return calibration, images_notice(manifest)


def images_notice(manifest: ArchiveManifest) -> tuple[str, ...]:
    """On how many images the calibration was made, where the archive now holds another number."""
    calibration = manifest.calibration
    if calibration is None or calibration.images == manifest.counts.images:
        return ()
    return (
        f"this archive was calibrated on {calibration.images:,} images and now holds "
        f"{manifest.counts.images:,}: {AGAIN} again",
    )


def close_match_of(
    query: Query, mode: SearchMode, manifest: ArchiveManifest, calibration: Calibration | None
) -> CloseMatch | None:
    """From which similarity on this query has a close match; ``None`` where nobody measured it.

    Marks, exclusions and a picture beside a report change what a similarity means, and their
    scores were never measured.
    """
    if query.liked or query.disliked or query.unlike or (query.report and query.image is not None):
        return None
    measured = calibration.close_match.get(mode) if calibration else None
    if measured is None and mode is SearchMode.IMAGE:
        return manifest.own_neighbours
    return measured

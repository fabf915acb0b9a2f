"""A version: its segments in place, what is measured of them, its manifest, published."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from coin_retrieval import __version__, factory
from coin_retrieval.archive import ArchiveLayout, ArchiveManifest
from coin_retrieval.archive.layout import MANIFEST, NOTES, SKIPPED
from coin_retrieval.archive.manifest import (
    Change,
    Counts,
    Segment,
    SourceEntry,
    seal,
    write_manifest,
)
from coin_retrieval.archive.measured.calibration import Calibration
from coin_retrieval.archive.publish import move_segment, publish
from coin_retrieval.archive.segments import leave_out
from coin_retrieval.catalog.base import Catalog
from coin_retrieval.catalog.joined import JoinedCatalog
from coin_retrieval.config import CatalogSettings, EncoderSettings, StoreSettings
from coin_retrieval.encoding.base import Encoder
from coin_retrieval.files import Closing
from coin_retrieval.types import EncoderSpec, Origin, RowMask
from indexer.versions.measuring import measures
from indexer.versions.segments_before import open_segment


@dataclass(frozen=True, slots=True)
class VersionContent:
    """All that a version is made of.

    ``kept`` are segments that are in place, each with its rows that stay; ``new`` lie below
    ``work/``. ``counts`` gives the counts, told how many images there are, of which ``generated``
    and ``translated``; ``before`` is the manifest whose measures hold while little has changed.
    """

    kept: Sequence[tuple[Segment, RowMask]]
    new: Sequence[Segment]
    encoder: EncoderSpec
    encoder_settings: EncoderSettings
    store: StoreSettings
    catalog: CatalogSettings
    change: Change
    counts: Callable[[dict[str, int]], Counts]
    sources: tuple[SourceEntry, ...]
    where: Mapping[str, Sequence[str]] = field(default_factory=dict)
    calibration: Calibration | None = None
    before: ArchiveManifest | None = None
    pseudonym_key: str = ""


class OpenSegments(Closing):
    """Segments of a version that is not published yet, as a store and a catalog."""

    def __init__(
        self,
        layout: ArchiveLayout,
        settings: ArchiveManifest,
        segments: Iterable[tuple[Segment, RowMask | None]],
    ) -> None:
        opened = [
            open_segment(layout, settings, entry, alive, searched=True) for entry, alive in segments
        ]
        self.store = factory.join_stores([s for s, _ in opened], dim=settings.encoder.dim)
        self.catalog: Catalog = JoinedCatalog([catalog for _, catalog in opened])

    def close(self) -> None:
        """Release their files."""
        self.store.close()
        self.catalog.close()


def publish_version(
    layout: ArchiveLayout,
    staged: Path,
    version: str,
    content: VersionContent,
    *,
    encoder: Encoder | None,
) -> ArchiveManifest:
    """Put segments into place, write the manifest, and make it the current version.

    Args:
        staged: the folder that the version is written in; lists of what was skipped and noted are
            in it.
        encoder: to measure how well texts are found; ``None`` if it is not at hand.
    """
    moved = [
        move_segment(layout, segment, f"{version}-{n}") for n, segment in enumerate(content.new)
    ]
    kept = [
        (leave_out(staged, segment, alive), None if alive.all() else alive)
        for segment, alive in content.kept
        if alive.any()
    ]
    segments: list[tuple[Segment, RowMask | None]] = [*kept, *((s, None) for s in moved)]
    lists = (s.removed_file for s, _ in kept if s.removed_file is not None)
    sealed = {name: seal(staged / name) for name in (SKIPPED, NOTES, *lists)}
    draft = ArchiveManifest.model_construct(
        encoder=content.encoder, store=content.store, catalog=content.catalog
    )
    with OpenSegments(layout, draft, segments) as opened:
        origins = opened.catalog.values("origin")
        drawn = {o.value: origins.get(o.value, 0) for o in (Origin.GENERATED, Origin.TRANSLATED)}
        images = len(opened.store)
        before = content.before
        if before is not None and before.store != content.store:
            before = None  # another index finds other rows
        measured = measures(opened.store, opened.catalog, encoder=encoder, before=before)
        manifest = ArchiveManifest(
            version=version,
            program=f"coin-retrieval {__version__}",
            created_at=datetime.now(UTC),
            change=content.change,
            encoder=content.encoder,
            encoder_settings=content.encoder_settings,
            store=content.store,
            catalog=content.catalog,
            segments=tuple(segment for segment, _ in segments),
            index_kind=opened.store.kind,
            index_library=opened.store.library,
            counts=content.counts({"images": images, **drawn}),
            sources=content.sources,
            where={name: tuple(values) for name, values in content.where.items()},
            demonstration=drawn[Origin.GENERATED.value] == images,
            files=sealed,
            calibration=content.calibration,
            pseudonym_key=content.pseudonym_key,
            **measured,
        )
    write_manifest(manifest, staged / MANIFEST)
    publish(layout, staged, version)
    if layout.remote is not None and segments:
        factory.point_alias(layout.remote.store, segments[0][0].store)
    return manifest


def write_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """One JSON object a line, appended."""
    with path.open("a", encoding="ascii") as file:
        for line in lines:
            file.write(json.dumps(line) + "\n")


def portable(settings: EncoderSettings) -> EncoderSettings:
    """As another process reads it: from any folder, without the GPU or the engine that built."""
    changes: dict[str, Any] = {"device": "auto", "engine": "torch"}
    if Path(settings.model).is_dir():
        changes["model"] = str(Path(settings.model).absolute())
    for name in ("text_tower", "checkpoint"):
        file = getattr(settings, name, None)
        if isinstance(file, Path):
            changes[name] = file.absolute()
    return settings.model_copy(update=changes)

"""One version's files, written into a staging folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from coin_retrieval import __version__, factory
from coin_retrieval.archive import ArchiveManifest
from coin_retrieval.archive.calibration import Calibration
from coin_retrieval.archive.layout import MANIFEST, NOTES, SKIPPED
from coin_retrieval.archive.manifest import Counts, SourceEntry, seal, write_manifest
from coin_retrieval.catalog.base import Where
from coin_retrieval.config import CatalogSettings, EncoderSettings, StoreSettings
from coin_retrieval.encoding.base import Encoder
from coin_retrieval.types import CaseRecord, ImageRecord, Location, Origin
from indexer.contents import EmbeddedContents
from indexer.embedding import SkippedRow
from indexer.neighbours import measure_neighbours, real_mean
from indexer.recall import measure_recall, own_texts
from indexer.records import Records

_IMAGES_A_PUT = 10_000


@dataclass(frozen=True, slots=True)
class VersionContent:
    """All that a version is made of; ``calibration`` is of the version before, where it holds."""

    records: Records
    contents: EmbeddedContents
    skipped: tuple[SkippedRow, ...]
    sources: tuple[SourceEntry, ...]
    where: Where
    calibration: Calibration | None = None
    pseudonym_key: str = ""


def write_version(
    folder: Path,
    version: str,
    content: VersionContent,
    *,
    encoder: Encoder,
    encoder_settings: EncoderSettings,
    store_settings: StoreSettings,
    catalog_settings: CatalogSettings,
) -> ArchiveManifest:
    """Write vectors, catalog, lists and manifest; returns the manifest."""
    records = content.records
    store = factory.make_store(store_settings, dim=encoder.spec.dim)
    ids = np.array(list(records.images), np.int64)
    hashes = (image.content_hash for image in records.images.values())
    store.add(ids, content.contents.embeddings(hashes))
    store_location = store.seal(folder)
    catalog_location = _write_catalog(catalog_settings, folder, records)
    _write_lines(folder / SKIPPED, (_skipped_line(row) for row in content.skipped))
    _write_lines(folder / NOTES, records.notes)
    files = (*store_location.files, *catalog_location.files, SKIPPED, NOTES)
    drawn = records.of_origin(Origin.GENERATED)
    texts = own_texts(encoder, records)
    neighbours = measure_neighbours(store, records, texts)
    manifest = ArchiveManifest(
        version=version,
        program=f"coin-retrieval {__version__}",
        created_at=datetime.now(UTC),
        encoder=encoder.spec,
        encoder_settings=_portable(encoder_settings),
        store=store_settings,
        store_location=store_location,
        catalog=catalog_settings,
        catalog_location=catalog_location,
        index_kind=store.kind,
        measured_recall=measure_recall(store, texts),
        counts=Counts(
            rows=len(records.images) + len(content.skipped) + records.count("duplicate"),
            images=len(records.images),
            cases=len(records.cases),
            skipped=len(content.skipped),
            duplicates=records.count("duplicate"),
            repeated=records.count("repeated"),
            generated=drawn,
            translated=records.of_origin(Origin.TRANSLATED),
        ),
        sources=content.sources,
        where={field: tuple(values) for field, values in content.where.items()},
        demonstration=drawn == len(records.images),
        files={name: seal(folder / name) for name in files},
        real_mean=real_mean(store, records),
        own_neighbours=neighbours.close_match,
        similarity_scale=neighbours.scale,
        calibration=content.calibration,
        pseudonym_key=content.pseudonym_key,
    )
    write_manifest(manifest, folder / MANIFEST)
    return manifest


def _write_catalog(settings: CatalogSettings, folder: Path, records: Records) -> Location:
    with closing(factory.make_catalog(settings, folder)) as catalog:
        cases: list[CaseRecord] = []
        images: list[ImageRecord] = []
        for case, of_case in records.by_case():
            cases.append(case)
            images += of_case
            if len(images) >= _IMAGES_A_PUT:
                catalog.put(cases, images)
                cases, images = [], []
        catalog.put(cases, images)
        return catalog.seal()


def _skipped_line(skipped: SkippedRow) -> dict[str, Any]:
    row = skipped.row
    return {"path": str(row.image_path), "case_id": row.case_id, "reason": skipped.reason}


def _write_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="ascii") as file:
        for line in lines:
            file.write(json.dumps(line) + "\n")


def _portable(settings: EncoderSettings) -> EncoderSettings:
    """As another process reads it: from any folder, and without the GPU that built."""
    changes: dict[str, Any] = {"device": "auto"}
    if Path(settings.model).is_dir():
        changes["model"] = str(Path(settings.model).absolute())
    for name in ("text_tower", "checkpoint"):
        file = getattr(settings, name, None)
        if isinstance(file, Path):
            changes[name] = file.absolute()
    return settings.model_copy(update=changes)

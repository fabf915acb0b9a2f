"""The archive without some of its rows, as its next version."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from coin_retrieval.archive import ArchiveLayout, ArchiveManifest
from coin_retrieval.archive.layout import NOTES, SKIPPED
from coin_retrieval.archive.manifest import Change, Counts
from coin_retrieval.archive.publish import next_version, staging
from coin_retrieval.types import ImageRecord, RowMask
from indexer.embedding.contents import EmbeddedContents
from indexer.versions.journal import Journal
from indexer.versions.new_segments import NewSegments
from indexer.versions.segments_before import ArchiveBefore
from indexer.versions.version import VersionContent, publish_version, write_lines


def publish_without(
    layout: ArchiveLayout,
    before: ArchiveBefore,
    gone: Sequence[RowMask],
    cases: set[str],
    *,
    purge: bool = False,
    always: Collection[str] = (),
    command: str = "remove",
) -> ArchiveManifest:
    """The archive without some rows as its next version.

    Args:
        gone: which rows of each segment go, and ``cases`` those of which no image is left.
        purge: name nothing of it in lists, and write segments that have it anew.
        always: folders of segments that are written anew in any case.
    """
    was = before.manifest
    assert was is not None  # noqa: S101
    removed = sum(int(np.count_nonzero(mask)) for mask in gone)
    repeated = _repeated_less(before, gone)
    for segment, mask in zip(before.segments, gone, strict=True):
        segment.replaced |= mask
    version = next_version(layout)
    journal = Journal(layout, was.encoder)
    contents = EmbeddedContents(journal)
    new = NewSegments(layout, contents, store=was.store, catalog=was.catalog)
    contents_gone = {image.content_hash for image in gone_images(before, gone)} if purge else set()

    def names(line: dict[str, Any]) -> bool:
        """Whether a line of a list says anything of what goes."""
        ids = {line.get("case_id"), line.get("other_case_id")}
        return bool(ids & cases) or line.get("content_hash") in contents_gone

    with new, contents, staging(layout, version) as staged:
        for name in (SKIPPED, NOTES):
            lines = _lines(layout.version(was.version) / name)
            write_lines(staged / name, (line for line in lines if not (purge and names(line))))
        skipped = sum(1 for _ in _lines(staged / SKIPPED))
        touched = {
            segment.entry.folder
            for segment, mask in zip(before.segments, gone, strict=True)
            if purge and (mask.any() or segment.entry.removed)
        }
        kept = new.merge(before, keep_unseen=True, always=touched.union(always))

        def counts(images: dict[str, int]) -> Counts:
            return Counts(
                rows=images["images"] + skipped + was.counts.duplicates,
                cases=was.counts.cases - len(cases),
                skipped=skipped,
                duplicates=was.counts.duplicates,
                repeated=was.counts.repeated - repeated,
                **images,
            )

        content = VersionContent(
            kept=kept,
            new=new.seal(),
            encoder=was.encoder,
            encoder_settings=was.encoder_settings,
            store=was.store,
            catalog=was.catalog,
            change=Change(command=command, removed=removed, note="purged" if purge else ""),
            counts=counts,
            sources=was.sources,
            where=was.where,
            calibration=was.calibration,
            before=was,
            pseudonym_key=was.pseudonym_key,
        )
        return publish_version(layout, staged, version, content, encoder=None)


def gone_images(before: ArchiveBefore, gone: Sequence[RowMask]) -> Iterator[ImageRecord]:
    """The images of rows that go."""
    for segment, mask in zip(before.segments, gone, strict=True):
        yield from segment.catalog.images(segment.catalog.ids()[mask].tolist()).values()


def _repeated_less(before: ArchiveBefore, gone: Sequence[RowMask]) -> int:
    """By how many fewer images repeat a content of another case."""
    removed: dict[str, int] = {}
    for image in gone_images(before, gone):
        removed[image.content_hash] = removed.get(image.content_hash, 0) + 1
    there: dict[str, int] = {}
    for image in before.catalog.of_contents(removed):
        there[image.content_hash] = there.get(image.content_hash, 0) + 1
    return sum(
        there[content] - 1 - max(0, there[content] - count - 1)
        for content, count in removed.items()
    )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="ascii") as file:
        for line in file:
            yield json.loads(line)

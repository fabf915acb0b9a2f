"""A part of an archive by its labels: which reports have something to find there?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from coin_retrieval.archive import Archive
from coin_retrieval.catalog.base import Where
from coin_retrieval.errors import InputError
from coin_retrieval.types import ImageId, ImageRecord
from coin_retrieval.wordings.labelled_reports import LabelledReport, require_label


@dataclass(frozen=True)
class LabelledPictures:
    """Pictures in the order of their cases, within a case by id; ``by`` is the label's field."""

    images: tuple[ImageRecord, ...]
    by: str

    def label(self, image: ImageRecord) -> str:
        """``""`` where it has none."""
        return str(getattr(image, self.by))

    @cached_property
    def cases(self) -> Counter[str]:
        """How many cases have each label."""
        return Counter(label for _, label in self._pairs)

    def findable(self, report: LabelledReport) -> int:
        """How many cases have the report's label, its own case not counted."""
        return self.cases[report.label] - ((report.case_id, report.label) in self._pairs)

    def answerable(self, reports: Iterable[LabelledReport]) -> list[LabelledReport]:
        """The reports whose label some case other than their own has.

        Raises:
            InputError: there is none.
        """
        asked = [report for report in reports if self.findable(report)]
        if not asked:
            raise InputError(
                "no query has a label of this archive",
                value=f"labels by {self.by}",
                expected=f"one of {', '.join(sorted(self.cases)) or 'none: no label is there'}",
                remedy="name the label as the archive does, or another --by",
            )
        return asked

    @cached_property
    def _pairs(self) -> frozenset[tuple[str, str]]:
        """(case, label) of every labelled picture."""
        named = ((image.case_id, self.label(image)) for image in self.images)
        return frozenset(pair for pair in named if pair[1])


def labelled_pictures(archive: Archive, *, where: Where | None, by: str) -> LabelledPictures:
    """The pictures of an archive that fit a filter.

    Args:
        by: the picture's field that is the label: ``finding`` or ``diagnosis``.

    Raises:
        InputError: no such label, or no picture fits.
        FilterError: a field that the archive does not have.
    """
    require_label(by)
    ids = archive.catalog.select(where or {})
    images = archive.catalog.images(ImageId(int(i)) for i in ids).values()
    if not images:
        raise InputError("no picture of the archive fits the filter", value=dict(where or {}))
    return LabelledPictures(tuple(sorted(images, key=lambda i: (i.case_id, i.image_id))), by)

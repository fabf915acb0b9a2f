"""Queries that an archive can answer, and others, for "no close match" to tell apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from coin_retrieval.archive import Archive
from coin_retrieval.catalog.base import Where
from coin_retrieval.errors import InputError
from coin_retrieval.evaluation.pictures.picture_sets import read_pictures
from coin_retrieval.images.decoding import load_image
from coin_retrieval.types import ImageId, RgbImage
from coin_retrieval.wordings.labelled_reports import labelled_reports, require_label


@dataclass(frozen=True, slots=True)
class Question:
    """A report, or what reads a picture; ``case_id`` is the case that it must not find."""

    report: str = ""
    picture: Callable[[], RgbImage] | None = None
    label: str = ""
    case_id: str = ""


def questions_of(
    archive: Archive,
    queries: Path | None,
    outside: Path | None,
    *,
    pictures: bool,
    by: str = "finding",
    outside_where: Where | None = None,
    sample: int = 500,
) -> tuple[list[Question], list[Question]]:
    """Questions that the archive can answer, and questions that it cannot.

    Args:
        queries: a CSV of reports, or a manifest of ``pictures``; ``None`` takes the held-out
            wordings, or the archive's own pictures.
        outside: the same, of what the archive lacks; ``None`` takes those of the queries whose
            label it does not have.
        by: the label: ``finding`` or ``diagnosis``.
        outside_where: only these pictures of ``outside``.
        sample: at most so many pictures of each kind, the same ones every time.

    Raises:
        InputError: ``by`` is no label, or an outside question has a label of the archive.
        CaseTableError, NotFoundError: a file that cannot be read.
    """
    require_label(by)
    labels = {label for label in archive.catalog.values(by) if label}
    if pictures:
        asked = _pictures(queries, by) if queries else _own_pictures(archive, by)
        further = _pictures(outside, by, outside_where) if outside else None
    else:
        asked = _reports(queries, by)
        further = _reports(outside, by) if outside else None
    inside, others = _split(asked, labels)
    if further is not None:
        known, others = _split(further, labels)
        if known:
            raise InputError(
                "an outside query has a label of the archive",
                value=known[0].label,
                expected=f"a {by} that the archive lacks",
                remedy="leave such rows out: the archive may well hold a close match for them",
            )
    return (_some(inside, sample), _some(others, sample)) if pictures else (inside, others)


def _reports(path: Path | None, by: str) -> list[Question]:
    return [
        Question(row.report, label=row.label, case_id=row.case_id)
        for row in labelled_reports(path, by=by)
    ]


def _pictures(path: Path, by: str, where: Where | None = None) -> list[Question]:
    found = read_pictures([path], where=where)
    return [
        Question(picture=partial(load_image, row.image_path), label=label, case_id=row.case_id)
        for row, label in zip(found.rows, found.labels(by), strict=True)
    ]


def _own_pictures(archive: Archive, by: str) -> list[Question]:
    images = archive.catalog.images(ImageId(int(i)) for i in archive.store.ids()).values()
    return [
        Question(
            picture=partial(archive.picture, image),
            label=str(getattr(image, by)),
            case_id=image.case_id,
        )
        for image in images
    ]


def _split(
    questions: Iterable[Question], labels: set[str]
) -> tuple[list[Question], list[Question]]:
    """The questions whose label the archive has, and the others."""
    asked = list(questions)
    return [q for q in asked if q.label in labels], [q for q in asked if q.label not in labels]


def _some(questions: Sequence[Question], most: int) -> list[Question]:
    few = len(questions) <= most
    return list(questions) if few else Random(0).sample(questions, most)  # noqa: S311

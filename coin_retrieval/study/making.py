"""A study's pictures: which of an archive are read, and what retrieval shows beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from coin_retrieval.archive import Archive
from coin_retrieval.errors import InputError
from coin_retrieval.images.decoding import load_image
from coin_retrieval.progress import Progress, silent
from coin_retrieval.search.query import Query
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.study.blinding import Blinding, common_size_px
from coin_retrieval.study.kind import Kind
from coin_retrieval.study.models import HelpCase, Item, StudyPlan
from coin_retrieval.tables.cases import CaseRow
from coin_retrieval.types import ImageRecord, Origin, RgbImage

STAGE = "pictures"
REAL, DRAWN = "real", "drawn"


def diagnosis_study(
    retriever: Retriever,
    *,
    title: str,
    pictures: int,
    by: str = "diagnosis",
    help_cases: int = 5,
    washout_days: float = 28,
    seed: int = 0,
    on: Progress = silent,
) -> tuple[StudyPlan, dict[str, bytes]]:
    """Pictures of an archive to be diagnosed without and with its nearest other cases.

    Retrieval searches with the picture itself; its own case is never among what it shows, nor is
    another case of the same patient.

    Returns:
        the plan, and the blinded pictures by name.

    Raises:
        InputError: fewer than two labels, or no picture.
    """
    archive = retriever.archive
    chosen = _balanced(_real_images(archive, by), by, pictures, seed=seed)
    labels = sorted({_label(image, by) for image in chosen})
    if len(labels) < 2:
        raise InputError(
            "a study of diagnoses needs at least two of them",
            value=", ".join(labels) or None,
            expected=f"an archive whose pictures bear several values of {by}",
        )
    images = [load_image(archive.image_path(record)) for record in chosen]
    blinding = Blinding(common_size_px(images))
    counts = archive.catalog.values(by)
    items: list[Item] = []
    for record, image in zip(chosen, images, strict=True):
        on(STAGE, len(items), len(chosen))
        items.append(
            Item(
                picture=blinding.name_of(f"image {record.image_id}", image),
                truth=_label(record, by),
                finding=record.finding,
                in_archive=counts.get(_label(record, by), 0),
                source=f"{record.case_id}/{record.image_id}",
                help=_help(retriever, record, image, blinding, by=by, most=help_cases),
            )
        )
    on(STAGE, len(chosen), len(chosen))
    plan = StudyPlan(
        kind=Kind.DIAGNOSIS, title=title, choices=tuple(labels), washout_days=washout_days,
        items=tuple(items), made={**_made(archive, blinding, seed), "by": by, "help": help_cases},
    )  # fmt: skip
    return plan, blinding.pictures


def real_or_drawn_study(
    archive: Archive,
    drawn: Sequence[CaseRow],
    *,
    title: str,
    pictures: int,
    by: str = "finding",
    seed: int = 0,
) -> tuple[StudyPlan, dict[str, bytes]]:
    """As many real pictures of an archive as drawn ones, label by label.

    Args:
        drawn: rows of a set that ``coin generate`` drew.
        pictures: of both kinds together, at most.

    Raises:
        InputError: no label has both real and drawn pictures.
    """
    counts = archive.catalog.values(by)
    drawn_of: dict[str, list[CaseRow]] = defaultdict(list)
    for row in drawn:
        drawn_of[row.value(by)].append(row)
    real = [image for image in _real_images(archive, by) if _label(image, by) in drawn_of]
    chosen = _balanced(real, by, pictures // 2, seed=seed)
    random = np.random.default_rng(seed)
    sides: list[tuple[str, str, bool, RgbImage]] = []
    for record in chosen:
        label = _label(record, by)
        if not drawn_of[label]:
            continue
        other = drawn_of[label].pop(int(random.integers(len(drawn_of[label]))))
        image = load_image(archive.image_path(record))
        sides.append((f"{record.case_id}/{record.image_id}", label, False, image))
        sides.append((str(other.image_path), label, True, load_image(other.image_path)))
    if not sides:
        raise InputError(
            "no label has both real and drawn pictures",
            value=", ".join(sorted(drawn_of)) or None,
            expected=f"some of {', '.join(sorted(counts)[:10])}",
            remedy="draw a set of what the archive holds, or name another --by",
        )
    blinding = Blinding(common_size_px([image for *_, image in sides]))
    items = tuple(
        Item(
            picture=blinding.name_of(source, image), truth=DRAWN if is_drawn else REAL,
            finding=label, in_archive=counts.get(label, 0), drawn=is_drawn, source=source,
        )
        for source, label, is_drawn, image in sides
    )  # fmt: skip
    plan = StudyPlan(
        kind=Kind.REAL_OR_DRAWN, title=title, choices=(REAL, DRAWN), washout_days=0, items=items,
        made={**_made(archive, blinding, seed), "by": by},
    )  # fmt: skip
    return plan, blinding.pictures


def _made(archive: Archive, blinding: Blinding, seed: int) -> dict[str, str | int]:
    encoder = archive.manifest.encoder
    return {
        "archive_version": archive.version, "encoder": encoder.name, "size_px": blinding.size_px,
        "seed": seed,
    }  # fmt: skip


def _label(image: ImageRecord, by: str) -> str:
    return str(getattr(image, by))


def _real_images(archive: Archive, by: str) -> list[ImageRecord]:
    """One labelled picture a case; of a demonstration archive its drawn ones."""
    if by not in {"diagnosis", "finding"}:
        raise InputError("no such label", value=by, expected="diagnosis or finding")
    catalog = archive.catalog
    where = {} if archive.manifest.demonstration else {"origin": [Origin.REAL.value]}
    records = catalog.images(catalog.select(where).tolist()).values()
    first: dict[str, ImageRecord] = {}
    for record in sorted(records, key=lambda image: image.image_id):
        if _label(record, by):
            first.setdefault(record.case_id, record)
    return list(first.values())


def _balanced(
    records: Sequence[ImageRecord], by: str, most: int, *, seed: int
) -> list[ImageRecord]:
    """As many pictures of each label as there can be, drawn by lot.

    Raises:
        InputError: there are more labels than pictures.
    """
    random = np.random.default_rng(seed)
    queues: dict[str, list[ImageRecord]] = defaultdict(list)
    for index in random.permutation(len(records)):
        queues[_label(records[index], by)].append(records[index])
    chosen: list[ImageRecord] = []
    for turn in range(max((len(queue) for queue in queues.values()), default=0)):
        ready = [label for label in sorted(queues) if len(queues[label]) > turn]
        if len(chosen) + len(ready) > most:
            if not chosen:
                raise InputError(
                    "fewer pictures than labels", value=most, expected=f"at least {len(ready)}"
                )
            break
        chosen += [queues[label][turn] for label in ready]
    return chosen


def _help(
    retriever: Retriever,
    record: ImageRecord,
    image: RgbImage,
    blinding: Blinding,
    *,
    by: str,
    most: int,
) -> tuple[HelpCase, ...]:
    archive = retriever.archive
    own = archive.catalog.cases([record.case_id])[record.case_id]
    # some of the nearest may be the same patient's
    found = retriever.search(Query(k=2 * most + 1), image).cases
    others = [
        one
        for one in found
        if one.case.case_id != own.case_id
        and not (own.patient_id and one.case.patient_id == own.patient_id)
    ]
    shown = []
    for one in others[:most]:
        best = one.matches[0].image
        picture = load_image(archive.thumbnail_path(best))
        name = blinding.name_of(f"image {best.image_id}", picture)
        finding = best.finding if best.finding != best.diagnosis else ""
        shown.append(HelpCase(picture=name, diagnosis=_label(best, by), finding=finding))
    return tuple(shown)

"""Sets of pictures to measure: which files, what is known of them, and what may not be compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coin_retrieval.errors import CaseTableError, FilterError, InputError, NotFoundError
from coin_retrieval.images.decoding import SUFFIXES, load_image
from coin_retrieval.tables.cases import MANIFEST, CaseRow, read_case_table
from coin_retrieval.types import Origin
from coin_retrieval.wordings.labelled_reports import require_label

_LOOKED_AT = 32


@dataclass(frozen=True, slots=True)
class PictureSet:
    """Pictures under one name; ``rows`` know their files, cases and labels."""

    name: str
    rows: tuple[CaseRow, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def labels(self, by: str) -> list[str]:
        """The label of each picture: its ``finding`` or ``diagnosis``."""
        require_label(by)
        return [str(getattr(row, by)) for row in self.rows]

    def labelled(self, by: str) -> PictureSet:
        """Only the pictures that have a label."""
        kept = zip(self.rows, self.labels(by), strict=True)
        return PictureSet(self.name, tuple(row for row, label in kept if label))

    def sample(self, n: int | None, *, seed: int) -> PictureSet:
        """At most ``n`` pictures, drawn without replacement, in their order."""
        if n is None or n >= len(self.rows):
            return self
        chosen = np.random.default_rng(seed).choice(len(self.rows), n, replace=False)
        return PictureSet(self.name, tuple(self.rows[i] for i in sorted(chosen)))


def read_pictures(
    sources: Sequence[Path], *, where: Mapping[str, Sequence[str]] | None = None
) -> PictureSet:
    """The pictures of manifests (CSV, Parquet) and of folders.

    A folder with a ``cases.csv`` is read by it; of another one all pictures are taken, its
    sub-folders' too. ``where`` is as for an archive: fields are joined by AND, values by OR, letter
    case does not matter.

    Raises:
        NotFoundError: a source that does not exist.
        CaseTableError: a manifest that cannot be read.
        FilterError: a field that no row has.
        InputError: no picture is left.
    """
    rows = [row for source in sources for row in _read(source)]
    for field in where or {}:
        if not any(row.value(field) for row in rows):
            known = sorted({name for row in rows for name in row.attributes})
            raise FilterError(
                "no picture has such a field",
                value=field,
                expected=f"case_id, site, specimen, stain, diagnosis, finding, origin or one of "
                f"{', '.join(known) or 'no further columns'}",
                remedy="filters need a manifest with that column",
            )
    kept = [row for row in rows if row.fits(where or {})]
    if not kept:
        raise InputError(
            "no pictures to measure",
            value=[str(source) for source in sources],
            expected=f"pictures that fit {dict(where)}" if where else "at least one picture",
        )
    chosen = ", ".join(f"{field}={'/'.join(values)}" for field, values in (where or {}).items())
    name = ", ".join(map(str, sources)) + (f" ({chosen})" if chosen else "")
    return PictureSet(name, tuple(kept))


def require_real(pictures: PictureSet) -> PictureSet:
    """The same pictures, if all are real: drawn ones are no yardstick.

    Raises:
        CaseTableError: a row of another origin.
    """
    drawn = [row for row in pictures.rows if row.origin != Origin.REAL]
    if drawn:
        raise CaseTableError(
            f"{len(drawn)} of {len(pictures)} pictures of {pictures.name} are not real",
            value=f"{drawn[0].image_path.name}: {drawn[0].origin}",
            expected="real pictures only",
            remedy="leave them out: filter by origin=real",
        )
    return pictures


def require_drawn(pictures: PictureSet) -> PictureSet:
    """The same pictures, if none is real: real ones among them would flatter a generator.

    Raises:
        CaseTableError: a row that is real, or does not say.
    """
    real = [row for row in pictures.rows if row.origin == Origin.REAL]
    if real:
        raise CaseTableError(
            f"{len(real)} of {len(pictures)} pictures of {pictures.name} are real, or do not say",
            value=f"{real[0].image_path.name}: {real[0].origin}",
            expected="pictures whose manifest has the column origin: generated or translated",
            remedy="coin generate --reports or --like writes such a manifest",
        )
    return pictures


def require_disjoint(training: PictureSet, held_out: PictureSet) -> None:
    """Refuse sets that are not real or share a case: one patient's are too alike to judge by.

    Raises:
        CaseTableError: a row of another origin.
        InputError: they share a case.
    """
    require_real(training)
    require_real(held_out)
    shared = {row.case_id for row in training.rows} & {row.case_id for row in held_out.rows}
    if shared:
        raise InputError(
            "training and held-out pictures share cases",
            value=f"{len(shared)} cases, {min(shared)} among them",
            expected="no case in both",
            remedy="split by case, or filter both manifests (a column split)",
        )


def notes_on(real: PictureSet, generated: PictureSet, *, size_px: int | None) -> list[str]:
    """What makes the two sets differ beyond what they show, or what was done against it."""
    notes = []
    if size_px is not None:
        notes.append(f"every picture was brought to {size_px} px first")
    formats = [_formats(pictures) for pictures in (real, generated)]
    if formats[0] != formats[1]:
        notes.append(
            f"{generated.name} is {formats[1]}, {real.name} is {formats[0]}: compression alone "
            f"moves these figures (compare PNG with PNG)"
        )
    sides = [_typical_side_px(pictures) for pictures in (real, generated)]
    if size_px is None and sides[0] != sides[1]:
        notes.append(
            f"{generated.name} is about {sides[1]} px, {real.name} about {sides[0]} px: resizing "
            f"alone moves these figures (--size-px {min(sides)} makes them alike)"
        )
    return notes


def _read(source: Path) -> list[CaseRow]:
    if source.is_dir() and not (source / MANIFEST).is_file():
        files = sorted(p for p in source.rglob("*") if p.suffix.lower() in SUFFIXES)
        return [CaseRow(path, path.relative_to(source).as_posix()) for path in files]
    if not source.exists():
        raise NotFoundError(
            "no pictures there", value=str(source), expected="a folder or a manifest"
        )
    return list(read_case_table(source / MANIFEST if source.is_dir() else source))


def _formats(pictures: PictureSet) -> str:
    found = {row.image_path.suffix.lower().lstrip(".") for row in pictures.rows}
    return "/".join(sorted("jpeg" if name == "jpg" else name for name in found))


def _typical_side_px(pictures: PictureSet) -> int:
    """The most frequent shorter side among the first pictures."""
    shapes = [load_image(row.image_path).shape for row in pictures.rows[:_LOOKED_AT]]
    ((side_px, _),) = Counter(int(min(shape[:2])) for shape in shapes).most_common(1)
    return side_px

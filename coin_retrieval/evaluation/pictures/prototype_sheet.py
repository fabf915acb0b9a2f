"""Reports, what the generator makes of them, and real pictures of the same label, to look at.

No figure replaces looking: a distance cannot tell a wrong cell that is well drawn. A drawn picture
must never be taken for a patient's, so that every one has a coloured frame and a word of its own,
also where a page is cut up.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from coin_retrieval.errors import InputError
from coin_retrieval.evaluation.pictures.picture_sets import PictureSet, require_real
from coin_retrieval.images.decoding import load_image
from coin_retrieval.images.png import encode_png
from coin_retrieval.presenting.sheet_page import GREY, SYNTHETIC, Page, Tile
from coin_retrieval.progress import Progress, counted, silent
from coin_retrieval.prototypes.drawer import PrototypeDrawer
from coin_retrieval.tables.cases import CaseRow
from coin_retrieval.types import RgbImage
from coin_retrieval.wordings.captions import held_out_reports, load_lexicon

NOTICE = (
    "Left: SYNTHETIC, drawn by a model, no patient. Right: real pictures of the report's label."
)
NOTICE_DRAWN = "SYNTHETIC, drawn by a model, no patient."
SUFFIXES = (".png", ".webp")
ROWS_A_PAGE = 10
_TILE_PX, _GAP_PX = 128, 6
_WEBP_QUALITY = 90
_IMAGE_DESCRIPTION = 0x010E


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One report, the pictures drawn from it, and real pictures of its label."""

    report: str
    label: str
    drawn: Sequence[RgbImage]
    real: Sequence[RgbImage]


def choose_real(pictures: PictureSet, label: str, *, by: str, n: int, seed: int) -> PictureSet:
    """At most ``n`` pictures of a label, a case each while there are cases, in random order."""
    random = np.random.default_rng(seed)
    found = zip(pictures.rows, pictures.labels(by), strict=True)
    rows = [row for row, named in found if named == label]
    rows = [rows[i] for i in random.permutation(len(rows))]
    first = {row.case_id: row for row in reversed(rows)}
    spread = [row for row in rows if first[row.case_id] is row]
    again = [row for row in rows if first[row.case_id] is not row]
    return PictureSet(pictures.name, tuple([*spread, *again][:n]))


def draw_rows(
    drawer: PrototypeDrawer,
    asked: Sequence[CaseRow] | None,
    real: PictureSet | None,
    *,
    by: str = "finding",
    n: int = 8,
    seed: int = 0,
    on: Progress = silent,
) -> list[SheetRow]:
    """Each report's prototypes beside real pictures of its label.

    Args:
        asked: reports with their labels; ``None`` takes a held-out wording of every finding that
            there are real pictures of.
        real: ``None``: drawn ones only.
        n: pictures of each kind.
        seed: of the first prototype, and of the choice of real pictures.

    Raises:
        InputError: there are held-out wordings of none of the labels.
        CaseTableError: a picture of ``real`` that is not.
        ReportError, GenerationError, SettingsError: as :meth:`.PrototypeDrawer.draw` does.
        ImageError: a picture that cannot be read.
    """
    shown = require_real(real).labelled(by) if real is not None else PictureSet("none", ())
    labels = set(shown.labels(by)) if real is not None else None
    rows = []
    for case in counted(_held_out(labels, by) if asked is None else asked, "drawing", on):
        label = str(getattr(case, by))
        chosen = choose_real(shown, label, by=by, n=n, seed=seed)
        drawing = drawer.draw(case.report, n=n, seed=seed)
        drawn = [load_image(prototype.path) for prototype in drawing.prototypes]
        beside = [load_image(row.image_path) for row in chosen.rows]
        rows.append(SheetRow(drawing.report, label, drawn, beside))
    return rows


def _held_out(labels: set[str] | None, by: str) -> list[CaseRow]:
    """The first held-out wording of each finding whose label is wanted."""
    findings = load_lexicon().findings
    every = [
        CaseRow(Path(), "", finding=name, diagnosis=findings[name].diagnosis, report=reports[0])
        for name, reports in held_out_reports().items()
    ]
    asked = [row for row in every if labels is None or getattr(row, by) in labels]
    if not asked:
        raise InputError(
            "there are held-out wordings of none of these labels",
            value=sorted(labels or ())[:5],
            expected="findings of the training lexicon",
            remedy="give your own reports with --queries",
        )
    return asked


def draw_pages(rows: Sequence[SheetRow], *, n: int) -> list[RgbImage]:
    """Pages of ten reports, uint8 [h w 3]: ``n`` drawn pictures left, ``n`` real ones right.

    Where no row has a real picture the pages have no right half.
    """
    starts = range(0, len(rows), ROWS_A_PAGE)
    return [
        _page(rows[start : start + ROWS_A_PAGE], n, f"Page {number} of {len(starts)}.")
        for number, start in enumerate(starts, start=1)
    ]


def _page(rows: Sequence[SheetRow], n: int, numbered: str) -> RgbImage:
    compares = any(row.real for row in rows)
    page = Page(columns=2 * n + 1 if compares else n, tile_px=_TILE_PX, gap_px=_GAP_PX)
    page.text(f"{NOTICE if compares else NOTICE_DRAWN} {numbered}", 22, SYNTHETIC, limit=4)
    for row in rows:
        page.rule()
        page.text(row.report, 24, limit=4)
        lacking = " (no real picture of this label)" if compares and not row.real else ""
        page.text(f"{row.label or 'no label given'}{lacking}", 17, GREY, limit=2)
        page.space(8)
        drawn = [Tile(image, "synthetic") for image in row.drawn]
        apart = [None] * (n + 1 - len(drawn) if compares else 0)
        page.tiles([*drawn, *apart, *(Tile(image, None) for image in row.real)])
    return page.render()


def check_sheet_path(out: Path) -> Path:
    """The same path, if pages can be saved under it.

    Raises:
        InputError: neither PNG nor WebP.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise InputError(
            "a sheet is PNG or WebP",
            value=out.name,
            expected=f"a name that ends in {' or '.join(SUFFIXES)}",
        )
    return out


def save_pages(pages: Sequence[RgbImage], out: Path, *, notice: str = NOTICE) -> list[Path]:
    """Save as ``sheet.png``, ``sheet-2.png`` …, with a notice in their metadata; returns the files.

    Raises:
        InputError: another suffix, or a directory that cannot be written.
    """
    check_sheet_path(out)
    files = [
        out.with_name(f"{out.stem}-{number}{out.suffix}" if number > 1 else out.name)
        for number in range(1, len(pages) + 1)
    ]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        for file, page in zip(files, pages, strict=True):
            file.write_bytes(_encoded(page, file.suffix.lower(), notice))
    except OSError as error:
        raise InputError(
            f"the sheet cannot be saved ({error.strerror})",
            value=str(out),
            expected="a directory that can be created and written",
            remedy="name another file",
        ) from error
    return files


def _encoded(page: RgbImage, suffix: str, notice: str) -> bytes:
    if suffix == ".png":
        return encode_png(page, text={"Description": notice, "synthetic": "the framed pictures"})
    marks = Image.Exif()
    marks[_IMAGE_DESCRIPTION] = notice
    buffer = io.BytesIO()
    Image.fromarray(page).save(buffer, format="WEBP", quality=_WEBP_QUALITY, exif=marks)
    return buffer.getvalue()

"""``--save`` and ``--out``: copies of prototypes, the contact sheet, the answer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from coin_retrieval.archive import Archive
from coin_retrieval.errors import InputError
from coin_retrieval.images import encode_png, load_image
from coin_retrieval.presenting.answer import to_answer
from coin_retrieval.presenting.phrases import DEMONSTRATION_BANNER, FOOTER
from coin_retrieval.presenting.sheet import draw_sheet
from coin_retrieval.prototypes.prototype import Prototype
from coin_retrieval.search.result import SearchResult
from coin_retrieval.types import RgbImage


def save_prototypes(directory: Path, prototypes: Sequence[Prototype]) -> tuple[Prototype, ...]:
    """Copy prototypes, their metadata in them, to ``seed<seed>-<id>.png``; returns the copies.

    Raises:
        InputError: the directory cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        copies = []
        for prototype in prototypes:
            name = f"seed{prototype.provenance.seed}-{prototype.prototype_id[:12]}.png"
            shutil.copyfile(prototype.path, directory / name)
            copies.append(replace(prototype, path=directory / name))
        return tuple(copies)
    except OSError as error:
        raise _not_writable(directory, error) from error


def sheet_of(result: SearchResult, archive: Archive) -> RgbImage:
    """The contact sheet of a search, uint8 [h w 3].

    Raises:
        ImageError: a thumbnail or a prototype cannot be read.
    """
    return draw_sheet(
        result,
        prototype_image=lambda prototype: load_image(prototype.path),
        case_image=lambda image: load_image(archive.thumbnail_path(image)),
        query_image=result.plan.image,
        demonstration=archive.manifest.demonstration,
    )


def save_search(
    directory: Path,
    result: SearchResult,
    archive: Archive,
) -> tuple[SearchResult, Path]:
    """Write ``sheet.png``, ``answer.json`` and ``prototypes/``.

    Paths of prototypes in ``answer.json`` are relative to it. Returns the result with its
    prototypes' copies, and the sheet's path.

    Raises:
        InputError: the directory cannot be written.
        ImageError: a thumbnail or a prototype cannot be read.
    """
    copies = save_prototypes(directory / "prototypes", result.prototypes)
    saved = replace(result, prototypes=copies)
    sheet = sheet_of(saved, archive)
    marks = {"Description": FOOTER, "report": result.report}
    if copies:
        marks["synthetic"] = "the prototypes, not the cases below them"
    if archive.manifest.demonstration:
        marks["demonstration"] = DEMONSTRATION_BANNER
    answer = to_answer(
        saved,
        prototype_path=lambda p: p.path.relative_to(directory).as_posix(),
        sites=archive.catalog.values("site"),
    )
    path = directory / "sheet.png"
    try:
        path.write_bytes(encode_png(sheet, text=marks))
        text = json.dumps(answer.model_dump(mode="json"), indent=2)
        (directory / "answer.json").write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise _not_writable(directory, error) from error
    return saved, path


def _not_writable(directory: Path, error: OSError) -> InputError:
    return InputError(
        f"the pictures cannot be saved ({error.strerror})",
        value=str(directory),
        expected="a directory that can be created and written",
        remedy="name another directory",
    )

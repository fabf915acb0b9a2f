"""``--save`` and ``--out``: copies of prototypes, the contact sheet, the answer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from coin_retrieval.archive import Archive
from coin_retrieval.errors import InputError
from coin_retrieval.files import replace_file
from coin_retrieval.images.decoding import load_image, read_bytes
from coin_retrieval.images.png import encode_png
from coin_retrieval.presenting.answer import SearchAnswer
from coin_retrieval.presenting.phrases import DEMONSTRATION_BANNER, FOOTER
from coin_retrieval.presenting.regions import slide_annotations
from coin_retrieval.presenting.sheet import AnswerPictures, draw_sheet
from coin_retrieval.prototypes.prototype import Prototype
from coin_retrieval.search.result import SearchResult
from coin_retrieval.types import ImageId


def save_prototypes(directory: Path, prototypes: Sequence[Prototype]) -> tuple[Prototype, ...]:
    """Copy prototypes, their metadata in them, to ``seed<seed>-<id>.png``; returns the copies.

    Raises:
        InputError: the directory cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        copies = []
        for prototype in prototypes:
            copy = directory / _name(prototype.provenance.seed, prototype.prototype_id)
            shutil.copyfile(prototype.path, copy)
            copies.append(replace(prototype, path=copy))
        return tuple(copies)
    except OSError as error:
        raise not_writable(directory, error) from error


def pictures_here(result: SearchResult, archive: Archive) -> AnswerPictures:
    """The pictures of a search on this machine: of the cache, and the archive's thumbnails."""
    records = {m.image.image_id: m.image for case in result.cases for m in case.matches}
    return AnswerPictures(
        prototype=lambda one: read_bytes(Path(one.path)),
        case=lambda image: load_image(archive.thumbnail_path(records[ImageId(image.image_id)])),
        query=result.plan.image,
    )


def save_search(
    directory: Path, answer: SearchAnswer, pictures: AnswerPictures, *, demonstration: bool
) -> tuple[SearchAnswer, Path]:
    """Write ``sheet.png``, ``answer.json``, ``prototypes/``, and ``slides/`` with GeoJSON.

    Paths of prototypes in ``answer.json`` are relative to it. Returns the answer with its
    prototypes' copies, and the sheet's path.

    Args:
        demonstration: the archive holds no patients' cells at all.

    Raises:
        InputError: the directory cannot be written.
        ImageError: a thumbnail or a prototype cannot be read.
    """
    files = {_name(one.seed, one.id): pictures.prototype(one) for one in answer.prototypes}
    sheet = draw_sheet(answer, pictures, demonstration=demonstration)
    marks = {"Description": FOOTER, "report": answer.query.report}
    if files:
        marks["synthetic"] = "the prototypes, not the cases below them"
    if demonstration:
        marks["demonstration"] = DEMONSTRATION_BANNER
    path = directory / "sheet.png"
    relative = _moved(answer, Path("prototypes"))
    try:
        (directory / "prototypes").mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (directory / "prototypes" / name).write_bytes(data)
        path.write_bytes(encode_png(sheet, text=marks))
        text = json.dumps(relative.model_dump(mode="json"), indent=2)
        (directory / "answer.json").write_text(text + "\n", encoding="utf-8")
        for slide, annotations in slide_annotations(
            answer.cases, [one.case for one in answer.own]
        ).items():
            name = quote(slide, safe=" ()") or "slide"
            replace_file(directory / "slides" / f"{name}.geojson", json.dumps(annotations))
    except OSError as error:
        raise not_writable(directory, error) from error
    return _moved(answer, directory / "prototypes"), path


def _moved(answer: SearchAnswer, folder: Path) -> SearchAnswer:
    moved = [
        one.model_copy(update={"path": (folder / _name(one.seed, one.id)).as_posix()})
        for one in answer.prototypes
    ]
    return answer.model_copy(update={"prototypes": moved})


def _name(seed: int, prototype_id: str) -> str:
    return f"seed{seed}-{prototype_id[:12]}.png"


def not_writable(directory: Path, error: OSError) -> InputError:
    """What is told where ``--save`` and ``--out`` cannot be written."""
    return InputError(
        f"the pictures cannot be saved ({error.strerror})",
        value=str(directory),
        expected="a directory that can be created and written",
        remedy="name another directory",
    )

"""``coin search --server``: the same question and the same tables, of a running ``coin-serve``."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from coin_retrieval.client import Client
from coin_retrieval.console.session import print_json
from coin_retrieval.errors import ImageError, InputError

if TYPE_CHECKING:
    from coin_retrieval.cli.drawing.made_pictures import Making
    from coin_retrieval.presenting.answer import CaseAnswer, SearchAnswer
    from coin_retrieval.search.query import Query
    from coin_retrieval.types import LayoutSource, RgbImage

_ITS_OWN = Path("server")
"""What ``--translate`` names of a server: whatever it translates with."""


def refuse_local(options: Mapping[str, object]) -> None:
    """Refuse options of a search in this process.

    Raises:
        InputError: the server decides that.
    """
    given = [f"--{name}" for name, value in options.items() if value is not None]
    if given:
        raise InputError(
            "a server searches with its own archive, models and files",
            value=" and ".join(given),
            expected="a question, and how it is shown",
            remedy=f"leave {given[0]} out, or search the archive itself: coin search ARCHIVE",
        )


def search_served(
    url: str,
    query: Query,
    *,
    image: Path | None,
    making: Making,
    save: Path | None,
    as_json: bool,
) -> None:
    """Ask, save and show the answer.

    Raises:
        InputError: ``save`` cannot be written, or a translation by a model of this machine; else
            as :class:`Client` does.
    """
    if making.translate not in (None, _ITS_OWN):
        raise InputError(
            "a server translates with its own model",
            value=f"--translate {making.translate}",
            expected="--translate server",
        )
    picture = None if image is None else _read(image)
    with Client(url) as client:
        if making.layout is not None:
            answer = client.search_layout(_layout(making.layout, client), query)
        else:
            translate = making.translate is not None
            answer = client.search(query, image=picture, translate=translate)
        answer = _addressed(answer, client)
        sheet: Path | None = None
        if save is not None:
            answer, sheet = _save(save, answer, client, picture)
        if as_json:
            print_json(answer.model_dump(mode="json"))
        else:
            _show(answer, client, sheet)


def _layout(given: str, client: Client) -> str | LayoutSource:
    """Words as they are; a table's points, of the squares that the server draws."""
    if Path(given).suffix.lower() != ".csv":
        return given
    from coin_retrieval.prototypes.layouts import layout_of_table

    drawn = client.archive().layouts
    if drawn is None:
        # its refusal says what to do
        return given
    return layout_of_table(Path(given), drawn.kinds, side_px=drawn.side_px)


def _save(
    directory: Path, answer: SearchAnswer, client: Client, picture: bytes | None
) -> tuple[SearchAnswer, Path]:
    from coin_retrieval.cli.drawing.made_pictures import keep
    from coin_retrieval.images.decoding import decode_image
    from coin_retrieval.presenting.saving import save_search
    from coin_retrieval.presenting.sheet import AnswerPictures

    made = _made(answer, client)
    if made is not None and answer.searched_with is not None:
        told = {"path": keep(made, directory).as_posix(), "png": ""}
        kept = answer.searched_with.model_copy(update=told)
        answer = answer.model_copy(update={"searched_with": kept})
    shown = picture if made is None else made
    query: RgbImage | None = None if shown is None else decode_image(shown)
    pictures = AnswerPictures(
        prototype=lambda one: client.picture(one.path),
        case=lambda image: decode_image(client.picture(image.uri)),
        query=query,
    )
    return save_search(directory, answer, pictures, demonstration=client.archive().demonstration)


def _made(answer: SearchAnswer, client: Client) -> bytes | None:
    """The file of the picture that was made for this search."""
    made = answer.searched_with
    if made is None:
        return None
    return client.picture(made.path) if made.path else base64.b64decode(made.png)


def _show(answer: SearchAnswer, client: Client, sheet: Path | None) -> None:
    from rich.console import Console

    from coin_retrieval.cli.tables import REAL, show_answer

    def values(field: str) -> Mapping[str, int]:
        fields = {one.name: one.values for one in client.archive().fields}
        return {one.value: one.images for one in fields.get(field, [])}

    drawn = any(image.origin != REAL for case in answer.cases for image in case.images)
    show_answer(
        Console(),
        answer,
        values=values,
        # only then the server need be asked whether it has any patients
        demonstration=drawn and client.archive().demonstration,
        sheet=sheet,
    )


def _addressed(answer: SearchAnswer, client: Client) -> SearchAnswer:
    """Whole addresses in place of paths: they can be followed from here."""
    prototypes = [
        one.model_copy(update={"path": client.url_of(one.path)}) for one in answer.prototypes
    ]
    made = answer.searched_with
    if made is not None and made.path:
        made = made.model_copy(update={"path": client.url_of(made.path)})
    own = [one.model_copy(update={"case": _case(one.case, client)}) for one in answer.own]
    cases = [_case(case, client) for case in answer.cases]
    whole = {"prototypes": prototypes, "searched_with": made, "own": own, "cases": cases}
    return answer.model_copy(update=whole)


def _case(case: CaseAnswer, client: Client) -> CaseAnswer:
    images = [image.model_copy(update={"uri": client.url_of(image.uri)}) for image in case.images]
    return case.model_copy(update={"images": images})


def _read(image: Path) -> bytes:
    try:
        return image.read_bytes()
    except OSError as error:
        raise ImageError(
            f"image file cannot be read ({error.strerror})",
            value=str(image),
            expected="an existing, readable file",
        ) from error

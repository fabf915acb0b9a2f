"""``coin search --server``: the same question and the same tables, of a running ``coin-serve``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from coin_retrieval.client import Client
from coin_retrieval.console.session import print_json
from coin_retrieval.errors import ImageError, InputError

if TYPE_CHECKING:
    from coin_retrieval.presenting.answer import CaseAnswer, SearchAnswer
    from coin_retrieval.search.query import Query


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
    url: str, query: Query, *, image: Path | None, save: Path | None, as_json: bool
) -> None:
    """Ask, save and show the answer.

    Raises:
        InputError: ``save`` cannot be written; else as :class:`Client` does.
    """
    picture = None if image is None else _read(image)
    with Client(url) as client:
        answer = _addressed(client.search(query, image=picture), client)
        sheet: Path | None = None
        if save is not None:
            answer, sheet = _save(save, answer, client, picture)
        if as_json:
            print_json(answer.model_dump(mode="json"))
        else:
            _show(answer, client, sheet)


def _save(
    directory: Path, answer: SearchAnswer, client: Client, picture: bytes | None
) -> tuple[SearchAnswer, Path]:
    from coin_retrieval.images import decode_image
    from coin_retrieval.presenting.saving import save_search
    from coin_retrieval.presenting.sheet import AnswerPictures

    pictures = AnswerPictures(
        prototype=lambda one: client.picture(one.path),
        case=lambda image: decode_image(client.picture(image.uri)),
        query=None if picture is None else decode_image(picture),
    )
    return save_search(directory, answer, pictures, demonstration=client.archive().demonstration)


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
    own = [one.model_copy(update={"case": _case(one.case, client)}) for one in answer.own]
    cases = [_case(case, client) for case in answer.cases]
    return answer.model_copy(update={"prototypes": prototypes, "own": own, "cases": cases})


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

"""What is asked over HTTP → what the library takes."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Form
from pydantic import TypeAdapter, ValidationError

from coin_retrieval.errors import FilterError
from coin_retrieval.search.query import Query
from coin_retrieval.types import SearchMode
from server.limits import MAX_CASES, MAX_MARKS, MAX_PROTOTYPES, MAX_SEED
from server.schemas import SearchRequest, WhereValue, where_values

_WHERE = TypeAdapter(dict[str, WhereValue])


def report_query(asked: SearchRequest) -> Query:
    """The question of a JSON body."""
    return Query(
        report=asked.report,
        mode=SearchMode(asked.mode) if asked.mode else None,
        k=asked.k,
        where=where_values(asked.where),
        prototypes=asked.prototypes,
        seed=asked.seed,
        liked=tuple(asked.liked),
        disliked=tuple(asked.disliked),
        unlike=asked.unlike,
        diversity=asked.diversity,
        near_duplicates=asked.near_duplicates,
    )


async def picture_query(
    report: Annotated[
        str, Form(description="a report to search with besides the picture; may be left out")
    ] = "",
    mode: Annotated[
        Literal["fused", "prototype", "text"] | None,
        Form(description="how the report is searched with, as in POST /v1/search"),
    ] = None,
    k: Annotated[int, Form(ge=1, le=MAX_CASES, description="how many cases to find")] = 10,
    where: Annotated[
        str,
        Form(
            description="a JSON object as in POST /v1/search",
            examples=['{"site": "cervix"}'],
        ),
    ] = "{}",
    liked: Annotated[
        list[str] | None,
        Form(max_length=MAX_MARKS, description="case ids to find more of; repeat the field"),
    ] = None,
    disliked: Annotated[
        list[str] | None,
        Form(max_length=MAX_MARKS, description="case ids that are not it; repeat the field"),
    ] = None,
    unlike: Annotated[str, Form(description="what is not looked for, in words")] = "",
    diversity: Annotated[float, Form(ge=0, le=1, description="as in POST /v1/search")] = 0.0,
    near_duplicates: Annotated[bool, Form(description="as in POST /v1/search")] = False,
    prototypes: Annotated[
        int | None,
        Form(
            ge=1, le=MAX_PROTOTYPES, description="pictures to draw of the report, if there is one"
        ),
    ] = None,
    seed: Annotated[int, Form(ge=0, le=MAX_SEED, description="of the first drawing")] = 0,
) -> Query:
    """The question of a form, its picture not yet decoded.

    Raises:
        FilterError: ``where`` is no JSON object.
    """
    return Query(
        report=report,
        mode=SearchMode(mode) if mode else None,
        k=k,
        where=_read_where(where),
        prototypes=prototypes,
        seed=seed,
        liked=tuple(liked or ()),
        disliked=tuple(disliked or ()),
        unlike=unlike,
        diversity=diversity,
        near_duplicates=near_duplicates,
    )


def _read_where(text: str) -> dict[str, list[str]]:
    try:
        return where_values(_WHERE.validate_json(text or "{}"))
    except ValidationError as error:
        raise FilterError(
            "the filter cannot be read",
            value=text,
            expected='a JSON object of field → value or list of values, such as {"site": "cervix"}',
            remedy="send the form field `where` as JSON, or leave it out",
        ) from error

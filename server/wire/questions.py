"""Questions that are no plain query: in a form, with a picture; of a layout of nuclei."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any

from fastapi import UploadFile
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Json,
    Tag,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from coin_retrieval.limits import MAX_NUCLEI
from coin_retrieval.search.query import Flag, Query, Question, Share, Where
from coin_retrieval.types import LayoutSource

MAX_WORDS = 500
"""Characters of a layout in words."""

_TEXT: TypeAdapter[dict[str, str | list[str]]] = TypeAdapter(Json[dict[str, str | list[str]]])


def _from_json(where: Any) -> Any:
    """A form has no objects: the filter comes as JSON text."""
    if not isinstance(where, str):
        return where
    try:
        return _TEXT.validate_python(where or "{}")
    except ValidationError:
        raise ValueError(
            'a JSON object of field → value or list of values, such as {"site": "cervix"}'
        ) from None


_VALUE: TypeAdapter[bool | int | float | None] = TypeAdapter(bool | int | float | None)
_NO_TEXT = {
    *("k", "prototypes", "seed", "variations", "diversity", "width", "image_mpp_um", "translate"),
    *(name for name, field in Query.model_fields.items() if field.annotation is bool),
}


def _word(name: str, value: Any) -> Any:
    if name not in _NO_TEXT or not isinstance(value, str):
        return value
    with suppress(ValidationError):
        return _VALUE.validate_json(value)
    return value


class PictureQuery(Query):
    """The fields of POST /v1/search, ``where`` as JSON text, beside a picture."""

    where: Annotated[Where, BeforeValidator(_from_json, json_schema_input_type=str)] = Field(
        default_factory=dict,
        description="a JSON object as in POST /v1/search",
        examples=['{"site": "cervix"}'],
    )
    image: UploadFile = Field(description="JPEG, PNG, TIFF, WebP, BMP or GIF")
    translate: Flag = Field(
        default=False,
        description="true translates the picture first, as from histology, where the server has a "
        "translator (GET /v1/archive: translator); the answer is of a synthetic picture",
    )

    @model_validator(mode="before")
    @classmethod
    def _read_texts(cls, form: Any) -> Any:
        """A form has no numbers either: they come in the words of JSON."""
        if not isinstance(form, Mapping):
            return form
        return {name: _word(name, value) for name, value in form.items()}

    def plain(self) -> Query:
        """The question without its picture."""
        return Query.model_validate(self.model_dump(exclude={"image", "translate"}))


class Nucleus(BaseModel):
    """Where a nucleus is to lie."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    x: Share = Field(ge=0, lt=1, description="from the left, as a share of the width")
    y: Share = Field(ge=0, lt=1, description="from the top, as a share of the height")
    type: str = Field(
        default="",
        description="one of the kinds that GET /v1/archive names (layouts); empty: the first",
    )


class Nuclei(BaseModel):
    """Nuclei that were placed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    points: list[Nucleus] = Field(min_length=1, max_length=MAX_NUCLEI)


def _kind_of_layout(given: Any) -> str:
    return "words" if isinstance(given, str) else "nuclei"


Layout = Annotated[
    Annotated[str, Field(min_length=1, max_length=MAX_WORDS), Tag("words")]
    | Annotated[Nuclei, Tag("nuclei")],
    Discriminator(_kind_of_layout),
]


class LayoutQuery(Question):
    """Nuclei, in words or as points, and how to search with the picture that is drawn of them."""

    layout: Layout = Field(
        description="words, such as “twelve crowded large nuclei, two mitoses”, or points",
        examples=[
            "twelve crowded large nuclei, two mitoses",
            {"points": [{"x": 0.4, "y": 0.5}, {"x": 0.6, "y": 0.5}]},
        ],
    )

    def plain(self) -> Query:
        """The question without its layout."""
        return Query.model_validate(self.model_dump(exclude={"layout"}))

    def source(self) -> str | LayoutSource:
        """The layout as the library takes it."""
        if isinstance(self.layout, str):
            return self.layout
        return LayoutSource(tuple((one.x, one.y, one.type) for one in self.layout.points))

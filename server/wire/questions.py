"""A question in a form: the library's own query, with a picture."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any

from fastapi import UploadFile
from pydantic import BeforeValidator, Field, Json, TypeAdapter, ValidationError, model_validator

from coin_retrieval.search.query import Query, Where

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
    *("k", "prototypes", "seed", "variations", "diversity", "width", "image_mpp_um"),
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

    @model_validator(mode="before")
    @classmethod
    def _read_texts(cls, form: Any) -> Any:
        """A form has no numbers either: they come in the words of JSON."""
        if not isinstance(form, Mapping):
            return form
        return {name: _word(name, value) for name, value in form.items()}

    def plain(self) -> Query:
        """The question without its picture."""
        return Query.model_validate(self.model_dump(exclude={"image"}))

"""What is asked: one model for the library, the command line, a JSON body and a form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, ValidationError

from coin_retrieval.errors import InputError
from coin_retrieval.limits import (
    DEFAULT_CASES,
    DEFAULT_PROTOTYPES,
    MAX_CASES,
    MAX_MARKS,
    MAX_PROTOTYPES,
    MAX_SEED,
    MAX_WIDTH,
)
from coin_retrieval.types import SearchMode


def _as_lists(where: Any) -> Any:
    """A filter's single values stand for lists of one."""
    if not isinstance(where, Mapping):
        return where
    return {
        field: [values] if isinstance(values, str) else values for field, values in where.items()
    }


Where = Annotated[
    dict[str, list[str]],
    BeforeValidator(_as_lists, json_schema_input_type=dict[str, str | list[str]]),
]


def _a_number(value: Any) -> Any:
    """JSON's own numbers only: true is no seed."""
    if isinstance(value, bool | str):
        raise ValueError("a number is expected")
    return value


Whole = Annotated[int, BeforeValidator(_a_number)]
Share = Annotated[float, BeforeValidator(_a_number)]
Flag = Annotated[bool, Strict()]
Marks = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(max_length=MAX_MARKS)]


class Question(BaseModel):
    """What every search is asked with, whatever it searches for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    k: Whole = Field(
        default=DEFAULT_CASES, ge=1, le=MAX_CASES, description="how many cases to find"
    )
    where: Where = Field(
        default_factory=dict,
        description="only images that fit: field → value, or a list of values of which one must "
        "fit; fields are joined by AND. GET /v1/archive names the fields and their values",
        examples=[{"site": "cervix"}],
    )
    seed: Whole = Field(
        default=0, ge=0, le=MAX_SEED, description="picture i is drawn from seed + i"
    )
    liked: Marks = Field(
        default=(),
        description="case ids that a reader marked; the query moves towards the liked ones and "
        "away from the disliked (Rocchio 1971)",
        examples=[["case-17"]],
    )
    disliked: Marks = Field(default=(), description="case ids that are not what is looked for")
    unlike: str = Field(
        default="",
        description="what is not looked for, in words",
        examples=["inflammation only"],
    )
    diversity: Share = Field(
        default=0.0,
        ge=0,
        le=1,
        description="0 lists the nearest cases; above it, cases that differ are preferred "
        "(maximal marginal relevance); support is of the nearest ones either way",
    )
    width: Share | None = Field(
        default=None,
        ge=1,
        le=MAX_WIDTH,
        description="how many times as widely as the archive was tuned its index is looked "
        "through: slower, and nearer to finding all. An index that compares all pictures already "
        "does",
    )
    near_duplicates: Flag = Field(
        default=False,
        description="true lists pictures that repeat another case's; false folds them under that "
        "case, as no independent evidence",
    )
    rivals: Flag = Field(
        default=False,
        description="also find the nearest real cases of the leading diagnosis and of its rivals, "
        "and what differs in their attributes",
    )
    explain: Flag = Field(
        default=False,
        description="also tell at which rank each part of the query alone would find each picture",
    )


class Query(Question):
    """A report, and how to search with it or with a picture that is given beside it.

    ``mode`` ``None`` means what the archive was calibrated to, else the best there is: fused where
    the encoder reads text and a generator draws, else the one of the two that can; a picture alone
    is always searched as itself.
    """

    report: str = Field(
        default="",
        description="a cytology report in plain words; it is neither stored nor logged, and the "
        "prototypes drawn from it do not carry it",
        examples=["Bilobed nucleus; the cytoplasm is packed with coarse orange-red granules."],
    )
    as_written: Flag = Field(
        default=False,
        description="true searches all words of the report; false what it affirms: what is denied, "
        "past, of another person, about the specimen or advice is left out, and the answer says so",
    )
    specimen: str = Field(
        default="",
        description="which specimen of a report that tells of several: its letter or number, else "
        "its site, as the answer names them; all: all of them together; leave it out for the first",
        examples=["B"],
    )
    mode: SearchMode | None = Field(
        default=None,
        description="how the report becomes a query: by the pictures drawn from it (prototype), "
        "by its text, or by both (fused); leave it out for what the archive was calibrated to, "
        "else the best that it supports. A picture alone is mode image",
    )
    all_sites: Flag = Field(
        default=False,
        description="true searches all sites; false that which the report names or its category "
        "implies, if it does and the archive has it. A site in `where` comes before either",
    )
    unspecified_sites: Flag = Field(
        default=False,
        description="true searches cases of unspecified site beside those of the report's",
    )
    prototypes: Whole | None = Field(
        default=None,
        ge=1,
        le=MAX_PROTOTYPES,
        description="how many pictures to draw; leave it out for what the archive was calibrated "
        f"to, else {DEFAULT_PROTOTYPES}",
    )
    variations: Whole = Field(
        default=0,
        ge=0,
        le=MAX_PROTOTYPES,
        description="how many synthetic pictures are drawn from the picture given beside it, near "
        "to it, and searched with it from seed on; they are kept nowhere but in the answer",
    )
    image_mpp_um: Share | None = Field(
        default=None,
        gt=0,
        le=20,
        description="micrometres a pixel of the picture given beside it, if known: where the "
        "archive's pictures tell theirs, it is searched with at their scale, up to twice as large "
        "or as small, and the answer says so",
    )
    gate: Flag = Field(
        default=True,
        description="false lets every drawing count; true reads each one back, and those that show "
        "something else than the report says are drawn anew and never count",
    )

    @classmethod
    def of(cls, **fields: Any) -> Self:
        """A query of what a caller gave.

        Raises:
            InputError: an unknown field, or a value out of range.
        """
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise unusable(error) from error

    def at_scale(self, mpp_um: float | None) -> Self:
        """The query, with the scale that its picture's file tells, if it names none itself."""
        if mpp_um is None or self.image_mpp_um is not None:
            return self
        return type(self).of(**self.model_dump() | {"image_mpp_um": mpp_um})


def unusable(error: ValidationError) -> InputError:
    """What is wrong with a query, without quoting its report."""
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    quoted = first["input"] if place[:1] != ["report"] and place[:1] != ["unlike"] else None
    return InputError(
        f"{'.'.join(place) or 'query'} cannot be used",
        value=str(quoted)[:80] if quoted is not None else None,
        expected=first["msg"],
        remedy=f"the fields are {', '.join(Query.model_fields)}",
    )

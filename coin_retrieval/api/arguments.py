"""What people pass in Python → what the library takes; a wrong type is an :class:`InputError`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from coin_retrieval.errors import InputError
from coin_retrieval.files import as_path

if TYPE_CHECKING:
    from pathlib import Path

    from coin_retrieval.config import EncoderSettings, GeneratorSettings
    from coin_retrieval.progress import Progress
    from coin_retrieval.types import SearchMode

AnyPath = str | PathLike[str]


class QueryOptions(TypedDict, total=False):
    """The fields of :class:`~coin_retrieval.search.query.Query` besides the report."""

    as_written: bool
    specimen: str
    mode: SearchMode | Literal["fused", "prototype", "text", "image"] | None
    k: int
    where: Mapping[str, str | Iterable[str]]
    all_sites: bool
    unspecified_sites: bool
    prototypes: int | None
    seed: int
    variations: int
    liked: Iterable[str]
    disliked: Iterable[str]
    unlike: str
    diversity: float
    image_mpp_um: float | None
    near_duplicates: bool
    width: float | None
    rivals: bool
    explain: bool


def prototype_dir(cache: AnyPath | None) -> Path:
    """Where prototypes are kept: below ``cache``, or where the command line keeps them."""
    from coin_retrieval.console.environment import default_cache_dir

    root = default_cache_dir() if cache is None else as_path(cache).expanduser()
    return root / "prototypes"


def encoder_settings(encoder: str | EncoderSettings) -> EncoderSettings:
    """Settings of an encoder, by themselves or by a short name such as ``timm:NAME?…``.

    Raises:
        SettingsError: a name that means nothing, or a value out of range.
        InputError: something else.
    """
    from coin_retrieval.config import Settings
    from coin_retrieval.factory import parse_encoder

    if isinstance(encoder, Settings):
        return encoder
    return parse_encoder(_name(encoder, what="the encoder"))


def generator_settings(generator: str | GeneratorSettings) -> GeneratorSettings:
    """Settings of a generator, by themselves or by a short name. Raises as for encoders."""
    from coin_retrieval.config import Settings
    from coin_retrieval.factory import parse_generator

    if isinstance(generator, Settings):
        return generator
    return parse_generator(_name(generator, what="the generator"))


def whole(number: Any, *, what: str) -> int:
    """A whole number, also one of numpy's.

    Raises:
        InputError: something else.
    """
    number = plain(number)
    if isinstance(number, int) and not isinstance(number, bool):
        return number
    raise InputError(f"{what} is no whole number", value=type(number).__name__, expected="an int")


def where_of(where: Mapping[str, str | Iterable[str]] | None) -> dict[str, list[str]]:
    """A filter: fields, and the values that they may have.

    Raises:
        InputError: something else.
    """
    try:
        asked = {} if where is None else plain(where).items()
        return {
            field: [values] if isinstance(values, str) else [str(value) for value in values]
            for field, values in asked
        }
    except (TypeError, AttributeError) as error:
        raise InputError(
            "not a filter",
            value=type(where).__name__,
            expected="a mapping of fields to a value or to several",
            remedy="for example where={'site': 'cervix'}",
        ) from error


def plain(value: Any) -> Any:
    """A value out of numpy or pandas as Python's own."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value


def listener(on: Any) -> Progress:
    """What is told how far the work is.

    Raises:
        InputError: it cannot be called.
    """
    from coin_retrieval.progress import silent

    if on is None:
        return silent
    if not callable(on):
        raise InputError(
            "the listener cannot be called",
            value=type(on).__name__,
            expected="a function of (stage, done, of)",
            remedy="for example on=print",
        )
    told: Progress = on
    return told


def _name(value: Any, *, what: str) -> str:
    if not isinstance(value, str):
        raise InputError(
            f"{what} is no name",
            value=type(value).__name__,
            expected="a short name such as 'starter', or settings",
        )
    return value

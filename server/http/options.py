"""Options of the command line above what the environment says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from coin_retrieval.config import Settings
from coin_retrieval.errors import SettingsError

Chosen = TypeVar("Chosen", bound=Settings)


def with_options(settings: Chosen, named: Mapping[str, Any]) -> Chosen:
    """Settings with options above them, checked again.

    Raises:
        SettingsError: an option that cannot be used.
    """
    given = {name: value for name, value in named.items() if value is not None and value != []}
    try:
        return type(settings).model_validate(settings.model_dump() | given)
    except ValidationError as error:
        first = error.errors()[0]
        option = "-".join(str(part) for part in first["loc"]).replace("_", "-") or "options"
        raise SettingsError(
            f"--{option} cannot be used",
            value=str(first["input"]) if first["loc"] else None,
            expected=first["msg"],
        ) from error

"""What a model's directory says about itself in ``coin.json``."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coin_retrieval.errors import WeightsError

CARD = "coin.json"
Shape = TypeVar("Shape", bound=BaseModel)


class ModelCard(BaseModel):
    """A name, and what a generator is best drawn with; all of it optional."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = None
    steps: int | None = Field(default=None, ge=1)
    guidance: float | None = Field(default=None, ge=0)
    width_px: int | None = Field(default=None, ge=8)
    height_px: int | None = Field(default=None, ge=8)
    noise_offset: float | None = Field(default=None, ge=0, le=1)


def read_card(directory: Path) -> ModelCard:
    """The card of a directory; an empty one where there is none.

    Raises:
        WeightsError: it cannot be read, or says something else.
    """
    path = directory / CARD
    try:
        return ModelCard.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return ModelCard()
    except (OSError, ValidationError) as error:
        raise WeightsError(
            f"{path} cannot be read ({error})",
            expected=f"JSON with some of {', '.join(ModelCard.model_fields)}",
            remedy="correct or remove it",
        ) from error


def model_name(directory: Path) -> str:
    """The card's name, else the directory's own: never a path, which differs by machine.

    Raises:
        WeightsError: the card cannot be read.
    """
    return read_card(directory).name or directory.resolve().name


def read_shape(path: Path, kind: type[Shape], *, written_by: str) -> Shape:
    """The shape of a network, from the JSON file beside its weights.

    Raises:
        WeightsError: it cannot be read, or says something else.
    """
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise WeightsError(
            f"{path} cannot be read ({error})",
            expected=f"a directory that {written_by} wrote",
            remedy="finish the copy, or correct the path",
        ) from error

"""Models that hospitals use, by name: what each is, under which terms, and how to get it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

_BYTES_A_NUMBER = {"bfloat16": 2, "float32": 4}


class KnownModel(BaseModel):
    """One model as its public card describes it.

    Attributes:
        hub_id: its repository on the Hugging Face hub; ``base`` is the one that a LoRA belongs to.
        revision: a commit of the repository that was looked at, where one is known.
        dim: entries of an embedding; none for a generator.
        pixels: side of the pictures that it takes or draws.
        mpp_um: micrometres a pixel that it was trained at, where its authors say so.
        parameters_m: millions of weights, all networks together.
        published_as: ``pickle`` has to be converted before it is loaded here.
        architecture: timm's name of the network, for the conversion; ``interpolation`` is how its
            authors bring pictures to its size.
        settings: fields of its encoder's or generator's settings; none where it cannot be loaded.
        remark: what else its users have to know; why, where it cannot be loaded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["encoder", "generator"]
    title: str
    hub_id: str
    base: str | None = None
    revision: str | None = None
    licence: str
    access: Literal["free", "gated"]
    reads_text: bool
    dim: int | None = None
    pixels: int
    mpp_um: float | None = None
    parameters_m: float
    published_as: Literal["safetensors", "pickle"]
    card: str
    architecture: str | None = None
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    settings: dict[str, Any] = Field(default_factory=dict)
    remark: str = ""

    def weights_gb(self, dtype: Literal["bfloat16", "float32"]) -> float:
        """What its weights take in memory, in 10⁹ bytes; activations come on top."""
        return self.parameters_m * 1e6 * _BYTES_A_NUMBER[dtype] / 1e9

    @property
    def how_to_get(self) -> str:
        """What to do where its files are not on this machine."""
        ask = f"ask for access at {self.card}, then " * (self.access == "gated")
        name = f"--{self.kind} {self.name}"
        if self.published_as == "pickle":
            return (
                f"{ask}download it from {self.card}, convert it once (coin models convert "
                f"{self.name} FILE --out DIR) and use {name}?model=DIR"
            )
        lora = "&lora=FILE" * (self.base is not None)
        return (
            f"{ask}allow the download ({name}?allow_download=true), or copy the files into a "
            f"directory and use {name}?model=DIR{lora}"
        )


@cache
def known_models() -> Mapping[str, KnownModel]:
    """Every model of the list, by its name."""
    text = files("coin_retrieval.known_models").joinpath("models.yaml").read_text("utf-8")
    return {name: KnownModel(name=name, **fields) for name, fields in yaml.safe_load(text).items()}


def model_of_repository(hub_id: str) -> KnownModel | None:
    """The model that a repository belongs to, if it is one of the list."""
    return next((model for model in known_models().values() if model.hub_id == hub_id), None)

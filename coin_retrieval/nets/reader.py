"""From a sentence embedding to what it states: the closed vocabulary that a small generator draws.

Its generator was trained on concepts (``training/concepts.py``): a row of groups of exclusive
values. The reader says how likely a text states each of them; a group that the text leaves open
stays at zero, and the generator fills it in as it likes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors.torch import save_file
from torch import Tensor, nn

from coin_retrieval.errors import ModelError, WeightsError
from coin_retrieval.nets.pretrained import read_safetensors, refuse_mismatch

CONFIG, WEIGHTS = "config.json", "model.safetensors"
_SCALE = 12.0


class ReaderConfig(BaseModel):
    """The reader's shape.

    ``groups`` are exclusive values by group, ``dim`` the length of a concept vector. Probabilities
    within a group are raised to the power ``sharpness``: between two lesions that a text leaves
    open, a picture of the likelier one is worth more than a picture of both. A ``scoped`` reader
    also learned which texts lie beyond everything that it can name: those that are known with a
    likelihood of ``known_from`` or less.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    groups: Mapping[str, tuple[str, ...]]
    dim: int = Field(gt=0)
    text_dim: int = Field(default=384, gt=0)
    hidden: int = Field(default=512, gt=0)
    bottleneck: int = Field(default=128, gt=0)
    sharpness: float = Field(default=2.0, gt=0)
    scoped: bool = False
    known_from: float = Field(default=0.5, ge=0, le=1)


class ConceptReader(nn.Module):
    """A two-layer network whose last layer compares directions, one for each value."""

    def __init__(self, config: ReaderConfig) -> None:
        super().__init__()
        self.config = config
        self.body = nn.Sequential(
            nn.Linear(config.text_dim, config.hidden),
            nn.GELU(),
            nn.Dropout(0.3),
            nn.Linear(config.hidden, config.bottleneck),
        )
        # one direction more a group: nothing is stated
        self.values = nn.ParameterDict(
            {
                group: nn.Parameter(torch.randn(len(values) + 1, config.bottleneck))
                for group, values in config.groups.items()
            }
        )
        # two directions: of what training pictures show, and of what lies beyond
        scope = torch.randn(2, config.bottleneck) if config.scoped else None
        self.scope = nn.Parameter(scope) if scope is not None else None

    def logits(self, sentences: Tensor) -> dict[str, Tensor]:
        """Each group's logits [n values + 1]; the last one is "nothing stated"."""
        read = F.normalize(self.body(sentences.float()), dim=-1)
        # a ParameterDict has an order of its own; vectors have that of the configuration
        return {group: _compare(read, self.values[group]) for group in self.config.groups}

    def scope_logits(self, sentences: Tensor) -> Tensor:
        """Logits [n 2] of "training pictures show it" and "it lies beyond".

        Raises:
            ModelError: a reader that never learned the difference.
        """
        if self.scope is None:
            raise ModelError(
                "this reader does not know what it does not know",
                value="scoped: false",
                expected="a reader trained on reports from elsewhere too",
                remedy="train it again with coin train reader",
            )
        return _compare(F.normalize(self.body(sentences.float()), dim=-1), self.scope)

    def known(self, sentences: Tensor) -> Tensor:
        """How likely each text states what training pictures show, [n] of 0 to 1.

        A reader that is not scoped takes every text for known.
        """
        if self.scope is None:
            return torch.ones(len(sentences), device=sentences.device)
        return self.scope_logits(sentences).softmax(-1)[:, 0]

    def forward(self, sentences: Tensor) -> Tensor:
        """Concept vectors [n dim] of sentence embeddings [n text_dim] of norm sqrt(text_dim)."""
        parts = []
        for logits in self.logits(sentences).values():
            likely = (self.config.sharpness * logits).softmax(-1)
            parts.append(likely[:, :-1])
        vectors = torch.cat(parts, dim=-1)
        return F.pad(vectors, (0, self.config.dim - vectors.shape[-1]))

    def save(self, directory: Path) -> None:
        """Write configuration and weights, float32."""
        directory.mkdir(parents=True, exist_ok=True)
        weights = {name: value.detach().cpu() for name, value in self.state_dict().items()}
        save_file(weights, directory / WEIGHTS)
        (directory / CONFIG).write_text(self.config.model_dump_json(indent=1) + "\n", "utf-8")

    @classmethod
    def load(cls, directory: Path) -> ConceptReader:
        """The reader that was saved there.

        Raises:
            WeightsError: its files are missing, damaged, or do not fit each other.
        """
        path = directory / CONFIG
        try:
            config = ReaderConfig.model_validate(json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, ValidationError) as error:
            raise WeightsError(
                f"{path} cannot be read ({error})",
                expected="the configuration that coin train reader writes",
                remedy="finish the copy, or train the reader again",
            ) from error
        reader = cls(config)
        weights = read_safetensors(directory / WEIGHTS)
        own = reader.state_dict()
        fitting = {k for k, v in weights.items() if k in own and own[k].shape == v.shape}
        refuse_mismatch("the reader", missing=set(own) - fitting, unexpected=set(weights) - fitting)
        reader.load_state_dict(weights)
        return reader.eval()


def _compare(read: Tensor, directions: Tensor) -> Tensor:
    return _SCALE * read @ F.normalize(directions, dim=-1).T

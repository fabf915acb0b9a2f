"""Adapt the text tower to reports: a LoRA that learns what the reader is taught.

A sentence tower of the open web puts "no central pallor" beside "central pallor". A few hundred
thousand weights beside the frozen ones (LoRA, Hu et al. 2021, arXiv 2106.09685) learn to tell such
wordings apart. Half of what is read are whole reports; words are masked at random.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed.tensor  # peft looks for it, and the programs put it off
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from pydantic import Field
from torch import Tensor, nn
from transformers import AutoTokenizer, BertModel

from coin_retrieval.nets.reader import ConceptReader
from coin_retrieval.starter import minilm
from coin_retrieval.training.loop import device
from coin_retrieval.training.reader import ReaderRecipe, ReaderTask, ReadReports
from coin_retrieval.wordings.concepts import Concepts

_ADAPTED = ("query", "value", "intermediate.dense", "output.dense")
_READER_RATE = 2.0
_PADDED = 12


class TowerRecipe(ReaderRecipe):
    """How the tower is adapted, and what it reads meanwhile; one YAML file.

    ``masked_share`` of the words are hidden, reports are cut at ``tokens``.
    """

    batch: int = Field(default=48, gt=0)
    composed: int = Field(default=130, gt=0)
    jitter: float = Field(default=0.3, ge=0)
    rank: int = Field(default=8, gt=0)
    alpha: float = Field(default=16.0, gt=0)
    masked_share: float = Field(default=0.08, ge=0, lt=1)
    tokens: int = Field(default=128, gt=2, le=minilm.MAX_TOKENS)


class TowerTask(ReaderTask):
    """The reader's own task, its sentences read anew by a tower that learns."""

    def __init__(self, reports: ReadReports, concepts: Concepts, recipe: TowerRecipe) -> None:
        """``reports`` are read anew at every step; their sentences are not looked at."""
        super().__init__(reports, concepts, recipe)
        self._tower_recipe = recipe
        directory = minilm.directory()
        self._tokenizer: Any = AutoTokenizer.from_pretrained(directory)
        tower = BertModel.from_pretrained(directory, add_pooling_layer=False)
        # the path that it was loaded from belongs to this machine
        tower.name_or_path = directory.parent.name
        low_rank = LoraConfig(
            r=recipe.rank, lora_alpha=recipe.alpha, target_modules=list(_ADAPTED), bias="none"
        )
        adapted = get_peft_model(tower, low_rank)
        self.module = nn.ModuleDict({"tower": adapted, "reader": self.module})

    @property
    def reader(self) -> ConceptReader:
        """What learns beside the tower; not kept."""
        reader: ConceptReader = self.module["reader"]  # type: ignore[index]
        return reader

    def rates(self) -> list[tuple[list[nn.Parameter], float]]:
        """The adapter's parameters and the reader's; see :class:`.Task`."""
        tower = self.module["tower"]  # type: ignore[index]
        learning = [p for p in tower.parameters() if p.requires_grad]
        return [(learning, 1.0), (list(self.reader.parameters()), _READER_RATE)]

    def read(self, rows: Tensor, random: np.random.Generator) -> Tensor:
        """Mean-pooled states of these reports with words masked, [b dim] of norm sqrt(dim)."""
        texts = [self._reports.texts[int(row)] for row in rows]
        # alike long ones together: padding is computed as if it were read
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        parts = [
            self._read_padded([texts[number] for number in order[start : start + _PADDED]], random)
            for start in range(0, len(texts), _PADDED)
        ]
        back = torch.tensor(order).argsort()
        return torch.cat(parts)[back.to(parts[0].device)]

    def _read_padded(self, texts: list[str], random: np.random.Generator) -> Tensor:
        recipe, tokenizer = self._tower_recipe, self._tokenizer
        inputs = tokenizer(
            texts, padding=True, truncation=True, max_length=recipe.tokens, return_tensors="pt"
        )
        ids, mask = inputs["input_ids"], inputs["attention_mask"]
        hidden = torch.from_numpy(random.random(tuple(ids.shape)) < recipe.masked_share)
        words = mask.bool() & (ids != tokenizer.cls_token_id) & (ids != tokenizer.sep_token_id)
        ids = ids.masked_fill(hidden & words, tokenizer.mask_token_id)
        tower = self.module["tower"]  # type: ignore[index]
        states = tower(input_ids=ids.to(device()), attention_mask=mask.to(device()))[0].float()
        shown = mask[..., None].to(states)
        mean = (states * shown).sum(1) / shown.sum(1)
        unit: Tensor = F.normalize(mean, dim=-1) * mean.shape[-1] ** 0.5
        return unit


def save_adapter(module: nn.Module, directory: Path) -> None:
    """Write the adapter in peft's format, float16."""
    tower = module["tower"]  # type: ignore[index]
    tower.half().save_pretrained(directory, save_embedding_layers=False)
    # peft writes a model card of headings
    (directory / "README.md").unlink(missing_ok=True)

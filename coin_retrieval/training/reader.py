"""Train the generator's reader: which concepts does a report state?

The sentence embeddings stand still, so an hour of wordings takes a minute. Embeddings are jittered
and mixed (Zhang et al. 2018, arXiv 1710.09412): what counts is wordings that nobody thought of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from coin_retrieval.nets.reader import ConceptReader, ReaderConfig
from coin_retrieval.tables.cases import CaseRow
from coin_retrieval.training.loop import LoopSettings, Task, device
from coin_retrieval.training.texts import kept_shares
from coin_retrieval.wordings.captions import (
    Composed,
    compose,
    compose_elsewhere,
    compose_setting,
    held_out_from_elsewhere,
    held_out_reports,
    read_and_set_aside,
)
from coin_retrieval.wordings.concepts import Concepts

Embed = Callable[[list[str]], Tensor]
"""From reports to pooled states [n dim], as :func:`.embed_texts` gives them."""


class ReaderRecipe(BaseModel):
    """How much is read and how long; one YAML file.

    ``composed`` counts reports a finding, ``elsewhere`` reports of what no training picture shows.
    The scope is as narrow as keeps ``kept_share`` of whole reports that nothing has read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    loop: LoopSettings
    batch: int = Field(default=256, gt=0)
    composed: int = Field(default=400, gt=0)
    elsewhere: int = Field(default=0, ge=0)
    kept_share: float = Field(default=0.98, gt=0, lt=1)
    jitter: float = Field(default=0.5, ge=0)
    mixed_share: float = Field(default=0.5, ge=0, le=1)
    other_groups_weight: float = Field(default=0.2, ge=0)
    scope_weight: float = Field(default=1.0, ge=0)
    sharpness: float = Field(default=2.0, gt=0)


@dataclass(frozen=True)
class ReadReports:
    """Sentence embeddings [n dim] of norm sqrt(dim), and what each states, int64 [n groups].

    ``known`` is bool [n]: whether training pictures show it. ``texts`` are the reports themselves.
    """

    texts: tuple[str, ...]
    sentences: Tensor
    stated: Tensor
    known: Tensor


class ReaderTask(Task):
    """Cross entropy of every group's values, "nothing stated" among them."""

    def __init__(self, reports: ReadReports, concepts: Concepts, recipe: ReaderRecipe) -> None:
        self._reports, self._concepts, self._recipe = reports, concepts, recipe
        config = ReaderConfig(
            groups=concepts.groups,
            dim=concepts.dim,
            sharpness=recipe.sharpness,
            scoped=not bool(reports.known.all()),
        )
        self.module: nn.Module = ConceptReader(config)

    @property
    def reader(self) -> ConceptReader:
        """What learns to read sentence embeddings."""
        assert isinstance(self.module, ConceptReader)  # noqa: S101  what this task trains
        return self.module

    def read(self, rows: Tensor, random: np.random.Generator) -> Tensor:
        """Sentence embeddings of these reports, [b dim] of norm sqrt(dim)."""
        del random
        return self._reports.sentences[rows]

    def loss(self, random: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch; see :class:`.Task`."""
        recipe, reports = self._recipe, self._reports
        rows = torch.from_numpy(random.integers(len(reports.texts), size=recipe.batch))
        turned = torch.from_numpy(random.permutation(recipe.batch))
        others = rows[turned]
        kept = kept_shares(recipe.batch, random, mixed=recipe.mixed_share)
        read = self.read(rows, random)
        kept_here = kept.to(read.device)
        mixed = kept_here * read + (1 - kept_here) * read[turned.to(read.device)]
        mixed = mixed + recipe.jitter * torch.randn_like(mixed)
        sentences = F.normalize(mixed, dim=-1) * mixed.shape[-1] ** 0.5
        losses, hit = [], 0.0
        for group, logits in self.reader.logits(sentences.to(device())).items():
            column = list(self._concepts.groups).index(group)
            wanted = kept * self._wanted(rows, column, logits.shape[1])
            wanted = wanted + (1 - kept) * self._wanted(others, column, logits.shape[1])
            cross_entropy = F.cross_entropy(
                logits.float(), wanted.to(logits.device), label_smoothing=0.05
            )
            losses.append(cross_entropy * (1.0 if column == 0 else recipe.other_groups_weight))
            if column == 0:
                hit = (logits.argmax(1).cpu() == wanted.argmax(1)).float().mean().item()
        if self.reader.config.scoped:
            losses.append(recipe.scope_weight * self._scope_loss(sentences, rows, others, kept))
        return torch.stack(losses).sum(), {"hit": hit}

    def _scope_loss(self, sentences: Tensor, rows: Tensor, others: Tensor, kept: Tensor) -> Tensor:
        """Cross entropy of "known" and "beyond"; a mixture is known by its known share."""
        known = self._reports.known.float()[:, None]
        share = kept * known[rows] + (1 - kept) * known[others]
        logits = self.reader.scope_logits(sentences.to(device()))
        wanted = torch.cat([share, 1 - share], 1).to(logits.device)
        missed: Tensor = F.cross_entropy(logits.float(), wanted)
        return missed

    def _wanted(self, rows: Tensor, column: int, values: int) -> Tensor:
        stated = self._reports.stated[rows, column]
        return F.one_hot(torch.where(stated < 0, values - 1, stated), values).float()


def reports_to_read(
    rows: Sequence[CaseRow],
    concepts: Concepts,
    *,
    composed: int,
    elsewhere: int = 0,
    seed: int,
    embed: Embed,
) -> ReadReports:
    """Composed and whole reports of every finding, texts that name none, and the empty text.

    With ``elsewhere``, so many that state what no training picture shows.
    """
    random = np.random.default_rng(seed)
    read, _ = read_and_set_aside()
    by_finding: dict[str, list[CaseRow]] = {}
    for row in rows:
        by_finding.setdefault(row.finding, []).append(row)
    texts: list[Composed] = []
    for finding, own in sorted(by_finding.items()):
        picked = random.integers(len(own), size=composed)
        whole = [Composed(t, {"finding": finding}) for t in read.inside.get(finding, ())]
        texts += [compose(own[int(i)], random, read.inside) for i in picked] + whole
        texts += [compose_setting(own[int(i)], random) for i in picked[: composed // 20]]
    texts += [Composed("", {})] * composed
    beyond = [compose_elsewhere(random, read.elsewhere) for _ in range(elsewhere)]
    known = torch.arange(len(texts) + len(beyond)) < len(texts)
    texts += beyond
    stated = np.stack([concepts.indices(composed.stated) for composed in texts])
    words = tuple(composed.text for composed in texts)
    return ReadReports(words, _sentences(words, embed), torch.from_numpy(stated), known)


@torch.inference_mode()
def held_out_accuracy(reader: ConceptReader, concepts: Concepts, embed: Embed) -> float:
    """How often the likeliest finding of a held-out report is its own, averaged over findings."""
    findings = concepts.groups["finding"]
    rates = []
    for finding, reports in held_out_reports().items():
        if finding in findings:
            named = (
                reader.logits(_sentences(reports, embed).to(device()))["finding"].argmax(1).tolist()
            )
            rates.append(float(np.mean([index == findings.index(finding) for index in named])))
    return float(np.mean(rates)) if rates else float("nan")


@torch.inference_mode()
def known_from(
    reader: ConceptReader, concepts: Concepts, embed: Embed, *, kept_share: float
) -> float:
    """The likelihood of being known that ``kept_share`` of the reports set aside exceed.

    Neither reader nor text tower has read them; held-out reports take no part.
    """
    _, aside = read_and_set_aside()
    texts = [text for finding in concepts.groups["finding"] for text in aside.inside[finding]]
    likely = _likely_known(reader, texts, embed)
    return float(torch.quantile(likely, 1 - kept_share))


@torch.inference_mode()
def held_out_scope(reader: ConceptReader, concepts: Concepts, embed: Embed) -> dict[str, float]:
    """The shares of held-out reports that the reader rightly takes for known, and for beyond.

    ``aside_beyond`` is of training reports that were set aside.
    """
    findings = concepts.groups["finding"]
    _, aside = read_and_set_aside()
    judged = {
        "held_out_known": [t for name in findings for t in held_out_reports().get(name, ())],
        "held_out_beyond": held_out_from_elsewhere(),
        "aside_beyond": aside.elsewhere,
    }
    kept = {
        name: float((_likely_known(reader, texts, embed) > reader.config.known_from).float().mean())
        for name, texts in judged.items()
    }
    return {name: share if name.endswith("known") else 1 - share for name, share in kept.items()}


def unread(texts: list[str]) -> Tensor:
    """In place of sentences, where the texts themselves will be read: [n 1]."""
    return torch.ones(len(texts), 1)


def _likely_known(reader: ConceptReader, texts: Sequence[str], embed: Embed) -> Tensor:
    likely: Tensor = reader.known(_sentences(texts, embed).to(device()))
    return likely.cpu()


def _sentences(texts: Sequence[str], embed: Embed) -> Tensor:
    sentences = embed(list(texts)).float()
    unit: Tensor = F.normalize(sentences, dim=-1) * sentences.shape[-1] ** 0.5
    return unit

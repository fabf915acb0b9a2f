"""A pool of composed reports a picture, embedded once by the frozen text tower."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoTokenizer, BertModel

from coin_retrieval.nets.compute import mixed_precision
from coin_retrieval.nets.pretrained import digest_files
from coin_retrieval.nets.text_adapter import adapter_files, merge
from coin_retrieval.starter import minilm
from coin_retrieval.tables.cases import CaseRow
from coin_retrieval.training.loop import device
from coin_retrieval.types import content_digest
from coin_retrieval.wordings.captions import TRAINED_WORDINGS, compose_report


@dataclass(frozen=True)
class CaptionPool:
    """``embeddings`` [rows pool dim]: mean-pooled states of ``pool`` reports of each row."""

    embeddings: Tensor

    def draw(self, rows: np.ndarray, random: np.random.Generator, *, jitter: float = 0.0) -> Tensor:
        """One report's embedding for each of these rows, float32 [b dim].

        ``jitter`` moves each by noise of so many times its own length, as unheard wordings do.
        """
        which = random.integers(self.embeddings.shape[1], size=len(rows))
        pooled = self.embeddings[torch.from_numpy(rows), torch.from_numpy(which)].float()
        return jittered(pooled, jitter)


def jittered(pooled: Tensor, jitter: float) -> Tensor:
    """Embeddings [b dim], each moved by noise of ``jitter`` times its own length."""
    spread = jitter * pooled.norm(dim=-1, keepdim=True) / pooled.shape[-1] ** 0.5
    moved: Tensor = pooled + spread * torch.randn_like(pooled)
    return moved


def kept_shares(count: int, random: np.random.Generator, *, mixed: float) -> Tensor:
    """How much of each text is kept where another is mixed in, float32 [count 1].

    A share of ``mixed`` are mixtures (Zhang et al. 2018, arXiv 1710.09412); the others are whole.
    """
    share = random.beta(0.4, 0.4, count)
    share[random.random(count) >= mixed] = 1.0
    return torch.from_numpy(share).float()[:, None]


def caption_pool(
    rows: tuple[CaseRow, ...], *, size: int, seed: int, cache: Path, adapter: Path | None = None
) -> CaptionPool:
    """Compose and embed ``size`` reports a row; kept in ``cache`` under a digest."""
    key = content_digest(
        {
            "rows": [[str(row.image_path), row.finding] for row in rows],
            "wordings": [path.read_text(encoding="utf-8") for path in TRAINED_WORDINGS],
            "composer": Path(compose_report.__code__.co_filename).read_text(encoding="utf-8"),
            "size": size,
            "seed": seed,
        }
        | ({"adapter": digest_files(adapter_files(adapter))} if adapter is not None else {})
    )
    file = cache / f"captions-{key[:16]}.safetensors"
    if not file.exists():
        random = np.random.default_rng(seed)
        texts = [compose_report(row, random) for row in rows for _ in range(size)]
        cache.mkdir(parents=True, exist_ok=True)
        save_file(
            {"embeddings": embed_texts(texts, adapter=adapter).reshape(len(rows), size, -1)}, file
        )
    return CaptionPool(load_file(file)["embeddings"])


@torch.inference_mode()
def embed_texts(texts: list[str], *, adapter: Path | None = None, batch: int = 128) -> Tensor:
    """Mean-pooled last hidden states of the tower, float16 [n dim], not normalised.

    ``adapter`` is merged into it (:mod:`coin_retrieval.nets.text_adapter`).
    """
    directory = minilm.directory()
    tokenizer = AutoTokenizer.from_pretrained(directory)
    tower = BertModel.from_pretrained(directory, add_pooling_layer=False).eval()
    if adapter is not None:
        merge(tower, adapter)
    tower = tower.to(device())
    distinct = sorted(set(texts), key=len)
    vectors: dict[str, Tensor] = {}
    for start in track(range(0, len(distinct), batch), "embedding reports"):
        part = distinct[start : start + batch]
        inputs = tokenizer(
            part, padding=True, truncation=True, max_length=minilm.MAX_TOKENS, return_tensors="pt"
        ).to(device())
        with mixed_precision(device()):
            states = tower(**inputs).last_hidden_state.float()
        mask = inputs["attention_mask"][..., None].float()
        mean = (states * mask).sum(1) / mask.sum(1)
        vectors.update(zip(part, mean.half().cpu(), strict=True))
    return torch.stack([vectors[text] for text in texts])

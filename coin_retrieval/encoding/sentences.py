"""Texts in the published sentence space: what a report says, whatever encoder an archive has."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from coin_retrieval.encoding.base import unit_rows
from coin_retrieval.starter import minilm
from coin_retrieval.types import Embeddings

if TYPE_CHECKING:
    from coin_retrieval.nets.sentence import SentenceBert

DIM = minilm.DIM
_BATCH, _REMEMBERED = 64, 256


class SentenceEncoder:
    """all-MiniLM-L6-v2 on the CPU, in float32. Safe for several threads; loads at the first text.

    As published, without what a model's adapter adds to it: it is asked about what nobody taught.
    """

    def __init__(self) -> None:
        self._remembered = lru_cache(_REMEMBERED)(lambda text: self._embed([text]))

    def embed(self, texts: Sequence[str]) -> Embeddings:
        """Rows of the texts, float32 [n 384], L2 norm 1; tokens beyond 256 are not read.

        Raises:
            MissingDependencyError, WeightsError: the text tower is not here, or another one.
        """
        if len(texts) == 1:
            return self._remembered(texts[0]).copy()
        # of like length together: padding costs as much as words
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        found = np.empty((len(texts), DIM), np.float32)
        for start in range(0, len(order), _BATCH):
            places = order[start : start + _BATCH]
            found[places] = self._embed([texts[place] for place in places])
        return found

    @cached_property
    def _tower(self) -> SentenceBert:
        import torch

        from coin_retrieval.nets.sentence import SentenceBert

        return SentenceBert.of_directory(
            minilm.directory(), dtype=torch.float32, device=torch.device("cpu")
        )

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(minilm.directory() / "tokenizer.json"))
        tokenizer.enable_truncation(minilm.MAX_TOKENS)
        tokenizer.enable_padding()
        return tokenizer

    def _embed(self, texts: Sequence[str]) -> Embeddings:
        import torch

        from coin_retrieval.nets.towers import reading

        # loaded before it reads: a load waits for others, and they for who reads
        tower = self._tower
        with reading, torch.inference_mode():
            read = self._tokenizer.encode_batch(list(texts))
            tokens, mask = ([getattr(r, name) for r in read] for name in ("ids", "attention_mask"))
            rows = tower(torch.tensor(tokens), torch.tensor(mask)).pooler_output.numpy()
        return unit_rows(rows)

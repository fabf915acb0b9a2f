"""A tokenizer of transformers as a :class:`.TokenLimit`: where its tokens lie, and how many fit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from coin_retrieval.generation.prompts import TokenLimit

_UNSET = 1_000_000  # transformers writes 1e30 where a tokenizer names no limit


def token_limit(tokenizer: Any, longest: int | None) -> TokenLimit:
    """A tokenizer and the room that its encoder has for tokens of the text itself.

    Args:
        tokenizer: any of transformers'.
        longest: the pipeline's own ``max_sequence_length``, for tokenizers that have no limit or
            a larger one.
    """
    most = min(tokenizer.model_max_length, longest or _UNSET, _UNSET)
    return TokenLimit(lambda text: _spans(tokenizer, text), most - special_tokens(tokenizer))


def special_tokens(tokenizer: Any) -> int:
    """How many tokens are added around a text."""
    return len(tokenizer("", verbose=False)["input_ids"])


def _spans(tokenizer: Any, text: str) -> Sequence[tuple[int, int]]:
    if tokenizer.is_fast:
        encoded = tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        return [(int(start), int(end)) for start, end in encoded["offset_mapping"]]
    # a slow tokenizer does not say where its tokens lie; its words do
    return [
        word.span() for word in re.finditer(r"\S+", text) for _ in tokenizer.tokenize(word.group())
    ]

"""A tokenizer of transformers as a :class:`.TokenLimit`: where its tokens lie, and how many fit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from coin_retrieval.errors import WeightsError
from coin_retrieval.generation.prompts import Spans, TokenLimit

_UNSET = 1_000_000  # transformers writes 1e30 where a tokenizer names no limit


def token_limit(tokenizer: Any, longest: int | None) -> TokenLimit:
    """A tokenizer and the room that its encoder has for tokens of the text itself.

    Several threads may read with it, also while a pipeline tokenizes.

    Args:
        tokenizer: any of transformers'.
        longest: the pipeline's own ``max_sequence_length``, for tokenizers that have no limit or
            a larger one.
    """
    most = min(tokenizer.model_max_length, longest or _UNSET, _UNSET)
    spans = _fast_spans(tokenizer) if tokenizer.is_fast else partial(_word_spans, tokenizer)
    return TokenLimit(spans, most - special_tokens(tokenizer))


def file_limit(file: Path, most: int) -> TokenLimit:
    """The limit of a ``tokenizer.json`` whose encoder takes ``most`` tokens.

    Raises:
        WeightsError: the file cannot be read.
    """
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises no narrower class
        raise WeightsError(
            f"a tokenizer cannot be read ({error})",
            value=str(file),
            expected="a tokenizer.json",
            remedy="copy the file again",
        ) from error
    return TokenLimit(_spans(tokenizer), most - tokenizer.num_special_tokens_to_add(False))


def special_tokens(tokenizer: Any) -> int:
    """How many tokens are added around a text."""
    return len(tokenizer("", verbose=False)["input_ids"])


def _fast_spans(tokenizer: Any) -> Spans:
    # a copy: whoever tokenizes with truncation sets it for everybody who holds the same one
    return _spans(Tokenizer.from_str(tokenizer.backend_tokenizer.to_str()))


def _spans(own: Tokenizer) -> Spans:
    own.no_truncation()
    own.no_padding()
    return lambda text: own.encode(text, add_special_tokens=False).offsets


def _word_spans(tokenizer: Any, text: str) -> Sequence[tuple[int, int]]:
    """A slow tokenizer does not say where its tokens lie; its words do."""
    return [
        word.span() for word in re.finditer(r"\S+", text) for _ in tokenizer.tokenize(word.group())
    ]

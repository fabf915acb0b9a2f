"""What a text tower reads of a text, and what it must leave out."""

from __future__ import annotations

from typing import Any

import torch
from open_clip.tokenizer import HFTokenizer, SimpleTokenizer
from torch import Tensor

_CLIPS_SPECIAL = 3  # open_clip's "clips" mode keeps room for begin, end and class


def readable_tokens(tokenizer: Any, texts: list[str], *, masked: int | None = None) -> Tensor:
    """Token ids int64 [n length], cut to the tower's context length.

    Args:
        tokenizer: one of open_clip's.
        texts: any length.
        masked: the id that the tower masks as padding, if it does; columns at the end that hold
            nothing else are left out, which changes no embedding and saves most of the work.
    """
    tokens: Tensor = tokenizer(texts)
    if masked is None:
        return tokens
    used = torch.ne(tokens, masked).any(dim=0).nonzero()
    return tokens[:, : int(used.max()) + 1] if len(used) else tokens


def unread_tail(tokenizer: Any, text: str) -> str:
    """The end of ``text`` beyond the tokenizer's context length, after its own cleaning."""
    if not isinstance(tokenizer, HFTokenizer):
        return _unread_by_clip(tokenizer, text)
    inner = tokenizer.tokenizer
    special = _CLIPS_SPECIAL if tokenizer.tokenizer_mode else inner.num_special_tokens_to_add()
    room = tokenizer.context_length - special
    cleaned = str(tokenizer.clean_fn(text))
    encoded = inner(
        cleaned, add_special_tokens=False, return_offsets_mapping=inner.is_fast, verbose=False
    )
    ids = encoded["input_ids"]
    if len(ids) <= room:
        return ""
    if not inner.is_fast:
        return str(inner.decode(ids[room:])).strip()
    return cleaned[encoded["offset_mapping"][room][0] :]


def _unread_by_clip(tokenizer: SimpleTokenizer, text: str) -> str:
    """CLIP's own tokenizer does not say where its tokens lie, but its words can be found again."""
    cleaned = str(tokenizer.clean_fn(text))
    room = tokenizer.context_length - 2
    for word in tokenizer.pat.finditer(cleaned):
        room -= len(tokenizer.encode(word.group()))
        if room < 0:
            # cleaning lowers letters; where it does no more, the text itself is quoted
            quoted = text if text.lower() == cleaned else cleaned
            return quoted[word.start() :]
    return ""

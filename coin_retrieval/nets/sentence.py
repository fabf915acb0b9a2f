"""A BERT whose output is one token: the sentence embedding.

A picture generator that is trained on few wordings should not read words one by one: in the
sentence space of all-MiniLM-L6-v2, wordings it has never seen lie beside those it has. The class
has BERT's own weights and no others, so it loads from any BERT directory, and the pipeline's
prompt encoder accepts it as it stands. A generator that draws concepts puts its reader behind it.
"""

from __future__ import annotations

from itertools import compress
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import BertConfig, BertModel
from transformers.initialization import no_init_weights
from transformers.modeling_outputs import BaseModelOutputWithPooling

from coin_retrieval.nets.pretrained import loading
from coin_retrieval.nets.reader import ConceptReader
from coin_retrieval.nets.towers import filled_tower, reading

_REMEMBERED = 256
"""Texts."""


class SentenceBert(BertModel):  # type: ignore[misc]
    """Mean-pooled, normalised last hidden state (Reimers & Gurevych 2019, arXiv 1908.10084).

    With a ``reader``, its concept vector stands for the sentence, and it says what lies beyond.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.reader: ConceptReader | None = None
        self._known: dict[tuple[object, ...], Tensor] = {}

    @classmethod
    def of_directory(
        cls,
        directory: Path,
        *,
        dtype: torch.dtype,
        device: torch.device,
        adapter: Path | None = None,
    ) -> SentenceBert:
        """The sentence tower of a BERT directory; whoever else has it uses the same weights.

        Raises:
            WeightsError: the directory is no whole BERT, or the adapter is of another.
        """
        config = BertConfig.from_json_file(directory / "config.json")
        # a setting of the whole process, too: whoever loads beside it would restore it wrongly
        with loading(), no_init_weights():
            tower = BertModel(config, add_pooling_layer=False)
            sentence = cls(config, add_pooling_layer=False)
        tower = filled_tower(tower, directory, dtype=dtype, device=device, adapter=adapter)
        sentence.embeddings, sentence.encoder = tower.embeddings, tower.encoder
        # kept, or the next who asks would get another; not as a module, whose weights count twice
        sentence.__dict__["tower"] = tower
        ready: SentenceBert = sentence.to(dtype).eval()
        return ready

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, **_: Any
    ) -> BaseModelOutputWithPooling:
        """Embed token ids [n length]; padding is masked whether or not a mask is given.

        Returns:
            ``last_hidden_state`` [n 1 dim] and ``pooler_output`` [n dim]; rows have L2 norm
            sqrt(dim), so that their entries have unit scale. With a reader: its vectors instead.
        """
        sentence = self._sentences(input_ids, attention_mask)
        if self.reader is not None:
            sentence = self.reader(sentence).to(sentence.dtype)
        return BaseModelOutputWithPooling(
            last_hidden_state=torch.unsqueeze(sentence, 1), pooler_output=sentence
        )

    def knows(self, input_ids: Tensor) -> bool:
        """Whether its reader knows what these token ids [1 length] state; without one, yes."""
        if self.reader is None:
            return True
        likely = self.reader.known(self._sentences(input_ids, None))
        return bool(likely.item() > self.reader.config.known_from)

    def _sentences(self, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        if attention_mask is None:
            attention_mask = (input_ids != self.config.pad_token_id).long()
        # pipelines pad to 256 tokens: columns that hold none change nothing and cost most
        used = int(attention_mask.any(dim=0).nonzero().max()) + 1
        input_ids, attention_mask = input_ids[:, :used], attention_mask[:, :used]
        # pictures of one report bring it once each
        rows = torch.stack([input_ids, attention_mask], 1)
        both, places = torch.unique(rows, dim=0, return_inverse=True)
        input_ids, attention_mask = both.unbind(1)
        with reading:
            if torch.is_inference_mode_enabled():
                return self._remembered(input_ids, attention_mask)[places]
            return self._read(input_ids, attention_mask)[places]

    def _remembered(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """A report is asked about, drawn, and drawn anew: it is read once."""
        shown = zip(input_ids.tolist(), attention_mask.tolist(), strict=True)
        texts = [(*compress(ids, mask), self.dtype, self.device) for ids, mask in shown]
        new = [place for place, text in enumerate(texts) if text not in self._known]
        if new:
            read = self._read(input_ids[new], attention_mask[new])
            self._known.update(zip((texts[place] for place in new), read, strict=True))
        sentences = torch.stack([self._known[text] for text in texts])
        while len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]
        return sentences

    def _read(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        states = super().forward(input_ids=input_ids, attention_mask=attention_mask)[0]
        weights = attention_mask[..., None].to(states.dtype)
        mean = (states * weights).sum(1) / weights.sum(1).clamp(min=1)
        sentences: Tensor = F.normalize(mean, dim=-1) * mean.shape[-1] ** 0.5
        return sentences

"""Any open_clip model as an encoder of pictures and texts."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.config import OpenClipEncoderSettings
from coin_retrieval.encoding.base import Encoder, unit_rows
from coin_retrieval.encoding.open_clip.files import OpenClipFiles, find_open_clip
from coin_retrieval.encoding.open_clip.text_tower import make_tokenizer
from coin_retrieval.encoding.showing import shown
from coin_retrieval.nets.pretrained import loading
from coin_retrieval.types import Embeddings, EncoderSpec, RgbImage, content_digest

if TYPE_CHECKING:
    import torch

    from coin_retrieval.encoding.preprocessing import BatchPreprocessing

_TEXT_BATCH, _TEXTS_REMEMBERED = 64, 256


@dataclass(frozen=True, slots=True)
class _Network:
    """``dtype`` is of the pictures; ``masked`` the token that the text tower takes for padding."""

    model: Any
    dtype: torch.dtype
    device: torch.device
    preprocess: BatchPreprocessing
    masked: int | None
    reading: AbstractContextManager[Any]


class OpenClipEncoder(Encoder):
    """Pictures and texts by open_clip (Ilharco et al. 2021, doi 10.5281/zenodo.5143773)."""

    def __init__(self, settings: OpenClipEncoderSettings) -> None:
        """Find the model's files; its network loads at the first picture or text.

        Raises:
            SettingsError: an unknown name or tag.
            WeightsError: files that are missing, damaged, or would have to be downloaded.
        """
        self._settings = settings
        self._files = find_open_clip(settings)
        self.spec = _spec(self._files, settings)
        self._loading = threading.RLock()
        self._remembered = lru_cache(_TEXTS_REMEMBERED)(lambda text: self._embed_texts([text]))

    def load(self) -> None:
        """Load the network now; see :meth:`.Encoder.load`.

        Raises:
            SettingsError: an unknown device.
            WeightsError: weights that do not fit.
        """
        with self._loading:
            _ = self._network

    @cached_property
    def _network(self) -> _Network:
        import torch
        from open_clip.hf_model import HFTextEncoder
        from open_clip.transform import PreprocessCfg, image_transform_v2

        from coin_retrieval.encoding.open_clip.model import load_open_clip
        from coin_retrieval.encoding.preprocessing import BatchPreprocessing
        from coin_retrieval.nets.compute import pick_device
        from coin_retrieval.nets.towers import reading

        files = self._files
        device = pick_device(self._settings.device)
        model, dtype = load_open_clip(files, dtype=self._settings.dtype, device=device)
        if self._settings.engine == "openvino":
            from coin_retrieval.encoding.engines.openvino import in_openvino

            model.encode_image = in_openvino(  # type: ignore[assignment]
                model,
                lambda network, batch: network.encode_image(batch),
                input_size=(3, *files.preprocess["size"]),
                dtype=dtype,
                device=device,
            )
            dtype = torch.float32
        tower = getattr(model, "text", None)
        transform = image_transform_v2(PreprocessCfg(**files.preprocess), is_train=False)
        return _Network(
            model=model,
            dtype=dtype,
            device=device,
            preprocess=BatchPreprocessing(transform),
            masked=tower.config.pad_token_id if isinstance(tower, HFTextEncoder) else None,
            reading=nullcontext() if files.text_tower is None else reading,
        )

    @cached_property
    def _tokenizer(self) -> Any:
        with loading(allow_download=self._files.allow_download):
            return make_tokenizer(self._files.config["text_cfg"])

    def _embed(self, images: Sequence[RgbImage]) -> NDArray[np.float32]:
        import torch

        from coin_retrieval.nets.orientations import over_orientations

        self.load()
        network = self._network
        with torch.inference_mode():
            batch = network.preprocess(images).to(network.device, network.dtype)
            turns = self._settings.orientations
            features = over_orientations(network.model.encode_image, batch, turns)
        embedded: NDArray[np.float32] = features.cpu().numpy()
        return embedded

    def _shown(self, image: RgbImage) -> RgbImage:
        return shown(image, self._settings.stain_map, self._settings.margin)

    def encode_text(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts; see :class:`.SupportsText`.

        Raises:
            ModelError: the network gave non-finite values.
        """
        if len(texts) == 1:
            # a report is searched with again and again: another filter, another mode, more cases
            return self._remembered(texts[0]).copy()
        batches = range(0, len(texts), _TEXT_BATCH)
        parts = [self._embed_texts(texts[start : start + _TEXT_BATCH]) for start in batches]
        return np.concatenate([np.empty((0, self.spec.dim), np.float32), *parts])

    def _embed_texts(self, texts: Sequence[str]) -> Embeddings:
        import torch

        from coin_retrieval.encoding.open_clip.texts import readable_tokens

        self.load()
        network = self._network
        with torch.inference_mode(), network.reading:
            tokens = readable_tokens(self._tokenizer, list(texts), masked=network.masked)
            features = network.model.encode_text(tokens.to(network.device))
        return unit_rows(features.float().cpu().numpy())

    def dropped_text(self, text: str) -> str:
        """The end of ``text`` beyond the tower's context length; see :class:`.SupportsText`."""
        from coin_retrieval.encoding.open_clip.texts import unread_tail

        with self._loading:
            tokenizer = self._tokenizer
        return unread_tail(tokenizer, text)


def _spec(files: OpenClipFiles, settings: OpenClipEncoderSettings) -> EncoderSpec:
    """What is shown otherwise is another space; without such settings it is the files' own."""
    shaping = settings.model_dump(
        include={"margin", "orientations", "stain_map"}, exclude_defaults=True
    )
    if not shaping:
        return files.spec
    parts = {"preprocessing": files.spec.preprocessing} | shaping
    return replace(files.spec, preprocessing=content_digest(parts))

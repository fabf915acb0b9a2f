"""Any open_clip model as an encoder of pictures and texts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from open_clip.factory import get_model_config
from open_clip.hf_model import HFTextEncoder
from open_clip.pretrained import get_pretrained_cfg, list_pretrained_tags_by_model

from coin_retrieval.config import OpenClipEncoderSettings
from coin_retrieval.encoding.base import Encoder, unit_rows
from coin_retrieval.encoding.open_clip_model import (
    CONFIG,
    WEIGHTS,
    LoadedOpenClip,
    load_open_clip,
    load_open_clip_directory,
)
from coin_retrieval.encoding.precision import place
from coin_retrieval.encoding.preprocessing import BatchPreprocessing
from coin_retrieval.encoding.texts import readable_tokens, unread_tail
from coin_retrieval.errors import SettingsError, WeightsError
from coin_retrieval.nets.compute import pick_device
from coin_retrieval.nets.model_card import model_name
from coin_retrieval.nets.pretrained import hub_snapshot
from coin_retrieval.starter import minilm
from coin_retrieval.types import Embeddings, EncoderSpec, RgbImage, content_digest

HUB = "hf-hub:"
_SNAPSHOT = [CONFIG, *WEIGHTS[:2], "config.json", "*token*.json", "vocab*", "merges.txt", "*.model"]
_TEXT_BATCH, _TEXTS_REMEMBERED = 64, 256


class OpenClipEncoder(Encoder):
    """Pictures and texts by open_clip (Ilharco et al. 2021, doi 10.5281/zenodo.5143773)."""

    def __init__(self, settings: OpenClipEncoderSettings) -> None:
        """Load the model.

        Raises:
            SettingsError: an unknown name, tag or device.
            WeightsError: files that are missing, do not fit, or would have to be downloaded.
        """
        name, revision, loaded = _load(settings)
        self._device = pick_device(settings.device)
        self._model, self._dtype = place(
            loaded.model,
            lambda network, batch: network.encode_image(batch),
            input_size=(3, *loaded.preprocess["size"]),
            dtype=settings.dtype,
            device=self._device,
        )
        self._tokenizer = loaded.tokenizer
        tower = getattr(loaded.model, "text", None)
        self._masked = tower.config.pad_token_id if isinstance(tower, HFTextEncoder) else None
        self._preprocess = BatchPreprocessing(loaded.transform)
        self._remembered = lru_cache(_TEXTS_REMEMBERED)(lambda text: self._embed_texts([text]))
        self.spec = EncoderSpec(
            name=name,
            revision=revision,
            dim=loaded.dim,
            preprocessing=content_digest(dict(loaded.preprocess)),
            weights=loaded.weights,
        )

    @torch.inference_mode()
    def _embed(self, images: Sequence[RgbImage]) -> NDArray[np.float32]:
        batch = self._preprocess(images).to(self._device, self._dtype)
        features: NDArray[np.float32] = self._model.encode_image(batch).float().cpu().numpy()
        return features

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

    @torch.inference_mode()
    def _embed_texts(self, texts: Sequence[str]) -> Embeddings:
        tokens = readable_tokens(self._tokenizer, list(texts), masked=self._masked)
        features = self._model.encode_text(tokens.to(self._device))
        return unit_rows(features.float().cpu().numpy())

    def dropped_text(self, text: str) -> str:
        """The end of ``text`` beyond the tower's context length; see :class:`.SupportsText`."""
        return unread_tail(self._tokenizer, text)


def _load(settings: OpenClipEncoderSettings) -> tuple[str, str, LoadedOpenClip]:
    """Name, revision and model of what the settings ask for."""
    tower = minilm.directory() if settings.text_tower == "minilm" else settings.text_tower
    directory = Path(settings.model)
    if directory.is_dir():
        if settings.pretrained is not None:
            raise SettingsError(
                "a directory has its own weights",
                value=settings.pretrained,
                expected="no pretrained beside a directory",
                remedy="leave pretrained out",
            )
        loaded = load_open_clip_directory(
            directory, text_tower=tower, allow_download=settings.allow_download
        )
        return model_name(directory), "", loaded
    if settings.model.startswith(HUB):
        repository = settings.model.removeprefix(HUB)
        snapshot = hub_snapshot(
            repository, patterns=_SNAPSHOT, allow_download=settings.allow_download
        )
        loaded = load_open_clip_directory(
            snapshot, text_tower=tower, allow_download=settings.allow_download
        )
        return repository, snapshot.name, loaded
    return _load_by_name(settings, tower)


def _load_by_name(
    settings: OpenClipEncoderSettings, tower: Path | None
) -> tuple[str, str, LoadedOpenClip]:
    config = get_model_config(settings.model)
    if config is None:
        raise SettingsError(
            "open_clip knows no such model, and no such directory exists",
            value=settings.model,
            expected="a name such as ViT-B-32, hf-hub:organisation/model, or a directory",
            remedy="open_clip.list_models() lists the names",
        )
    if settings.pretrained is None:
        raise SettingsError(
            "a model by name needs weights",
            value=settings.model,
            expected="pretrained: a tag or a local safetensors file",
            remedy=f"tags: {', '.join(list_pretrained_tags_by_model(settings.model)) or 'none'}",
        )
    file = Path(settings.pretrained)
    if file.is_file():
        weights, revision = file, file.stem
        preprocess: dict[str, Any] = {}
    else:
        weights, preprocess, revision = _published(settings, config)
    loaded = load_open_clip(
        config, preprocess, weights, text_tower=tower, allow_download=settings.allow_download
    )
    return settings.model, revision, loaded


def _published(
    settings: OpenClipEncoderSettings, config: dict[str, Any]
) -> tuple[Path, dict[str, Any], str]:
    """Weights file, preprocessing and tag of published weights; sets the activation they need."""
    published = get_pretrained_cfg(settings.model, settings.pretrained)
    if not published:
        raise SettingsError(
            f"open_clip has no such weights for {settings.model}",
            value=settings.pretrained,
            expected="a local file or one of "
            + ", ".join(list_pretrained_tags_by_model(settings.model)),
        )
    # open_clip only warns when a tag was trained with another activation than the name says
    config["quick_gelu"] = published.get("quick_gelu", config.get("quick_gelu", False))
    repository, _, filename = published["hf_hub"].rpartition("/")
    wanted = [filename.replace(".bin", ".safetensors")] if filename else list(WEIGHTS[:2])
    snapshot = hub_snapshot(repository, patterns=wanted, allow_download=settings.allow_download)
    weights = next((snapshot / name for name in wanted if (snapshot / name).is_file()), None)
    if weights is None:
        raise WeightsError(
            f"{repository} has no safetensors weights",
            value=settings.pretrained,
            expected=" or ".join(wanted),
            remedy="choose another tag, or convert the weights and give the file as pretrained",
        )
    keys = ("mean", "std", "interpolation", "resize_mode")
    preprocess = {key: published[key] for key in keys if key in published}
    return weights, preprocess, str(settings.pretrained)

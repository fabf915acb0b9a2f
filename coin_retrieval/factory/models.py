"""Settings → encoders, generators, translators, their weights loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from coin_retrieval import starter
from coin_retrieval.config import (
    DiffusersGeneratorSettings,
    EncoderSettings,
    GeneratorSettings,
    OpenClipEncoderSettings,
)
from coin_retrieval.errors import WeightsError
from coin_retrieval.factory.vendors import installed
from coin_retrieval.named_settings import (
    SETTINGS_FILES,
    read_encoder,
    read_generator,
    read_settings,
)

if TYPE_CHECKING:
    from coin_retrieval.encoding.base import Encoder
    from coin_retrieval.generation.joint import JointGenerator
    from coin_retrieval.prototypes.base import Prototyper
    from coin_retrieval.translation.base import Translator


def make_encoder(settings: EncoderSettings) -> Encoder:
    """The encoder that the settings describe, its weights loaded.

    Raises:
        SettingsError: an unknown model or device.
        WeightsError: files that are missing, do not fit, or would have to be downloaded.
        MissingDependencyError: its library is not installed.
    """
    _require_starter(settings.model, starter.ENCODER)
    if settings.backend == "open_clip":
        with installed("open_clip", package="open_clip_torch"):
            from coin_retrieval.encoding.open_clip.encoder import OpenClipEncoder
        return OpenClipEncoder(settings)
    with installed("timm", package="timm"):
        from coin_retrieval.encoding.timm.encoder import TimmEncoder
    return TimmEncoder(settings)


def make_generator(settings: GeneratorSettings) -> Prototyper:
    """The generator that the settings describe, its weights loaded.

    Raises:
        SettingsError: an unknown scheduler or device.
        WeightsError: files that are missing, do not fit, or would have to be downloaded.
        LoraError: LoRA keys that match no layer.
        MissingDependencyError: its library is not installed.
    """
    _require_starter(settings.model, starter.GENERATOR)
    with installed("diffusers", package="diffusers transformers peft"):
        from coin_retrieval.generation.diffusers import DiffusersGenerator
    return DiffusersGenerator(settings)


def make_layout_generator(directory: Path) -> JointGenerator:
    """What draws from layouts of nuclei: a directory that ``coin train joint`` wrote.

    Raises:
        WeightsError: no such model.
    """
    from coin_retrieval.generation.joint import JointGenerator

    return JointGenerator(directory)


def make_translator(model: Path) -> Translator:
    """A directory that ``coin train cyclegan`` wrote, or a file of settings of style transfer.

    Raises:
        SettingsError: settings that cannot be read.
        WeightsError: no such model, or weights that do not fit.
    """
    if model.suffix.lower() not in SETTINGS_FILES:
        from coin_retrieval.translation.cyclegan import CycleGanTranslator

        return CycleGanTranslator(model)
    from coin_retrieval.translation.style_transfer import (
        StyleTransferSettings,
        StyleTransferTranslator,
    )

    return StyleTransferTranslator(read_settings(StyleTransferSettings, model))


def starter_encoder_settings() -> OpenClipEncoderSettings:
    """The embedded default encoder."""
    return OpenClipEncoderSettings(model=str(starter.ENCODER), text_tower="minilm")


def starter_generator_settings() -> DiffusersGeneratorSettings:
    """The embedded default generator."""
    return DiffusersGeneratorSettings(model=str(starter.GENERATOR), text_encoder="minilm")


def parse_encoder(text: str) -> EncoderSettings:
    """An encoder by its short name, as the command lines take it.

    ``starter``, ``open_clip:NAME@TAG``, ``open_clip:/directory``, ``hf-hub:organisation/model``
    (an open_clip model), ``timm:NAME?checkpoint=FILE&num_classes=1001&mean=0.5,0.5,0.5``,
    ``timm:/directory``, ``timm:hf-hub:organisation/model``, or a JSON or YAML file of settings.
    ``?name=value&…`` sets any field; for timm, other names go to ``model_args``.

    Raises:
        SettingsError: none of these, or a value out of range.
    """
    return read_encoder(text, default=starter_encoder_settings())


def parse_generator(text: str) -> GeneratorSettings:
    """A generator by its short name, as the command lines take it.

    ``starter``, a directory, a hub id, each with ``?lora=FILE&steps=20&…``, or a JSON or YAML file
    of settings.

    Raises:
        SettingsError: none of these, or a value out of range.
    """
    return read_generator(text, default=starter_generator_settings())


def _require_starter(model: str, directory: Path) -> None:
    if model == str(directory) and not directory.is_dir():
        raise WeightsError(
            "the embedded default model is not here",
            value=str(directory),
            expected="the weights that come with coin-retrieval",
            remedy="reinstall coin-retrieval, train it (coin train), or name another model",
        )

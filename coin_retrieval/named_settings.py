"""Settings by a short name, as people type them: ``timm:resnet18?checkpoint=file.safetensors``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import yaml
from pydantic import TypeAdapter, ValidationError

from coin_retrieval.config import (
    GENERATOR_PRESETS,
    CatalogSettings,
    EncoderSettings,
    GeneratorSettings,
    OpenClipEncoderSettings,
    Settings,
    StoreSettings,
    TimmEncoderSettings,
)
from coin_retrieval.errors import SettingsError
from coin_retrieval.known_models import known_models
from coin_retrieval.setting_forms import (
    CATALOG_FORMS,
    ENCODER_FORMS,
    GENERATOR_FORMS,
    STORE_FORMS,
)

T = TypeVar("T")
S = TypeVar("S", bound=Settings)

STARTER = "starter"
_ENCODER: TypeAdapter[EncoderSettings] = TypeAdapter(EncoderSettings)
_GENERATOR: TypeAdapter[GeneratorSettings] = TypeAdapter(GeneratorSettings)
_STORE: TypeAdapter[StoreSettings] = TypeAdapter(StoreSettings)
_CATALOG: TypeAdapter[CatalogSettings] = TypeAdapter(CatalogSettings)
SETTINGS_FILES = (".json", ".yaml", ".yml")
_TRIPLES = ("mean", "std")
_INDEXES = ("auto", "flat", "ivf", "hnsw")


def read_encoder(text: str, *, default: EncoderSettings) -> EncoderSettings:
    """Encoder settings from their short name; ``starter`` gives ``default``.

    Raises:
        SettingsError: an unknown form, or a value out of range.
    """
    name, options = _split(text)
    if name.endswith(SETTINGS_FILES):
        return _validate(_ENCODER, _read_file(name) | options, text, ENCODER_FORMS)
    if name == STARTER:
        return _validate(_ENCODER, default.model_dump() | options, text, ENCODER_FORMS)
    if name in known_models():
        return _validate(_ENCODER, _known_fields("encoder", name, options), text, ENCODER_FORMS)
    backend, _, model = name.partition(":")
    if backend == "timm" and model:
        fields = _timm_fields(model, options)
    elif backend in ("open_clip", "hf-hub") and model:
        fields = _open_clip_fields(model if backend == "open_clip" else name, options)
    else:
        raise SettingsError("unknown encoder", value=text, expected=ENCODER_FORMS)
    return _validate(_ENCODER, fields, text, ENCODER_FORMS)


def read_generator(text: str, *, default: GeneratorSettings) -> GeneratorSettings:
    """Generator settings from their short name; ``starter`` gives ``default``.

    Raises:
        SettingsError: an unknown form, or a value out of range.
    """
    name, options = _split(text)
    if name == STARTER:
        fields = default.model_dump()
    elif name in known_models() and not Path(name).is_dir():
        return _validate(
            _GENERATOR, _known_fields("generator", name, options), text, GENERATOR_FORMS
        )
    elif name.endswith(SETTINGS_FILES):
        fields = {"backend": "diffusers"} | _read_file(name)
    elif name:
        fields = {"backend": "diffusers", "model": name.removeprefix("diffusers:")}
    else:
        raise SettingsError("unknown generator", value=text, expected=GENERATOR_FORMS)
    return _validate(_GENERATOR, fields | options, text, GENERATOR_FORMS)


def _known_fields(kind: str, name: str, options: dict[str, Any]) -> dict[str, Any]:
    """What the list of models says of a name; options win over it.

    Raises:
        SettingsError: a model of the other kind, or one that cannot be loaded here.
    """
    model = known_models()[name]
    if model.kind != kind:
        names = [other.name for other in known_models().values() if other.kind == kind]
        raise SettingsError(
            f"{name} is no {kind}",
            value=name,
            expected=", ".join(names),
            remedy=f"see {model.card}",
        )
    if not model.settings:
        ask = "ask for access and " * (model.access == "gated")
        raise SettingsError(
            f"{model.title} cannot be loaded: {model.remark}",
            value=name,
            expected="a model of coin models list that has a loader",
            remedy=f"{ask}take its files from {model.card}, and write a backend that reads them"
            " from a directory of yours (docs/extending.md)",
        )
    # a preset's steps win over those that the model is usually drawn with
    preset = GENERATOR_PRESETS.get(options.get("preset", ""), {})
    fields = {key: value for key, value in model.settings.items() if key not in preset}
    if "model" in options:  # a directory has its own weights
        fields.pop("pretrained", None)
    if fields["backend"] != "timm":
        return fields | options
    asked = _timm_fields(fields["model"], options)
    return fields | asked | {"model_args": fields.get("model_args", {}) | asked["model_args"]}


def read_settings(kind: type[S], file: Path) -> S:
    """Settings of one kind from a JSON or YAML file.

    Raises:
        SettingsError: it cannot be read, or a value is out of range.
    """
    fields = ", ".join(kind.model_fields)
    return _validate(TypeAdapter(kind), _read_file(str(file)), str(file), f"the fields {fields}")


def read_store(text: str) -> StoreSettings:
    """Store settings from their short name: a kind of FAISS index, or another backend.

    Raises:
        SettingsError: an unknown form, or a value out of range.
    """
    name, options = _split(text)
    if name in _INDEXES:
        fields: dict[str, Any] = {"index": {"kind": name} | options}
        return _validate(_STORE, {"backend": "faiss"} | fields, text, STORE_FORMS)
    return _validate(_STORE, _of_backend(name, options), text, STORE_FORMS)


def read_catalog(text: str) -> CatalogSettings:
    """Catalog settings from their short name, which is their backend's.

    Raises:
        SettingsError: an unknown form, or a value out of range.
    """
    return _validate(_CATALOG, _of_backend(*_split(text)), text, CATALOG_FORMS)


def _of_backend(name: str, options: dict[str, Any]) -> dict[str, Any]:
    return (_read_file(name) if name.endswith(SETTINGS_FILES) else {"backend": name}) | options


def _split(text: str) -> tuple[str, dict[str, Any]]:
    name, _, query = text.strip().partition("?")
    try:
        pairs = parse_qsl(query, strict_parsing=bool(query), keep_blank_values=True)
    except ValueError as error:
        raise SettingsError(
            "options cannot be read", value=query, expected="name=value&name=value"
        ) from error
    return name, dict(pairs)


def _open_clip_fields(model: str, options: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {"backend": OpenClipEncoderSettings.model_fields["backend"].default}
    name, _, tag = model.partition("@")
    if tag and not Path(model).is_dir():
        return fields | {"model": name, "pretrained": tag} | options
    return fields | {"model": model} | options


def _timm_fields(model: str, options: dict[str, Any]) -> dict[str, Any]:
    known = TimmEncoderSettings.model_fields
    arguments = {name: _number(options[name]) for name in options if name not in known}
    fields = {name: value for name, value in options.items() if name in known}
    for name in _TRIPLES:
        if name in fields:
            values = str(fields[name]).split(",")
            fields[name] = values * 3 if len(values) == 1 else values
    return {"backend": known["backend"].default, "model": model, "model_args": arguments} | fields


def _number(text: str) -> str | int | float | bool:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _read_file(name: str) -> dict[str, Any]:
    path = Path(name)
    try:
        text = path.read_text("utf-8")
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SettingsError(
            f"settings cannot be read ({error})", value=name, expected="a JSON or YAML file"
        ) from error
    if not isinstance(content, dict):
        raise SettingsError(
            "settings are no mapping", value=name, expected="field names and their values"
        )
    return content


def _validate(kind: TypeAdapter[T], fields: dict[str, Any], text: str, forms: str) -> T:
    try:
        return kind.validate_python(fields)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
        )
        raise SettingsError(
            f"settings out of range ({problems})",
            value=text,
            expected=forms,
            remedy="correct the fields named",
        ) from error

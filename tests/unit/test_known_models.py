from __future__ import annotations

import json

import pytest
import timm
import torch
from timm.layers import SwiGLUPacked
from typer.testing import CliRunner

from coin_retrieval.cli.main import app
from coin_retrieval.errors import SettingsError, WeightsError
from coin_retrieval.factory import make_encoder, make_generator, parse_encoder, parse_generator
from coin_retrieval.known_models import KnownModel, known_models

MODELS = known_models().values()
TIMM = [m for m in MODELS if m.settings.get("backend") == "timm"]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_each_name_works_as_settings_or_says_why_not(model: KnownModel) -> None:
    parse = parse_encoder if model.kind == "encoder" else parse_generator
    if model.settings:
        assert parse(model.name).model
    else:
        with pytest.raises(SettingsError, match="cannot be loaded"):
            parse(model.name)


@pytest.mark.parametrize("model", TIMM, ids=lambda model: model.name)
def test_the_list_says_the_size_of_the_networks_that_it_names(model: KnownModel) -> None:
    """Built without weights: their number and the width of an embedding."""
    arguments = dict(model.settings.get("model_args", {}))
    for name, layer in (("mlp_layer", SwiGLUPacked), ("act_layer", torch.nn.SiLU)):
        if name in arguments:
            arguments[name] = layer
    name = model.architecture or str(model.settings["model"])
    if name.startswith("hf-hub:"):
        name = "vit_base_patch16_224"  # what its repository's own name says
    with torch.device("meta"):
        network = timm.create_model(name, num_classes=0, **arguments)
    count = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    assert count == pytest.approx(model.parameters_m, rel=0.01)
    wide = 2 if model.settings.get("pooling") == "class+mean" else 1
    assert network.num_features * wide == model.dim


def test_an_absent_gated_model_says_where_to_ask_and_where_to_put_it() -> None:
    with pytest.raises(Exception, match="not on this machine") as caught:
        make_encoder(parse_encoder("uni"))
    assert "https://huggingface.co/MahmoodLab/UNI" in caught.value.remedy
    assert "coin models convert uni" in caught.value.remedy


def test_an_absent_gated_lora_is_asked_for_before_its_base_is_fetched() -> None:
    with pytest.raises(WeightsError, match="on this machine") as caught:
        make_generator(parse_generator("coin"))
    remedy = str(caught.value.remedy)
    assert "ask for access at https://huggingface.co/LexieK/COIN" in remedy
    assert "--generator coin?model=DIR&lora=FILE" in remedy


def test_models_alone_lists_them() -> None:
    alone = CliRunner().invoke(app, ["models"])
    assert alone.exit_code == 0
    assert "h-optimus-0" in alone.stdout


def test_a_model_without_a_loader_says_why_where_to_ask_and_what_to_write() -> None:
    with pytest.raises(SettingsError, match="authors' package conch") as caught:
        parse_encoder("conch")
    remedy = str(caught.value.remedy)
    assert "ask for access" in remedy
    assert "https://huggingface.co/MahmoodLab/CONCH" in remedy
    assert "docs/extending.md" in remedy


def test_a_directory_replaces_what_the_hub_publishes() -> None:
    settings = parse_encoder("dinov2?model=/srv/dinov2&dynamic_img_size=true")
    assert (settings.model, settings.pretrained) == ("/srv/dinov2", False)
    assert settings.model_args == {"dynamic_img_size": True}


def test_a_generators_name_is_no_encoder() -> None:
    with pytest.raises(SettingsError, match="coin is no encoder"):
        parse_encoder("coin")


def test_the_command_lists_them_for_machines() -> None:
    listed = json.loads(CliRunner().invoke(app, ["models", "list", "--json"]).stdout)
    assert {model["name"] for model in listed} == set(known_models())
    assert all(model["how_to_get"] and model["weights_gb"] > 0 for model in listed)


def test_check_draws_or_embeds_once_and_says_what_it_took() -> None:
    found = json.loads(CliRunner().invoke(app, ["models", "check", "starter", "--json"]).stdout)
    assert found["dimension"] == 256
    assert found["peak_memory_gb"] > 0

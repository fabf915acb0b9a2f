"""A text tower's adapter is merged as peft merges it, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import BertConfig, BertModel

from coin_retrieval.errors import WeightsError
from coin_retrieval.nets.text_adapter import merge
from coin_retrieval.nets.towers import filled_tower

Edit = Callable[[dict[str, Tensor]], None]


def empty(width: int = 16) -> BertModel:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=30, hidden_size=width, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=24, max_position_embeddings=12,
    )  # fmt: skip
    return BertModel(config, add_pooling_layer=False).eval()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A LoRA of random numbers, as peft writes it."""
    low_rank = LoraConfig(r=2, lora_alpha=6, target_modules=["query", "output.dense"])
    adapted = get_peft_model(empty(), low_rank)
    with torch.no_grad():
        for name, value in adapted.named_parameters():
            if "lora_" in name:
                value.normal_()
    adapted.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def read(tower: Any) -> Tensor:
    with torch.inference_mode():
        states: Tensor = tower(input_ids=torch.arange(10)[None]).last_hidden_state
    return states


def test_merging_gives_what_peft_gives(folder: Path) -> None:
    tower = empty()
    merge(tower, folder)
    theirs = PeftModel.from_pretrained(empty(), folder).eval()
    assert torch.allclose(read(tower), read(theirs), atol=1e-5)
    assert not torch.allclose(read(tower), read(empty()), atol=1e-2)


def test_an_adapted_tower_is_shared_with_who_adapts_it_alike_and_with_nobody_else(
    folder: Path, tmp_path: Path
) -> None:
    empty().save_pretrained(tmp_path / "tower")
    place = {"dtype": torch.float32, "device": torch.device("cpu")}
    plain, adapted, again = (
        filled_tower(empty(), tmp_path / "tower", adapter=adapter, **place)
        for adapter in (None, folder, folder)
    )
    assert adapted is again
    assert not torch.allclose(read(plain), read(adapted), atol=1e-2)


def _without_a_half(tensors: dict[str, Tensor]) -> None:
    del tensors[next(key for key in tensors if "lora_B" in key)]


def _elsewhere(tensors: dict[str, Tensor]) -> None:
    for key in [key for key in tensors if "layer.1" in key]:
        tensors[key.replace("layer.1", "layer.7")] = tensors.pop(key)


def _with_something_else(tensors: dict[str, Tensor]) -> None:
    tensors["base_model.model.embeddings.bias"] = torch.zeros(3)


@pytest.mark.parametrize("edit", [_without_a_half, _elsewhere, _with_something_else])
def test_an_adapter_that_does_not_fit_is_refused(folder: Path, edit: Edit) -> None:
    file = folder / "adapter_model.safetensors"
    tensors = load_file(file)
    edit(tensors)
    save_file(tensors, file)
    with pytest.raises(WeightsError, match="text adapter"):
        merge(empty(), folder)


def test_an_adapter_of_a_wider_tower_is_refused_with_both_shapes(folder: Path) -> None:
    with pytest.raises(WeightsError, match="another tower") as refused:
        merge(empty(32), folder)
    assert "16 × 16" in str(refused.value.value)
    assert "32 × 32" in str(refused.value.expected)


@pytest.mark.parametrize("content", ["{", "{}", json.dumps({"r": 0, "lora_alpha": 1})])
def test_an_adapter_without_its_scale_is_refused(folder: Path, content: str) -> None:
    (folder / "adapter_config.json").write_text(content)
    with pytest.raises(WeightsError, match="r and lora_alpha"):
        merge(empty(), folder)

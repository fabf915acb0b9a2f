from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from coin_retrieval.config import DiffusersGeneratorSettings
from coin_retrieval.errors import LoraError, WeightsError
from coin_retrieval.generation.diffusers import DiffusersGenerator
from coin_retrieval.types import ReportSource, RgbImage

Tensors = dict[str, torch.Tensor]


@pytest.fixture
def draw(tiny_sdxl_dir: Path) -> Callable[..., RgbImage]:
    def _draw(**settings: object) -> RgbImage:
        generator = DiffusersGenerator(
            DiffusersGeneratorSettings(
                model=str(tiny_sdxl_dir), steps=2, dtype="float32", device="cpu", **settings
            )
        )
        return generator.draw(generator.plan(ReportSource("nuclei"), n=1))[0].image

    return _draw


@pytest.fixture
def altered(tiny_lora_file: Path, tmp_path: Path) -> Callable[..., str]:
    """Writes the LoRA after a change to its tensors; its metadata is left out."""

    def _altered(change: Callable[[Tensors], Tensors]) -> str:
        path = tmp_path / "altered.safetensors"
        save_file(change(load_file(tiny_lora_file)), path)
        return str(path)

    return _altered


def test_a_lora_changes_the_picture(draw: Callable[..., RgbImage], tiny_lora_file: Path) -> None:
    assert np.abs(draw(lora=str(tiny_lora_file)).astype(int) - draw()).max() > 10


def test_a_lora_at_scale_zero_changes_nothing(
    draw: Callable[..., RgbImage], tiny_lora_file: Path
) -> None:
    np.testing.assert_array_equal(draw(lora=str(tiny_lora_file), lora_scale=0.0), draw())


def test_the_scale_of_a_lora_is_honoured(
    draw: Callable[..., RgbImage], tiny_lora_file: Path, altered: Callable[..., str]
) -> None:
    def halved(tensors: Tensors) -> Tensors:
        # alpha lies in the metadata, which is lost here: rank 2, alpha 4 or 2 become alpha 2
        unet_alpha = 2.0
        return {
            key: tensor * 0.5 * (unet_alpha if key.startswith("unet.") else 1.0)
            if "lora_B" in key
            else tensor
            for key, tensor in tensors.items()
        }

    half = draw(lora=str(tiny_lora_file), lora_scale=0.5)
    same = draw(lora=altered(halved))
    assert np.abs(half.astype(int) - same).max() <= 1
    assert np.abs(half.astype(int) - draw(lora=str(tiny_lora_file))).max() > 1


def test_a_directory_with_one_lora_is_found(
    draw: Callable[..., RgbImage], tiny_lora_file: Path
) -> None:
    by_directory = draw(lora=str(tiny_lora_file.parent))
    np.testing.assert_array_equal(by_directory, draw(lora=str(tiny_lora_file)))


@pytest.mark.parametrize(
    "name",
    [
        "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_z.lora_A.weight",
        "unet.down_blocks.7.attentions.0.transformer_blocks.0.attn1.to_q.lora_A.weight",
        "text_encoder.encoder.layers.9.self_attn.q_proj.lora_A.weight",
        "text_encoder_3.encoder.layers.0.self_attn.q_proj.lora_A.weight",
        "transformer.blocks.0.lora_A.weight",
    ],
)
def test_a_key_that_matches_no_layer_is_named(
    draw: Callable[..., RgbImage], altered: Callable[..., str], name: str
) -> None:
    def tampered(tensors: Tensors) -> Tensors:
        last = next(key for key in reversed(tensors) if key.startswith("unet."))
        rows = tensors[last.replace("lora_B", "lora_A")]
        return {**tensors, name: rows.clone(), name.replace("_A", "_B"): rows.T.contiguous()}

    with pytest.raises(LoraError, match=name.replace(".", r"\.")):
        draw(lora=altered(tampered))


def test_half_a_layer_is_refused(
    draw: Callable[..., RgbImage], altered: Callable[..., str]
) -> None:
    def without_one(tensors: Tensors) -> Tensors:
        lost = next(key for key in tensors if key.startswith("unet.") and "lora_A" in key)
        return {key: tensor for key, tensor in tensors.items() if key != lost}

    with pytest.raises(LoraError):
        draw(lora=altered(without_one))


def test_a_lora_of_another_width_is_refused(
    draw: Callable[..., RgbImage], altered: Callable[..., str]
) -> None:
    def wider(tensors: Tensors) -> Tensors:
        return {
            key: torch.cat([tensor, tensor], dim=1) if "lora_A" in key else tensor
            for key, tensor in tensors.items()
        }

    with pytest.raises(LoraError):
        draw(lora=altered(wider))


def test_dora_scales_are_refused_rather_than_dropped(
    draw: Callable[..., RgbImage], altered: Callable[..., str]
) -> None:
    name = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.dora_scale"
    with pytest.raises(LoraError, match="dora_scale"):
        draw(lora=altered(lambda tensors: {**tensors, name: torch.ones(1)}))


def test_a_lora_in_kohyas_spelling_loads_whole(
    draw: Callable[..., RgbImage], tiny_lora_file: Path, altered: Callable[..., str]
) -> None:
    def kohya(tensors: Tensors) -> Tensors:
        renamed = {}
        for key, tensor in tensors.items():
            if not key.startswith("unet."):
                continue
            layer, _, kind = key.removeprefix("unet.").rpartition(".lora_")
            stem = "lora_unet_" + layer.replace(".", "_")
            name = "lora_down" if kind.startswith("A") else "lora_up"
            renamed[f"{stem}.{name}.weight"] = tensor.clone()
            renamed[f"{stem}.alpha"] = torch.tensor(4.0)
        return renamed

    def unet_only(tensors: Tensors) -> Tensors:
        return {
            key: tensor * (2.0 if "lora_B" in key else 1.0)
            for key, tensor in tensors.items()
            if key.startswith("unet.")
        }

    in_kohyas = draw(lora=altered(kohya))
    in_diffusers = draw(lora=altered(unet_only))
    assert np.abs(in_kohyas.astype(int) - in_diffusers).max() <= 1
    assert np.abs(in_kohyas.astype(int) - draw()).max() > 10


def test_a_pickled_lora_is_refused(draw: Callable[..., RgbImage], tmp_path: Path) -> None:
    torch.save({}, tmp_path / "lora.bin")
    with pytest.raises(WeightsError, match="unsafe format"):
        draw(lora=str(tmp_path / "lora.bin"))


def test_a_directory_without_a_lora_is_refused(
    draw: Callable[..., RgbImage], tmp_path: Path
) -> None:
    with pytest.raises(LoraError, match="no single LoRA"):
        draw(lora=str(tmp_path))


def test_a_lora_that_is_not_here_is_not_downloaded(draw: Callable[..., RgbImage]) -> None:
    with pytest.raises(WeightsError, match="allow_download"):
        draw(lora="organisation/lora-that-is-nowhere")

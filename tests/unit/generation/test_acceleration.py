from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny
from diffusers.models.resnet import ResnetBlock2D

from coin_retrieval.config import DiffusersGeneratorSettings
from coin_retrieval.errors import SettingsError, WeightsError
from coin_retrieval.generation import acceleration
from coin_retrieval.generation.acceleration import choose_offload
from coin_retrieval.generation.diffusers import DiffusersGenerator
from coin_retrieval.generation.in_place import overwrite
from coin_retrieval.named_settings import read_generator
from coin_retrieval.testing.tiny_models import write_pixart_dir
from coin_retrieval.types import ReportSource, RgbImage

GB = 10**9


@pytest.fixture
def make(tiny_sdxl_dir: Path) -> Callable[..., DiffusersGenerator]:
    def _make(**settings: Any) -> DiffusersGenerator:
        fields: dict[str, Any] = {"steps": 4, "guidance": 6.0, "dtype": "float32", "device": "cpu"}
        chosen = {"model": str(tiny_sdxl_dir)} | fields | settings
        return DiffusersGenerator(DiffusersGeneratorSettings(**chosen))

    return _make


def pictures(generator: DiffusersGenerator, *texts: str, n: int = 1) -> Sequence[RgbImage]:
    plans = [plan for text in texts for plan in generator.plan(ReportSource(text), n=n)]
    return [sample.image for sample in generator.draw(plans)]


def batches(generator: DiffusersGenerator) -> list[int]:
    """How many latents the network is asked for at each call from now on."""
    sizes: list[int] = []
    generator.load()
    generator._pipeline.unet.register_forward_pre_hook(
        lambda _, inputs, __: sizes.append(len(inputs[0])), with_kwargs=True
    )
    return sizes


def test_fused_weights_draw_what_the_layers_draw(
    make: Callable[..., DiffusersGenerator], tiny_lora_file: Path
) -> None:
    stacked = {"lora": str(tiny_lora_file), "adapter": str(tiny_lora_file), "adapter_scale": 0.5}
    (plain,) = pictures(make(**stacked), "nuclei")
    (fused,) = pictures(make(**stacked, fused=True), "nuclei")
    assert np.abs(fused.astype(int) - plain).max() <= 1


@pytest.mark.parametrize("network", ["unet", "vae"])
def test_blocks_that_work_in_place_are_the_same_bit_for_bit(
    make: Callable[..., DiffusersGenerator], network: str
) -> None:
    generator = make()
    generator.load()
    part = getattr(generator._pipeline, network)
    blocks = [block for block in part.modules() if isinstance(block, ResnetBlock2D)]
    calls = [
        (
            torch.randn(2, block.in_channels, 8, 8),
            block.time_emb_proj and torch.randn(2, block.time_emb_proj.in_features),
        )
        for block in blocks
    ]
    with torch.inference_mode():
        before = [block(x.clone(), temb) for block, (x, temb) in zip(blocks, calls, strict=True)]
        overwrite(part)
        after = [block(x, temb) for block, (x, temb) in zip(blocks, calls, strict=True)]
    assert all(map(torch.equal, before, after))


def test_two_loras_are_stacked_with_their_scales(
    make: Callable[..., DiffusersGenerator], tiny_lora_file: Path
) -> None:
    file = str(tiny_lora_file)
    (together,) = pictures(
        make(lora=file, lora_scale=0.4, adapter=file, adapter_scale=0.6), "cells"
    )
    (alone,) = pictures(make(lora=file), "cells")
    (without,) = pictures(make(), "cells")
    assert np.abs(together.astype(int) - alone).max() <= 1
    assert np.abs(together.astype(int) - without).max() > 10


def test_late_steps_without_guidance_ask_the_network_for_half(
    make: Callable[..., DiffusersGenerator],
) -> None:
    generator = make(guided_share=0.5)
    sizes = batches(generator)
    pictures(generator, "nuclei", n=3)
    assert sizes == [6, 6, 3, 3]


def test_pictures_of_one_batch_keep_their_own_reports_when_guidance_stops(
    make: Callable[..., DiffusersGenerator],
) -> None:
    generator = make(guided_share=0.5)
    together = pictures(generator, "nuclei", "granules")
    alone = [*pictures(generator, "nuclei"), *pictures(generator, "granules")]
    for one, other in zip(together, alone, strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1
    assert np.abs(alone[0].astype(int) - alone[1]).max() > 5


def test_the_next_report_is_guided_again(make: Callable[..., DiffusersGenerator]) -> None:
    generator = make(guided_share=0.5)
    first, second = pictures(generator, "nuclei"), pictures(generator, "nuclei")
    np.testing.assert_array_equal(first, second)


def test_a_share_that_changes_pictures_changes_the_identity(
    make: Callable[..., DiffusersGenerator],
) -> None:
    assert make(guided_share=0.5).identity != make().identity
    assert make(fused=True).identity == make().identity


def test_a_pipeline_that_is_always_guided_says_so(tmp_path: Path) -> None:
    directory = write_pixart_dir(tmp_path / "pixart")
    settings = DiffusersGeneratorSettings(model=str(directory), steps=2, guided_share=0.5)
    generator = DiffusersGenerator(settings)
    with pytest.raises(SettingsError, match="guided in all steps"):
        generator.load()


def test_a_tiny_decoder_takes_the_place_of_the_pipelines_own(
    make: Callable[..., DiffusersGenerator], tmp_path: Path
) -> None:
    narrow = {"encoder_block_out_channels": (8, 8), "decoder_block_out_channels": (8, 8)}
    blocks = {"num_encoder_blocks": (1, 1), "num_decoder_blocks": (1, 1)}
    AutoencoderTiny(**narrow, **blocks).save_pretrained(tmp_path / "tiny")
    generator = make(tiny_vae=str(tmp_path / "tiny"))
    generator.load()
    assert isinstance(generator._pipeline.vae, AutoencoderTiny)
    assert generator.identity != make().identity


def test_an_absent_decoder_is_told(make: Callable[..., DiffusersGenerator]) -> None:
    with pytest.raises(WeightsError, match="not on this machine"):
        make(tiny_vae="nobody/taesdxl")


def test_large_pictures_are_decoded_in_tiles(make: Callable[..., DiffusersGenerator]) -> None:
    generator = make(width_px=64, height_px=64, vae_tiles_from_px=64)
    generator.load()
    assert generator._pipeline.vae.use_tiling
    (drawn,) = pictures(generator, "nuclei")
    assert drawn.shape == (64, 64, 3)


def test_a_preset_sets_what_was_not_set_by_hand() -> None:
    chosen = DiffusersGeneratorSettings(model="x", preset="balanced", steps=30).resolved()
    assert (chosen.steps, chosen.guided_share, chosen.fused) == (30, 0.6, True)
    assert chosen.scheduler == "DPMSolverMultistepScheduler"


def test_a_presets_steps_win_over_those_of_a_named_model() -> None:
    assert read_generator("coin", default=None).steps == 50  # type: ignore[arg-type]
    fast = read_generator("coin?preset=fast", default=None).resolved()  # type: ignore[arg-type]
    assert (fast.steps, fast.guidance) == (4, 1.0)
    assert fast.lora == "LexieK/COIN"
    assert fast.adapter == "latent-consistency/lcm-lora-sdxl"


def test_fast_without_its_adapter_names_the_file_that_is_missing(
    make: Callable[..., DiffusersGenerator],
) -> None:
    with pytest.raises(WeightsError, match="lcm-lora-sdxl"):
        make(preset="fast")


@pytest.mark.parametrize(
    ("free_gb", "chosen"), [(24, "none"), (16, "none"), (12, "none"), (9, "model"), (6, "group")]
)
def test_memory_decides_what_waits_outside_the_gpu(free_gb: int, chosen: str) -> None:
    """SDXL in half precision: 6.9 GB, of which its U-Net has 5.1."""
    free = free_gb * GB
    assert choose_offload(free=free, weights=int(6.9 * GB), largest=int(5.1 * GB)) == chosen


def test_graphs_are_recorded_of_compiled_blocks_and_begin_anew_at_each_step(
    make: Callable[..., DiffusersGenerator], monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = make()
    generator.load()
    unet = generator._pipeline.unet
    asked: list[dict[str, Any]] = []
    steps: list[int] = []
    monkeypatch.setattr(
        type(unet), "compile_repeated_blocks", lambda _, **options: asked.append(options)
    )
    monkeypatch.setattr(
        torch.compiler, "cudagraph_mark_step_begin", lambda: steps.append(len(steps))
    )
    acceleration._compile(generator._pipeline, graphs=True)
    pictures(generator, "nuclei")
    assert asked == [{"fullgraph": True, "mode": "reduce-overhead"}]
    assert len(steps) == 4


@pytest.mark.parametrize("fields", [{}, {"compiled": True}, {"preset": "reference"}])
def test_a_cpu_records_no_graphs_and_says_so(
    make: Callable[..., DiffusersGenerator], fields: dict[str, Any]
) -> None:
    with pytest.raises(SettingsError, match="on a GPU"):
        make(cuda_graphs=True, **fields).load()


def test_graphs_need_a_compiled_network() -> None:
    cuda = torch.device("cuda")
    settings = DiffusersGeneratorSettings(model="x", cuda_graphs=True)
    assert acceleration.compiles(settings, cuda)
    with pytest.raises(SettingsError, match="compiled networks"):
        acceleration.accelerate(None, settings.model_copy(update={"compiled": False}), cuda)


@pytest.mark.parametrize("fields", [{"cuda_graphs": True}, {"quantised": "int8"}])
def test_what_has_to_stay_on_the_gpu_is_not_offloaded(fields: dict[str, Any]) -> None:
    settings = DiffusersGeneratorSettings(model="x", offload="group", **fields)
    with pytest.raises(SettingsError, match="too little memory"):
        acceleration.accelerate(None, settings, torch.device("cuda"))


def test_half_precision_draws_no_black_picture(
    make: Callable[..., DiffusersGenerator],
) -> None:
    (drawn,) = pictures(make(dtype="bfloat16", preset="reference"), "nuclei")
    assert np.ptp(drawn) > 20

"""Writers of tiny random models in the libraries' own directory formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderTiny, LCMScheduler, UNet2DConditionModel
from safetensors.torch import save_file

from coin_retrieval.starter import minilm


def write_open_clip_dir(
    directory: Path, *, image_size_px: int = 32, seed: int = 0, **preprocess: Any
) -> Path:
    """A tiny timm vision tower; the MiniLM text tower is left out of the weights file."""
    from open_clip.model import CustomTextCLIP

    model_cfg = {
        "embed_dim": 16,
        "vision_cfg": {
            "timm_model_name": "test_byobnet",
            "timm_model_pretrained": False,
            "timm_pool": "",
            "timm_proj": "linear",
            "image_size": image_size_px,
        },
        "text_cfg": {
            "hf_model_name": "minilm",
            "hf_tokenizer_name": "minilm",
            "hf_proj_type": "mlp",
            "hf_pooler_type": "mean_pooler",
            "context_length": 128,
        },
        "custom_text": True,
    }
    preprocess_cfg = {
        "mean": [0.5, 0.4, 0.6],
        "std": [0.25, 0.3, 0.2],
        "size": image_size_px,
        "interpolation": "bilinear",
        "resize_mode": "squash",
    } | preprocess
    text_cfg = {**model_cfg["text_cfg"], "hf_model_pretrained": False}  # type: ignore[dict-item]
    text_cfg["hf_model_name"] = str(minilm.directory())
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = CustomTextCLIP(
            embed_dim=16, vision_cfg=dict(model_cfg["vision_cfg"]), text_cfg=text_cfg
        )
    kept = {
        key: tensor.contiguous()
        for key, tensor in model.state_dict().items()
        if not key.startswith("text.transformer.")
    }
    save_file(kept, directory / "open_clip_model.safetensors")
    config = {"model_cfg": model_cfg, "preprocess_cfg": preprocess_cfg}
    (directory / "open_clip_config.json").write_text(json.dumps(config, indent=2))
    return directory


def write_sentence_pipeline_dir(directory: Path, *, seed: int = 0) -> Path:
    """Stable Diffusion conditioned on one 384-d sentence vector, with few-step sampling."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        unet = UNet2DConditionModel(
            sample_size=16,
            in_channels=4,
            out_channels=4,
            block_out_channels=(16, 32),
            layers_per_block=1,
            norm_num_groups=8,
            attention_head_dim=8,
            cross_attention_dim=minilm.DIM,
            time_cond_proj_dim=16,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        )
        vae = AutoencoderTiny(
            encoder_block_out_channels=(8, 8),
            decoder_block_out_channels=(8, 8),
            num_encoder_blocks=(1, 1),
            num_decoder_blocks=(1, 1),
            latent_channels=4,
        )
    unet.save_pretrained(directory / "unet")
    vae.save_pretrained(directory / "vae")
    LCMScheduler(steps_offset=1).save_pretrained(directory / "scheduler")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.42.1",
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "LCMScheduler"],
        "text_encoder": [None, None],
        "tokenizer": [None, None],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderTiny"],
    }
    (directory / "model_index.json").write_text(json.dumps(index, indent=2))
    recommended = {"name": "tiny", "steps": 2, "guidance": 1.0, "width_px": 32, "height_px": 32}
    (directory / "coin.json").write_text(json.dumps(recommended, indent=2))
    return directory

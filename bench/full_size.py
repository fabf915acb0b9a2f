"""SDXL base 1.0 at full size with random weights, from its published configuration."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    EulerDiscreteScheduler,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from coin_retrieval.testing.tiny_models import write_letter_tokenizer

UNET = {
    "sample_size": 128,
    "block_out_channels": (320, 640, 1280),
    "attention_head_dim": (5, 10, 20),
    "transformer_layers_per_block": (1, 2, 10),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
}
VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "sample_size": 1024,
    "scaling_factor": 0.13025,
    "force_upcast": True,
}
SMALL_TEXT = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12,
              "num_hidden_layers": 12, "projection_dim": 768}  # fmt: skip
LARGE_TEXT = {"hidden_size": 1280, "intermediate_size": 5120, "num_attention_heads": 20,
              "num_hidden_layers": 32, "projection_dim": 1280, "hidden_act": "gelu"}  # fmt: skip


def write_sdxl(directory: Path) -> Path:
    """The pipeline in bfloat16, 7 GB; what is there already is kept."""
    if (directory / "model_index.json").is_file():
        return directory
    tokenizer = write_letter_tokenizer(directory / "tokenizer")
    write_letter_tokenizer(directory / "tokenizer_2")
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
           "pad_token_id": tokenizer.pad_token_id, "vocab_size": 49408}  # fmt: skip
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        StableDiffusionXLPipeline(
            vae=AutoencoderKL(**VAE),
            text_encoder=CLIPTextModel(CLIPTextConfig(**SMALL_TEXT, **ids)),
            text_encoder_2=CLIPTextModelWithProjection(CLIPTextConfig(**LARGE_TEXT, **ids)),
            tokenizer=tokenizer,
            tokenizer_2=tokenizer,
            unet=UNet2DConditionModel(**UNET),
            scheduler=EulerDiscreteScheduler(
                beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, steps_offset=1
            ),
        ).save_pretrained(directory)
    finally:
        torch.set_default_dtype(before)
    return directory


def write_tiny_vae(directory: Path) -> Path:
    """The small decoder as published for SDXL (TAESDXL), its weights random."""
    if not directory.is_dir():
        torch.manual_seed(0)
        AutoencoderTiny().save_pretrained(directory)
    return directory

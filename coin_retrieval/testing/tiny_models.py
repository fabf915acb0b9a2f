"""Writers of tiny random models in the libraries' own directory formats."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    PixArtSigmaPipeline,
    PixArtTransformer2DModel,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
)

from coin_retrieval.nets.cyclegan import CycleGanConfig, Translation, save_pair
from coin_retrieval.nets.joint.network import JointConfig, JointNet
from coin_retrieval.starter import minilm


def write_open_clip_dir(
    directory: Path, *, image_size_px: int = 32, seed: int = 0, **preprocess: Any
) -> Path:
    """A tiny timm vision tower; the MiniLM text tower is left out of the weights file."""
    from open_clip.model import CustomTextCLIP

    model_cfg: dict[str, Any] = {
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
    text_cfg = {**model_cfg["text_cfg"], "hf_model_pretrained": False}
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


def write_sdxl_dir(directory: Path, *, seed: int = 0) -> Path:
    """A complete Stable Diffusion XL: two text encoders that read 77 letters, 32 px pictures."""
    tokenizer = write_letter_tokenizer(directory / "tokenizer")
    write_letter_tokenizer(directory / "tokenizer_2")
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        hidden_size=32,
        intermediate_size=37,
        num_attention_heads=4,
        num_hidden_layers=2,
        projection_dim=32,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        first, second = CLIPTextModel(text), CLIPTextModelWithProjection(text)
        unet = UNet2DConditionModel(
            sample_size=16,
            in_channels=4,
            out_channels=4,
            block_out_channels=(16, 32),
            layers_per_block=1,
            norm_num_groups=8,
            attention_head_dim=(2, 4),
            transformer_layers_per_block=(1, 2),
            use_linear_projection=True,
            cross_attention_dim=64,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=80,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        )
        vae = AutoencoderKL(
            block_out_channels=(8, 16),
            down_block_types=("DownEncoderBlock2D", "DownEncoderBlock2D"),
            up_block_types=("UpDecoderBlock2D", "UpDecoderBlock2D"),
            latent_channels=4,
            norm_num_groups=4,
            sample_size=32,
        )
    StableDiffusionXLPipeline(
        vae=vae,
        text_encoder=first,
        text_encoder_2=second,
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=unet,
        scheduler=EulerDiscreteScheduler(beta_schedule="scaled_linear", steps_offset=1),
    ).save_pretrained(directory)
    return directory


def write_letter_tokenizer(directory: Path, *, max_length: int = 77) -> CLIPTokenizer:
    """CLIP's tokenizer with no merges: a token a letter, and begin and end."""
    letters = list(string.printable.strip())
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    vocabulary = {token: i for i, token in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=max_length)
    tokenizer.save_pretrained(directory)
    return tokenizer


def write_lora(directory: Path, pipeline_directory: Path, *, seed: int = 0) -> Path:
    """A random LoRA of rank 2 on the U-Net's and the first text encoder's attention."""
    pipeline = StableDiffusionXLPipeline.from_pretrained(pipeline_directory)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        pipeline.unet.add_adapter(
            LoraConfig(
                r=2,
                lora_alpha=4,
                init_lora_weights=False,
                target_modules=["to_q", "to_k", "to_v", "to_out.0"],
            )
        )
        pipeline.text_encoder.add_adapter(
            LoraConfig(
                r=2,
                lora_alpha=2,
                init_lora_weights=False,
                target_modules=["q_proj", "k_proj", "v_proj", "out_proj"],
            )
        )
    StableDiffusionXLPipeline.save_lora_weights(
        directory,
        unet_lora_layers=get_peft_model_state_dict(pipeline.unet),
        text_encoder_lora_layers=get_peft_model_state_dict(pipeline.text_encoder),
        unet_lora_adapter_metadata=pipeline.unet.peft_config["default"].to_dict(),
        text_encoder_lora_adapter_metadata=pipeline.text_encoder.peft_config["default"].to_dict(),
    )
    return directory / "pytorch_lora_weights.safetensors"


def write_clip_dir(directory: Path, *, seed: int = 0) -> Path:
    """A CLIP with towers of open_clip's own and a context of 16 tokens."""
    from open_clip import CLIP

    model_cfg: dict[str, Any] = {
        "embed_dim": 16,
        "vision_cfg": {
            "image_size": 32,
            "layers": 2,
            "width": 32,
            "head_width": 16,
            "patch_size": 8,
        },
        "text_cfg": {
            "context_length": 16,
            "vocab_size": 49408,
            "width": 32,
            "heads": 2,
            "layers": 2,
        },
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = CLIP(**model_cfg)
    save_file(dict(model.state_dict()), directory / "open_clip_model.safetensors")
    preprocess_cfg = {"mean": [0.5] * 3, "std": [0.5] * 3, "resize_mode": "longest"}
    config = {"model_cfg": model_cfg, "preprocess_cfg": preprocess_cfg}
    (directory / "open_clip_config.json").write_text(json.dumps(config))
    return directory


def write_timm_dir(directory: Path, *, seed: int = 0) -> Path:
    """A tiny timm model with a classifier, as timm saves models for the hub."""
    import timm
    from timm.models import save_for_hf

    config = {"mean": (0.6, 0.5, 0.4), "std": (0.2, 0.2, 0.3), "input_size": (3, 64, 64)}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = timm.create_model("test_resnet", num_classes=7, pretrained_cfg_overlay=config)
    save_for_hf(model, directory, safe_serialization=True)
    return directory


def write_pixart_dir(directory: Path, *, seed: int = 0) -> Path:
    """A PixArt: no U-Net, one T5 that reads 300 letters, 256 px pictures by its own bins."""
    tokenizer = write_letter_tokenizer(directory / "tokenizer", max_length=512)
    text = T5Config(
        vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=37, num_layers=1, num_heads=4
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        PixArtSigmaPipeline(
            tokenizer=tokenizer,
            text_encoder=T5EncoderModel(text),
            vae=AutoencoderKL(
                block_out_channels=(4, 4, 4, 4),
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
                latent_channels=4,
                norm_num_groups=2,
            ),
            transformer=PixArtTransformer2DModel(
                sample_size=32,
                patch_size=2,
                num_layers=1,
                attention_head_dim=8,
                num_attention_heads=2,
                caption_channels=32,
                cross_attention_dim=16,
                in_channels=4,
                out_channels=8,
                use_additional_conditions=False,
            ),
            scheduler=DPMSolverMultistepScheduler(),
        ).save_pretrained(directory)
    return directory


def write_joint_dir(directory: Path, *, seed: int = 0) -> Path:
    """A joint model of random weights: 16 px, two kinds of nuclei, 3 steps."""
    config = JointConfig(
        labels=("background", "nucleus", "cytoplasm"),
        kinds=("nucleus", "mitosis"),
        side_px=16,
        channels=(8, 16),
        attention=(False, False),
        patch=2,
        steps=3,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        JointNet(config).save(directory)
    return directory


def write_cyclegan_dir(directory: Path, *, seed: int = 0) -> Path:
    """A CycleGAN of random weights that translates squares of 16 px."""
    config = CycleGanConfig(side_px=16, channels=4, blocks=1)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        save_pair(Translation(config), Translation(config), config, directory)
    return directory

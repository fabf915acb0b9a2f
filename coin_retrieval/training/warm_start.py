"""Begin where another training ended: your cases after ours, a new prompt before an old U-Net."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from coin_retrieval.errors import WeightsError
from coin_retrieval.nets.pretrained import read_safetensors
from coin_retrieval.nets.reader import ConceptReader
from coin_retrieval.wordings.concepts import Concepts

# what a U-Net multiplies a prompt's entries by, each entry its own column
_PROMPT = (
    "norm1.weight",
    "norm1.bias",
    "positional_embedding",
    "q_proj.weight",
    "k_proj.weight",
    "v_proj.weight",
)
_CROSS = ("attn2.to_k.weight", "attn2.to_v.weight")


def take_over(module: nn.Module, file: Path) -> list[str]:
    """Copy from ``file`` every tensor that the module has by name and shape; return what lacks.

    Raises:
        WeightsError: the file cannot be read, or nothing in it fits.
    """
    return _copy(module, read_safetensors(file), file)


def take_over_generator(unet: nn.Module, directory: Path, concepts: Concepts) -> list[str]:
    """Copy a generator's U-Net; each entry of a prompt keeps what was learned of its concept.

    A concept that the generator did not know begins as ``unet`` has it. ``directory`` is a
    generator with its ``reader/``; returns the tensors that lack.

    Raises:
        WeightsError: the directory cannot be read, or nothing in it fits.
    """
    offered = read_safetensors(directory / "unet" / "diffusion_pytorch_model.safetensors")
    before = Concepts(groups=ConceptReader.load(directory / "reader").config.groups).entries()
    moved = [(new, before[name]) for name, new in concepts.entries().items() if name in before]
    to, of = (torch.tensor(numbers) for numbers in zip(*moved, strict=True))
    for name, value in unet.state_dict().items():
        of_prompts = name.startswith("add_embedding") and name.endswith(_PROMPT)
        if name in offered and (of_prompts or name.endswith(_CROSS)):
            columns = value.float().clone()
            columns[..., to] = offered[name].float()[..., of]
            offered[name] = columns
    return _copy(unet, offered, directory)


def _copy(module: nn.Module, offered: Mapping[str, Tensor], start: Path) -> list[str]:
    own = module.state_dict()
    fitting = {k: v for k, v in offered.items() if k in own and own[k].shape == v.shape}
    if not fitting:
        raise WeightsError(
            "no tensor of the start fits",
            value=str(start),
            expected=f"weights of a {type(module).__name__} of like shape",
            remedy="leave start_from out of the recipe",
        )
    module.load_state_dict({k: v.to(own[k].dtype) for k, v in fitting.items()}, strict=False)
    return sorted(set(own) - set(fitting))

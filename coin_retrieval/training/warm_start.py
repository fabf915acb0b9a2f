"""Begin where another training ended: your cases after ours, a new prompt before an old U-Net."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from coin_retrieval.errors import WeightsError
from coin_retrieval.nets.pretrained import read_safetensors


def take_over(module: nn.Module, file: Path) -> list[str]:
    """Copy from ``file`` every tensor that the module has by name and shape; return what lacks.

    Raises:
        WeightsError: the file cannot be read, or nothing in it fits.
    """
    own = module.state_dict()
    offered = read_safetensors(file)
    fitting = {k: v for k, v in offered.items() if k in own and own[k].shape == v.shape}
    if not fitting:
        raise WeightsError(
            "no tensor of the start fits",
            value=str(file),
            expected=f"weights of a {type(module).__name__} of like shape",
            remedy="leave start_from out of the recipe",
        )
    module.load_state_dict({k: v.to(own[k].dtype) for k, v in fitting.items()}, strict=False)
    return sorted(set(own) - set(fitting))

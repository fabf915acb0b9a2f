"""The translating network of a CycleGAN, and the directory that a pair of them is kept in.

Zhu et al. 2017 (arXiv 1703.10593): a residual network of Johnson et al. (arXiv 1603.08155) with
instance normalisation, as Dey et al. 2024 (arXiv 2403.10885) use it from histology to cytology.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field
from safetensors.torch import save_file
from torch import Tensor, nn

from coin_retrieval.nets.model_card import read_shape
from coin_retrieval.nets.pretrained import read_safetensors, refuse_mismatch

CONFIG, WEIGHTS = "cyclegan.json", "model.safetensors"


class CycleGanConfig(BaseModel):
    """Shape of both translators: ``channels`` at full size, ``blocks`` in the middle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    side_px: int = Field(default=128, gt=0, multiple_of=4)
    channels: int = Field(default=64, gt=0)
    blocks: int = Field(default=6, ge=0)


class Translation(nn.Module):
    """Pictures [b 3 h w] in [-1, 1] to pictures of the other kind."""

    def __init__(self, config: CycleGanConfig) -> None:
        super().__init__()
        wide = config.channels
        layers = [nn.ReflectionPad2d(3), *_normed(nn.Conv2d(3, wide, 7))]
        for factor in (1, 2):
            layers += _normed(nn.Conv2d(factor * wide, 2 * factor * wide, 3, 2, 1))
        layers += [_Residual(4 * wide) for _ in range(config.blocks)]
        for factor in (4, 2):
            # enlarged, then filtered: transposed convolutions draw chequerboards
            layers += [
                nn.Upsample(scale_factor=2),
                *_normed(nn.Conv2d(factor * wide, factor * wide // 2, 3, 1, 1)),
            ]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(wide, 3, 7), nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, pictures: Tensor) -> Tensor:
        """Translate."""
        found: Tensor = self.layers(pictures)
        return found


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            *_normed(nn.Conv2d(channels, channels, 3)),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, seen: Tensor) -> Tensor:
        found: Tensor = seen + self.body(seen)
        return found


def _normed(layer: nn.Conv2d) -> list[nn.Module]:
    return [layer, nn.InstanceNorm2d(layer.out_channels), nn.ReLU()]


def save_pair(there: nn.Module, back: nn.Module, config: CycleGanConfig, directory: Path) -> None:
    """Write both directions, float16."""
    directory.mkdir(parents=True, exist_ok=True)
    weights = {
        f"{name}.{key}": value.detach().half().cpu().contiguous()
        for name, module in (("there", there), ("back", back))
        for key, value in module.state_dict().items()
    }
    save_file(weights, directory / WEIGHTS)
    (directory / CONFIG).write_text(config.model_dump_json(indent=1) + "\n", "utf-8")


def read_config(directory: Path) -> CycleGanConfig:
    """The shape of the translators that lie there.

    Raises:
        WeightsError: there are none.
    """
    return read_shape(directory / CONFIG, CycleGanConfig, written_by="coin train cyclegan")


def load_direction(directory: Path, direction: str) -> Translation:
    """One of the two translators, ``there`` or ``back``, float32.

    Raises:
        WeightsError: files that are missing, damaged, or do not fit each other.
    """
    network = Translation(read_config(directory))
    weights = {
        key.removeprefix(f"{direction}."): value.float()
        for key, value in read_safetensors(directory / WEIGHTS).items()
        if key.startswith(f"{direction}.")
    }
    own = network.state_dict()
    fitting = {
        key for key, value in weights.items() if key in own and own[key].shape == value.shape
    }
    refuse_mismatch("the translator", missing=set(own) - fitting, unexpected=set(weights) - fitting)
    network.load_state_dict(weights)
    return network.eval()

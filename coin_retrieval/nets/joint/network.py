"""The joint denoiser's network, and the directory that it is kept in.

Min, Oh and Jeong 2024 (ECCV, arXiv 2407.14434): picture, distance map and label have a stem each
whose features are added; so is a layout, a map with one pixel a nucleus whose channel is its kind.
A prompt enters at every residual block, as one sentence vector of the frozen all-MiniLM-L6-v2.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from pydantic import BaseModel, ConfigDict, Field
from safetensors.torch import save_file
from torch import Tensor, nn

from coin_retrieval.nets.model_card import read_shape
from coin_retrieval.nets.pretrained import read_safetensors, refuse_mismatch

CONFIG, WEIGHTS = "joint.json", "model.safetensors"
_LOOKS_PX = 9


class JointConfig(BaseModel):
    """What is drawn, and the network's shape.

    ``labels`` are what a pixel may be, background first and nuclei second; ``kinds`` what a nucleus
    of a layout may be. With ``single_cell`` a picture shows one cell, whose nucleus is one however
    many lobes it has. The trunk sees squares of ``patch`` px as one. ``mpp_um`` is micrometres a
    drawn pixel, if known. ``steps`` and ``guidance`` are what it is best drawn with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: tuple[str, ...] = Field(min_length=2)
    kinds: tuple[str, ...] = Field(min_length=1)
    side_px: int = Field(gt=0, multiple_of=8)
    single_cell: bool = False
    channels: tuple[int, ...] = (32, 64, 96)
    attention: tuple[bool, ...] = (False, False, True)
    layers: int = 1
    patch: int = Field(default=1, gt=0)
    text_dim: int = Field(default=384, gt=0)
    mpp_um: float | None = None
    steps: int = Field(default=100, gt=0)
    guidance: float = Field(default=2.0, ge=1)


class JointNet(nn.Module):
    """What is clean, from what is noisy: picture, distance map, and logits of labels."""

    def __init__(self, config: JointConfig) -> None:
        super().__init__()
        self.config = config
        width, patch = config.channels[0], config.patch

        def stem(channels: int) -> nn.Conv2d:
            return nn.Conv2d(channels, width, patch + 2, stride=patch, padding=1)

        self.picture, self.distance, self.label = stem(3), stem(1), stem(len(config.labels))
        # one pixel is little to see: wide looks, so that its surroundings know of it
        self.layout = nn.Sequential(
            nn.Conv2d(len(config.kinds), width, _LOOKS_PX, padding=_LOOKS_PX // 2),
            nn.SiLU(),
            stem(width),
        )
        down = tuple("AttnDownBlock2D" if on else "DownBlock2D" for on in config.attention)
        up = tuple("AttnUpBlock2D" if on else "UpBlock2D" for on in reversed(config.attention))
        self.trunk = UNet2DConditionModel(
            sample_size=config.side_px // patch,
            in_channels=width,
            out_channels=(4 + len(config.labels)) * patch**2,
            block_out_channels=config.channels,
            layers_per_block=config.layers,
            down_block_types=down,
            up_block_types=up,
            cross_attention_dim=config.text_dim,
            attention_head_dim=8,
            norm_num_groups=8,
            addition_embed_type="text",
            addition_embed_type_num_heads=8,
        )

    def forward(
        self,
        picture: Tensor,
        distance: Tensor,
        label: Tensor,
        layout: Tensor,
        times: Tensor,
        prompt: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One step of denoising.

        Args:
            picture, distance: [b 3 h w] and [b 1 h w], noised from [-1, 1].
            label: probabilities [b labels h w] of noised labels.
            layout: [b kinds h w], 1 where a nucleus of that kind has its centre.
            times: [b].
            prompt: [b 1 dim]; zeros for none.

        Returns:
            Clean [b 3 h w] and [b 1 h w], logits [b labels h w].
        """
        features = self.picture(picture) + self.distance(distance) + self.label(2 * label - 1)
        features = features + self.layout(layout)
        given = self.trunk(features, times, encoder_hidden_states=prompt).sample
        given = nn.functional.pixel_shuffle(given, self.config.patch)
        return given[:, :3], given[:, 3:4], given[:, 4:]

    def save(self, directory: Path) -> None:
        """Write configuration and weights, float16."""
        directory.mkdir(parents=True, exist_ok=True)
        weights = {k: v.detach().half().cpu().contiguous() for k, v in self.state_dict().items()}
        save_file(weights, directory / WEIGHTS)
        (directory / CONFIG).write_text(self.config.model_dump_json(indent=1) + "\n", "utf-8")

    @classmethod
    def load(cls, directory: Path) -> JointNet:
        """The network that was saved there, float32.

        Raises:
            WeightsError: its files are missing, damaged, or do not fit each other.
        """
        config = read_config(directory)
        network = cls(config)
        weights = read_safetensors(directory / WEIGHTS)
        own = network.state_dict()
        fitting = {k for k, v in weights.items() if k in own and own[k].shape == v.shape}
        refuse_mismatch(
            "the joint network", missing=set(own) - fitting, unexpected=set(weights) - fitting
        )
        network.load_state_dict({name: value.float() for name, value in weights.items()})
        return network.eval()


def read_config(directory: Path) -> JointConfig:
    """What a joint model's directory draws.

    Raises:
        WeightsError: it is none.
    """
    return read_shape(directory / CONFIG, JointConfig, written_by="coin train joint")


def layout_map(points: Iterable[tuple[float, float, int]], kinds: int, side_px: int) -> Tensor:
    """The map [kinds side side] of nuclei (x, y, kind); positions are shares of the side."""
    found = torch.zeros(kinds, side_px, side_px)
    for x, y, kind in points:
        found[int(kind), int(y * side_px), int(x * side_px)] = 1.0
    return found

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from coin_retrieval.encoding.base import SupportsFeatures
from coin_retrieval.evaluation.pictures.spaces import open_space


def test_cmmd_is_for_encoders_that_read_text(space: str, tiny_open_clip_dir: Path) -> None:
    clip = open_space(f"open_clip:{tiny_open_clip_dir}?text_tower=minilm&device=cpu")
    assert clip.cmmd_name == f"CMMD-{clip.name}"
    assert open_space(space).cmmd_name is None


@pytest.mark.weights
def test_mobilenet_is_named_as_the_field_names_it(weights_root: Path) -> None:
    checkpoint = weights_root / "mobilenetv2_100_imagenet.safetensors"
    opened = open_space(
        f"timm:mobilenetv2_100?checkpoint={checkpoint}&num_classes=1001&pad_type=same"
        "&mean=0.5&std=0.5&device=cpu"
    )
    assert opened.frechet_name == "FD-MobileNetV2"


def test_pictures_are_measured_in_full_precision_on_every_machine(tiny_timm_dir: Path) -> None:
    pictures = [np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)]
    unsaid, said = (
        open_space(f"timm:{tiny_timm_dir}?device=cpu{dtype}").encoder
        for dtype in ("", "&dtype=float32")
    )
    assert isinstance(unsaid, SupportsFeatures)
    assert isinstance(said, SupportsFeatures)
    assert np.array_equal(unsaid.features(pictures), said.features(pictures))

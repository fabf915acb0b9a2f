from __future__ import annotations

import numpy as np
import pytest
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from timm.data import create_transform
from torchvision.transforms import Compose, Normalize, Resize, ToTensor

from coin_retrieval.encoding.preprocessing import BatchPreprocessing
from coin_retrieval.errors import ModelError
from coin_retrieval.testing.encoder_suite import pictures

OPEN_CLIP = [
    image_transform_v2(PreprocessCfg(size=size, resize_mode=mode, mean=mean), is_train=False)
    for size, mode, mean in [
        (48, "squash", (0.5, 0.5, 0.5)),
        (48, "shortest", (0.4, 0.5, 0.6)),
        ((40, 48), "longest", (0.5, 0.5, 0.5)),
    ]
]
TIMM = [
    create_transform((3, 48, 48), is_training=False, crop_mode=mode, interpolation=interpolation)
    for mode, interpolation in [
        ("center", "bicubic"),
        ("squash", "bilinear"),
        ("border", "bicubic"),
    ]
]


@pytest.mark.parametrize("transform", [*OPEN_CLIP, *TIMM])
def test_a_batch_gets_bit_for_bit_what_each_picture_gets_alone(transform: Compose) -> None:
    shown = pictures([(40, 60), (90, 30), (48, 48), (5, 5)])
    expected = torch.stack([transform(Image.fromarray(picture)) for picture in shown])
    np.testing.assert_array_equal(BatchPreprocessing(transform)(shown), expected)


@pytest.mark.parametrize("steps", [[Resize(8)], [Resize(8), ToTensor()], [Normalize(0.5, 0.5)]])
def test_preprocessing_of_another_kind_is_refused(steps: list[object]) -> None:
    with pytest.raises(ModelError, match="Normalize"):
        BatchPreprocessing(Compose(steps))

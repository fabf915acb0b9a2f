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


BY_PILLOW = [
    create_transform((3, 48, 48), is_training=False, crop_mode="border"),
    create_transform((3, 48, 48), is_training=False, interpolation="nearest"),
    OPEN_CLIP[-1],
]


@pytest.mark.parametrize("transform", [*OPEN_CLIP, *TIMM])
def test_a_batch_gets_what_each_picture_gets_alone_within_two_grey_levels(
    transform: Compose,
) -> None:
    # of no height that Pillow 13 would resize first
    shown = pictures([(40, 60), (30, 90), (48, 48), (5, 5), (700, 900)])
    expected = torch.stack([transform(Image.fromarray(picture)) for picture in shown])
    level = 1 / 255 / min(transform.transforms[-1].std)
    gotten = BatchPreprocessing(transform)(shown)
    torch.testing.assert_close(gotten, expected, rtol=0, atol=2.001 * level)
    assert (gotten - expected).abs().gt(level / 2).float().mean() < 0.02


@pytest.mark.parametrize("transform", BY_PILLOW)
def test_what_torch_resizes_otherwise_is_left_to_pillow(transform: Compose) -> None:
    shown = pictures([(40, 60), (90, 30)])
    expected = torch.stack([transform(Image.fromarray(picture)) for picture in shown])
    torch.testing.assert_close(BatchPreprocessing(transform)(shown), expected, rtol=0, atol=1e-5)


def test_a_picture_that_may_not_be_written_to_is_taken() -> None:
    (picture,) = pictures([(40, 60)])
    turned = picture[:, ::-1]
    turned.flags.writeable = False
    preprocess = BatchPreprocessing(OPEN_CLIP[0])
    assert torch.equal(preprocess([turned]), preprocess([np.ascontiguousarray(turned)]))


@pytest.mark.parametrize("steps", [[Resize(8)], [Resize(8), ToTensor()], [Normalize(0.5, 0.5)]])
def test_preprocessing_of_another_kind_is_refused(steps: list[object]) -> None:
    with pytest.raises(ModelError, match="Normalize"):
        BatchPreprocessing(Compose(steps))

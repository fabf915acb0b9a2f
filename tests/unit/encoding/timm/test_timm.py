from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from coin_retrieval.config import TimmEncoderSettings
from coin_retrieval.encoding.preprocessing import BatchPreprocessing
from coin_retrieval.encoding.timm.encoder import TimmEncoder
from coin_retrieval.errors import SettingsError, WeightsError
from coin_retrieval.images.decoding import load_image
from coin_retrieval.testing.encoder_suite import pictures


def encoder(model: Path | str, **settings: Any) -> TimmEncoder:
    fields = {"dtype": "float32", "device": "cpu"} | settings
    return TimmEncoder(TimmEncoderSettings(model=str(model), **fields))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(3)
    model = timm.create_model("test_resnet", num_classes=7)
    save_file(dict(model.state_dict()), tmp_path / "mine.safetensors")
    return tmp_path / "mine.safetensors"


def test_a_checkpoint_with_a_classifier_gives_the_features_before_it(checkpoint: Path) -> None:
    model = timm.create_model("test_resnet", num_classes=7).eval()
    model.load_state_dict(load_file(checkpoint))
    (shown,) = pictures([(64, 64)])
    ours = encoder(
        "test_resnet",
        checkpoint=checkpoint,
        model_args={"num_classes": 7},
        image_size_px=64,
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
    )
    features = ours.features([shown])
    with torch.inference_mode():
        expected = model(ours._preprocess([shown]))
    logits = features @ model.get_classifier().weight.detach().numpy().T
    logits += model.get_classifier().bias.detach().numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-4)


def test_the_overrides_reach_the_pixels(checkpoint: Path) -> None:
    settings = {"checkpoint": checkpoint, "model_args": {"num_classes": 7}}
    plain = encoder("test_resnet", **settings)
    ours = encoder(
        "test_resnet", **settings, image_size_px=48, mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 0.25)
    )
    values = ours._preprocess([np.full((60, 60, 3), 255, np.uint8)])
    assert values.shape == (1, 3, 48, 48)
    np.testing.assert_allclose(values[0, :, 24, 24], [1.0, 1.0, 0.0], atol=1e-6)
    assert ours.spec.preprocessing != plain.spec.preprocessing
    assert ours.spec.weights == plain.spec.weights


def test_a_directory_says_its_own_preprocessing(tiny_timm_dir: Path) -> None:
    values = encoder(tiny_timm_dir)._preprocess([np.zeros((80, 80, 3), np.uint8)])
    assert values.shape == (1, 3, 64, 64)
    np.testing.assert_allclose(values[0, :, 32, 32], [-3.0, -2.5, -0.4 / 0.3], atol=1e-5)


def test_a_key_too_many_or_too_few_is_named(checkpoint: Path) -> None:
    tensors = load_file(checkpoint)
    lost = sorted(tensors)[0]
    save_file({name: tensors[name] for name in tensors if name != lost}, checkpoint)
    with pytest.raises(WeightsError, match=lost.replace(".", r"\.")):
        encoder("test_resnet", checkpoint=checkpoint, model_args={"num_classes": 7})
    save_file(tensors | {"extra.weight": torch.zeros(1)}, checkpoint)
    with pytest.raises(WeightsError, match=r"extra\.weight"):
        encoder("test_resnet", checkpoint=checkpoint, model_args={"num_classes": 7})


def test_a_directory_with_a_gap_in_its_weights_is_refused(
    tiny_timm_dir: Path, tmp_path: Path
) -> None:
    directory = Path(shutil.copytree(tiny_timm_dir, tmp_path / "model"))
    tensors = load_file(directory / "model.safetensors")
    lost = sorted(tensors)[0]
    save_file(
        {name: tensors[name] for name in tensors if name != lost}, directory / "model.safetensors"
    )
    with pytest.raises(WeightsError, match=lost.split(".")[0]):
        encoder(directory)


def test_a_classifier_of_another_size_is_refused_with_the_remedy(checkpoint: Path) -> None:
    with pytest.raises(WeightsError, match="num_classes"):
        encoder("test_resnet", checkpoint=checkpoint)


def test_a_size_that_the_model_does_not_take_is_refused(tmp_path: Path) -> None:
    model = timm.create_model("test_vit", num_classes=0)
    save_file(dict(model.state_dict()), tmp_path / "vit.safetensors")
    settings = {"checkpoint": tmp_path / "vit.safetensors", "image_size_px": 48}
    with pytest.raises(SettingsError, match="img_size"):
        encoder("test_vit", **settings, model_args={"num_classes": 0, "dynamic_img_size": False})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "no_such_model"}, "list_models"),
        ({"model": "test_resnet"}, "either checkpoint"),
        ({"model": "test_resnet", "checkpoint": "x.safetensors", "pretrained": True}, "either"),
        ({"model": "test_resnet", "checkpoint": "x.safetensors", "model_args": {"no": 1}}, "args"),
    ],
)
def test_settings_that_name_no_model_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        encoder(**settings)


@pytest.mark.parametrize(
    "settings",
    [{"model": "hf-hub:timm/nowhere"}, {"model": "test_resnet.r160_in1k", "pretrained": True}],
)
def test_nothing_is_downloaded_unless_allowed(settings: dict[str, Any]) -> None:
    with pytest.raises(WeightsError, match="allow_download"):
        encoder(**settings)


def test_a_pickled_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save({}, tmp_path / "model.pth")
    with pytest.raises(WeightsError, match="unsafe format"):
        encoder("test_resnet", checkpoint=tmp_path / "model.pth")


@pytest.fixture(scope="module")
def mobilenet(weights_root: Path) -> dict[str, Any]:
    return {
        "model": "mobilenetv2_100",
        "checkpoint": weights_root / "mobilenetv2_100_imagenet.safetensors",
        "model_args": {"pad_type": "same", "num_classes": 1001},
        "mean": (0.5, 0.5, 0.5),
        "std": (0.5, 0.5, 0.5),
    }


@pytest.mark.weights
def test_mobilenet_gives_the_features_that_its_classifier_reads(mobilenet: dict[str, Any]) -> None:
    ours = encoder(**mobilenet)
    assert ours.spec.dim == 1280
    shown = pictures([(224, 224), (300, 260)])
    model = timm.create_model("mobilenetv2_100", **mobilenet["model_args"]).eval()
    model.load_state_dict(load_file(mobilenet["checkpoint"]))
    transform = timm.data.create_transform(
        (3, 224, 224), is_training=False, mean=(0.5,) * 3, std=(0.5,) * 3, interpolation="bicubic"
    )
    with torch.inference_mode():
        batch = BatchPreprocessing(transform)(shown)
        expected = model.forward_head(model.forward_features(batch), pre_logits=True)
    np.testing.assert_allclose(ours.features(shown), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.weights
@pytest.mark.data
def test_automatic_precision_keeps_real_pictures_where_they_are(
    mobilenet: dict[str, Any], data_root: Path
) -> None:
    # in bfloat16 this network's features keep a cosine of only 0.995
    files = sorted((data_root / "blood" / "images").iterdir())[:8]
    shown = [load_image(file) for file in files]
    exact, chosen = encoder(**mobilenet), encoder(**mobilenet, dtype="auto")
    assert np.sum(exact.encode(shown) * chosen.encode(shown), axis=1).min() >= 0.999

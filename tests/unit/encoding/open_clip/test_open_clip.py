from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from open_clip.transform import PreprocessCfg
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoTokenizer

from coin_retrieval.config import OpenClipEncoderSettings
from coin_retrieval.encoding.base import unit_rows
from coin_retrieval.encoding.open_clip.encoder import OpenClipEncoder
from coin_retrieval.encoding.open_clip.files import PREPROCESSING
from coin_retrieval.errors import SettingsError, WeightsError
from coin_retrieval.starter import minilm
from coin_retrieval.testing.encoder_suite import pictures

CONFIG, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"


def encoder(model: Path | str, **settings: Any) -> OpenClipEncoder:
    fields = {"dtype": "float32", "device": "cpu"} | settings
    return OpenClipEncoder(OpenClipEncoderSettings(model=str(model), **fields))


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[Path], Path]:
    return lambda directory: Path(shutil.copytree(directory, tmp_path / "model"))


def change_config(directory: Path, section: str, **values: Any) -> None:
    path = directory / CONFIG
    config = json.loads(path.read_text())
    config[section] |= values
    path.write_text(json.dumps(config))


def change_weights(directory: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    save_file(change(load_file(directory / WEIGHTS)), directory / WEIGHTS)


def test_a_directory_embeds_as_open_clip_itself_does(tiny_clip_dir: Path) -> None:
    model, transform = open_clip.create_model_from_pretrained(f"local-dir:{tiny_clip_dir}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{tiny_clip_dir}")
    shown = pictures([(40, 60), (33, 32)])
    with torch.inference_mode():
        batch = torch.stack([transform(Image.fromarray(picture)) for picture in shown])
        expected = model.eval().encode_image(batch, normalize=True)
        expected_text = model.encode_text(tokenizer(["an eosinophil"]), normalize=True)
    ours = encoder(tiny_clip_dir)
    np.testing.assert_allclose(ours.encode(shown), expected, atol=1e-5)
    np.testing.assert_allclose(ours.encode_text(["an eosinophil"]), expected_text, atol=1e-5)


def test_the_directorys_own_preprocessing_is_used(
    tiny_open_clip_dir: Path, copied: Callable[[Path], Path]
) -> None:
    # open_clip issue 1068: loaded offline, models got another one's mean and std without a word
    white = np.full((70, 50, 3), 255, np.uint8)
    (values,) = encoder(tiny_open_clip_dir, text_tower="minilm")._network.preprocess([white])
    assert values.shape == (3, 32, 32)
    expected = (1 - torch.tensor([0.5, 0.4, 0.6])) / torch.tensor([0.25, 0.3, 0.2])
    torch.testing.assert_close(values[:, 16, 16], expected)
    directory = copied(tiny_open_clip_dir)
    change_config(directory, "preprocess_cfg", mean=[0.1, 0.2, 0.3])
    first, second = (
        encoder(tiny_open_clip_dir, text_tower="minilm"),
        encoder(directory, text_tower="minilm"),
    )
    assert first.spec.preprocessing != second.spec.preprocessing
    assert first.spec.weights == second.spec.weights


def test_what_a_configuration_leaves_open_is_what_open_clip_takes() -> None:
    assert dict(PREPROCESSING) == asdict(PreprocessCfg())


def test_files_tell_the_identity_and_the_network_loads_when_it_is_used(
    tiny_open_clip_dir: Path,
) -> None:
    ours = encoder(tiny_open_clip_dir, text_tower="minilm")
    assert ours.spec.dim == 16
    assert ours.dropped_text("an eosinophil") == ""
    assert "_network" not in vars(ours)
    ours.encode_text(["an eosinophil"])
    assert "_network" in vars(ours)


def test_an_unknown_device_is_told_when_the_network_loads(tiny_clip_dir: Path) -> None:
    with pytest.raises(SettingsError, match="unknown device"):
        encoder(tiny_clip_dir, device="abacus").load()


def test_a_directory_without_preprocessing_is_refused(
    tiny_clip_dir: Path, copied: Callable[[Path], Path]
) -> None:
    directory = copied(tiny_clip_dir)
    config = json.loads((directory / CONFIG).read_text())
    del config["preprocess_cfg"]
    (directory / CONFIG).write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="preprocess"):
        encoder(directory)


@pytest.mark.parametrize("wrong", [{"size": 64}, {"size": [32, 64]}, {"resize": "squash"}])
def test_preprocessing_that_does_not_fit_is_refused(
    tiny_clip_dir: Path, copied: Callable[[Path], Path], wrong: dict[str, Any]
) -> None:
    directory = copied(tiny_clip_dir)
    change_config(directory, "preprocess_cfg", **wrong)
    with pytest.raises(WeightsError, match="preprocessing"):
        encoder(directory)


def test_a_margin_widens_real_pictures_not_drawn_ones_and_is_another_space(
    tiny_open_clip_dir: Path,
) -> None:
    plain = encoder(tiny_open_clip_dir, text_tower="minilm")
    wide = encoder(tiny_open_clip_dir, text_tower="minilm", margin=0.25)
    shown = pictures([(40, 60), (32, 32)])
    padded = [
        np.pad(picture, ((width, width), (width, width), (0, 0)), mode="edge")
        for picture, width in zip(shown, (15, 8), strict=True)
    ]
    np.testing.assert_array_equal(wide.encode(shown), plain.encode(padded))
    np.testing.assert_array_equal(wide.encode_drawn(shown), plain.encode(shown))
    assert wide.spec != plain.spec
    assert encoder(tiny_open_clip_dir, text_tower="minilm", margin=0.0).spec == plain.spec


def test_below_zero_a_margin_is_cut_off(tiny_open_clip_dir: Path) -> None:
    shown = pictures([(40, 60)])
    middle = [np.ascontiguousarray(picture[10:-10, 15:-15]) for picture in shown]
    plain = encoder(tiny_open_clip_dir, text_tower="minilm")
    narrow = encoder(tiny_open_clip_dir, text_tower="minilm", margin=-0.25)
    np.testing.assert_array_equal(narrow.encode(shown), plain.encode(middle))


def test_a_picture_and_its_turn_are_one_point_where_orientations_are_averaged(
    tiny_open_clip_dir: Path,
) -> None:
    (shown,) = pictures([(32, 32)])
    turned = np.ascontiguousarray(np.rot90(shown))
    once = encoder(tiny_open_clip_dir, text_tower="minilm")
    four = encoder(tiny_open_clip_dir, text_tower="minilm", orientations=4)
    alike = [float((e.encode([shown]) @ e.encode([turned]).T).item()) for e in (once, four)]
    assert alike[0] < 1 - 1e-4 < alike[1]
    assert four.spec != once.spec


def test_the_text_tower_lies_elsewhere_and_is_the_one_named(tiny_open_clip_dir: Path) -> None:
    texts = ["Koilocytes with perinuclear halos", "an eosinophil"]
    tokenizer = AutoTokenizer.from_pretrained(minilm.directory())
    tower = AutoModel.from_pretrained(minilm.directory(), add_pooling_layer=False).eval()
    projection = load_file(tiny_open_clip_dir / WEIGHTS)
    with torch.inference_mode():
        tokens = tokenizer(texts, padding=True, return_tensors="pt")
        mask = tokens.attention_mask[..., None]
        mean = (tower(**tokens).last_hidden_state * mask).sum(1) / mask.sum(1)
        hidden = torch.nn.functional.gelu(mean @ projection["text.proj.0.weight"].T)
        expected = unit_rows((hidden @ projection["text.proj.2.weight"].T).numpy())
    ours = encoder(tiny_open_clip_dir, text_tower="minilm").encode_text(texts)
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_a_text_that_was_asked_before_is_not_embedded_again(tiny_open_clip_dir: Path) -> None:
    ours = encoder(tiny_open_clip_dir, text_tower="minilm")
    passes: list[object] = []
    ours._network.model.text.register_forward_hook(lambda *_: passes.append(None))
    first, other = ours.encode_text(["koilocytes"]), ours.encode_text(["an eosinophil"])
    again = ours.encode_text(["koilocytes"])
    assert len(passes) == 2
    np.testing.assert_array_equal(again, first)
    assert not np.array_equal(first, other)
    again[:] = 0  # what a caller does with its rows is its own affair
    np.testing.assert_array_equal(ours.encode_text(["koilocytes"]), first)


def test_a_model_trained_beside_a_text_tower_asks_for_it(tiny_open_clip_dir: Path) -> None:
    with pytest.raises(WeightsError, match="text_tower: minilm"):
        encoder(tiny_open_clip_dir)


def test_another_text_tower_is_another_space(tiny_open_clip_dir: Path, tmp_path: Path) -> None:
    tower = Path(shutil.copytree(minilm.directory(), tmp_path / "tower"))
    same = encoder(tiny_open_clip_dir, text_tower=tower)
    tensors = load_file(tower / "model.safetensors")
    tensors["embeddings.LayerNorm.bias"] += 1
    save_file(tensors, tower / "model.safetensors", metadata={"format": "pt"})
    other = encoder(tiny_open_clip_dir, text_tower=tower)
    assert same.spec == encoder(tiny_open_clip_dir, text_tower="minilm").spec
    assert other.spec.weights != same.spec.weights


def test_a_text_tower_with_a_gap_is_refused(tiny_open_clip_dir: Path, tmp_path: Path) -> None:
    tower = Path(shutil.copytree(minilm.directory(), tmp_path / "tower"))
    tensors = load_file(tower / "model.safetensors")
    del tensors["encoder.layer.0.attention.self.query.weight"]
    save_file(tensors, tower / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=r"encoder\.layer\.0\.attention\.self\.query"):
        encoder(tiny_open_clip_dir, text_tower=tower).load()


def test_a_text_tower_for_a_model_that_has_its_own_is_refused(tiny_clip_dir: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be replaced"):
        encoder(tiny_clip_dir, text_tower="minilm")


@pytest.mark.parametrize("key", ["visual.head.proj.weight", "text.proj.0.weight", "logit_scale"])
def test_a_missing_key_is_named(
    tiny_open_clip_dir: Path, copied: Callable[[Path], Path], key: str
) -> None:
    directory = copied(tiny_open_clip_dir)
    change_weights(directory, lambda old: {name: old[name] for name in old if name != key})
    with pytest.raises(WeightsError, match=f"missing: {key}"):
        encoder(directory, text_tower="minilm").load()


@pytest.mark.parametrize("key", ["visual.extra", "text.transformer.pooler.dense.bias"])
def test_an_unexpected_key_is_named(
    tiny_open_clip_dir: Path, copied: Callable[[Path], Path], key: str
) -> None:
    directory = copied(tiny_open_clip_dir)
    change_weights(directory, lambda old: old | {key: torch.zeros(384)})
    with pytest.raises(WeightsError, match=f"unexpected: {key}"):
        encoder(directory, text_tower="minilm").load()


def test_a_tensor_of_another_shape_is_refused(
    tiny_clip_dir: Path, copied: Callable[[Path], Path]
) -> None:
    directory = copied(tiny_clip_dir)
    change_weights(directory, lambda old: old | {"text_projection": torch.zeros(32, 8)})
    with pytest.raises(WeightsError, match="text_projection"):
        encoder(directory).load()


def test_a_damaged_weights_file_is_refused(
    tiny_clip_dir: Path, copied: Callable[[Path], Path]
) -> None:
    directory = copied(tiny_clip_dir)
    whole = (directory / WEIGHTS).read_bytes()
    (directory / WEIGHTS).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match="cannot be read"):
        encoder(directory)


def test_pickled_weights_are_refused(tiny_clip_dir: Path, copied: Callable[[Path], Path]) -> None:
    directory = copied(tiny_clip_dir)
    torch.save(load_file(directory / WEIGHTS), directory / "open_clip_pytorch_model.bin")
    (directory / WEIGHTS).unlink()
    with pytest.raises(WeightsError, match="safetensors"):
        encoder(directory)
    with pytest.raises(WeightsError, match="unsafe format"):
        encoder("RN50", pretrained=str(directory / "open_clip_pytorch_model.bin"))


def test_a_name_with_a_local_file_loads_that_file(tmp_path: Path) -> None:
    torch.manual_seed(1)
    model = open_clip.create_model("ViT-S-32-alt")
    save_file(dict(model.state_dict()), tmp_path / "mine.safetensors")
    ours = encoder("ViT-S-32-alt", pretrained=str(tmp_path / "mine.safetensors"))
    (shown,) = pictures([(224, 224)])
    transform = open_clip.image_transform(224, is_train=False)
    with torch.inference_mode():
        expected = model.eval().encode_image(transform(Image.fromarray(shown))[None])
    np.testing.assert_allclose(ours.encode([shown]), unit_rows(expected.numpy()), atol=1e-5)
    assert (ours.spec.name, ours.spec.revision) == ("ViT-S-32-alt", "mine")


@pytest.mark.parametrize(
    ("model", "pretrained", "message"),
    [
        ("ViT-B-32", None, "laion2b_s34b_b79k"),
        ("ViT-B-32", "no_such_tag", "laion2b_s34b_b79k"),
        ("ViT-no-such", "x", "list_models"),
        ("/no/such/directory", None, "list_models"),
    ],
)
def test_an_unknown_name_or_tag_is_refused_with_what_exists(
    model: str, pretrained: str | None, message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        encoder(model, pretrained=pretrained)


@pytest.mark.parametrize(
    ("model", "pretrained"),
    [("ViT-B-32", "laion2b_s34b_b79k"), ("hf-hub:organisation/nowhere", None)],
)
def test_nothing_is_downloaded_unless_allowed(model: str, pretrained: str | None) -> None:
    with pytest.raises(WeightsError, match="allow_download"):
        encoder(model, pretrained=pretrained)


def test_bfloat16_keeps_pictures_and_texts_where_they_are(tiny_open_clip_dir: Path) -> None:
    exact = encoder(tiny_open_clip_dir, text_tower="minilm")
    half = encoder(tiny_open_clip_dir, text_tower="minilm", dtype="bfloat16")
    shown = pictures([(40, 60), (33, 32), (100, 90)])
    assert np.sum(exact.encode(shown) * half.encode(shown), axis=1).min() >= 0.999
    texts = ["Koilocytes with perinuclear halos", "an eosinophil", "granules " * 100]
    assert np.sum(exact.encode_text(texts) * half.encode_text(texts), axis=1).min() >= 0.999


def test_the_dropped_text_begins_where_the_tower_stops(tiny_open_clip_dir: Path) -> None:
    ours = encoder(tiny_open_clip_dir, text_tower="minilm")
    # 128 tokens less begin and end; each of these words is one token
    text = "cell " * 126 + "halo nucleus"
    assert ours.dropped_text(text) == "halo nucleus"
    whole, kept = ours.encode_text([text, "cell " * 126])
    np.testing.assert_allclose(whole, kept, atol=1e-5)


def test_clips_own_tokenizer_quotes_the_report_as_it_was_written(tiny_clip_dir: Path) -> None:
    ours = encoder(tiny_clip_dir)
    # 16 tokens less begin and end
    text = "cell " * 14 + "Halo, N:C 3/1"
    assert ours.dropped_text(text) == "Halo, N:C 3/1"
    whole, kept = ours.encode_text([text, "cell " * 14])
    np.testing.assert_allclose(whole, kept, atol=1e-5)


def test_a_directory_is_known_by_its_name_wherever_it_lies(
    tiny_clip_dir: Path, tmp_path: Path
) -> None:
    first = Path(shutil.copytree(tiny_clip_dir, tmp_path / "a" / "cytology"))
    second = Path(shutil.copytree(tiny_clip_dir, tmp_path / "b" / "cytology"))
    assert encoder(first).spec == encoder(second).spec
    assert encoder(first).spec.name == "cytology"
    (second / "coin.json").write_text('{"name": "Cytology CLIP"}')
    assert encoder(second).spec.name == "Cytology CLIP"

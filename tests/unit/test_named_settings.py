from __future__ import annotations

import json
from pathlib import Path

import pytest

from coin_retrieval import starter
from coin_retrieval.config import (
    AutoIndex,
    DiffusersGeneratorSettings,
    FaissIndex,
    FaissStoreSettings,
    FlatIndex,
    HnswIndex,
    IvfIndex,
    OpenClipEncoderSettings,
    SqliteCatalogSettings,
    TimmEncoderSettings,
)
from coin_retrieval.errors import CoinError, SettingsError, WeightsError
from coin_retrieval.factory import (
    make_encoder,
    make_generator,
    parse_encoder,
    parse_generator,
    starter_encoder_settings,
    starter_generator_settings,
)
from coin_retrieval.named_settings import read_catalog, read_store


def test_the_starter_is_the_embedded_default() -> None:
    assert parse_encoder("starter") == starter_encoder_settings()
    assert parse_generator("starter") == starter_generator_settings()
    assert starter_encoder_settings().model == str(starter.ENCODER)
    assert starter_generator_settings().text_encoder == "minilm"


def test_the_starters_fields_can_be_set_too() -> None:
    assert parse_generator("starter?steps=2&dtype=float32").steps == 2
    assert parse_encoder("starter?device=cpu").device == "cpu"
    assert parse_encoder("starter?orientations=4").orientations == 4


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        (
            "open_clip:ViT-B-32@laion2b_s34b_b79k",
            OpenClipEncoderSettings(model="ViT-B-32", pretrained="laion2b_s34b_b79k"),
        ),
        (
            "open_clip:ViT-B-32@/weights/my.safetensors",
            OpenClipEncoderSettings(model="ViT-B-32", pretrained="/weights/my.safetensors"),
        ),
        ("open_clip:/models/mine", OpenClipEncoderSettings(model="/models/mine")),
        (
            "open_clip:/models/mine?text_tower=minilm",
            OpenClipEncoderSettings(model="/models/mine", text_tower="minilm"),
        ),
        (
            "hf-hub:organisation/clip?allow_download=true",
            OpenClipEncoderSettings(model="hf-hub:organisation/clip", allow_download=True),
        ),
        ("timm:hf-hub:o/uni", TimmEncoderSettings(model="hf-hub:o/uni")),
        (
            "timm:mobilenetv2_100?checkpoint=/w/m.safetensors&num_classes=1001&pad_type=same"
            "&mean=0.5&std=0.5,0.25,1&image_size_px=224&drop=0.5&flag=true",
            TimmEncoderSettings(
                model="mobilenetv2_100",
                checkpoint=Path("/w/m.safetensors"),
                model_args={"num_classes": 1001, "pad_type": "same", "drop": 0.5, "flag": True},
                mean=(0.5, 0.5, 0.5),
                std=(0.5, 0.25, 1.0),
                image_size_px=224,
            ),
        ),
    ],
)
def test_an_encoder_is_read_from_its_short_name(
    text: str, settings: OpenClipEncoderSettings | TimmEncoderSettings
) -> None:
    assert parse_encoder(text) == settings


def test_a_directory_whose_name_has_an_at_sign_is_a_directory(tmp_path: Path) -> None:
    directory = tmp_path / "model@3"
    directory.mkdir()
    settings = OpenClipEncoderSettings(model=str(directory))
    assert parse_encoder(f"open_clip:{directory}") == settings


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("/models/sdxl", DiffusersGeneratorSettings(model="/models/sdxl")),
        (
            "stabilityai/sdxl?lora=LexieK/COIN&steps=50&guidance=7.5&lora_scale=0.8",
            DiffusersGeneratorSettings(
                model="stabilityai/sdxl",
                lora="LexieK/COIN",
                steps=50,
                guidance=7.5,
                lora_scale=0.8,
            ),
        ),
    ],
)
def test_a_generator_is_read_from_its_short_name(
    text: str, settings: DiffusersGeneratorSettings
) -> None:
    assert parse_generator(text) == settings


def test_settings_are_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "e.json").write_text(json.dumps({"backend": "timm", "model": "resnet18"}))
    (tmp_path / "g.yaml").write_text("model: /models/sdxl\nsteps: 30\n")
    assert parse_encoder(str(tmp_path / "e.json")) == TimmEncoderSettings(model="resnet18")
    generator = parse_generator(f"{tmp_path / 'g.yaml'}?steps=20")
    assert generator == DiffusersGeneratorSettings(model="/models/sdxl", steps=20)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "open_clip:",
        "timm:",
        "open_clip:x?nonsense",
        "open_clip:x?no_field=1",
        "timm:x?mean=1,2",
        "starter?dtype=int8",
        "/no/file.yaml",
        "/no/file.json",
    ],
)
def test_an_encoder_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_encoder(text)


@pytest.mark.parametrize("text", ["", "x?steps=0", "x?no_field=1", "starter?steps=many"])
def test_a_generator_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_generator(text)


@pytest.mark.parametrize("content", ["- a\n- b\n", "{", "model: [\n"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "s.yaml").write_text(content)
    with pytest.raises(SettingsError):
        parse_generator(str(tmp_path / "s.yaml"))


def test_a_missing_starter_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(starter, "ENCODER", tmp_path / "encoder")
    monkeypatch.setattr(starter, "GENERATOR", tmp_path / "generator")
    with pytest.raises(WeightsError, match="reinstall"):
        make_encoder(parse_encoder("starter"))
    with pytest.raises(WeightsError, match="reinstall"):
        make_generator(parse_generator("starter"))


def test_errors_show_value_expectation_and_remedy() -> None:
    with pytest.raises(CoinError) as refused:
        make_encoder(parse_encoder("open_clip:ViT-B-32"))
    assert refused.value.value == "ViT-B-32"
    assert refused.value.expected
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("flat", FlatIndex()),
        ("ivf", IvfIndex()),
        (
            "auto?recall=0.9&scan_mb=64&memory_mb=1000",
            AutoIndex(recall=0.9, scan_mb=64, memory_mb=1000),
        ),
        ("ivf?probes=32", IvfIndex(probes=32)),
        ("ivf?lists=100&train_from=500", IvfIndex(lists=100, train_from=500)),
        ("hnsw?ef=256", HnswIndex(ef=256)),
        ("hnsw?m=16&ef_construction=100", HnswIndex(m=16, ef_construction=100)),
    ],
)
def test_a_store_is_read_from_its_short_name(text: str, index: FaissIndex) -> None:
    assert read_store(text) == FaissStoreSettings(index=index)


def test_a_store_and_a_catalog_are_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("backend: faiss\nindex: {kind: hnsw, ef: 64}\n")
    (tmp_path / "c.json").write_text('{"backend": "sqlite"}')
    assert read_store(str(tmp_path / "s.yaml")) == FaissStoreSettings(index=HnswIndex(ef=64))
    assert read_catalog(str(tmp_path / "c.json")) == SqliteCatalogSettings()
    assert read_catalog("sqlite") == SqliteCatalogSettings()


@pytest.mark.parametrize(
    "text",
    ["", "annoy", "flat?ef=3", "hnsw?ef=0", "hnsw?ef=many", "ivf?m=32"],
)
def test_a_store_that_does_not_fit_is_refused_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_store(text)
    assert refused.value.value == text
    assert "hnsw" in str(refused.value.expected)


@pytest.mark.parametrize("text", ["hnsw?ef", "no.yaml"])
def test_a_store_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read_store(text)


@pytest.mark.parametrize("text", ["", "oracle", "sqlite?path=x"])
def test_a_catalog_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="sqlite"):
        read_catalog(text)


def test_an_unknown_encoder_is_answered_with_every_form_there_is() -> None:
    with pytest.raises(SettingsError, match=r"hf-hub:.*timm:hf-hub:"):
        parse_encoder("nonsense")

"""The text tower is adapted to reports, and what is trained after it reads with it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoTokenizer, BertModel
from unit.training.test_runs import AUTOENCODER, CLIP, DIFFUSION, READER

from coin_retrieval.config import OpenClipEncoderSettings
from coin_retrieval.encoding.base import SupportsText
from coin_retrieval.factory import make_encoder, parse_generator
from coin_retrieval.generation.pipeline_files import find_pipeline
from coin_retrieval.starter import minilm
from coin_retrieval.training import runs
from coin_retrieval.training.loop import LoopSettings
from coin_retrieval.training.reader import unread
from coin_retrieval.training.run_folder import Workshop
from coin_retrieval.training.texts import embed_texts
from coin_retrieval.training.tower import TowerRecipe, TowerTask

TOWER = TowerRecipe(
    loop=LoopSettings(steps=6, learning_rate=1e-2, warmup_steps=1, ema_decay=0.0),
    batch=8,
    composed=4,
    elsewhere=8,
)
REPORTS = ["an eosinophil", "a lymphocyte with a rim of cytoplasm"]


@pytest.fixture(scope="module")
def shop(drawn_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    shop = Workshop((drawn_table,), tmp_path_factory.mktemp("tower-shop"))
    runs.train_tower(shop, TOWER)
    return shop


@pytest.fixture(scope="module")
def encoder_dir(shop: Workshop) -> Path:
    return runs.train_encoder(shop, CLIP)


def adapter(shop: Workshop) -> Path:
    return shop.out / "tower" / "model"


def test_what_is_written_is_a_lora_that_peft_loads_and_names_no_path(shop: Workshop) -> None:
    base = BertModel.from_pretrained(minilm.directory(), add_pooling_layer=False)
    theirs = PeftModel.from_pretrained(base, adapter(shop)).eval()
    tokens = AutoTokenizer.from_pretrained(minilm.directory())(REPORTS[:1], return_tensors="pt")
    with torch.inference_mode():
        pooled = theirs(**tokens).last_hidden_state.mean(1)
    ours = embed_texts(REPORTS[:1], adapter=adapter(shop)).float()
    assert F.cosine_similarity(pooled, ours).item() > 0.999
    assert F.cosine_similarity(pooled, embed_texts(REPORTS[:1]).float()).item() < 0.99
    config = json.loads((adapter(shop) / "adapter_config.json").read_text())
    assert "/" not in config["base_model_name_or_path"]
    assert {file.suffix for file in adapter(shop).iterdir()} == {".json", ".safetensors"}


def test_an_encoder_trained_after_it_reads_with_it(shop: Workshop, encoder_dir: Path) -> None:
    settings = OpenClipEncoderSettings(model=str(encoder_dir), text_tower="minilm")
    encoder = make_encoder(settings)
    assert isinstance(encoder, SupportsText)
    head = {
        key.removeprefix("text.proj."): value.float()
        for key, value in load_file(encoder_dir / "open_clip_model.safetensors").items()
        if key.startswith("text.proj.")
    }
    pooled = embed_texts(REPORTS, adapter=adapter(shop)).float()
    hidden = F.gelu(pooled @ head["0.weight"].T)
    expected = F.normalize(hidden @ head["2.weight"].T, dim=1).numpy()
    assert (encoder.encode_text(REPORTS) * expected).sum(1) == pytest.approx(1, abs=2e-3)


def test_the_adapter_is_part_of_the_spaces_identity(shop: Workshop, encoder_dir: Path) -> None:
    settings = OpenClipEncoderSettings(model=str(encoder_dir), text_tower="minilm")
    before = make_encoder(settings).spec
    config = encoder_dir / "text_adapter" / "adapter_config.json"
    kept = config.read_text()
    config.write_text(kept.replace('"lora_alpha": 16.0', '"lora_alpha": 8.0'))
    assert config.read_text() != kept
    try:
        assert make_encoder(settings).spec != before
    finally:
        config.write_text(kept)


def test_a_head_is_taught_anew_and_nothing_else(
    shop: Workshop, encoder_dir: Path, drawn_table: Path, tmp_path: Path
) -> None:
    start = encoder_dir / "open_clip_model.safetensors"
    recipe = CLIP.model_copy(update={"start_from": start})
    again = runs.train_encoder(Workshop((drawn_table,), tmp_path), recipe, head_only=True)
    before, after = load_file(start), load_file(again / "open_clip_model.safetensors")
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    assert moved == {key for key in before if key.startswith("text.proj.")} != set()


def test_a_generator_trained_after_it_brings_it_along(shop: Workshop) -> None:
    runs.train_autoencoder(shop, AUTOENCODER)
    runs.train_reader(shop, READER)
    directory = runs.train_generator(shop, DIFFUSION)
    files = find_pipeline(parse_generator(f"{directory}?text_encoder=minilm"))  # type: ignore[arg-type]
    assert files.text_adapter == directory / "text_adapter"
    assert {name for name in files.read if name.startswith("text_adapter/")} == {
        "text_adapter/adapter_config.json", "text_adapter/adapter_model.safetensors",
    }  # fmt: skip


def test_the_same_step_masks_the_same_words(shop: Workshop) -> None:
    task = TowerTask(*runs._reports(shop, TOWER, embed=unread), TOWER)
    rows = torch.arange(4)
    task.module.eval()
    first, again, other = (task.read(rows, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_reports_are_read_alike_long_ones_together_and_stay_in_their_order(shop: Workshop) -> None:
    unmasked = TOWER.model_copy(update={"masked_share": 0.0})
    task = TowerTask(*runs._reports(shop, TOWER, embed=unread), unmasked)
    task.module.eval()
    rows, random = torch.arange(30), np.random.default_rng(0)
    with torch.inference_mode():
        together = task.read(rows, random)
        alone = torch.cat([task.read(row[None], random) for row in rows])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)

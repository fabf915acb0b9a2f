"""The whole chain at toy size: what training writes is what the ordinary classes load."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny
from safetensors.torch import load_file

from coin_retrieval.config import DiffusersGeneratorSettings, OpenClipEncoderSettings
from coin_retrieval.encoding.base import SupportsText
from coin_retrieval.errors import SettingsError, WeightsError
from coin_retrieval.factory import make_encoder, make_generator
from coin_retrieval.nets.model_card import read_card
from coin_retrieval.nets.reader import ConceptReader
from coin_retrieval.prototypes.base import Prototyper
from coin_retrieval.starter import ENCODER
from coin_retrieval.training import runs
from coin_retrieval.training.encoder.clip import ClipRecipe, build_clip
from coin_retrieval.training.encoder.text_head import TextHeadRecipe
from coin_retrieval.training.generator.autoencoder import AutoencoderRecipe
from coin_retrieval.training.generator.decoder import DecoderRecipe
from coin_retrieval.training.generator.diffusion import DiffusionRecipe
from coin_retrieval.training.generator.distillation import DistillationRecipe, load_unet
from coin_retrieval.training.generator.matching import MatchingRecipe
from coin_retrieval.training.generator.perception import eyes_of
from coin_retrieval.training.loop import LoopSettings
from coin_retrieval.training.reader import ReaderRecipe
from coin_retrieval.training.run_folder import Workshop, find_tables, load_recipe, recipe_path
from coin_retrieval.types import ReportSource

LOOP = LoopSettings(steps=2, learning_rate=1e-3, warmup_steps=1, ema_decay=0.5)
# long enough to draw something: a blank picture is refused, as it should be
AUTOENCODER = AutoencoderRecipe(
    loop=LoopSettings(steps=60, learning_rate=3e-3, warmup_steps=1, ema_decay=0.5),
    side_px=32,
    crop_px=16,
    batch=4,
    channels=8,
    latent_channels=4,
)
CLIP = ClipRecipe(
    loop=LOOP,
    side_px=40,
    image_px=32,
    batch=6,
    vision_model="test_byobnet",
    dim=16,
    text_head=TextHeadRecipe(loop=LOOP, batch=8, views=1),
)
READER = ReaderRecipe(
    loop=LoopSettings(steps=150, learning_rate=3e-3, warmup_steps=1, ema_decay=0.9, bf16=False),
    composed=20,
)
DIFFUSION = DiffusionRecipe(
    loop=LOOP,
    side_px=32,
    batch=4,
    channels=(16, 32),
    attention=(False, True),
    steps=2,
    guidance=1.5,
)


@pytest.fixture(scope="module")
def shop(drawn_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    shop = Workshop((drawn_table,), tmp_path_factory.mktemp("workshop"))
    runs.train_autoencoder(shop, AUTOENCODER)
    return shop


@pytest.fixture(scope="module")
def drawing_shop(shop: Workshop) -> Workshop:
    runs.train_reader(shop, READER)
    runs.train_generator(shop, DIFFUSION)
    return shop


def test_a_reader_tells_findings_apart_in_wordings_it_never_saw(
    drawing_shop: Workshop,
) -> None:
    made = json.loads((drawing_shop.out / "reader" / "made.json").read_text())
    findings = ConceptReader.load(drawing_shop.out / "reader" / "model").config.groups["finding"]
    assert made["held_out_accuracy"] > 1.5 / len(findings)


def test_a_distilled_generator_draws_unguided_in_few_steps(drawing_shop: Workshop) -> None:
    recipe = DistillationRecipe(loop=LOOP, batch=4, steps=2, teacher_steps=4, guidance=1.5)
    directory = runs.distil_generator(drawing_shop, recipe, DIFFUSION)
    generator = _generator(directory)
    (sample,) = generator.draw(generator.plan(ReportSource("an eosinophil"), n=1))
    assert (sample.provenance.steps, sample.provenance.guidance) == (2, 1.0)


def test_a_generator_that_was_taught_whole_is_kept_as_it_is_drawn(drawing_shop: Workshop) -> None:
    distilled = DistillationRecipe(loop=LOOP, batch=4, steps=2, teacher_steps=4, guidance=1.5)
    before = runs.distil_generator(drawing_shop, distilled, DIFFUSION)
    recipe = MatchingRecipe(
        loop=LOOP, findings=2, of_each=2, steps=2, real=4, kept=4, noise_offset=0.1
    )
    eyes = eyes_of(encoder=ENCODER)
    directory = runs.match_generator(drawing_shop, recipe, DIFFUSION, eyes=eyes)
    taught, untaught = (load_unet(where).state_dict() for where in (directory, before))
    assert any(not torch.equal(taught[name], untaught[name]) for name in taught)
    seen, shown = (_autoencoder_weights(where) for where in (directory, before))
    assert all(torch.equal(seen[name], shown[name]) for name in shown)
    assert read_card(directory).noise_offset == 0.1
    generator = _generator(directory)
    (sample,) = generator.draw(generator.plan(ReportSource("an eosinophil"), n=1))
    assert (sample.provenance.steps, sample.provenance.guidance) == (2, 1.0)


def test_a_generator_without_a_reader_is_not_begun(
    drawn_table: Path, tmp_path: Path, shop: Workshop
) -> None:
    other = Workshop((drawn_table,), tmp_path)
    with pytest.raises(WeightsError, match="coin train reader"):
        runs.train_generator(other, DIFFUSION)


def _autoencoder_weights(directory: Path) -> dict[str, torch.Tensor]:
    return load_file(directory / "vae" / "diffusion_pytorch_model.safetensors")


def _generator(directory: Path) -> Prototyper:
    return make_generator(
        DiffusersGeneratorSettings(
            model=str(directory), text_encoder="minilm", device="cpu", dtype="float32"
        )
    )


def test_a_trained_generator_draws_through_the_ordinary_class(
    drawing_shop: Workshop,
) -> None:
    directory = drawing_shop.out / "generator" / "model"
    generator = _generator(directory)
    (sample,) = generator.draw(generator.plan(ReportSource("an eosinophil"), n=1))
    assert sample.image.shape == (32, 32, 3)
    assert (sample.provenance.steps, sample.provenance.guidance) == (2, DIFFUSION.guidance)


def test_a_trained_encoder_embeds_the_same_through_the_ordinary_class(
    shop: Workshop,
) -> None:
    directory = runs.train_encoder(shop, CLIP)
    encoder = make_encoder(
        OpenClipEncoderSettings(
            model=str(directory), text_tower="minilm", device="cpu", dtype="float32"
        )
    )
    assert isinstance(encoder, SupportsText)
    embedded = encoder.encode_text(["an eosinophil"])
    model = build_clip(CLIP).eval()
    from safetensors.torch import load_file

    kept = load_file(directory / "open_clip_model.safetensors")
    model.load_state_dict({k: v.float() for k, v in kept.items()}, strict=False)
    from coin_retrieval.training.texts import embed_texts

    pooled = embed_texts(["an eosinophil"]).float()
    with torch.inference_mode():
        expected = torch.nn.functional.normalize(model.text.proj(pooled), dim=-1).numpy()
    assert float((embedded * expected).sum()) > 0.999
    assert np.isclose(np.linalg.norm(embedded), 1, atol=1e-5)


def test_a_decoder_learns_behind_latents_that_stay_as_they_are(shop: Workshop) -> None:
    recipe = DecoderRecipe(loop=LOOP, side_px=32, crop_px=16, batch=4, critic_channels=4)
    taught = AutoencoderTiny.from_pretrained(runs.train_decoder(shop, recipe))
    first = AutoencoderTiny.from_pretrained(shop.out / "autoencoder" / "model")
    images = torch.rand(2, 3, 32, 32) * 2 - 1
    latents = first.encode(images).latents
    assert torch.equal(taught.encode(images).latents, latents)
    assert not torch.equal(taught.decode(latents).sample, first.decode(latents).sample)


def test_a_decoder_is_not_taught_by_eyes_that_are_not_there(shop: Workshop) -> None:
    recipe = DecoderRecipe(loop=LOOP, encoder_weight=0.5)
    with pytest.raises(SettingsError, match="no encoder to see with"):
        runs.train_decoder(shop, recipe)


def test_a_finished_model_is_not_trained_again(shop: Workshop) -> None:
    made = shop.out / "autoencoder" / "made.json"
    before = made.stat().st_mtime_ns
    runs.train_autoencoder(shop, AUTOENCODER)
    assert made.stat().st_mtime_ns == before


@pytest.mark.parametrize("size", ["cpu", "gpu"])
def test_the_shipped_recipes_are_valid(size: str) -> None:
    kinds = {
        "autoencoder": AutoencoderRecipe,
        "decoder": DecoderRecipe,
        "clip": ClipRecipe,
        "diffusion": DiffusionRecipe,
        "distill": DistillationRecipe,
        "match": MatchingRecipe,
        "reader": ReaderRecipe,
    }
    for model, kind in kinds.items():
        assert load_recipe(kind, recipe_path(model, size=size)).loop.steps > 0


def test_a_recipe_with_an_unknown_field_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text("loop: {steps: 1, learning_rate: 0.1}\nlearning_rat: 2\n")
    with pytest.raises(SettingsError, match="learning_rat"):
        load_recipe(AutoencoderRecipe, file)


def test_a_table_that_is_kept_for_judging_is_not_trained_on(tmp_path: Path) -> None:
    header = "image_path,case_id,finding"
    tables = {
        "a/cases.csv": f"{header},split\na.png,a,basophil,train\n",
        "b/others.csv": f"{header},split\nb.png,b,basophil,train\n",
        "c/laboratory.csv": f"{header},split\nc.png,c,basophil,val\n",
        "d/cells.csv": "image_path,label_path\nd.png,d.png\n",
        "e/cases.csv": f"{header}\ne.png,e,basophil\n",
    }
    for name, text in tables.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    found = [str(table.relative_to(tmp_path)) for table in find_tables(tmp_path)]
    assert found == ["a/cases.csv", "b/others.csv", "e/cases.csv"]

"""Two steps of a LoRA on a tiny SDXL and on a sentence pipeline; what is written is what draws."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import load_file, save_file

from coin_retrieval.config import DiffusersGeneratorSettings
from coin_retrieval.errors import CaseTableError, LoraError, SettingsError
from coin_retrieval.factory import make_generator, parse_generator
from coin_retrieval.starter import ENCODER, GENERATOR
from coin_retrieval.tables.cases import CaseRow
from coin_retrieval.training.generator.matching import Matching
from coin_retrieval.training.loop import LoopSettings
from coin_retrieval.training.lora.material import texts_of
from coin_retrieval.training.lora.recipe import LoraRecipe, usual_recipe
from coin_retrieval.training.lora.run import train_lora
from coin_retrieval.training.pictures.sampling import balanced_weights
from coin_retrieval.training.run_folder import Workshop, load_recipe, recipe_path
from coin_retrieval.types import ReportSource, RgbImage

RECIPE = LoraRecipe(
    loop=LoopSettings(steps=2, learning_rate=0.02, warmup_steps=1, ema_decay=0, bf16=False),
    batch=2,
    rank=2,
    captions=2,
    orientations=(0,),
    gradient_checkpointing=True,
)


def base(directory: Path, **settings: object) -> DiffusersGeneratorSettings:
    sentence = {"text_encoder": "minilm"} if "pipeline" in directory.name else {"steps": 2}
    given: dict[str, Any] = {"dtype": "float32"} | sentence | settings
    return DiffusersGeneratorSettings(model=str(directory), device="cpu", **given)


def drawn(settings: DiffusersGeneratorSettings) -> RgbImage:
    generator = make_generator(settings)
    return generator.draw(generator.plan(ReportSource("nuclei"), n=1))[0].image


@pytest.fixture(scope="module")
def sdxl_lora(
    tiny_sdxl_dir: Path, drawn_table: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    shop = Workshop((drawn_table,), tmp_path_factory.mktemp("lora"))
    return train_lora(shop, base(tiny_sdxl_dir), RECIPE)


def test_a_lora_of_an_sdxl_draws_through_the_ordinary_class(
    tiny_sdxl_dir: Path, sdxl_lora: Path
) -> None:
    adapted = drawn(base(tiny_sdxl_dir, lora=str(sdxl_lora)))
    assert np.abs(adapted.astype(int) - drawn(base(tiny_sdxl_dir))).max() > 3


def test_plain_diffusers_loads_every_tensor_of_it(tiny_sdxl_dir: Path, sdxl_lora: Path) -> None:
    pipeline = StableDiffusionXLPipeline.from_pretrained(tiny_sdxl_dir)
    pipeline.load_lora_weights(sdxl_lora)
    held = {
        name.replace(".default_0", ""): value
        for name, value in pipeline.unet.named_parameters()
        if "lora_" in name
    }
    tensors = load_file(sdxl_lora / "pytorch_lora_weights.safetensors")
    assert {f"unet.{name}" for name in held} == set(tensors)
    assert all(torch.equal(value, tensors[f"unet.{name}"]) for name, value in held.items())


def test_a_key_that_is_lost_or_added_is_an_error(
    tiny_sdxl_dir: Path, sdxl_lora: Path, tmp_path: Path
) -> None:
    tensors = load_file(sdxl_lora / "pytorch_lora_weights.safetensors")
    lost = dict(list(tensors.items())[1:])
    more = tensors | {"unet.down_blocks.9.to_q.lora_A.weight": torch.ones(2, 2)}
    for name, changed in (("lost", lost), ("more", more)):
        save_file(changed, tmp_path / f"{name}.safetensors")
        with pytest.raises(LoraError):
            make_generator(base(tiny_sdxl_dir, lora=str(tmp_path / f"{name}.safetensors"))).load()


def test_a_sentence_pipeline_is_adapted_too(
    tiny_pipeline_dir: Path, drawn_table: Path, tmp_path: Path
) -> None:
    recipe = RECIPE.model_copy(update={"layers": ("to_q", "to_v", "conv1", "conv_in")})
    lora = train_lora(Workshop((drawn_table,), tmp_path), base(tiny_pipeline_dir), recipe)
    adapted = drawn(base(tiny_pipeline_dir, lora=str(lora)))
    assert np.abs(adapted.astype(int) - drawn(base(tiny_pipeline_dir))).max() > 3


def test_a_lora_of_another_base_is_told_before_anything_loads(
    tiny_sdxl_dir: Path, sdxl_lora: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(tiny_sdxl_dir, tmp_path / "other")
    # the same U-Net under another name is the same base
    make_generator(base(other, lora=str(sdxl_lora)))
    weights = other / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    save_file({name: value + 1 for name, value in tensors.items()}, weights, {"format": "pt"})
    with pytest.raises(LoraError, match="another base"):
        make_generator(base(other, lora=str(sdxl_lora)))


def test_layers_that_are_not_there_are_told_and_nothing_is_written(
    tiny_sdxl_dir: Path, drawn_table: Path, tmp_path: Path
) -> None:
    recipe = RECIPE.model_copy(update={"layers": ("to_z",)})
    with pytest.raises(LoraError, match="to_z"):
        train_lora(Workshop((drawn_table,), tmp_path), base(tiny_sdxl_dir), recipe)
    assert not (tmp_path / "lora").exists()


def test_a_base_with_a_lora_is_not_adapted(
    tiny_sdxl_dir: Path, sdxl_lora: Path, drawn_table: Path, tmp_path: Path
) -> None:
    with pytest.raises(LoraError, match="already"):
        train_lora(
            Workshop((drawn_table,), tmp_path), base(tiny_sdxl_dir, lora=str(sdxl_lora)), RECIPE
        )


def test_the_report_is_the_prompt_and_labels_stand_in_for_it(drawn_table: Path) -> None:
    with drawn_table.open() as file:
        finding = next(csv.DictReader(file))["finding"]
    row = CaseRow(Path("a.png"), "a", finding=finding, report=" Bilobed nucleus. ")
    random = np.random.default_rng(0)
    assert texts_of(row, 3, random) == ["Bilobed nucleus."]
    assert len(texts_of(replace(row, report=""), 3, random)) == 3
    with pytest.raises(CaseTableError, match="no words"):
        texts_of(replace(row, report="", finding="a thing nobody named"), 3, random)


def test_sites_are_balanced_where_that_is_asked() -> None:
    rows = [CaseRow(Path(), str(i), site="cervix", finding=f"f{i}") for i in range(3)]
    rows.append(CaseRow(Path(), "3", site="urine", finding="f0"))
    assert balanced_weights(rows, power=0, by="site").tolist() == pytest.approx([1 / 6] * 3 + [0.5])


@pytest.mark.parametrize(
    ("name", "size"), [("lora", "cpu"), ("lora", "gpu"), ("lora-drawings", "cpu")]
)
def test_the_shipped_recipes_are_valid(name: str, size: str) -> None:
    recipe = load_recipe(LoraRecipe, recipe_path(name, size=size))
    assert (recipe.matching is not None) == (name == "lora-drawings")


def test_the_starter_is_taught_by_whole_drawings_unless_told_otherwise(
    tiny_sdxl_dir: Path, tmp_path: Path
) -> None:
    copied = shutil.copytree(GENERATOR, tmp_path / "copied")
    for starter in ("starter?dtype=float32", str(copied)):
        recipe = usual_recipe(parse_generator(starter), size="gpu")
        assert load_recipe(LoraRecipe, recipe).matching is not None, starter
    other = usual_recipe(base(tiny_sdxl_dir), size="gpu")
    assert other == recipe_path("lora", size="gpu")


def predicting_velocities(pipeline: Path, to: Path) -> Path:
    """A copy of it, as a distilled generator of ours is."""
    shutil.copytree(pipeline, to)
    scheduler = to / "scheduler" / "scheduler_config.json"
    told = json.loads(scheduler.read_text()) | {"prediction_type": "v_prediction"}
    scheduler.write_text(json.dumps(told))
    return to


MATCHING = Matching(findings=2, of_each=2, steps=2, real=4, kept=4)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_distilled_base_learns_by_its_whole_drawings(
    tiny_pipeline_dir: Path, drawn_table: Path, tmp_path: Path, dtype: str
) -> None:
    distilled = predicting_velocities(tiny_pipeline_dir, tmp_path / "pipeline")
    recipe = RECIPE.model_copy(update={"layers": ("to_q", "conv1"), "matching": MATCHING})
    shop = Workshop((drawn_table,), tmp_path)
    lora = train_lora(shop, base(distilled, dtype=dtype), recipe, encoder=ENCODER)
    adapted = drawn(base(distilled, lora=str(lora)))
    assert np.abs(adapted.astype(int) - drawn(base(distilled))).max() > 3


def test_a_base_without_velocities_is_not_taught_so(
    tiny_sdxl_dir: Path, drawn_table: Path, tmp_path: Path
) -> None:
    recipe = RECIPE.model_copy(update={"matching": MATCHING})
    with pytest.raises(LoraError, match="epsilon"):
        train_lora(Workshop((drawn_table,), tmp_path), base(tiny_sdxl_dir), recipe, encoder=ENCODER)
    assert not (tmp_path / "lora").exists()


def test_drawings_want_eyes(tiny_pipeline_dir: Path, drawn_table: Path, tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"matching": MATCHING})
    with pytest.raises(SettingsError, match="nothing to see drawings with"):
        train_lora(Workshop((drawn_table,), tmp_path), base(tiny_pipeline_dir), recipe)


def test_one_picture_a_finding_is_nothing_to_compare_with(
    tiny_pipeline_dir: Path, drawn_table: Path, tmp_path: Path
) -> None:
    distilled = predicting_velocities(tiny_pipeline_dir, tmp_path / "pipeline")
    with drawn_table.open() as file:
        rows = {row["finding"]: row | {"split": "train"} for row in csv.DictReader(file)}
    few = tmp_path / "few.csv"
    with few.open("w", newline="") as file:
        writer = csv.DictWriter(file, next(iter(rows.values())))
        writer.writeheader()
        for row in rows.values():
            writer.writerow(row | {"image_path": str(drawn_table.parent / row["image_path"])})
    recipe = RECIPE.model_copy(update={"matching": MATCHING})
    with pytest.raises(LoraError, match="nothing to compare drawings with"):
        train_lora(Workshop((few,), tmp_path), base(distilled), recipe, encoder=ENCODER)

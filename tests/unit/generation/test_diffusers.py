from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import load_file, save_file

from coin_retrieval.config import DiffusersGeneratorSettings
from coin_retrieval.errors import (
    GenerationError,
    InputError,
    SettingsError,
    UndrawableError,
    WeightsError,
)
from coin_retrieval.factory import starter_generator_settings
from coin_retrieval.generation.diffusers import DiffusersGenerator
from coin_retrieval.nets.reader import ConceptReader, ReaderConfig
from coin_retrieval.starter import minilm
from coin_retrieval.testing import tiny_models
from coin_retrieval.types import Provenance, ReportSource, Sample

LONG = "Bilobed nucleus; the cytoplasm is packed with coarse orange-red granules. " * 3


def sdxl(directory: Path, **settings: Any) -> DiffusersGenerator:
    fields = {"steps": 2, "dtype": "float32", "device": "cpu"} | settings
    return DiffusersGenerator(DiffusersGeneratorSettings(model=str(directory), **fields))


def sentence(directory: Path, **settings: Any) -> DiffusersGenerator:
    fields = {"text_encoder": "minilm", "dtype": "float32", "device": "cpu"} | settings
    return DiffusersGenerator(DiffusersGeneratorSettings(model=str(directory), **fields))


def plan(generator: DiffusersGenerator, text: str, seed: int = 0) -> Provenance:
    (one,) = generator.plan(ReportSource(text), n=1, seed=seed)
    return one


def draw(generator: DiffusersGenerator, text: str, seed: int = 0) -> Sample:
    (sample,) = generator.draw([plan(generator, text, seed)])
    return sample


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[Path], Path]:
    return lambda directory: Path(shutil.copytree(directory, tmp_path / "model"))


def change_json(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_its_own_reader_says_what_it_never_learned_to_draw(
    tiny_pipeline_dir: Path, copied: Callable[[Path], Path]
) -> None:
    directory = copied(tiny_pipeline_dir)
    config = ReaderConfig(groups={"finding": ("eosinophil",)}, dim=minilm.DIM, scoped=True)
    for least, knows in ((0.0, True), (1.0, False)):
        changed = config.model_copy(update={"known_from": least})
        ConceptReader(changed).save(directory / "reader")
        generator = sentence(directory)
        assert generator.knows(ReportSource("orange granules")) is knows
    with pytest.raises(UndrawableError, match="by text"):
        draw(generator, "orange granules")


@pytest.mark.parametrize(
    ("text", "knows"),
    [
        ("eosinophil", True),
        ("(cervix) Koilocytes with perinuclear halos. LSIL.", True),
        ("target cells", True),
        ("Helmet cells and fragments, TTP?", True),
        ("Rings of Plasmodium falciparum in red cells", False),
        ("papillary carcinoma of the thyroid", False),
    ],
)
def test_the_starter_knows_what_it_never_learned_to_draw(text: str, knows: bool) -> None:
    starter = DiffusersGenerator(starter_generator_settings())
    assert starter.knows(ReportSource(text)) is knows


def test_a_short_report_is_drawn_bit_for_bit_as_the_plain_pipeline_draws_it(
    tiny_sdxl_dir: Path,
) -> None:
    plain = StableDiffusionXLPipeline.from_pretrained(tiny_sdxl_dir)
    expected = plain(
        prompt="nuclei",
        num_inference_steps=2,
        guidance_scale=7.5,
        generator=torch.Generator().manual_seed(3),
        output_type="np",
    ).images[0]
    sample = draw(sdxl(tiny_sdxl_dir, guidance=7.5), "nuclei", seed=3)
    np.testing.assert_array_equal(sample.image, (expected * 255).round().astype(np.uint8))


def test_a_long_report_is_read_beyond_the_first_window(tiny_sdxl_dir: Path) -> None:
    generator = sdxl(tiny_sdxl_dir, chunks=8)
    first = draw(generator, LONG + "blood")
    other = draw(generator, LONG + "urine")
    assert first.provenance.dropped_text == ""
    assert np.any(first.image != other.image)


def test_what_a_long_report_drops_is_told_and_changes_no_pixel(tiny_sdxl_dir: Path) -> None:
    generator = sdxl(tiny_sdxl_dir, chunks=1)
    first = draw(generator, LONG + "blood")
    other = draw(generator, LONG + "urine")
    assert first.provenance.dropped_text.endswith("granules. blood")
    assert (LONG + "blood").endswith(first.provenance.dropped_text)
    np.testing.assert_array_equal(first.image, other.image)


@pytest.mark.parametrize("zeros", [True, False])
def test_a_long_report_is_guided_with_a_negative_of_its_length(
    tiny_sdxl_dir: Path, copied: Callable[[Path], Path], zeros: bool
) -> None:
    directory = copied(tiny_sdxl_dir)
    change_json(directory / "model_index.json", force_zeros_for_empty_prompt=zeros)
    weak, strong = (
        draw(sdxl(directory, chunks=3, guidance=guidance), LONG) for guidance in (1.0, 9.0)
    )
    assert np.any(weak.image != strong.image)


def test_a_long_report_is_read_by_the_sentence_encoder_too(tiny_pipeline_dir: Path) -> None:
    generator = sentence(tiny_pipeline_dir, chunks=2)
    sample = draw(generator, "granules " * 400)
    # 254 tokens a window, one token a word at least
    assert 0 < len(sample.provenance.dropped_text.split()) < 400


def test_a_consistency_model_takes_its_guidance_as_a_number(tiny_pipeline_dir: Path) -> None:
    weak, strong = (
        draw(sentence(tiny_pipeline_dir, guidance=guidance), "an eosinophil")
        for guidance in (1.0, 8.0)
    )
    assert np.any(weak.image != strong.image)


def test_the_directory_recommends_and_the_settings_decide(tiny_pipeline_dir: Path) -> None:
    recommended = plan(sentence(tiny_pipeline_dir), "x")
    assert (recommended.generator, recommended.steps, recommended.guidance) == ("tiny", 2, 1.0)
    assert (recommended.width_px, recommended.height_px) == (32, 32)
    chosen = plan(sentence(tiny_pipeline_dir, steps=5, guidance=0.0, width_px=40), "x")
    assert (chosen.steps, chosen.guidance) == (5, 0.0)
    assert (chosen.width_px, chosen.height_px) == (40, 32)


def test_the_size_that_the_settings_ask_for_is_drawn(tiny_pipeline_dir: Path) -> None:
    sample = draw(sentence(tiny_pipeline_dir, width_px=48, height_px=32), "x")
    assert sample.image.shape == (32, 48, 3)


def test_files_tell_a_plan_and_the_pipeline_loads_when_it_draws(tiny_pipeline_dir: Path) -> None:
    generator = sentence(tiny_pipeline_dir)
    long = plan(generator, "nucleus " * 2000)
    assert long.dropped_text
    assert "_pipeline" not in vars(generator)
    generator.load()
    assert plan(generator, "nucleus " * 2000) == long
    assert generator._limits[0].room == generator._pipeline.tokenizer.model_max_length - 2


def test_a_size_that_a_pipeline_cannot_draw_is_refused(tiny_pipeline_dir: Path) -> None:
    with pytest.raises(InputError, match="33"):
        sentence(tiny_pipeline_dir, width_px=33).load()


def test_without_recommendations_the_pipelines_own_defaults_hold(tiny_sdxl_dir: Path) -> None:
    made = plan(sdxl(tiny_sdxl_dir, steps=None), "x")
    assert (made.steps, made.guidance, made.width_px, made.height_px) == (50, 5.0, 32, 32)


@pytest.mark.parametrize(
    "component", [[None, None], ["coin_retrieval.nets.sentence", "SentenceBert"]]
)
def test_the_index_may_name_the_sentence_encoder_or_nothing(
    tiny_pipeline_dir: Path, copied: Callable[[Path], Path], component: list[str | None]
) -> None:
    directory = copied(tiny_pipeline_dir)
    change_json(directory / "model_index.json", text_encoder=component)
    sample = draw(sentence(directory), "an eosinophil")
    expected = draw(sentence(tiny_pipeline_dir), "an eosinophil")
    np.testing.assert_array_equal(sample.image, expected.image)


def test_provenance_names_all_that_shapes_a_picture(
    tiny_sdxl_dir: Path, tiny_lora_file: Path, copied: Callable[[Path], Path]
) -> None:
    def weights(directory: Path = tiny_sdxl_dir, **settings: Any) -> str:
        return plan(sdxl(directory, **settings), "x").weights

    directory = copied(tiny_sdxl_dir)
    assert weights() == weights(directory)
    change_json(directory / "vae" / "config.json", scaling_factor=0.5)
    different = [
        weights(),
        weights(directory),
        weights(dtype="bfloat16"),
        weights(scheduler="DDIMScheduler"),
        weights(lora=str(tiny_lora_file)),
        weights(lora=str(tiny_lora_file), lora_scale=0.5),
    ]
    assert len(set(different)) == len(different)


def test_another_scheduler_draws_another_picture(tiny_sdxl_dir: Path) -> None:
    euler = draw(sdxl(tiny_sdxl_dir), "nuclei")
    ddim = draw(sdxl(tiny_sdxl_dir, scheduler="DDIMScheduler"), "nuclei")
    assert np.any(euler.image != ddim.image)


@pytest.mark.parametrize("name", ["DDIM", "UNet2DConditionModel", "os"])
def test_an_unknown_scheduler_is_refused_with_a_few_that_exist(
    tiny_sdxl_dir: Path, name: str
) -> None:
    with pytest.raises(SettingsError, match="DDIMScheduler"):
        sdxl(tiny_sdxl_dir, scheduler=name).load()


def test_bfloat16_draws_nearly_the_same_picture(tiny_pipeline_dir: Path) -> None:
    exact = draw(sentence(tiny_pipeline_dir), "an eosinophil")
    half = draw(sentence(tiny_pipeline_dir, dtype="bfloat16"), "an eosinophil")
    correlation = np.corrcoef(exact.image.ravel(), half.image.ravel())[0, 1]
    # the noise itself is drawn in the pipeline's number format
    assert correlation > 0.9


def test_weights_that_are_not_numbers_are_refused(
    tiny_pipeline_dir: Path, copied: Callable[[Path], Path]
) -> None:
    directory = copied(tiny_pipeline_dir)
    file = directory / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    save_file({**tensors, "conv_out.bias": tensors["conv_out.bias"] * torch.nan}, file)
    with pytest.raises(GenerationError, match="non-finite"):
        draw(sentence(directory), "an eosinophil")


def test_weights_that_draw_a_blank_are_refused(
    tiny_pipeline_dir: Path, copied: Callable[[Path], Path]
) -> None:
    directory = copied(tiny_pipeline_dir)
    file = directory / "vae" / "diffusion_pytorch_model.safetensors"
    save_file({key: tensor * 0 for key, tensor in load_file(file).items()}, file)
    with pytest.raises(GenerationError, match="blank"):
        draw(sentence(directory), "an eosinophil")


@pytest.mark.parametrize("component", ["unet", "text_encoder"])
def test_weights_that_lack_a_tensor_are_refused(
    tiny_sdxl_dir: Path, copied: Callable[[Path], Path], component: str
) -> None:
    directory = copied(tiny_sdxl_dir)
    (file,) = (directory / component).glob("*.safetensors")
    tensors = load_file(file)
    lost = sorted(tensors)[0]
    del tensors[lost]
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=lost.split(".")[-2]):
        sdxl(directory).load()


def test_a_directory_with_pickles_only_is_refused(
    tiny_sdxl_dir: Path, copied: Callable[[Path], Path]
) -> None:
    directory = copied(tiny_sdxl_dir)
    file = directory / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save(load_file(file), file.with_suffix(".bin"))
    file.unlink()
    with pytest.raises(WeightsError, match="safetensors"):
        sdxl(directory)


def test_weights_saved_as_the_fp16_variant_alone_are_read(
    tiny_sdxl_dir: Path, tmp_path: Path
) -> None:
    StableDiffusionXLPipeline.from_pretrained(tiny_sdxl_dir).save_pretrained(
        tmp_path, variant="fp16"
    )
    expected, sample = draw(sdxl(tiny_sdxl_dir), "nuclei"), draw(sdxl(tmp_path), "nuclei")
    np.testing.assert_array_equal(sample.image, expected.image)


def test_a_pipeline_that_is_not_here_is_not_downloaded() -> None:
    with pytest.raises(WeightsError, match="allow_download"):
        sdxl(Path("organisation/pipeline-that-is-nowhere"))


def test_a_directory_that_is_no_pipeline_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="model_index"):
        sdxl(tmp_path)


def test_a_pipeline_of_another_family_is_drawn_with_and_says_what_it_does_not_read(
    tmp_path: Path,
) -> None:
    generator = sdxl(tiny_models.write_pixart_dir(tmp_path))
    made = plan(generator, "nuclei")
    assert (made.width_px, made.height_px, made.guidance) == (256, 256, 4.5)
    # its encoder reads 300 tokens, begin and end among them: here one a letter
    sample = draw(generator, "n" * 298 + " halo")
    assert sample.provenance.dropped_text == "halo"
    assert sample.image.shape == (256, 256, 3)


def test_more_steps_than_a_scheduler_has_are_refused(tiny_pipeline_dir: Path) -> None:
    with pytest.raises(InputError, match="steps"):
        draw(sentence(tiny_pipeline_dir, steps=200), "x")


def test_a_listener_stops_a_drawing_at_the_step_it_hears_of(tiny_sdxl_dir: Path) -> None:
    generator = sdxl(tiny_sdxl_dir, steps=3)
    told: list[int] = []

    def stop(stage: str, done: int, of: int) -> None:
        told.append(done)
        if done == 2:
            raise ValueError("enough")

    with pytest.raises(ValueError, match=r"^enough$"):
        generator.draw(generator.plan(ReportSource("nuclei"), n=1), on=stop)
    assert told == [0, 1, 2]


def test_a_scheduler_that_calls_the_network_twice_a_step_tells_no_step_too_many(
    tiny_sdxl_dir: Path,
) -> None:
    generator = sdxl(tiny_sdxl_dir, scheduler="HeunDiscreteScheduler", steps=3)
    told: list[int] = []

    def listen(stage: str, done: int, of: int) -> None:
        told.append(done)

    generator.draw(generator.plan(ReportSource("nuclei"), n=1), on=listen)
    assert told == [0, 1, 2, 3]


def test_a_report_is_planned_alike_while_another_is_drawn(tiny_sdxl_dir: Path) -> None:
    generator = sdxl(tiny_sdxl_dir, chunks=1)
    alone = plan(generator, LONG)
    beside: list[Provenance] = []

    def listen(stage: str, done: int, of: int) -> None:
        beside.append(plan(generator, LONG))

    generator.draw(generator.plan(ReportSource("nuclei"), n=1), on=listen)
    assert set(beside) == {alone}

"""A CycleGAN at toy size, and the two translators through their role."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file
from torchvision.models import squeezenet1_1

from coin_retrieval.errors import InputError, WeightsError
from coin_retrieval.nets.cyclegan import CycleGanConfig
from coin_retrieval.training.cyclegan.run import train_cyclegan
from coin_retrieval.training.cyclegan.task import CycleGanRecipe
from coin_retrieval.training.loop import LoopSettings
from coin_retrieval.training.run_folder import load_recipe, recipe_path
from coin_retrieval.translation.cyclegan import CycleGanTranslator
from coin_retrieval.translation.style_transfer import (
    StyleTransferSettings,
    StyleTransferTranslator,
)
from coin_retrieval.types import PictureSource, Provenance

RECIPE = CycleGanRecipe(
    loop=LoopSettings(steps=2, learning_rate=1e-3, warmup_steps=1, ema_decay=0, bf16=False),
    config=CycleGanConfig(side_px=16, channels=4, blocks=1),
    batch=2,
    critic_channels=4,
)


def write_pictures(folder: Path, colour: tuple[int, int, int], *, count: int = 4) -> Path:
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(count):
        picture = np.array(colour) + random.integers(-40, 40, (20, 24, 3))
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("kinds")
    return write_pictures(root / "a", (200, 90, 160)), write_pictures(root / "b", (90, 160, 200))


@pytest.fixture(scope="module")
def model(kinds: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    first, second = kinds
    return train_cyclegan([first], [second], tmp_path_factory.mktemp("gan"), RECIPE)


def a_source() -> PictureSource:
    random = np.random.default_rng(3)
    return PictureSource.of(random.integers(0, 255, (16, 16, 3), dtype=np.uint8))


def test_a_trained_cyclegan_translates_through_its_role(model: Path) -> None:
    translator = CycleGanTranslator(model)
    (sample,) = translator.draw(translator.plan(a_source(), n=1))
    assert sample.image.shape == (16, 16, 3)
    assert sample.provenance.source == a_source()


def test_a_seed_is_an_orientation(model: Path) -> None:
    translator = CycleGanTranslator(model)
    first, *_, ninth = translator.draw(translator.plan(a_source(), n=9))
    # drawn in another batch, which may round the other way
    np.testing.assert_allclose(first.image.astype(int), ninth.image, atol=1)


def test_a_picture_that_left_its_source_is_told(model: Path) -> None:
    translator = CycleGanTranslator(model)
    plans = translator.plan(PictureSource(a_source().digest), n=1)
    with pytest.raises(InputError, match="not at hand"):
        translator.draw(plans)


def test_no_pixel_of_the_source_lies_in_what_says_how_a_picture_was_made(model: Path) -> None:
    (plan,) = CycleGanTranslator(model).plan(a_source(), n=1)
    assert isinstance(plan, Provenance)
    assert plan.as_dict()["source"] == {"digest": a_source().digest, "kind": "picture"}


def test_a_damaged_model_is_told(model: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="coin train cyclegan"):
        CycleGanTranslator(tmp_path)
    (tmp_path / "cyclegan.json").write_bytes((model / "cyclegan.json").read_bytes())
    tensors = load_file(model / "model.safetensors")
    lost = next(name for name in tensors if name.startswith("there."))
    save_file({n: t for n, t in tensors.items() if n != lost}, tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match="missing"):
        CycleGanTranslator(tmp_path).load()


def test_one_picture_is_no_kind_and_nothing_is_written(
    kinds: tuple[Path, Path], tmp_path: Path
) -> None:
    alone = write_pictures(tmp_path / "alone", (0, 0, 0), count=1)
    with pytest.raises(InputError, match="one picture is no kind"):
        train_cyclegan([kinds[0]], [alone], tmp_path / "out", RECIPE)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("size", ["cpu", "gpu"])
def test_the_shipped_recipes_are_valid(size: str) -> None:
    assert load_recipe(CycleGanRecipe, recipe_path("cyclegan", size=size)).loop.steps > 0


@pytest.fixture(scope="module")
def squeezenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of random weights: shallow features of noise filters still tell colours apart."""
    file = tmp_path_factory.mktemp("weights") / "squeezenet.safetensors"
    save_file(squeezenet1_1(weights=None).state_dict(), file)
    return file


def style(kinds: tuple[Path, Path], weights: Path, **settings: object) -> StyleTransferTranslator:
    values = {
        "style": tuple(sorted(kinds[1].glob("*.png"))),
        "weights": weights,
        "network": "squeezenet1_1",
        "side_px": 32,
        "steps": 30,
    }
    return StyleTransferTranslator(StyleTransferSettings.model_validate(values | settings))


def test_style_transfer_moves_colours_towards_the_style(
    kinds: tuple[Path, Path], squeezenet: Path
) -> None:
    source = PictureSource.of(np.array(Image.open(kinds[0] / "0.png")))
    wanted = np.array(Image.open(kinds[1] / "0.png")).mean((0, 1))
    none, some = (
        style(kinds, squeezenet, steps=steps, style_weight=1e5, rate=0.05) for steps in (1, 30)
    )
    far, near = (
        np.abs(one.draw(one.plan(source, n=1))[0].image.mean((0, 1)) - wanted).sum()
        for one in (none, some)
    )
    assert near < 0.9 * far


def test_style_transfer_without_a_style_or_with_other_weights_is_told(
    kinds: tuple[Path, Path], squeezenet: Path
) -> None:
    with pytest.raises(InputError, match="no style"):
        style(kinds, squeezenet, style=())
    with pytest.raises(WeightsError, match="vgg19"):
        style(kinds, squeezenet, network="vgg19").load()

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from coin_retrieval.config import DiffusersGeneratorSettings
from coin_retrieval.errors import SettingsError
from coin_retrieval.generation.diffusers import DiffusersGenerator
from coin_retrieval.nets.noise import offset_noise
from coin_retrieval.testing.tiny_models import write_pixart_dir
from coin_retrieval.types import ReportSource, RgbImage

WHITE = 0.0


def generator_of(directory: Path, **settings: Any) -> DiffusersGenerator:
    # whose steps draw no noise of their own
    fields = {"text_encoder": "minilm", "scheduler": "DDIMScheduler", "device": "cpu"} | settings
    return DiffusersGenerator(DiffusersGeneratorSettings(model=str(directory), **fields))


def drawn(generator: DiffusersGenerator, n: int, seed: int = 0) -> list[RgbImage]:
    plans = generator.plan(ReportSource("large granules"), n=n, seed=seed)
    return [sample.image for sample in generator.draw(plans)]


def test_each_channel_of_the_noise_is_shifted_as_a_whole() -> None:
    def means(offset: float) -> torch.Tensor:
        seed = torch.Generator().manual_seed(0)
        return offset_noise((400, 8, 16, 16), offset, generator=seed).mean((2, 3))

    assert float(means(WHITE).std()) == pytest.approx(1 / 16, rel=0.1)
    assert float(means(0.3).std()) == pytest.approx((0.3**2 + 1 / 256) ** 0.5, rel=0.1)
    assert abs(float(means(0.3).mean())) < 0.02
    shifted = offset_noise((400, 8, 16, 16), 0.3, generator=torch.Generator().manual_seed(0))
    assert float((shifted - shifted.mean((2, 3), keepdim=True)).std()) == pytest.approx(1, rel=0.02)


def test_white_noise_is_what_the_pipeline_draws_itself(tiny_pipeline_dir: Path) -> None:
    own = drawn(generator_of(tiny_pipeline_dir), 2)
    nearly_white = drawn(generator_of(tiny_pipeline_dir, noise_offset=1e-6), 2)
    for one, other in zip(own, nearly_white, strict=True):
        np.testing.assert_allclose(one.astype(int), other, atol=1)


def test_a_shift_makes_pictures_differ_more_each_from_its_own_seed(tiny_pipeline_dir: Path) -> None:
    white, shifted = (generator_of(tiny_pipeline_dir, noise_offset=o) for o in (WHITE, 0.5))
    spread = [np.stack(drawn(g, 12)).mean((1, 2)).std(0).mean() for g in (white, shifted)]
    assert spread[1] > 2 * spread[0]
    (alone,) = drawn(shifted, 1, seed=3)
    np.testing.assert_allclose(alone.astype(int), drawn(shifted, 4)[3], atol=1)


def test_a_directory_recommends_a_shift_and_settings_have_the_last_word(
    tiny_pipeline_dir: Path, tmp_path: Path
) -> None:
    directory = Path(shutil.copytree(tiny_pipeline_dir, tmp_path / "model"))
    card = json.loads((directory / "coin.json").read_text())
    (directory / "coin.json").write_text(json.dumps(card | {"noise_offset": 0.5}))
    recommended, none = generator_of(directory), generator_of(directory, noise_offset=WHITE)
    asked = generator_of(tiny_pipeline_dir, noise_offset=0.5)
    np.testing.assert_array_equal(drawn(recommended, 1), drawn(asked, 1))
    np.testing.assert_array_equal(drawn(none, 1), drawn(generator_of(tiny_pipeline_dir), 1))
    assert recommended.identity != none.identity


def test_a_pipeline_of_other_noise_says_so(tmp_path: Path) -> None:
    directory = write_pixart_dir(tmp_path / "pixart")
    settings = DiffusersGeneratorSettings(model=str(directory), steps=2, noise_offset=0.1)
    with pytest.raises(SettingsError, match="cannot be shifted"):
        DiffusersGenerator(settings).load()

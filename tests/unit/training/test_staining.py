from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from coin_retrieval.training.pictures.augment import AugmentSettings, augment, defocus
from coin_retrieval.training.pictures.staining import StainSettings, stain_anew, take_colours


def _picture(side_px: int = 48, *, radius_px: float = 12) -> Tensor:
    """A purple disc on a pale ground, [1 3 h w] in [-1, 1]."""
    places = torch.arange(side_px).float() - (side_px - 1) / 2
    inside = (places[:, None].square() + places.square()).sqrt() < radius_px
    ground = torch.tensor([0.8, 0.7, 0.6]).view(1, 3, 1, 1).expand(1, 3, side_px, side_px)
    cell = torch.tensor([0.1, -0.6, 0.2]).view(1, 3, 1, 1)
    return torch.where(inside, cell, ground).contiguous()


def _density(images: Tensor) -> Tensor:
    return -((images + 1) / 2).clamp(1 / 64, 1).log()


def test_ranges_of_zero_leave_a_picture_as_it_is() -> None:
    images = torch.cat([_picture(), _picture(radius_px=20)])
    stained = stain_anew(images, StainSettings(share=1), np.random.default_rng(0))
    assert torch.allclose(stained, images, atol=1e-5)


def test_a_turned_hue_keeps_each_places_mean_density_and_changes_its_colour() -> None:
    images = _picture().repeat(8, 1, 1, 1)
    settings = StainSettings(share=1, hue_degrees=10)
    stained = stain_anew(images, settings, np.random.default_rng(0))
    assert torch.allclose(_density(stained).mean(1), _density(images).mean(1), atol=0.02)
    assert (stained - images).abs().max() > 0.05


def test_a_lamp_adds_the_same_density_everywhere() -> None:
    images = _picture()
    stained = stain_anew(images, StainSettings(share=1, lamp=0.1), np.random.default_rng(2))
    added = _density(stained) - _density(images)
    assert added.abs().max() > 0.02
    assert torch.allclose(added, added[..., :1, :1].expand_as(added), atol=1e-4)


def test_a_picture_that_takes_over_all_colours_has_the_givers_mean_and_covariance() -> None:
    torch.manual_seed(0)
    coarse = torch.rand(2, 3, 8, 8)
    coarse[1] *= torch.tensor([0.5, 0.2, 0.9]).view(3, 1, 1)
    own, giver = F.interpolate(coarse, scale_factor=4).split(1)
    taken = take_colours(own, giver, np.ones(1)).flatten(2)[0]
    wanted = giver.flatten(2)[0]
    assert torch.allclose(taken.mean(1), wanted.mean(1), atol=1e-4)
    assert torch.allclose(taken.cov(), wanted.cov(), atol=3e-3)


def test_a_grey_picture_has_no_colour() -> None:
    settings = StainSettings(share=1, grey_share=1)
    stained = stain_anew(_picture(), settings, np.random.default_rng(0))
    assert torch.equal(stained[:, 0], stained[:, 2])


def test_gentle_stains_darken_by_no_more_than_was_allowed() -> None:
    wild = StainSettings(share=1, density=0.5, lamp=0.5, gradient=0.5, transfer_share=1)
    images = _picture().repeat(16, 1, 1, 1)
    stained = stain_anew(images, wild.gentle(0.01), np.random.default_rng(0))
    change = _density(stained).mean(dim=(1, 2, 3)) / _density(images).mean(dim=(1, 2, 3))
    assert (change - 1).abs().max() < 0.1


def test_a_wider_defocus_blurs_more_and_a_flat_picture_stays() -> None:
    images = _picture().repeat(2, 1, 1, 1)
    blurred = defocus(images, np.array([0.5, 3.0]))
    edges = blurred.diff(dim=-1).square().mean(dim=(1, 2, 3))
    assert edges[1] < 0.7 * edges[0] < edges[0]
    flat = torch.full((1, 3, 20, 20), 0.25)
    assert torch.allclose(defocus(flat, np.array([2.0])), flat, atol=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_varied_gently_keeps_its_size(seed: int) -> None:
    settings = AugmentSettings(smallest_crop=0.3, stretch=0.3, gain=0.3, offset=0.3)
    images = _picture(64, radius_px=16).repeat(12, 1, 1, 1)
    manners = (settings.gentle(), settings)
    random = np.random.default_rng(seed)
    seen = augment(images, 64, manners, random, which=np.repeat([0, 1], 6))
    # green is dark inside the disc and nowhere else
    middle = (seen[:, 1].amax((1, 2)) + seen[:, 1].amin((1, 2))) / 2
    area = (seen[:, 1] < middle[:, None, None]).float().mean((1, 2)) / (np.pi * 16**2 / 64**2)
    assert (area[:6] - 1).abs().max() < 0.16
    assert (area[6:] - 1).abs().max() > 0.25


def test_a_stored_and_noisy_picture_stays_in_range() -> None:
    settings = AugmentSettings(jpeg_share=1, noise=0.2, defocus_share=1)
    seen = augment(_picture(), 32, [settings], np.random.default_rng(0))
    assert seen.abs().max() <= 1
    assert seen.shape == (1, 3, 32, 32)


def test_a_close_up_shows_the_cell_larger_and_still_near_the_middle() -> None:
    settings = AugmentSettings(gain=0, mixing=0, offset=0, blur_share=0).close_up(0.16)
    images = _picture(64, radius_px=12).repeat(64, 1, 1, 1)
    seen = augment(images, 64, [settings], np.random.default_rng(0))
    inside = (seen[:, 1] < 0).float()
    area = inside.mean((1, 2)) / (np.pi * 12**2 / 64**2)
    assert area.max() > 4
    assert area.min() < 1.3
    # the middle of the field shows the cell, whatever the crop
    assert inside[:, 26:38, 26:38].mean() > 0.8


def test_a_calm_view_keeps_size_and_colour() -> None:
    wild = AugmentSettings(
        smallest_crop=0.2, gain=0.3, mixing=0.2, offset=0.3, defocus_share=1, noise=0.2,
        stain=StainSettings(share=1, hue_degrees=60, lamp=0.5, grey_share=0.5),
    )  # fmt: skip
    images = _picture(64, radius_px=16).repeat(64, 1, 1, 1)
    manners = (wild.calm(), wild)
    seen = augment(images, 64, manners, np.random.default_rng(0), which=np.repeat([0, 1], 32))
    moved = (seen.mean((2, 3)) - images.mean((2, 3))).abs().amax(1)
    assert moved[:32].mean() < 0.5 * moved[32:].mean()
    assert (seen[:32, 1] < 0).float().mean((1, 2)).max() < 1.6 * np.pi * 16**2 / 64**2

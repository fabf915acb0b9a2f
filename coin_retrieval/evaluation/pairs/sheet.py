"""Drawn pairs to look at: picture, labels, and the outlines beside the centres that were asked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from coin_retrieval.evaluation.pairs.judging import draw_like, squares_of
from coin_retrieval.generation.joint import JointGenerator, Pair
from coin_retrieval.metrics.instances import InstanceMap
from coin_retrieval.presenting.sheet_page import GREY, SYNTHETIC, Page, Tile
from coin_retrieval.prototypes.tiles import Square
from coin_retrieval.prototypes.tiles import Tile as OutlinedTile
from coin_retrieval.types import RgbImage

NOTICE = "SYNTHETIC, drawn by a model, no patient. Real pictures, if any, stand below, unframed."
SHOWN = 8
_ENLARGED_PX, _TILE_PX, _GAP_PX = 256, 140, 6
_OUTLINE, _ASKED = (0, 230, 60), (255, 214, 10)


def draw_page(
    generator: JointGenerator, held_out: Sequence[OutlinedTile], *, seed: int, beside_real: bool
) -> RgbImage:
    """Drawings of the layouts of unseen squares, uint8 [h w 3].

    Args:
        beside_real: with those squares below.

    Raises:
        InputError: hardly a nucleus in the tiles.
        GenerationError: non-finite values.
    """
    random = np.random.default_rng(seed)
    squares = squares_of(held_out, SHOWN, side_px=generator.config.side_px, random=random)
    pairs = draw_like(generator, squares, seed=seed)
    page = Page(columns=SHOWN, tile_px=_TILE_PX, gap_px=_GAP_PX)
    page.text("SYNTHETIC, drawn by a model, no patient.", 22, SYNTHETIC)
    _row(page, "Drawn of layouts of unseen pictures", [pair.image for pair in pairs])
    classes = len(generator.config.labels)
    _row(page, "What each pixel is", [grey_labels(pair, classes) for pair in pairs])
    told = "Nuclei as they are told from it (green), and the centres that were asked (yellow)"
    _row(page, told, [overlay(p, s) for p, s in zip(pairs, squares, strict=True)])
    if beside_real:
        page.text("Real: the pictures whose layouts were asked", 17, GREY)
        page.tiles([Tile(square.image, None) for square in squares])
    return page.render()


def _row(page: Page, heading: str, images: Sequence[RgbImage]) -> None:
    page.text(heading, 17, GREY)
    page.tiles([Tile(image, "synthetic") for image in images])


def grey_labels(pair: Pair, classes: int) -> RgbImage:
    """Background black, nuclei white, what else there is between."""
    greys = np.zeros(classes, np.uint8)
    greys[1:] = np.linspace(255, 0, classes, endpoint=False)[: classes - 1].round()
    return np.repeat(_enlarged(greys[pair.labels])[..., None], 3, axis=2)


def overlay(pair: Pair, square: Square) -> RgbImage:
    """The drawing with outlines, and a dot where a nucleus was asked, enlarged to 256 px."""
    picture = _enlarged(pair.image)
    picture[_edges(_enlarged(pair.instances))] = _OUTLINE
    scale, most = len(picture) // len(pair.image), len(picture) - 4
    for x, y in np.clip((square.points * scale).round().astype(int), 3, most):
        picture[y - 3 : y + 4, x - 3 : x + 4] = 0
        picture[y - 2 : y + 3, x - 2 : x + 3] = _ASKED
    return picture


def _enlarged(values: np.ndarray) -> np.ndarray:
    times = max(1, _ENLARGED_PX // len(values))
    return np.repeat(np.repeat(values, times, axis=0), times, axis=1)


def _edges(instances: InstanceMap) -> np.ndarray:
    """Where a nucleus ends: its neighbour is another, or none; two pixels wide."""
    found = np.zeros(instances.shape, bool)
    below, right = instances[:-1] != instances[1:], instances[:, :-1] != instances[:, 1:]
    found[:-1] |= below
    found[1:] |= below
    found[:, :-1] |= right
    found[:, 1:] |= right
    return found

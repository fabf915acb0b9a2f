"""Two folders of pictures in, a pair of translators out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import nn

from coin_retrieval.errors import InputError
from coin_retrieval.evaluation.pictures.picture_sets import read_pictures
from coin_retrieval.images.decoding import load_image
from coin_retrieval.images.resizing import fit_square
from coin_retrieval.nets.cyclegan import save_pair
from coin_retrieval.training.cyclegan.task import CycleGanRecipe, CycleGanTask
from coin_retrieval.training.loop import fit
from coin_retrieval.training.run_folder import Workshop, run_once

_LEAST = 2


def train_cyclegan(
    first: Sequence[Path], second: Sequence[Path], out: Path, recipe: CycleGanRecipe
) -> Path:
    """Train to translate pictures of manifests or folders; returns the model's directory.

    Raises:
        NotFoundError: no such folder.
        InputError: fewer than two pictures of a kind.
        ImageError: a picture that cannot be read.
    """
    side_px = recipe.config.side_px
    task = CycleGanTask(_squares(first, side_px), _squares(second, side_px), recipe)

    def keep(module: nn.Module, directory: Path) -> dict[str, float]:
        save_pair(module["there"], module["back"], recipe.config, directory)  # type: ignore[index]
        return {}

    shop = Workshop((*first, *second), out)
    return run_once(
        shop, "cyclegan", keep, lambda folder: fit(task, recipe.loop, folder, name="cyclegan")
    )


def _squares(sources: Sequence[Path], side_px: int) -> np.ndarray:
    pictures = read_pictures(sources)
    if len(pictures) < _LEAST:
        raise InputError(
            "one picture is no kind of pictures",
            value=f"{len(pictures)} in {pictures.name}",
            expected="some hundreds of each kind, two at least",
            remedy="give a folder or manifest with more pictures",
        )
    return np.stack([fit_square(load_image(row.image_path), side_px) for row in pictures.rows])

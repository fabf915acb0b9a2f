"""A manifest of outlined nuclei and a recipe in, a joint model's directory out."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from coin_retrieval.nets.joint.network import JointNet
from coin_retrieval.prototypes.tiles import known_tiles
from coin_retrieval.training.joint.task import JointRecipe, JointTask
from coin_retrieval.training.loop import fit
from coin_retrieval.training.run_folder import Workshop, run_once


def train_joint(shop: Workshop, recipe: JointRecipe) -> Path:
    """Train on the tiles that are not held out; returns the model's directory.

    Raises:
        CaseTableError: outlines that fit no picture, or a kind that the recipe does not name.
    """
    (manifest,) = shop.tables
    config = recipe.config
    tiles, _ = known_tiles(
        manifest,
        labels=config.labels,
        kinds=config.kinds,
        scale=recipe.scale,
        side_px=config.side_px,
    )

    def keep(module: nn.Module, directory: Path) -> dict[str, float]:
        assert isinstance(module, JointNet)  # noqa: S101  what the task trains
        module.save(directory)
        return {"tiles": len(tiles)}

    task = JointTask(tiles, recipe)
    return run_once(shop, "joint", keep, lambda out: fit(task, recipe.loop, out, name="joint"))

"""Where trainings read and write: data, recipes, and one folder a model.

A run that was killed goes on where it was; a finished one is not repeated.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
import yaml
from pydantic import BaseModel, ValidationError
from torch import nn

from coin_retrieval.errors import SettingsError, WeightsError
from coin_retrieval.training.loop import crew, device
from coin_retrieval.training.pictures.data import PackedCases, load_cases

RECIPES = Path(__file__).with_name("recipes")

Recipe = TypeVar("Recipe", bound=BaseModel)


@dataclass(frozen=True)
class Workshop:
    """Where a training run reads and writes; ``tables`` are the manifests of cases."""

    tables: tuple[Path, ...]
    out: Path

    @property
    def cache(self) -> Path:
        """Packed pictures and embedded captions."""
        return self.out / "cache"

    def cases(self, split: str, side_px: int) -> PackedCases:
        """The packed pictures of one split."""
        return load_cases(self.tables, side_px=side_px, split=split, cache=self.cache)


def find_tables(data: Path) -> tuple[Path, ...]:
    """The manifests of training in a folder's folders, or the one manifest that ``data`` is.

    In a folder that is each CSV of cases, unless its ``split`` has no ``train``: so is a table of
    another laboratory that is kept for judging.

    Raises:
        SettingsError: there is none.
    """
    tables = (data,) if data.is_file() else tuple(filter(_trains, sorted(data.glob("*/*.csv"))))
    if not tables:
        raise SettingsError(
            "no training data",
            value=str(data),
            expected="a manifest, or folders with a CSV of image_path, case_id and finding",
        )
    return tables


def _trains(table: Path) -> bool:
    with table.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        if not {"image_path", "case_id", "finding"} <= set(rows.fieldnames or ()):
            return False
        return any(row.get("split", "train") == "train" for row in rows)


def load_recipe(kind: type[Recipe], path: Path) -> Recipe:
    """Read a YAML recipe.

    Raises:
        SettingsError: unreadable, or a field that does not fit.
    """
    try:
        return kind.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise SettingsError(
            f"the recipe cannot be used ({error})",
            value=str(path),
            expected=f"a YAML file of {kind.__name__}'s fields",
            remedy=f"start from one in {RECIPES}",
        ) from error


def recipe_path(model: str, *, size: str) -> Path:
    """A shipped recipe: ``size`` is ``cpu`` or ``gpu``."""
    return RECIPES / size / f"{model}.yaml"


def run_once(
    shop: Workshop,
    name: str,
    keep: Callable[[nn.Module, Path], dict[str, float]],
    train: Callable[[Path], nn.Module],
) -> Path:
    """Train unless finished, save, and write beside the model what it took."""
    out = shop.out / name
    model = out / "model"
    if not model.exists():
        module = train(out)
        if not crew().is_main_process:
            return model
        figures = keep(module, model)
        progress = json.loads((out / "progress.json").read_text())
        threads = torch.get_num_threads()
        made = {**progress, **figures, "device": str(device()), "threads": threads}
        (out / "made.json").write_text(json.dumps(made, indent=2) + "\n")
    return model


def finished(shop: Workshop, name: str) -> Path:
    """The directory of a model that is trained already.

    Raises:
        WeightsError: it is not.
    """
    directory = shop.out / name / "model"
    if not directory.exists():
        command = {"generator": "diffusion", "distilled": "distill"}.get(name, name)
        raise WeightsError(
            f"no finished {name}",
            value=str(directory),
            expected=f"a trained {name} in the same workshop",
            remedy=f"run `coin train {command}` first, with the same --out",
        )
    return directory

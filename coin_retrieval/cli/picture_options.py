"""What the commands that measure pictures share: options, features with progress, results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel

    from coin_retrieval.evaluation.pictures.picture_sets import PictureSet
    from coin_retrieval.evaluation.pictures.spaces import FeatureSpace
    from coin_retrieval.types import Features

Where = Annotated[
    list[str] | None, typer.Option(help="FIELD=VALUE, repeatable: only these real pictures.")
]
GeneratedWhere = Annotated[
    list[str] | None, typer.Option(help="FIELD=VALUE, repeatable: only these drawn pictures.")
]
TrainingWhere = Annotated[
    list[str] | None, typer.Option(help="FIELD=VALUE, repeatable: only these for training.")
]
HeldOutWhere = Annotated[
    list[str] | None, typer.Option(help="FIELD=VALUE, repeatable: only these held-out pictures.")
]
Space = Annotated[
    str,
    typer.Option(
        "--features",
        help="The space to measure in: starter, timm:NAME?checkpoint=FILE, open_clip:… or "
        "inception?weights=FILE.",
    ),
]
SizePx = Annotated[
    int | None,
    typer.Option(min=8, help="Bring every picture to this square first: sets of one sharpness."),
]
Out = Annotated[Path | None, typer.Option(help="Directory for the figures, as JSON and Markdown.")]
Generated = Annotated[Path, typer.Option(help="The drawn pictures: a manifest or a folder.")]
Training = Annotated[
    list[Path], typer.Option(help="The real pictures of training; repeatable: manifest or folder.")
]
HeldOut = Annotated[
    list[Path], typer.Option(help="Real pictures never trained on; repeatable: manifest or folder.")
]


def select(sources: Sequence[Path], where: list[str] | None, *, real: bool = True) -> PictureSet:
    """The pictures of manifests and folders that fit ``--where``; ``real``: all must be."""
    from coin_retrieval.console.inputs import parse_where
    from coin_retrieval.evaluation.pictures.picture_sets import read_pictures, require_real

    pictures = read_pictures(sources, where=parse_where(where or []))
    return require_real(pictures) if real else pictures


def measure(
    name: str, sets: Sequence[PictureSet], *, size_px: int | None, quiet: bool
) -> tuple[FeatureSpace, list[Features]]:
    """The feature space of this name and every set's features in it, with a bar a set."""
    from coin_retrieval.console.bars import showing_bars
    from coin_retrieval.console.environment import read_environment
    from coin_retrieval.console.session import working
    from coin_retrieval.evaluation.pictures.picture_sets import read_features
    from coin_retrieval.evaluation.pictures.spaces import open_space

    with working("loading the encoder"):
        space = open_space(name)
    cache = read_environment().feature_dir
    with showing_bars(quiet=quiet) as bars:
        return space, [
            read_features(
                pictures,
                space.encoder,
                size_px=size_px,
                cache=cache,
                done=bars(pictures.name, len(pictures)),
            )
            for pictures in sets
        ]


def show(figures: BaseModel, table: str, *, name: str, out: Path | None, as_json: bool) -> None:
    """Print one object or a table, and keep both in ``out`` under ``name``."""
    from coin_retrieval.console.session import print_json

    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / f"{name}.json").write_text(figures.model_dump_json(indent=2) + "\n", "utf-8")
        (out / f"{name}.md").write_text(table, "utf-8")
    if as_json:
        print_json(figures.model_dump(mode="json"))
    else:
        typer.echo(table)

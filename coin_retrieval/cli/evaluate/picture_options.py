"""What the commands that measure pictures share: options, sets and feature spaces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coin_retrieval.setting_forms import ENCODER_FORMS

if TYPE_CHECKING:
    from coin_retrieval.evaluation.pictures.picture_sets import PictureSet
    from coin_retrieval.evaluation.pictures.spaces import FeatureSpace

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
        help=f"The space to measure in: inception?weights=FILE, {ENCODER_FORMS}.",
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


def select(sources: Sequence[Path], where: list[str] | None) -> PictureSet:
    """The pictures of manifests and folders that fit ``--where``."""
    from coin_retrieval.console.inputs import parse_where
    from coin_retrieval.evaluation.pictures.picture_sets import read_pictures

    return read_pictures(sources, where=parse_where(where or []))


def open_features(name: str, *, size_px: int | None) -> FeatureSpace:
    """The feature space of this name; what it measures is kept."""
    from coin_retrieval.console.environment import read_environment
    from coin_retrieval.console.session import working
    from coin_retrieval.evaluation.pictures.spaces import open_space

    with working("loading the encoder"):
        return open_space(name, size_px=size_px, cache=read_environment().feature_dir)

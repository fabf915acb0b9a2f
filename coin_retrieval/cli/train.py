"""``coin train``: the starter's models, or your own on your own cases."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

train_app = typer.Typer(
    help="Train the starter's models, or your own on your own cases.", no_args_is_help=True
)


class Size(StrEnum):
    """Which shipped recipes: what two CPU cores do in hours, or one GPU in minutes."""

    CPU = "cpu"
    GPU = "gpu"


Data = Annotated[Path, typer.Option(help="a manifest, or a folder of folders with cases.csv")]
Out = Annotated[Path, typer.Option(help="the workshop: checkpoints, sheets, finished models")]
RecipeFile = Annotated[Path | None, typer.Option(help="a YAML recipe; default: the shipped one")]
SizeOption = Annotated[Size, typer.Option(help="which shipped recipe")]


@train_app.command()
def autoencoder(
    data: Data, out: Out = Path("runs"), recipe: RecipeFile = None, size: SizeOption = Size.CPU
) -> None:
    """Train the generator's autoencoder; resumes after a kill."""
    from coin_retrieval.training import runs
    from coin_retrieval.training.autoencoder import AutoencoderRecipe

    chosen = recipe or runs.recipe_path("autoencoder", size=size)
    shop = runs.Workshop(runs.find_tables(data), out)
    _done(runs.train_autoencoder(shop, runs.load_recipe(AutoencoderRecipe, chosen)))


@train_app.command()
def decoder(
    data: Data,
    out: Out = Path("runs"),
    recipe: RecipeFile = None,
    size: SizeOption = Size.CPU,
    perception: Annotated[
        Path | None, typer.Option(help="A SqueezeNet 1.1, safetensors: what looks alike.")
    ] = None,
) -> None:
    """Teach a finished autoencoder's decoder to draw grain; resumes after a kill."""
    from coin_retrieval.training import runs
    from coin_retrieval.training.decoder import DecoderRecipe

    chosen = recipe or runs.recipe_path("decoder", size=size)
    shop = runs.Workshop(runs.find_tables(data), out)
    settings = runs.load_recipe(DecoderRecipe, chosen)
    _done(runs.train_decoder(shop, settings, perception=perception))


@train_app.command()
def clip(
    data: Data, out: Out = Path("runs"), recipe: RecipeFile = None, size: SizeOption = Size.CPU
) -> None:
    """Train the encoder; resumes after a kill."""
    from coin_retrieval.training import runs
    from coin_retrieval.training.clip import ClipRecipe

    chosen = recipe or runs.recipe_path("clip", size=size)
    shop = runs.Workshop(runs.find_tables(data), out)
    _done(runs.train_encoder(shop, runs.load_recipe(ClipRecipe, chosen)))


@train_app.command()
def diffusion(
    data: Data, out: Out = Path("runs"), recipe: RecipeFile = None, size: SizeOption = Size.CPU
) -> None:
    """Train the generator behind a finished autoencoder; resumes after a kill."""
    from coin_retrieval.training import runs
    from coin_retrieval.training.diffusion import DiffusionRecipe

    chosen = recipe or runs.recipe_path("diffusion", size=size)
    shop = runs.Workshop(runs.find_tables(data), out)
    _done(runs.train_generator(shop, runs.load_recipe(DiffusionRecipe, chosen)))


@train_app.command()
def distill(
    data: Data,
    out: Out = Path("runs"),
    recipe: RecipeFile = None,
    source: Annotated[
        Path | None, typer.Option(help="The recipe that the generator was trained with.")
    ] = None,
    size: SizeOption = Size.CPU,
) -> None:
    """Teach the trained generator to draw in few steps; resumes after a kill."""
    from coin_retrieval.training import runs
    from coin_retrieval.training.diffusion import DiffusionRecipe
    from coin_retrieval.training.distillation import DistillationRecipe

    shop = runs.Workshop(runs.find_tables(data), out)
    chosen = runs.load_recipe(DistillationRecipe, recipe or runs.recipe_path("distill", size=size))
    drawn = runs.load_recipe(DiffusionRecipe, source or runs.recipe_path("diffusion", size=size))
    _done(runs.distil_generator(shop, chosen, drawn))


@train_app.command()
def reader(
    data: Data, out: Out = Path("runs"), recipe: RecipeFile = None, size: SizeOption = Size.CPU
) -> None:
    """Teach the generator's reader what reports state; resumes after a kill."""
    from coin_retrieval.training import runs
    from coin_retrieval.training.reader import ReaderRecipe

    chosen = recipe or runs.recipe_path("reader", size=size)
    shop = runs.Workshop(runs.find_tables(data), out)
    _done(runs.train_reader(shop, runs.load_recipe(ReaderRecipe, chosen)))


@train_app.command()
def demonstration(
    out: Annotated[Path, typer.Option(help="folder for the pictures and their cases.csv")],
    generator: Annotated[str, typer.Option(help="what draws them")] = "starter",
    per_finding: Annotated[int, typer.Option(min=1, help="pictures a finding")] = 6,
    seed: Annotated[int, typer.Option(help="of the first picture")] = 0,
) -> None:
    """Draw the demonstration cases: no patients, every picture flagged as generated."""
    from coin_retrieval import factory
    from coin_retrieval.training.demonstration import draw_demonstration

    drawn = factory.make_generator(factory.parse_generator(generator))
    _done(draw_demonstration(drawn, out, per_finding=per_finding, seed=seed))


def _done(path: Path) -> None:
    typer.echo(str(path))

"""``coin train``: the starter's models again, or your own from your own cases.

The models stand on each other: autoencoder → decoder → diffusion → distill → match; tower → reader,
clip.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from coin_retrieval.errors import InputError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from coin_retrieval.training.run_folder import Workshop

    Recipe = TypeVar("Recipe", bound=BaseModel)

train_app = typer.Typer(help="Train the starter's models, or your own.", no_args_is_help=True)


class Size(StrEnum):
    """Which shipped recipe: two CPU cores in two hours, or one GPU in half an hour."""

    CPU = "cpu"
    GPU = "gpu"


Data = Annotated[Path, typer.Option(help="a manifest, or a folder of folders with cases.csv")]
Out = Annotated[Path, typer.Option(help="the workshop: checkpoints, sheets, finished models")]
RecipeFile = Annotated[Path | None, typer.Option(help="a YAML recipe; default: the shipped one")]
SizeOption = Annotated[Size, typer.Option(help="which shipped recipe")]
Perception = Annotated[
    Path | None, typer.Option(help="A SqueezeNet 1.1, safetensors: what looks alike.")
]

SourceRecipe = Annotated[
    Path | None, typer.Option(help="The recipe that the generator was trained with.")
]

_RUNS = Path("runs")


@train_app.command()
def autoencoder(
    data: Data,
    out: Out = _RUNS,
    recipe: RecipeFile = None,
    size: SizeOption = Size.CPU,
    perception: Perception = None,
) -> None:
    """Train the generator's autoencoder; resumes after a kill."""
    from coin_retrieval.training import runs
    from coin_retrieval.training.generator.autoencoder import AutoencoderRecipe

    chosen = _recipe(AutoencoderRecipe, "autoencoder", recipe, size)
    _done(runs.train_autoencoder(_shop(data, out), chosen, perception=perception))


@train_app.command()
def decoder(
    data: Data,
    out: Out = _RUNS,
    recipe: RecipeFile = None,
    size: SizeOption = Size.CPU,
    perception: Perception = None,
    encoder: Annotated[
        Path | None,
        typer.Option(help="open_clip directory of coin train clip, by whose eyes it is taught."),
    ] = None,
) -> None:
    """Teach a finished autoencoder's decoder to draw grain; resumes after a kill."""
    from coin_retrieval.training import runs
    from coin_retrieval.training.generator.decoder import DecoderRecipe

    chosen = _recipe(DecoderRecipe, "decoder", recipe, size)
    _done(runs.train_decoder(_shop(data, out), chosen, perception=perception, encoder=encoder))


@train_app.command()
def tower(
    data: Data, out: Out = _RUNS, recipe: RecipeFile = None, size: SizeOption = Size.CPU
) -> None:
    """Adapt the text tower to reports, before reader and encoder; resumes after a kill."""
    from coin_retrieval.training import runs
    from coin_retrieval.training.tower import TowerRecipe

    _done(runs.train_tower(_shop(data, out), _recipe(TowerRecipe, "tower", recipe, size)))


@train_app.command()
def reader(
    data: Data, out: Out = _RUNS, recipe: RecipeFile = None, size: SizeOption = Size.CPU
) -> None:
    """Teach the generator's reader what reports state; resumes after a kill."""
    from coin_retrieval.training import runs
    from coin_retrieval.training.reader import ReaderRecipe

    _done(runs.train_reader(_shop(data, out), _recipe(ReaderRecipe, "reader", recipe, size)))


@train_app.command()
def diffusion(
    data: Data,
    out: Out = _RUNS,
    recipe: RecipeFile = None,
    size: SizeOption = Size.CPU,
    start_from: Annotated[
        Path | None,
        typer.Option(help="Directory of an earlier generator, whose U-Net is trained on."),
    ] = None,
) -> None:
    """Train the generator behind a finished autoencoder and reader; resumes after a kill."""
    from coin_retrieval.training import runs
    from coin_retrieval.training.generator.diffusion import DiffusionRecipe

    chosen = _recipe(DiffusionRecipe, "diffusion", recipe, size)
    if start_from is not None:
        chosen = chosen.model_copy(update={"start_from": start_from})
    _done(runs.train_generator(_shop(data, out), chosen))


@train_app.command()
def distill(
    data: Data,
    out: Out = _RUNS,
    recipe: RecipeFile = None,
    source: SourceRecipe = None,
    size: SizeOption = Size.CPU,
) -> None:
    """Teach the trained generator to draw in few steps; resumes after a kill."""
    from coin_retrieval.training import runs
    from coin_retrieval.training.generator.diffusion import DiffusionRecipe
    from coin_retrieval.training.generator.distillation import DistillationRecipe

    chosen = _recipe(DistillationRecipe, "distill", recipe, size)
    drawn = _recipe(DiffusionRecipe, "diffusion", source, size)
    _done(runs.distil_generator(_shop(data, out), chosen, drawn))


@train_app.command()
def match(
    data: Data,
    perception: Annotated[Path, typer.Option(help="safetensors of a SqueezeNet 1.1.")],
    encoder: Annotated[
        Path, typer.Option(help="open_clip directory of coin train clip, by whose eyes it is seen.")
    ],
    out: Out = _RUNS,
    recipe: RecipeFile = None,
    source: SourceRecipe = None,
    size: SizeOption = Size.CPU,
) -> None:
    """Teach the few-step generator to draw as varied as is real; resumes after a kill."""
    from coin_retrieval.training import runs
    from coin_retrieval.training.generator.diffusion import DiffusionRecipe
    from coin_retrieval.training.generator.matching import MatchingRecipe
    from coin_retrieval.training.generator.perception import eyes_of

    chosen = _recipe(MatchingRecipe, "match", recipe, size)
    drawn = _recipe(DiffusionRecipe, "diffusion", source, size)
    eyes = eyes_of(encoder=encoder, perception=perception, imagenet=True)
    _done(runs.match_generator(_shop(data, out), chosen, drawn, eyes=eyes))


@train_app.command()
def clip(
    data: Data,
    out: Out = _RUNS,
    recipe: RecipeFile = None,
    size: SizeOption = Size.CPU,
    drawn: Annotated[
        Path | None,
        typer.Option(help="Manifest of pictures that the generator drew (coin generate)."),
    ] = None,
    start_from: Annotated[
        Path | None, typer.Option(help="safetensors of an earlier training, instead of ImageNet's.")
    ] = None,
    head_only: Annotated[
        bool,
        typer.Option("--head-only", help="Teach the text head of --start-from, and nothing else."),
    ] = False,
) -> None:
    """Train the encoder; resumes after a kill."""
    from coin_retrieval.training import runs
    from coin_retrieval.training.encoder.clip import ClipRecipe

    chosen = _recipe(ClipRecipe, "clip", recipe, size)
    if start_from is not None:
        chosen = chosen.model_copy(update={"start_from": start_from, "imagenet": False})
    if head_only and chosen.start_from is None:
        raise InputError(
            "whose head is taught?", value="--head-only", expected="--start-from FILE beside it"
        )
    _done(runs.train_encoder(_shop(data, out), chosen, drawn=drawn, head_only=head_only))


@train_app.command()
def lora(
    data: Data,
    base: Annotated[
        str, typer.Option(help="What is adapted, as --generator takes it: a directory, a hub id …")
    ] = "starter",
    out: Out = _RUNS,
    recipe: RecipeFile = None,
    size: SizeOption = Size.CPU,
    encoder: Annotated[
        Path | None,
        typer.Option(help="open_clip directory by whose eyes drawings are compared [the starter]."),
    ] = None,
    perception: Perception = None,
) -> None:
    """Adapt a generator to your own pictures and reports (LoRA); resumes after a kill.

    The report column is the prompt; rows without one get reports composed of their labels. Draw
    with --generator "BASE?lora=OUT/lora/model". On several GPUs: accelerate launch
    $(which coin) train lora …
    """
    from coin_retrieval.factory import parse_generator
    from coin_retrieval.starter import ENCODER
    from coin_retrieval.training.lora.recipe import LoraRecipe, usual_recipe
    from coin_retrieval.training.lora.run import train_lora
    from coin_retrieval.training.run_folder import load_recipe

    adapted = parse_generator(base)
    chosen = load_recipe(LoraRecipe, recipe or usual_recipe(adapted, size=size))
    eyes = {"encoder": encoder or ENCODER, "perception": perception}
    _done(train_lora(_shop(data, out), adapted, chosen, **eyes))


@train_app.command()
def joint(
    data: Annotated[
        Path, typer.Option(help="manifest of image_path and instance_path or label_path")
    ],
    out: Out = _RUNS,
    recipe: RecipeFile = None,
    size: SizeOption = Size.CPU,
) -> None:
    """Train the model that draws pictures with their labels from layouts; resumes after a kill.

    A quarter of the pictures, told by their files' digests, is held out for judging.
    """
    from coin_retrieval.training.joint.run import train_joint
    from coin_retrieval.training.joint.task import JointRecipe
    from coin_retrieval.training.run_folder import Workshop

    chosen = _recipe(JointRecipe, "joint", recipe, size)
    _done(train_joint(Workshop((data,), out), chosen))


@train_app.command()
def cyclegan(
    first: Annotated[
        list[Path],
        typer.Option("--from", help="Pictures to translate: manifest or folder; repeatable."),
    ],
    second: Annotated[
        list[Path],
        typer.Option("--to", help="Pictures to look like: manifest or folder; repeatable."),
    ],
    out: Out = _RUNS,
    recipe: RecipeFile = None,
    size: SizeOption = Size.CPU,
) -> None:
    """Train to translate pictures of which none belong together; resumes after a kill."""
    from coin_retrieval.training.cyclegan.run import train_cyclegan
    from coin_retrieval.training.cyclegan.task import CycleGanRecipe

    chosen = _recipe(CycleGanRecipe, "cyclegan", recipe, size)
    _done(train_cyclegan(first, second, out, chosen))


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


def _shop(data: Path, out: Path) -> Workshop:
    from coin_retrieval.training.run_folder import Workshop, find_tables

    return Workshop(find_tables(data), out)


def _recipe(kind: type[Recipe], model: str, file: Path | None, size: Size) -> Recipe:
    from coin_retrieval.training.run_folder import load_recipe, recipe_path

    return load_recipe(kind, file or recipe_path(model, size=size))


def _done(path: Path) -> None:
    typer.echo(str(path))

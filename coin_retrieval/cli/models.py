"""``coin models``: what others have trained, by name; how to get it, and whether it runs here."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coin_retrieval.console.errors import JsonOption

if TYPE_CHECKING:
    from coin_retrieval.encoding.base import Encoder
    from coin_retrieval.prototypes.base import Prototyper

models_app = typer.Typer(
    help="Generators and encoders that hospitals use, by name; alone, it lists them."
)
_REPORT = "(cervical smear) superficial squamous cells with pyknotic nuclei; NILM"


@models_app.callback(invoke_without_command=True)
def _group(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_models()


@models_app.command(name="list")
def list_models(as_json: JsonOption = False) -> None:
    """Every model that has a name here: what it is, under which terms, and how to get it."""
    from coin_retrieval.console.session import print_json
    from coin_retrieval.known_models import known_models

    models = known_models().values()
    if as_json:
        print_json(
            [
                model.model_dump()
                | {"weights_gb": model.weights_gb("bfloat16"), "how_to_get": model.how_to_get}
                for model in models
            ]
        )
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("name", "what it is", "reads text", "dim", "pixels", "µm/px", "GB", "terms"):
        table.add_column(heading, justify="right" if heading in ("dim", "pixels", "GB") else "left")
    for model in models:
        table.add_row(
            model.name,
            model.title,
            "yes" if model.reads_text else "no",
            "" if model.dim is None else str(model.dim),
            str(model.pixels),
            "" if model.mpp_um is None else f"{model.mpp_um:g}",
            f"{model.weights_gb('bfloat16'):.1f}",
            f"{model.licence}{', gated' * (model.access == 'gated')}",
        )
    console = Console()
    console.print(table)
    console.print(
        "GB: the weights in bfloat16. A name works as --encoder NAME or --generator NAME."
    )


@models_app.command()
def check(
    name: Annotated[str, typer.Argument(help="Of the list, or any --encoder or --generator.")],
    as_json: JsonOption = False,
) -> None:
    """Load a model, draw or embed once, and say what it took; exit code 2 where it is not here."""
    from coin_retrieval.console.session import print_json, working

    with working(f"trying {name}"):
        found = _try(name)
    if as_json:
        print_json(found)
        return
    for key, value in found.items():
        typer.echo(f"{key.replace('_', ' ')}: {value}")


@models_app.command()
def convert(
    name: Annotated[str, typer.Argument(help="Of the list.")],
    source: Annotated[Path, typer.Argument(help="The weights as their authors publish them.")],
    out: Annotated[Path, typer.Option(help="A new directory.")],
    as_json: JsonOption = False,
) -> None:
    """Turn a pickled checkpoint into safetensors once, so that no pickle is read when you work."""
    from coin_retrieval.console.session import print_json, working
    from coin_retrieval.encoding.conversion import convert as convert_weights

    model = _known(name)
    with working(f"converting {source.name}"):
        convert_weights(model, source, out)
    use = f"--encoder {name}?model={out}"
    if as_json:
        print_json({"written": str(out), "use": use})
    else:
        typer.echo(f"written to {out}; use it as {use}")


def _known(name: str) -> Any:
    from coin_retrieval.errors import SettingsError
    from coin_retrieval.known_models import known_models

    if name not in known_models():
        raise SettingsError(
            "no model of this name",
            value=name,
            expected=", ".join(known_models()),
            remedy="see coin models list",
        )
    return known_models()[name]


def _try(name: str) -> dict[str, Any]:
    """Time and memory of one picture, drawn or embedded."""
    from coin_retrieval import factory
    from coin_retrieval.errors import SettingsError

    started = time.perf_counter()
    try:
        encoder = factory.make_encoder(factory.parse_encoder(name))
    except SettingsError as error:
        try:
            settings = factory.parse_generator(name)
        except SettingsError:
            raise error from None
        return _draw_once(factory.make_generator(settings), started)
    return _embed_once(encoder, started)


def _embed_once(encoder: Encoder, started: float) -> dict[str, Any]:
    import numpy as np

    encoder.load()
    loaded = time.perf_counter()
    side = 256
    encoder.encode([np.full((side, side, 3), 128, np.uint8)])
    first = time.perf_counter()
    encoder.encode([np.full((side, side, 3), 128, np.uint8)])
    return {
        "model": encoder.spec.name,
        "dimension": encoder.spec.dim,
        "reads_text": hasattr(encoder, "encode_text"),
        **_took(started, loaded, first),
    }


def _draw_once(generator: Prototyper, started: float) -> dict[str, Any]:
    from coin_retrieval.types import ReportSource

    generator.load()
    loaded = time.perf_counter()
    (sample,) = generator.draw(generator.plan(ReportSource(_REPORT), n=1))
    first = time.perf_counter()
    height, width = sample.image.shape[:2]
    return {"model": generator.name, "drew": f"{width} × {height}", **_took(started, loaded, first)}


def _took(started: float, loaded: float, first: float) -> dict[str, Any]:
    import torch

    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    found = {
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "loading_s": round(loaded - started, 2),
        "first_picture_s": round(first - loaded, 2),
        "peak_memory_gb": round(memory / 1e9, 2),
    }
    if torch.cuda.is_available():
        found["peak_gpu_memory_gb"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
    return found

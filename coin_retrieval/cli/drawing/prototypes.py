"""``coin prototypes``: pictures drawn before anybody asks, what is kept, and away with it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from coin_retrieval.cli import options
from coin_retrieval.console.errors import JsonOption
from coin_retrieval.limits import MAX_SEED

if TYPE_CHECKING:
    from coin_retrieval.prototypes.cache import PrototypeCache
    from coin_retrieval.search.warming import Warmed

prototypes_app = typer.Typer(
    help="Drawn pictures that are kept, so that nothing is drawn twice.", no_args_is_help=True
)


@prototypes_app.callback()
def _group() -> None: ...


@prototypes_app.command()
def warm(
    archive: options.ArchivePath,
    terms: Annotated[
        list[str],
        typer.Option(help="bethesda, blood or a YAML file of terms; repeatable."),
    ],
    n: Annotated[
        int | None,
        typer.Option("-n", help="Pictures a term; default what a search of this archive draws."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="As of the searches to come.")] = 0,
    as_json: JsonOption = False,
    encoder: options.EncoderName = None,
    generator: options.GeneratorName = None,
) -> None:
    """Draw and embed the prototypes of standard terms: a search by one of them then draws nothing.

    What is there already is kept; the same command resumes a run that was interrupted.
    """
    from coin_retrieval.cli.opening import open_retriever
    from coin_retrieval.console.bars import showing
    from coin_retrieval.console.session import print_json
    from coin_retrieval.reports.terms import load_terms
    from coin_retrieval.search.warming import warm as warm_wordings

    systems = [load_terms(name) for name in dict.fromkeys(terms)]
    wordings = list(dict.fromkeys(wording for system in systems for wording in system.wordings))
    retriever = open_retriever(archive, encoder=encoder, generator=generator)
    with retriever.archive, showing(quiet=as_json) as on:
        warmed = warm_wordings(retriever, wordings, prototypes=n, seed=seed, on=on)
    counts = {
        "wordings": len(warmed),
        "ready": sum(one.ready for one in warmed),
        "drawn": sum(one.drawn for one in warmed),
        "failed": sum(bool(one.failed) for one in warmed),
    }
    if as_json:
        systems_of = [f"{system.system} {system.edition}" for system in systems]
        told = {"generator": retriever.generator_name, "systems": systems_of, **counts}
        print_json({**told, "seed": seed, "terms": [asdict(one) for one in warmed]})
        return
    _show(warmed, counts)


@prototypes_app.command("list")
def list_kept(as_json: JsonOption = False) -> None:
    """Count what is kept, by generator. What was drawn is not known: reports may be of patients."""
    from coin_retrieval.console.session import print_json

    cache = _cache()
    pictures: Counter[str] = Counter()
    sources: dict[str, set[str]] = {}
    for prototype in cache:
        made = f"{prototype.generator} ({prototype.weights[:12]})"
        pictures[made] += 1
        sources.setdefault(made, set()).add(prototype.source)
    size = sum(path.stat().st_size for path in cache.root.glob("??/*") if path.is_file())
    kept = [
        {"generator": made, "pictures": count, "reports": len(sources[made])}
        for made, count in pictures.most_common()
    ]
    if as_json:
        print_json({"directory": str(cache.root), "bytes": size, "kept": kept})
        return
    for row in kept:
        typer.echo(f"{row['pictures']:6} pictures of {row['reports']} reports, {row['generator']}")
    typer.echo(f"{sum(pictures.values())} pictures, {size / 1e6:.1f} MB in {cache.root}")


@prototypes_app.command()
def clear(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete all kept prototypes and their embeddings. Any of them can be drawn again."""
    from coin_retrieval.console.session import print_json

    cache = _cache()
    if not yes:
        typer.confirm(f"Delete all prototypes in {cache.root}?", abort=True, err=True)
    deleted = cache.clear()
    if as_json:
        print_json({"directory": str(cache.root), "deleted": deleted})
    else:
        typer.echo(f"{deleted} pictures deleted from {cache.root}")


def _cache() -> PrototypeCache:
    from coin_retrieval.console.environment import read_environment
    from coin_retrieval.prototypes.cache import PrototypeCache

    return PrototypeCache(read_environment().prototype_dir)


def _show(warmed: list[Warmed], counts: dict[str, int]) -> None:
    for one in warmed:
        if one.failed:
            typer.echo(f"{one.wording}: nothing drawn ({one.failed})")
    typer.echo(
        f"{counts['ready']} pictures of {counts['wordings']} terms are ready; "
        f"{counts['drawn']} of them were drawn now."
    )

"""``coin search``: the nearest cases of a report or a picture."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coin_retrieval.cli import options
from coin_retrieval.console.errors import JsonOption
from coin_retrieval.errors import InputError
from coin_retrieval.limits import DEFAULT_CASES, MAX_CASES, MAX_PROTOTYPES, MAX_SEED, MAX_WIDTH

if TYPE_CHECKING:
    from coin_retrieval.cli.drawing.made_pictures import Making
    from coin_retrieval.presenting.answer import SearchAnswer
    from coin_retrieval.search.query import Query


_QUESTION = (
    *("report", "report_file", "as_written", "specimen", "mode", "k", "where", "all_sites"),
    *("unspecified_sites", "like", "unlike_case", "unlike", "diversity", "near_duplicates"),
    *("width", "image_mpp", "prototypes", "seed", "variations", "rivals"),
)
"""Options that are part of what is asked, a picture apart."""


class ReportMode(StrEnum):
    """How a report can be searched with."""

    FUSED = "fused"
    PROTOTYPE = "prototype"
    TEXT = "text"


def search(
    context: typer.Context,
    archive: Annotated[
        Path | None, typer.Argument(help="An archive that coin-index built; or see --server.")
    ] = None,
    report: Annotated[str | None, typer.Option(help="The report's text.")] = None,
    report_file: Annotated[
        Path | None, typer.Option(help="A text file with the report; - reads standard input.")
    ] = None,
    as_written: Annotated[
        bool,
        typer.Option(
            "--as-written", help="Search all words of the report, also what it denies or remembers."
        ),
    ] = False,
    image: Annotated[
        Path | None,
        typer.Option(help="A picture to search with, alone or together with a report."),
    ] = None,
    image_mpp: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=20,
            help="Micrometres a pixel of --image: it is searched with at the archive's scale.",
        ),
    ] = None,
    translate: Annotated[
        Path | None,
        typer.Option(
            help="Translate --image first, as from histology: a directory of coin train cyclegan, "
            "or a YAML file of style transfer; with --server: server, for its own."
        ),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            help="Search with a picture drawn of nuclei: “twelve crowded large nuclei”, or a CSV "
            "of x_px, y_px and type; needs --layout-model, or a server's."
        ),
    ] = None,
    layout_model: Annotated[
        Path | None, typer.Option(help="A directory of coin train joint.")
    ] = None,
    mode: Annotated[
        ReportMode | None,
        typer.Option(help="Default: fused where the archive's encoder reads text, else prototype."),
    ] = None,
    specimen: Annotated[
        str,
        typer.Option(
            help="Which specimen of a report of several (A, 2, a site), or all. Default: the first."
        ),
    ] = "",
    k: Annotated[
        int, typer.Option("-k", help=f"How many cases, 1 to {MAX_CASES}.")
    ] = DEFAULT_CASES,
    where: Annotated[
        list[str] | None,
        typer.Option(help="FIELD=VALUE, repeatable: fields are joined by AND, values by OR."),
    ] = None,
    all_sites: Annotated[
        bool,
        typer.Option(
            "--all-sites", help="Search all sites, also where the report names or implies one."
        ),
    ] = False,
    unspecified_sites: Annotated[
        bool,
        typer.Option(
            "--unspecified-sites", help="Search cases of unspecified site beside the report's."
        ),
    ] = False,
    like: Annotated[
        list[str] | None,
        typer.Option(help="Case to find more of, by its id; repeatable. Works alone too."),
    ] = None,
    unlike_case: Annotated[
        list[str] | None, typer.Option(help="Case that is not what you look for; repeatable.")
    ] = None,
    unlike: Annotated[str, typer.Option(help="What you do not look for, in words.")] = "",
    diversity: Annotated[
        float,
        typer.Option(min=0, max=1, help="0 lists the nearest cases, 1 the most different of them."),
    ] = 0.0,
    near_duplicates: Annotated[
        bool,
        typer.Option(
            "--near-duplicates",
            help="List cases whose picture repeats another case's, instead of folding them.",
        ),
    ] = False,
    width: Annotated[
        float | None,
        typer.Option(
            min=1,
            max=MAX_WIDTH,
            help="Look through the archive's index so many times as widely as it was tuned.",
        ),
    ] = None,
    prototypes: Annotated[
        int | None,
        typer.Option(
            help=f"How many pictures to draw, 1 to {MAX_PROTOTYPES}; default as calibrated, else 4."
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=MAX_SEED, help="Picture i is drawn from seed + i.")
    ] = 0,
    variations: Annotated[
        int,
        typer.Option(
            min=0,
            help=f"Synthetic pictures near to --image to search with, up to {MAX_PROTOTYPES}.",
        ),
    ] = 0,
    rivals: Annotated[
        bool,
        typer.Option(
            "--rivals", help="What else it might be: the nearest cases of each rival diagnosis."
        ),
    ] = False,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Why each case: what each part of the query brings to its score."
        ),
    ] = False,
    replay: Annotated[
        Path | None,
        typer.Option(
            help="An answer.json of before: the same search again, or what has changed since."
        ),
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Ask a running coin-serve; without ARCHIVE, COIN_SERVER names it."
        ),
    ] = None,
    as_json: JsonOption = False,
    save: Annotated[
        Path | None, typer.Option(help="Directory for sheet.png, answer.json, prototypes/.")
    ] = None,
    encoder: options.EncoderName = None,
    generator: options.GeneratorName = None,
) -> None:
    """Find the real cases nearest to what a report describes, or to a picture."""
    from coin_retrieval.cli.drawing.made_pictures import Making
    from coin_retrieval.console.inputs import parse_where, report_text
    from coin_retrieval.console.server_address import asked_where
    from coin_retrieval.search.query import Query

    asks = report is not None or report_file is not None
    making = Making(translate, layout, layout_model)
    place = asked_where(archive, server)
    making.require(image, here=isinstance(place, Path))
    if isinstance(place, str):
        from coin_retrieval.cli.served import refuse_local, search_served

        refuse_local(
            {"replay": replay, "encoder": encoder, "generator": generator}
            | {"layout-model": layout_model}
        )
    before = None
    if replay is not None:
        from coin_retrieval.presenting.replay import read_answer

        _refuse_questions(context)
        before = read_answer(replay)
    if before is None and not asks and image is None and layout is None and not like:
        raise InputError(
            "nothing to search with",
            expected="--report TEXT, --report-file FILE, --image FILE, --layout TEXT or "
            "--like CASE",
        )
    query = (
        before.query.asked
        if before is not None
        else Query.of(
            report=report_text(report, report_file) if asks else "",
            as_written=as_written,
            specimen=specimen,
            mode=mode,
            k=k,
            where=parse_where(where or []),
            all_sites=all_sites,
            unspecified_sites=unspecified_sites,
            prototypes=prototypes,
            seed=seed,
            variations=variations,
            liked=like or (),
            disliked=unlike_case or (),
            unlike=unlike,
            diversity=diversity,
            near_duplicates=near_duplicates,
            width=width,
            image_mpp_um=image_mpp,
            rivals=rivals,
            explain=explain,
        )
    )
    if explain and not query.explain:
        query = query.model_copy(update={"explain": True})
    if isinstance(place, str):
        search_served(place, query, image=image, making=making, save=save, as_json=as_json)
    else:
        _search_here(
            place,
            query,
            image=image,
            making=making,
            before=before,
            encoder=encoder,
            generator=generator,
            save=save,
            as_json=as_json,
        )


def _refuse_questions(context: typer.Context) -> None:
    """A replay asks what was asked before: nothing that changes the question goes with it."""
    given = [
        f"--{name.replace('_', '-')}"
        for name in _QUESTION
        if (source := context.get_parameter_source(name)) and source.name == "COMMANDLINE"
    ]
    if given:
        raise InputError(
            "a replay asks what was asked before",
            value=f"--replay with {', '.join(given)}",
            expected="--replay FILE, and --image FILE if a picture was asked with",
            remedy="search anew without --replay",
        )


def _search_here(
    archive: Path,
    query: Query,
    *,
    image: Path | None,
    making: Making,
    before: SearchAnswer | None,
    encoder: str | None,
    generator: str | None,
    save: Path | None,
    as_json: bool,
) -> None:
    """Plan, compare with an answer of ``before``, run, show."""
    from coin_retrieval.cli.drawing.made_pictures import kept_in, make_picture
    from coin_retrieval.cli.opening import open_retriever
    from coin_retrieval.console.bars import showing
    from coin_retrieval.console.session import print_json
    from coin_retrieval.presenting.answering import to_answer
    from coin_retrieval.prototypes.made import MadePicture

    given, mpp_um = make_picture(making, image, seed=query.seed, save=save)
    query = query.at_scale(mpp_um)
    retriever = open_retriever(archive, encoder=encoder, generator=generator)
    made = given if isinstance(given, MadePicture) else None
    picture = None if isinstance(given, MadePicture) else given
    plan = retriever.plan(query, picture, made=made)
    if before is not None:
        from coin_retrieval.presenting.replay import require_same_cases, require_same_plan

        require_same_plan(before, plan, retriever.cache)
    with showing(quiet=as_json) as on:
        result = retriever.run(plan, on)
    if before is not None:
        require_same_cases(before, result)
    catalog = retriever.archive.catalog
    demonstration = retriever.archive.manifest.demonstration
    kept = "" if made is None or save is None else str(kept_in(save))
    answer = to_answer(result, made_path=kept)
    sheet: Path | None = None
    if save is not None:
        from coin_retrieval.presenting.saving import pictures_here, save_search

        pictures = pictures_here(result, retriever.archive)
        answer, sheet = save_search(save, answer, pictures, demonstration=demonstration)
    if as_json:
        print_json(answer.model_dump(mode="json"))
        return
    from rich.console import Console

    from coin_retrieval.cli.tables import show_answer

    console = Console()
    show_answer(console, answer, values=catalog.values, demonstration=demonstration, sheet=sheet)

"""``coin evaluate sheet``: reports, prototypes and real pictures side by side, to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coin_retrieval.cli.picture_options import Where, select
from coin_retrieval.console.errors import JsonOption
from coin_retrieval.console.limits import MAX_SEED

if TYPE_CHECKING:
    from coin_retrieval.case_table import CaseRow


def sheet(
    out: Annotated[Path, typer.Option(help="The sheet: FILE.png or FILE.webp; pages get numbers.")],
    queries: Annotated[
        Path | None,
        typer.Option(
            help="CSV: report and the label's column. Default: a held-out wording a finding."
        ),
    ] = None,
    real: Annotated[
        list[Path] | None,
        typer.Option(help="Real pictures; repeatable: manifest or folder. None: drawn ones only."),
    ] = None,
    where: Where = None,
    by: Annotated[str, typer.Option(help="The label: finding or diagnosis.")] = "finding",
    n: Annotated[int, typer.Option("-n", min=1, max=16, help="Pictures of each kind.")] = 8,
    seed: Annotated[
        int,
        typer.Option(min=0, max=MAX_SEED, help="Of the first drawn picture, and of the choice."),
    ] = 0,
    as_json: JsonOption = False,
    generator: Annotated[
        str | None, typer.Option(help="Which generator; default COIN_GENERATOR, else starter.")
    ] = None,
) -> None:
    """Draw each report beside real pictures of its label, ten reports a page."""
    from coin_retrieval.console.bars import showing_bars
    from coin_retrieval.console.environment import read_environment
    from coin_retrieval.console.session import print_json, working
    from coin_retrieval.evaluation.pictures.picture_sets import PictureSet
    from coin_retrieval.evaluation.pictures.prototype_sheet import (
        SheetRow,
        check_sheet_path,
        choose_real,
        draw_pages,
        save_pages,
    )
    from coin_retrieval.factory import make_drawer, parse_generator
    from coin_retrieval.images import load_image

    check_sheet_path(out)
    pictures = select(real, where).labelled(by) if real else PictureSet("none", ())
    labels = set(pictures.labels(by)) if real else None
    asked = _asked(queries, labels, by)
    environment = read_environment()
    with working("loading the generator"):
        chosen = parse_generator(generator or environment.generator)
        drawer = make_drawer(chosen, cache_dir=environment.prototype_dir)
    rows = []
    with showing_bars(quiet=as_json) as bars:
        done = bars("drawing", len(asked))
        for case in asked:
            label = str(getattr(case, by))
            shown = choose_real(pictures, label, by=by, n=n, seed=seed)
            drawing = drawer.draw(case.report, n=n, seed=seed)
            rows.append(
                SheetRow(
                    report=drawing.report,
                    label=label,
                    drawn=[load_image(prototype.path) for prototype in drawing.prototypes],
                    real=[load_image(row.image_path) for row in shown.rows],
                )
            )
            done()
    files = [str(file) for file in save_pages(draw_pages(rows, n=n), out)]
    lacking = sorted({row.label for row in rows if real and not row.real})
    if as_json:
        print_json(
            {
                "generator": drawer.name,
                "real": pictures.name,
                "by": by,
                "seed": seed,
                "reports": len(rows),
                "pages": files,
                "without_real_pictures": lacking,
            }
        )
        return
    for file in files:
        typer.echo(file)
    if lacking:
        typer.echo(f"No real picture of: {', '.join(lacking)}.")


def _asked(queries: Path | None, labels: set[str] | None, by: str) -> list[CaseRow]:
    """The reports of a file, or the first held-out one of each finding; ``labels`` are wanted."""
    if queries is not None:
        from coin_retrieval.wordings.report_table import read_report_table

        return read_report_table(queries)
    from coin_retrieval.case_table import CaseRow
    from coin_retrieval.errors import InputError
    from coin_retrieval.wordings.captions import held_out_reports, load_lexicon

    findings = load_lexicon().findings
    asked = [
        CaseRow(Path(), "", finding=name, diagnosis=findings[name].diagnosis, report=reports[0])
        for name, reports in held_out_reports().items()
        if labels is None or (name if by == "finding" else findings[name].diagnosis) in labels
    ]
    if not asked:
        raise InputError(
            "there are held-out wordings of none of these labels",
            value=sorted(labels or ())[:5],
            expected="findings of the training lexicon",
            remedy="give your own reports with --queries",
        )
    return asked

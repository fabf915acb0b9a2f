"""``coin evaluate pairs``: is a joint model any good?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coin_retrieval.cli import options
from coin_retrieval.console.errors import JsonOption


def pairs(
    model: Annotated[Path, typer.Option(help="A directory of coin train joint.")],
    data: Annotated[Path, typer.Option(help="The manifest that it was trained with.")],
    scale: Annotated[float, typer.Option(min=0, help="As in the recipe of its training.")] = 1.0,
    count: Annotated[int, typer.Option(min=8, help="Pairs of each kind to learn from.")] = 200,
    tested: Annotated[int, typer.Option(min=8, help="Unseen squares to test on.")] = 64,
    steps: Annotated[int, typer.Option(min=1, help="Of each network's training.")] = 400,
    seed: options.FirstSeed = 0,
    out: Annotated[Path | None, typer.Option(help="Directory for pairs.json and pairs.md.")] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="FILE.png or FILE.webp: drawn pairs, to look at.")
    ] = None,
    real: Annotated[bool, typer.Option("--real", help="On the sheet, real ones below.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Do nuclei lie where they were asked, and does a network learn from drawn pairs?

    A quarter of the pictures, told by their files' digests, was held out by the training and is
    tested on.
    """
    from coin_retrieval.cli.evaluate.results import show
    from coin_retrieval.console.bars import showing
    from coin_retrieval.evaluation.extras import require
    from coin_retrieval.evaluation.pairs.judging import judge_pairs, to_markdown
    from coin_retrieval.evaluation.pairs.sheet import NOTICE, draw_page
    from coin_retrieval.evaluation.pictures.prototype_sheet import check_sheet_path, save_pages
    from coin_retrieval.factory import make_layout_generator
    from coin_retrieval.prototypes.tiles import known_tiles

    if sheet is not None:
        check_sheet_path(sheet)
    require("segmentation_models_pytorch", "networks that find nuclei", extra="systems")
    generator = make_layout_generator(model)
    config = generator.config
    training, held_out = known_tiles(
        data, labels=config.labels, kinds=config.kinds, scale=scale, side_px=config.side_px
    )
    if sheet is not None:
        page = draw_page(generator, held_out, seed=seed, beside_real=real)
        save_pages([page], sheet, notice=NOTICE)
    with showing(quiet=as_json) as on:
        figures = judge_pairs(
            generator, training, held_out, count=count, tested=tested, steps=steps, seed=seed, on=on
        )
    show(figures, to_markdown(figures), name="pairs", out=out, as_json=as_json)

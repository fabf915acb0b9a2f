"""Options that several commands have in common: an archive, what is asked of it, what draws."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coin_retrieval.limits import MAX_PROTOTYPES, MAX_SEED
from coin_retrieval.setting_forms import ENCODER_FORMS, GENERATOR_FORMS

ArchivePath = Annotated[Path, typer.Argument(help="An archive that coin-index built.")]
Queries = Annotated[
    Path | None,
    typer.Option(
        help="CSV: report, the label's column, and case_id if that case must not be found. "
        "Default: the held-out wordings."
    ),
]
SearchWhere = Annotated[
    list[str] | None, typer.Option(help="FIELD=VALUE, repeatable: search only these.")
]
By = Annotated[str, typer.Option(help="The label: finding or diagnosis.")]
Places = Annotated[int, typer.Option("-k", min=1, help="How many places count.")]
TriedPrototypes = Annotated[
    int,
    typer.Option(
        min=1, max=MAX_PROTOTYPES, help="Pictures drawn a report: up to 1, 2, 4, 8 are tried."
    ),
]
Prototypes = Annotated[
    int | None, typer.Option(min=1, help="Pictures drawn a report; default as calibrated, else 4.")
]
FirstSeed = Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Of the first picture.")]
EncoderName = Annotated[
    str | None, typer.Option(help=f"{ENCODER_FORMS}; default: what built the archive.")
]
GeneratorName = Annotated[
    str | None, typer.Option(help=f"{GENERATOR_FORMS}; default COIN_GENERATOR, else starter.")
]

"""``coin evaluate images | memorisation | classifier-agreement``: are drawn pictures any good?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coin_retrieval.cli.picture_options import (
    Generated,
    GeneratedWhere,
    HeldOut,
    HeldOutWhere,
    Out,
    SizePx,
    Space,
    Training,
    TrainingWhere,
    Where,
    measure,
    select,
    show,
)
from coin_retrieval.console.errors import JsonOption


def images(
    real: Annotated[
        list[Path],
        typer.Option(help="Real pictures, best unseen ones; repeatable: manifest or folder."),
    ],
    generated: Annotated[
        list[Path], typer.Option(help="Drawn pictures; repeatable, a row each: manifest or folder.")
    ],
    reference: Annotated[
        list[Path] | None,
        typer.Option(help="Further real pictures, repeatable: the row that says what is possible."),
    ] = None,
    features: Space = "starter",
    where: Where = None,
    reference_where: Annotated[
        list[str] | None, typer.Option(help="FIELD=VALUE, repeatable: only these of --reference.")
    ] = None,
    generated_where: GeneratedWhere = None,
    sample: Annotated[
        int | None,
        typer.Option(min=6, help="At most so many pictures of each set: equal numbers compare."),
    ] = None,
    size_px: SizePx = None,
    seed: Annotated[int, typer.Option(help="Of samples and subsets.")] = 0,
    out: Out = None,
    as_json: JsonOption = False,
) -> None:
    """Fréchet and kernel distance, CMMD, precision, recall, density and coverage."""
    from coin_retrieval.console.session import working
    from coin_retrieval.evaluation.pictures.fidelity import (
        FidelityFigures,
        compare,
        require_enough,
        to_markdown,
    )
    from coin_retrieval.evaluation.pictures.picture_sets import notes_on

    others = [select([source], generated_where, real=False) for source in generated]
    if reference:
        others.append(select(reference, reference_where))
    yardstick, *others = (one.sample(sample, seed=seed) for one in (select(real, where), *others))
    for one in (yardstick, *others):
        require_enough(one.name, len(one))
    notes = [note for one in others for note in notes_on(yardstick, one, size_px=size_px)]
    space, found = measure(features, [yardstick, *others], size_px=size_px, quiet=as_json)
    with working("comparing"):
        rows = [
            compare(space, found[0], found[number], name=one.name, seed=seed,
                    anchor=number > len(generated))
            for number, one in enumerate(others, start=1)
        ]  # fmt: skip
    figures = FidelityFigures(
        real=yardstick.name,
        real_count=len(yardstick),
        encoder=str(space.encoder.spec),
        frechet_name=space.frechet_name,
        kernel_name=space.kernel_name,
        cmmd_name=space.cmmd_name,
        size_px=size_px,
        seed=seed,
        notes=list(dict.fromkeys(notes)),
        rows=rows,
    )
    show(figures, to_markdown(figures), name="images", out=out, as_json=as_json)


def memorisation(
    generated: Generated,
    training: Training,
    held_out: HeldOut,
    features: Space = "starter",
    training_where: TrainingWhere = None,
    held_out_where: HeldOutWhere = None,
    generated_where: GeneratedWhere = None,
    size_px: SizePx = None,
    out: Out = None,
    as_json: JsonOption = False,
) -> None:
    """Are drawn pictures nearer to training pictures than unseen real ones ever are?"""
    from coin_retrieval.evaluation.pictures.memorisation import measure_memorisation, to_markdown
    from coin_retrieval.evaluation.pictures.picture_sets import notes_on, require_disjoint

    drawn = select([generated], generated_where, real=False)
    seen, unseen = select(training, training_where), select(held_out, held_out_where)
    require_disjoint(seen, unseen)
    notes = notes_on(seen, drawn, size_px=size_px)
    space, found = measure(features, [drawn, seen, unseen], size_px=size_px, quiet=as_json)
    figures = measure_memorisation(
        *found,
        generated_names=[str(row.image_path) for row in drawn.rows],
        training_names=[str(row.image_path) for row in seen.rows],
        encoder=str(space.encoder.spec),
        size_px=size_px,
        notes=notes,
    )
    show(figures, to_markdown(figures), name="memorisation", out=out, as_json=as_json)
    if out is not None:
        from coin_retrieval.evaluation.pictures.pair_sheet import pair_sheet_png
        from coin_retrieval.images import load_image

        pairs = [
            (
                load_image(Path(pair.generated)),
                load_image(Path(pair.training)),
                f"distance {pair.distance:.3f}, nearer than {pair.nearer_than_held_out:.1%} of "
                f"held-out; {Path(pair.generated).name} | {Path(pair.training).name}",
            )
            for pair in figures.closest
        ]
        (out / "closest_pairs.png").write_bytes(pair_sheet_png(pairs))


def classifier_agreement(
    generated: Generated,
    training: Training,
    held_out: HeldOut,
    features: Space = "starter",
    by: Annotated[str, typer.Option(help="The label: finding or diagnosis.")] = "finding",
    training_where: TrainingWhere = None,
    held_out_where: HeldOutWhere = None,
    generated_where: GeneratedWhere = None,
    size_px: SizePx = None,
    out: Out = None,
    as_json: JsonOption = False,
) -> None:
    """Does a classifier trained on real pictures name the class of drawn ones?"""
    from coin_retrieval.evaluation.pictures.agreement import (
        LabelledFeatures,
        measure_agreement,
        require_classifier,
        to_markdown,
    )
    from coin_retrieval.evaluation.pictures.picture_sets import notes_on, require_disjoint

    require_classifier()
    drawn = select([generated], generated_where, real=False)
    seen, unseen = select(training, training_where), select(held_out, held_out_where)
    require_disjoint(seen, unseen)
    sets = [pictures.labelled(by) for pictures in (seen, unseen, drawn)]
    space, found = measure(features, sets, size_px=size_px, quiet=as_json)
    labelled = [
        LabelledFeatures(rows, pictures.labels(by), [row.case_id for row in pictures.rows])
        for pictures, rows in zip(sets, found, strict=True)
    ]
    figures = measure_agreement(
        *labelled,
        encoder=str(space.encoder.spec),
        by=by,
        size_px=size_px,
        notes=notes_on(seen, drawn, size_px=size_px),
    )
    show(figures, to_markdown(figures), name="classifier_agreement", out=out, as_json=as_json)

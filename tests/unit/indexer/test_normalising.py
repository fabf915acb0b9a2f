"""Another laboratory's pictures: colours and scale as the starter knows them, where that helps."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_archives import write_pictures, write_table

from coin_retrieval.encoding.stains import colours_of, home_colours, stain_map
from coin_retrieval.errors import InputError
from coin_retrieval.factory import parse_encoder
from coin_retrieval.images.decoding import load_image
from coin_retrieval.tables.cases import CaseRow, read_case_table
from indexer import build

CELLS = ("neutrophil", "eosinophil", "lymphocyte", "monocyte")


def some_of(table: Path, findings: tuple[str, ...], most: int, **where: str) -> list[CaseRow]:
    rows = [row for row in read_case_table(table) if row.fits({k: [v] for k, v in where.items()})]
    return [r for name in findings for r in [row for row in rows if row.finding == name][:most]]


def table_of(folder: Path, rows: list[CaseRow]) -> Path:
    columns = ("image_path", "case_id", "site", "finding")
    return write_table(
        folder / "cases.csv", [{name: str(getattr(row, name)) for name in columns} for row in rows]
    )


@pytest.mark.data
def test_another_laboratorys_own_findings_say_that_its_colours_and_scale_are_to_be_moved(
    root: Path, tmp_path: Path, data_root: Path
) -> None:
    rows = some_of(data_root / "cell_masks/other_laboratory.csv", CELLS, 50)
    table = table_of(tmp_path, rows)
    first = build(root, table)
    found = first.manifest.encoder_settings
    pictures = [load_image(row.image_path) for row in rows]
    assert found.stain_map == stain_map(colours_of(pictures), home_colours()["peripheral blood"])
    assert found.margin == 0.15
    assert "P@10" in first.warnings[-1]
    again = build(root, table, encoder="starter")
    assert again.reused == len(rows), "an archive keeps what it began with"


@pytest.mark.data
def test_home_stays_as_it_is(root: Path, tmp_path: Path, data_root: Path) -> None:
    table = table_of(tmp_path, some_of(data_root / "blood/cases.csv", CELLS, 13, split="val"))
    built = build(root, table)
    assert built.manifest.encoder_settings == parse_encoder("starter")
    assert not built.warnings


@pytest.mark.data
def test_red_cells_alone_are_no_reason_to_move_their_colours(
    root: Path, tmp_path: Path, data_root: Path
) -> None:
    forms = ("normal red cell", "macrocyte", "microcyte", "spherocyte", "target cell")
    table = table_of(tmp_path, some_of(data_root / "red_cells/red_cells.csv", forms, 13))
    assert build(root, table).manifest.encoder_settings == parse_encoder("starter")


def test_who_wants_pictures_as_they_are_gets_them(root: Path, tmp_path: Path, encoder: str) -> None:
    write_pictures(tmp_path / "images", 24)
    rows = [
        {"image_path": f"images/cell_{i:03d}.png", "case_id": f"c{i}", "site": "peripheral blood"}
        for i in range(24)
    ]
    table = write_table(tmp_path / "cases.csv", rows)
    moved = build(root, table, encoder=encoder, normalise="stain").manifest.encoder_settings
    assert moved.stain_map is not None
    plain = build(root, table, encoder=encoder, normalise="never").manifest.encoder_settings
    assert plain.stain_map is None
    said = build(root, table, encoder=moved, normalise="auto").manifest.encoder_settings
    assert said.stain_map == moved.stain_map


def test_colours_are_moved_to_the_starters_and_the_archive_keeps_how(
    root: Path, tmp_path: Path, encoder: str
) -> None:
    write_pictures(tmp_path / "images", 24)
    rows = [
        {"image_path": f"images/cell_{i:03d}.png", "case_id": f"c{i}", "site": "peripheral blood"}
        for i in range(24)
    ]
    table = write_table(tmp_path / "cases.csv", rows)
    first = build(root, table, encoder=encoder, normalise="stain")
    found = first.manifest.encoder_settings.stain_map
    assert found is not None
    assert "peripheral blood" in first.warnings[-1]
    again = build(root, table, normalise="stain")
    assert again.reused == 24, "the map that is there is kept"


@pytest.mark.parametrize(
    ("site", "message"), [("urine", "one map of colours"), ("cervix", "too few pictures")]
)
def test_colours_that_nothing_can_be_told_of_are_refused(
    root: Path, tmp_path: Path, encoder: str, site: str, message: str
) -> None:
    write_pictures(tmp_path / "images", 3)
    rows = [
        {"image_path": f"images/cell_{i:03d}.png", "case_id": f"c{i}", "site": site}
        for i in range(3)
    ]
    with pytest.raises(InputError, match=message):
        build(root, write_table(tmp_path / "cases.csv", rows), encoder=encoder, normalise="stain")
    assert not (root / "CURRENT").exists()

"""``coin evaluate sheet`` and its pages."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from coin_retrieval.cli.main import app
from coin_retrieval.evaluation.pictures.picture_sets import PictureSet
from coin_retrieval.evaluation.pictures.prototype_sheet import (
    SheetRow,
    choose_real,
    draw_pages,
    save_pages,
)
from coin_retrieval.tables.cases import CaseRow
from coin_retrieval.types import RgbImage
from coin_retrieval.wordings.captions import held_out_reports, load_lexicon, whole_reports
from coin_retrieval.wordings.report_table import read_report_table

REPORTS = Path(__file__).parents[3] / "reference" / "sheet_reports.csv"
GREEN, BLUE, AMBER = (0, 160, 0), (0, 0, 200), (0xB4, 0x53, 0x09)


def flat(colour: tuple[int, int, int]) -> RgbImage:
    return np.full((40, 40, 3), colour, np.uint8)


def area(page: RgbImage, colour: tuple[int, int, int]) -> int:
    return int((page == colour).all(axis=2).sum())


def test_drawn_pictures_are_left_and_framed_and_real_ones_right_without() -> None:
    row = SheetRow("Dark cell.", "lymphocyte", [flat(GREEN)] * 3, [flat(BLUE)] * 3)
    (page,) = draw_pages([row], n=3)
    left, right = page[:, : page.shape[1] // 2], page[:, page.shape[1] // 2 :]
    assert area(left, GREEN) > 30_000
    assert area(left, BLUE) == area(right, GREEN) == 0
    assert area(right, BLUE) > 3 * 120 * 120
    # three frames of 128 px around and 6 px wide; on the right is none beneath the notice
    assert area(left[120:], AMBER) > 3 * 4 * 6 * 120
    assert area(right[120:], AMBER) == 0


def test_many_reports_fill_pages_of_ten() -> None:
    row = SheetRow("x", "y", [flat(GREEN)], [])
    pages = draw_pages([row] * 21, n=1)
    assert [area(page, GREEN) // area(pages[2], GREEN) for page in pages] == [10, 10, 1]


def test_long_reports_are_wrapped_not_cut_off() -> None:
    short = SheetRow("few words", "y", [flat(GREEN)], [flat(BLUE)])
    long = SheetRow("few words " * 12, "y", [flat(GREEN)], [flat(BLUE)])
    ((low,), (high,)) = (draw_pages([row], n=1) for row in (short, long))
    assert low.shape[1] == high.shape[1]
    assert low.shape[0] < high.shape[0]


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_pages_are_numbered_files_that_say_what_is_synthetic(tmp_path: Path, suffix: str) -> None:
    pages = draw_pages([SheetRow("x", "y", [flat(GREEN)], [])] * 11, n=1)
    files = save_pages(pages, tmp_path / "new" / f"sheet{suffix}")
    assert [file.name for file in files] == [f"sheet{suffix}", f"sheet-2{suffix}"]
    with Image.open(files[1]) as saved:
        said = saved.info.get("Description") or saved.getexif()[0x010E]
    assert "SYNTHETIC" in said


def test_real_pictures_come_of_as_many_cases_as_there_are() -> None:
    rows = tuple(
        CaseRow(Path(f"{i}.png"), case, finding=finding)
        for i, (case, finding) in enumerate(
            [("a", "x"), ("a", "x"), ("a", "x"), ("b", "x"), ("c", "x"), ("d", "y")]
        )
    )
    pictures = PictureSet("set", rows)
    for seed in range(5):
        chosen = choose_real(pictures, "x", by="finding", n=4, seed=seed)
        assert Counter(row.case_id for row in chosen.rows) == {"a": 2, "b": 1, "c": 1}
        assert len({row.image_path for row in chosen.rows}) == 4
    assert len(choose_real(pictures, "absent", by="finding", n=4, seed=0)) == 0


def test_the_command_draws_the_reports_of_a_file(
    held_out: Path, tiny_pipeline_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COIN_CACHE_DIR", str(tmp_path / "cache"))
    queries = tmp_path / "q.csv"
    queries.write_text("report,finding\norange granules,eosinophil\nclue cells,vaginosis\n")
    arguments = [
        "evaluate", "sheet", "--real", str(held_out), "--out", str(tmp_path / "sheet.webp"),
        "-n", "2", "--generator", f"{tiny_pipeline_dir}?text_encoder=minilm", "--json",
    ]  # fmt: skip
    ran = CliRunner().invoke(app, [*arguments, "--queries", str(queries)])
    assert ran.exit_code == 0, ran.output
    said = json.loads(ran.stdout)
    assert said["pages"] == [str(tmp_path / "sheet.webp")]
    assert said["without_real_pictures"] == ["vaginosis"]
    ran = CliRunner().invoke(app, arguments)
    # without a file: one held-out wording of each finding that there are real pictures of
    assert json.loads(ran.stdout)["reports"] == 2
    ran = CliRunner().invoke(app, [a.replace(".webp", ".pdf") for a in arguments])
    assert json.loads(ran.stdout)["error"]["problem"] == "a sheet is PNG or WebP"


def test_the_frozen_reports_are_worded_as_nothing_in_the_lexicon() -> None:
    cases = read_report_table(REPORTS)
    words = load_lexicon().findings
    assert Counter(words[case.finding].site for case in cases) == {
        "peripheral blood": 8,
        "cervix": 12,
    }
    assert len({case.finding for case in cases}) == 20
    for case in cases:
        finding = words[case.finding]
        said = case.report.casefold()
        assert not {name.casefold() for name in finding.names} & {said.rstrip(".")}
        known = (*held_out_reports()[case.finding], *whole_reports().get(case.finding, ()))
        assert not any(report.casefold().rstrip(".") in said for report in known)
        # no sign is copied word for word, but for those of two or three words that anybody uses
        signs = [sign for group in finding.signs for sign in group if len(sign.split()) > 3]
        assert not any(sign.casefold() in said for sign in signs), case.report


def test_without_real_pictures_a_page_has_no_right_half() -> None:
    drawn = [np.full((32, 32, 3), 120, np.uint8)]
    (compared,) = draw_pages([SheetRow("cells", "Candida", drawn, drawn)], n=1)
    (alone,) = draw_pages([SheetRow("cells", "Candida", drawn, [])], n=1)
    assert alone.shape[1] < compared.shape[1]

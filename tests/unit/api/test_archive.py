from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from unit.server.ground import REPORT, disc, png, write_sources

import coin_retrieval as coin
from coin_retrieval.errors import (
    EncoderMismatchError,
    FilterError,
    ImageError,
    NotFoundError,
    SettingsError,
    UnsupportedError,
)
from indexer import build


def test_a_report_finds_cases_and_says_what_was_decided(archive: coin.SearchableArchive) -> None:
    result = archive.search(REPORT, k=3, prototypes=2, seed=4)
    assert len(result) == 3
    assert [one.provenance.seed for one in result.prototypes] == [4, 5]
    assert result.plan.query.k == 3


def test_a_filter_takes_a_value_or_several_also_out_of_numpy(
    archive: coin.SearchableArchive,
) -> None:
    one = archive.search(REPORT, mode="text", where={"site": "urine"})
    several = archive.search(REPORT, mode="text", where={"site": np.array(["urine", "cervix"])})
    assert {case.case_id for case in one.cases} == {"B/2", "C-3"}
    assert {case.case_id for case in several.cases} == {"A-1", "B/2", "C-3"}


def test_numbers_out_of_numpy_are_numbers(archive: coin.SearchableArchive) -> None:
    result = archive.search(REPORT, mode="text", k=np.int64(2), diversity=np.float32(0))
    assert len(result) == 2


@pytest.mark.parametrize("held", ["path", "str", "bytes", "pillow", "array", "rgba"])
def test_a_picture_finds_itself_however_it_is_held(
    archive: coin.SearchableArchive, held: str, tmp_path: Path
) -> None:
    picture = disc(3)
    file = tmp_path / "picture.png"
    file.write_bytes(png(picture))
    ways: dict[str, Any] = {
        "path": file, "str": str(file), "bytes": file.read_bytes(), "pillow": picture,
        "array": np.asarray(picture), "rgba": picture.convert("RGBA"),
    }  # fmt: skip
    (first,) = archive.search(image=ways[held]).own
    assert first.case_id == "C-3"
    assert first.similarity == pytest.approx(1, abs=1e-4)


def test_a_whole_query_can_be_asked_and_changed(archive: coin.SearchableArchive) -> None:
    query = coin.Query(report=REPORT, mode="text", k=2)
    assert len(archive.search(query)) == 2
    assert len(archive.search(query, k=1)) == 1


def test_a_plan_can_be_looked_at_and_then_run(archive: coin.SearchableArchive) -> None:
    plan = archive.plan(REPORT, mode="text", k=2)
    planned, at_once = archive.run(plan), archive.search(REPORT, mode="text", k=2)
    assert planned.plan is plan
    assert [c.case_id for c in planned.cases] == [c.case_id for c in at_once.cases]


def test_a_listener_is_told_of_drawing_and_searching(archive: coin.SearchableArchive) -> None:
    told: list[tuple[str, int, int]] = []
    archive.search(REPORT, prototypes=1, seed=77, on=lambda *step: told.append(step))
    stages = {stage for stage, _, _ in told}
    assert {"drawing", "searching"} <= stages
    assert all(0 <= done <= of for _, done, of in told)


def test_an_archive_says_what_it_holds_and_what_it_can_be_asked(
    archive: coin.SearchableArchive,
) -> None:
    assert "6 images of 5 cases" in repr(archive)
    assert archive.values("site") == {"cervix": 2, "urine": 2, "thyroid": 2}
    assert {"site", "stain", "diagnosis", "cell_size"} <= set(archive.fields)


def test_without_a_generator_reports_are_searched_by_text(archive_dir: Path, cache: Path) -> None:
    with coin.open(str(archive_dir), generator=None, cache=str(cache)) as archive:
        assert archive.search(REPORT).found.mode == "text"
        with pytest.raises(UnsupportedError, match="generator"):
            archive.search(REPORT, mode="prototype")
        assert "nothing is drawn" in repr(archive)


def test_the_environment_is_not_read(
    archive_dir: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ENCODER", "GENERATOR", "SERVER"):
        monkeypatch.setenv(f"COIN_{name}", "nonsense")
    monkeypatch.setenv("COIN_CACHE_DIR", "/dev/null/nowhere")
    with coin.open(archive_dir, generator=None, cache=cache) as archive:
        assert archive.search(REPORT).cases


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"report": 7}, "report cannot be used.*string"),
        ({"report": None}, "report cannot be used"),
        ({"report": REPORT, "k": "ten"}, "k cannot be used"),
        ({"report": REPORT, "k": 0}, "k cannot be used"),
        ({"report": REPORT, "where": "site=cervix"}, "where cannot be used"),
        ({"report": REPORT, "where": {"site": 3}}, "where"),
        ({"report": REPORT, "mode": "magic"}, "mode cannot be used"),
        (
            {"report": REPORT, "limit": 3},
            "the fields are k, .*report, as_written, specimen, mode",
        ),
        ({"report": REPORT, "on": 5}, "listener.*on=print"),
        ({"image": 3}, "not a picture.*a path"),
        ({"image": np.zeros((3, 8, 8), np.float32)}, "uint8.*moveaxis"),
        ({"report": REPORT, "liked": "A-1"}, "liked"),
        ({}, "report"),
    ],
)
def test_what_cannot_be_asked_is_an_input_error_that_says_what_can(
    archive: coin.SearchableArchive, asked: dict[str, Any], told: str
) -> None:
    with pytest.raises(coin.InputError, match=told):
        archive.search(**asked)


def test_a_missing_picture_file_is_an_image_error(archive: coin.SearchableArchive) -> None:
    with pytest.raises(ImageError, match="cannot be read"):
        archive.search(image="nowhere.png")


def test_an_unknown_field_is_a_filter_error(archive: coin.SearchableArchive) -> None:
    with pytest.raises(FilterError, match="site"):
        archive.values("planet")


@pytest.mark.parametrize(
    ("given", "kind", "told"),
    [
        ({"path": 3}, coin.InputError, "not a path.*pathlib"),
        ({"path": "nowhere"}, NotFoundError, "not an archive"),
        ({"encoder": 3}, coin.InputError, "the encoder is no name.*'starter'"),
        ({"encoder": "nonsense"}, SettingsError, "unknown encoder"),
        ({"generator": b"starter"}, coin.InputError, "the generator is no name"),
        ({"cache": 3}, coin.InputError, "not a path"),
    ],
)
def test_what_cannot_be_opened_says_so(
    archive_dir: Path, given: dict[str, Any], kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind, match=told):
        coin.open(**{"path": archive_dir, "generator": None, **given})


def test_another_encoder_than_the_archives_is_refused(
    archive_dir: Path, tiny_timm_dir: Path
) -> None:
    with pytest.raises(EncoderMismatchError):
        coin.open(archive_dir, encoder=f"timm:{tiny_timm_dir}?device=cpu", generator=None)


def test_a_picture_of_sixteen_bits_is_searched(archive: coin.SearchableArchive) -> None:
    deep = Image.fromarray(np.full((16, 16), 40_000, np.uint16))
    assert archive.search(image=deep, k=1).cases


LABELLED = [(f"{word} cells seen.", label) for word in ("Round", "Pale", "Large")
            for label in ("LSIL", "benign")]  # fmt: skip


def test_the_modes_of_an_archive_are_evaluated_on_pairs_or_a_table(
    archive: coin.SearchableArchive, tmp_path: Path
) -> None:
    table = tmp_path / "reports.csv"
    table.write_text("report,diagnosis\n" + "".join(f"{r},{label}\n" for r, label in LABELLED))
    of_pairs = archive.evaluate(LABELLED, by="diagnosis", k=2, prototypes=1)
    of_table = archive.evaluate(table, by="diagnosis", k=2, prototypes=1)
    assert of_pairs.to_dict() == of_table.to_dict()
    assert "| macro (95 % interval) | image |" in of_pairs._repr_markdown_()


def test_an_archive_is_calibrated_and_keeps_it(
    encoder_name: str, tmp_path: Path, cache: Path
) -> None:
    build(tmp_path / "archive", write_sources(tmp_path / "sources"), encoder=encoder_name)
    with coin.open(tmp_path / "archive", generator=None, cache=cache) as archive:
        tried = archive.calibrate(LABELLED, by="diagnosis", folds=2, keep=False)
        assert "nothing was kept" in repr(tried)
        assert not archive.search(REPORT).plan.calibrated
        archive.calibrate(LABELLED, by="diagnosis", folds=2)
    with coin.open(tmp_path / "archive", generator=None, cache=cache) as archive:
        assert archive.search(REPORT).plan.calibrated


@pytest.mark.parametrize(
    ("queries", "options", "told"),
    [
        (7, {}, "not labelled reports.*pairs"),
        ([7], {}, "not labelled reports"),
        (LABELLED, {"by": "colour"}, "finding or diagnosis"),
        (LABELLED, {"by": "diagnosis", "where": "urine"}, "not a filter"),
        (LABELLED, {"by": "diagnosis", "k": "ten"}, "k is no whole number"),
    ],
)
def test_what_cannot_be_evaluated_is_an_input_error(
    archive: coin.SearchableArchive, queries: Any, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(coin.InputError, match=told):
        archive.evaluate(queries, **options)

"""From pictures on disk to an answer: ``coin-index build`` once, then ``coin`` in this process."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from coin_retrieval.cli.main import app
from coin_retrieval.images import encode_png, load_image
from coin_retrieval.testing import tiny_models

REPORT = "(Cervix) Koilocytes with perinuclear halos. LSIL."
CASES = (
    ("A", "cervix", "LSIL", "koilocytes"),
    ("A", "cervix", "HSIL", "moderate dysplasia"),
    ("B", "cervix", "NILM", "superficial cell"),
    ("C", "urine", "AUC", "atypical urothelial cells"),
    ("D", "urine", "HGUC", "high-grade urothelial carcinoma"),
)


def draw_cell(number: int) -> np.ndarray:
    """A cell on a ground: its own colours, its own nucleus."""
    random = np.random.default_rng(number)
    rows, columns = np.mgrid[:64, :64]
    distance = np.hypot(rows - 32, columns - 32)
    picture = np.broadcast_to(random.integers(200, 256, 3), (64, 64, 3)).copy()
    picture[distance < 26] = random.integers(100, 200, 3)
    picture[distance < 6 + 3 * number] = random.integers(0, 100, 3)
    return picture.astype(np.uint8)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    with (folder / "cases.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image_path", "case_id", "site", "diagnosis", "finding"])
        for number, row in enumerate(CASES):
            (folder / f"{number}.png").write_bytes(encode_png(draw_cell(number)))
            table.writerow([f"{number}.png", *row])
    return folder


@pytest.fixture(scope="module")
def archive(
    pictures: Path, tiny_open_clip_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("archives") / "small"
    return build(path, pictures / "cases.csv", tiny_open_clip_dir)


@pytest.fixture(scope="module")
def demonstration(
    pictures: Path, tiny_open_clip_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The same pictures, said to be drawn by a model."""
    lines = (pictures / "cases.csv").read_text().splitlines()
    drawn = [f"{lines[0]},origin", *(f"{line},generated" for line in lines[1:])]
    (pictures / "drawn.csv").write_text("\n".join(drawn))
    path = tmp_path_factory.mktemp("archives") / "demonstration"
    return build(path, pictures / "drawn.csv", tiny_open_clip_dir)


def build(path: Path, table: Path, encoder_dir: Path) -> Path:
    encoder = f"open_clip:{encoder_dir}?text_tower=minilm&device=cpu&dtype=float32"
    built = subprocess.run(
        [
            sys.executable,
            "-c",
            "from indexer.cli import main; main()",
            "build",
            str(path),
            str(table),
            "--encoder",
            encoder,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_pipeline_dir: Path) -> Path:
    """An empty cache of this test's own; the generator is the tiny one."""
    monkeypatch.setenv("COIN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv(
        "COIN_GENERATOR", f"{tiny_pipeline_dir}?text_encoder=minilm&device=cpu&dtype=float32"
    )
    monkeypatch.delenv("COIN_ENCODER", raising=False)
    return tmp_path / "cache" / "prototypes"


def coin(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def answer(*arguments: object) -> dict[str, Any]:
    result = coin(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.mark.usefixtures("cache")
def test_the_json_answer_has_the_promised_shape(archive: Path) -> None:
    found = answer(
        "search", archive, "--report", REPORT, "--prototypes", 2, "--seed", 3, "--all-sites"
    )
    assert found["query"]["report"] == REPORT
    assert (found["query"]["mode"], found["query"]["dropped_text"]) == ("fused", "")
    assert [p["seed"] for p in found["prototypes"]] == [3, 4]
    assert all(p["provenance"]["source"]["text"] == REPORT for p in found["prototypes"])
    assert {case["case_id"] for case in found["cases"]} == {"A", "B", "C", "D"}
    similarities = [case["similarity"] for case in found["cases"]]
    assert similarities == sorted(similarities, reverse=True)
    for case in found["cases"]:
        assert case["similarity"] == case["images"][0]["similarity"]
        assert case["diagnosis"] == case["images"][0]["diagnosis"]
        assert set(case["images"][0]) >= {"image_id", "uri", "finding", "origin"}
    assert set(found["timings_ms"]) == {
        "prompt",
        "generate",
        "encode",
        "search",
        "catalog",
        "total",
    }


@pytest.mark.usefixtures("cache")
def test_a_case_whose_images_differ_tells_all_its_diagnoses(archive: Path) -> None:
    found = answer("search", archive, "--report", REPORT, "--mode", "text")
    (mixed,) = [case for case in found["cases"] if case["case_id"] == "A"]
    assert set(mixed["diagnoses"]) == {"LSIL", "HSIL"}
    assert len(mixed["images"]) == 2


def test_the_same_report_and_seed_are_drawn_once(archive: Path, cache: Path) -> None:
    first = answer("search", archive, "--report", REPORT, "--prototypes", 2)
    files = {path: path.stat().st_mtime_ns for path in cache.rglob("*") if path.is_file()}
    second = answer("search", archive, "--report", REPORT, "--prototypes", 2)
    assert len(files) == 5  # two pictures, two embeddings, the key of their names
    assert {path: path.stat().st_mtime_ns for path in files} == files
    assert second["prototypes"] == first["prototypes"]
    assert second["cases"] == first["cases"]


def test_text_mode_draws_nothing(archive: Path, cache: Path) -> None:
    found = answer("search", archive, "--report", REPORT, "--mode", "text")
    assert found["prototypes"] == []
    assert not cache.exists()


@pytest.mark.usefixtures("cache")
def test_a_picture_of_the_archive_is_told_so_and_its_case_does_not_count(
    archive: Path, pictures: Path
) -> None:
    found = answer("search", archive, "--image", pictures / "3.png", "-k", 2)
    assert found["query"]["mode"] == "image"
    (own,) = found["own"]
    assert (own["case"]["case_id"], own["because"]) == ("C", "picture")
    assert own["case"]["similarity"] == pytest.approx(1, abs=1e-3)
    assert "C" not in {case["case_id"] for case in found["cases"]}
    assert len(found["cases"]) == 2


@pytest.mark.usefixtures("cache")
def test_marks_exclusions_and_diversity_are_taken_from_the_command_line(archive: Path) -> None:
    asked = ("search", archive, "--report", REPORT, "--mode", "text", "--all-sites")
    plain = answer(*asked)
    moved = answer(
        *asked, "--like", "D",
        "--unlike-case", "A", "--unlike", "pale squamous cells", "--diversity", 0.5,
        "--near-duplicates",
    )  # fmt: skip
    before, after = (
        {
            case["case_id"]: case["similarity"]
            for case in (*found["cases"], *(own["case"] for own in found["own"]))
        }
        for found in (plain, moved)
    )
    assert after["D"] - after["A"] > before["D"] - before["A"]
    assert moved["closeness"]["verdict"] == "not judged"


@pytest.mark.usefixtures("cache")
def test_liked_cases_alone_and_a_picture_with_a_report_are_searched_with(
    archive: Path, pictures: Path
) -> None:
    liked = answer("search", archive, "--like", "C")
    assert [own["case"]["case_id"] for own in liked["own"]] == ["C"]
    assert liked["cases"]
    both = answer(
        "search", archive, "--image", pictures / "3.png", "--report", REPORT, "--mode", "text"
    )
    assert (both["query"]["mode"], both["query"]["report"]) == ("text", REPORT)


@pytest.mark.usefixtures("cache")
def test_pictures_near_to_a_picture_are_drawn_and_searched_with(
    archive: Path, pictures: Path
) -> None:
    asked = ("--image", pictures / "3.png", "--variations", 2, "--seed", 5)
    assert [one["seed"] for one in answer("search", archive, *asked)["variations"]] == [5, 6]


@pytest.mark.usefixtures("cache")
def test_a_search_for_nothing_is_refused(archive: Path) -> None:
    result = coin("search", archive)
    assert result.exit_code == 2
    assert "--like" in result.stderr


@pytest.mark.usefixtures("cache")
def test_a_filter_limits_cases_and_images(archive: Path) -> None:
    found = answer(
        "search",
        archive,
        *("--report", REPORT, "--mode", "text"),
        *("--where", "site=Cervix", "--where", "diagnosis=HSIL", "--where", "diagnosis=NILM"),
    )
    assert {i["diagnosis"] for c in found["cases"] for i in c["images"]} == {"HSIL", "NILM"}


@pytest.mark.usefixtures("cache")
def test_the_site_of_the_report_is_searched_in_the_open(archive: Path) -> None:
    asked = ("search", archive, "--report", REPORT, "--mode", "text")
    told = "Searched: cervix, named in the report;"
    assert told in coin(*asked).stdout
    assert "--all-sites" in coin(*asked).stdout
    assert told not in coin(*asked, "--where", "site=urine").stdout
    assert {case["site"] for case in answer(*asked)["cases"]} == {"cervix"}
    assert {c["site"] for c in answer(*asked, "--all-sites")["cases"]} == {"cervix", "urine"}


@pytest.mark.usefixtures("cache")
def test_the_table_tells_what_a_reader_must_know(archive: Path) -> None:
    shown = coin("search", archive, "--report", REPORT, "--prototypes", 1).stdout
    for part in ("closer than", "HSIL", "SYNTHETIC", "not a diagnosis", "total"):
        assert part in shown


@pytest.mark.usefixtures("cache")
def test_a_report_too_long_for_the_models_says_what_was_not_read(archive: Path) -> None:
    long = REPORT + " Cells in sheets and clusters." * 500 + " These are the last words."
    shown = coin("search", archive, "--report", long, "--prototypes", 1).stdout
    assert "Not read by any model" in shown
    assert "last words." in shown


@pytest.mark.usefixtures("cache")
def test_a_filter_that_nothing_fits_shows_what_there_is(archive: Path) -> None:
    shown = coin(
        "search", archive, "--report", REPORT, "--mode", "text", "--where", "site=thyroid"
    ).stdout
    assert "fits the filter" in shown
    assert "cervix (3)" in shown


@pytest.mark.usefixtures("cache")
def test_save_writes_the_sheet_the_answer_and_marked_prototypes(
    archive: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "saved"
    result = coin("search", archive, "--report", REPORT, "--prototypes", 2, "--save", folder)
    assert result.exit_code == 0, result.output
    saved = json.loads((folder / "answer.json").read_text())
    for prototype in saved["prototypes"]:
        with Image.open(folder / prototype["path"]) as image:
            assert image.info["synthetic"] == "true"
    with Image.open(folder / "sheet.png") as sheet:
        assert "synthetic" in sheet.info
    assert load_image(folder / "sheet.png").shape[1] == 1480


@pytest.mark.usefixtures("cache")
def test_an_archive_of_drawn_pictures_says_so_wherever_it_shows(
    demonstration: Path, tmp_path: Path
) -> None:
    arguments = ["search", demonstration, "--report", REPORT, "--mode", "text"]
    shown = coin(*arguments, "--save", tmp_path / "saved").stdout
    assert "demonstration: no patients" in shown
    assert "[generated]" in shown
    found = json.loads((tmp_path / "saved" / "answer.json").read_text())
    assert {i["origin"] for case in found["cases"] for i in case["images"]} == {"generated"}
    with Image.open(tmp_path / "saved" / "sheet.png") as sheet:
        assert sheet.info["demonstration"] == "demonstration: no patients"


@pytest.mark.usefixtures("cache")
def test_generate_puts_marked_pictures_where_asked(tmp_path: Path) -> None:
    found = answer("generate", "--report", REPORT, "-n", 2, "--seed", 9, "--out", tmp_path / "d")
    assert [p["seed"] for p in found["prototypes"]] == [9, 10]
    for prototype in found["prototypes"]:
        assert Path(prototype["path"]).parent == tmp_path / "d"
        with Image.open(prototype["path"]) as image:
            assert image.info["synthetic"] == "true"


def test_generate_and_search_share_their_pictures(archive: Path, cache: Path) -> None:
    drawn = answer("generate", "--report", REPORT, "-n", 1)
    found = answer("search", archive, "--report", REPORT, "--prototypes", 1)
    assert found["prototypes"] == drawn["prototypes"]
    assert len(list(cache.rglob("*.png"))) == 1


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["--report", REPORT, "--mode", "text", "--where", "colour=blue"], "FilterError"),
        (["--report", REPORT, "-k", "0"], "InputError"),
        (["--report", REPORT, "--prototypes", "65"], "InputError"),
        (["--report", REPORT, "--encoder", "nothing:x"], "SettingsError"),
        (["--report", REPORT, "--generator", "/nowhere/at/all"], "WeightsError"),
    ],
)
@pytest.mark.usefixtures("cache")
def test_what_cannot_be_done_is_one_json_error(
    archive: Path, arguments: list[str], kind: str
) -> None:
    result = coin("search", archive, *arguments, "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["type"] == kind


@pytest.mark.usefixtures("cache")
def test_a_truncated_picture_is_refused(archive: Path, pictures: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.png"
    cut.write_bytes((pictures / "0.png").read_bytes()[:100])
    result = coin("search", archive, "--image", cut)
    assert result.exit_code == 2
    assert "cannot be decoded" in result.stderr


@pytest.mark.usefixtures("cache")
def test_another_encoder_than_the_archives_is_refused(
    archive: Path, tiny_open_clip_dir: Path
) -> None:
    other = f"open_clip:{tiny_open_clip_dir}?text_tower=minilm&device=cpu&dtype=float32"
    changed = json.loads((tiny_open_clip_dir / "open_clip_config.json").read_text())
    changed["preprocess_cfg"]["mean"] = [0.1, 0.2, 0.3]
    copy = archive.parent / "other_encoder"
    copy.mkdir()
    for file in tiny_open_clip_dir.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / "open_clip_config.json").write_text(json.dumps(changed))
    result = coin(
        *("search", archive, "--report", REPORT, "--mode", "text", "--json"),
        *("--encoder", other.replace(str(tiny_open_clip_dir), str(copy))),
    )
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["type"] == "EncoderMismatchError"


def test_a_layout_is_drawn_and_searched_with(archive: Path, tmp_path: Path) -> None:
    model = tiny_models.write_joint_dir(tmp_path / "joint")
    arguments = ["--layout", "three crowded nuclei, a mitosis", "--layout-model", str(model)]
    result = CliRunner().invoke(
        app, ["search", str(archive), *arguments, "--save", str(tmp_path / "saved"), "--json"]
    )
    assert json.loads(result.stdout)["query"]["mode"] == "image"
    assert "SYNTHETIC" in result.stderr
    assert "(4 asked)" in result.stderr.replace("\n", " ")
    with Image.open(tmp_path / "saved" / "searched_with.png") as kept:
        assert kept.info["synthetic"] == "true"


def test_a_picture_is_translated_and_searched_with(
    archive: Path, pictures: Path, tmp_path: Path
) -> None:
    model = tiny_models.write_cyclegan_dir(tmp_path / "gan")
    asked = ["search", str(archive), "--image", str(pictures / "1.png"), "--json"]
    plain, translated = (
        json.loads(CliRunner().invoke(app, [*asked, *more]).stdout)
        for more in ([], ["--translate", str(model)])
    )
    first, other = (answer["cases"][0]["similarity"] for answer in (plain, translated))
    assert first > 0.99
    assert other < first - 0.001


@pytest.mark.parametrize(
    "arguments",
    [
        ["--layout", "three nuclei"],
        ["--layout-model", "x"],
        ["--translate", "x", "--report", "nuclei"],
        ["--layout", "three nuclei", "--layout-model", "x", "--image", "y.png"],
    ],
)
def test_what_cannot_be_drawn_or_translated_is_told(archive: Path, arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["search", str(archive), *arguments, "--json"])
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["type"] == "InputError"

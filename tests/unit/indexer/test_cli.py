from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import Result
from tiny_archives import build_archive, write_picture, write_pictures, write_table
from typer.testing import CliRunner

from coin_retrieval.factory import open_archive
from indexer.cli import app


def _run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def _error(result: Result) -> dict[str, object]:
    assert result.exit_code == 2, result.output
    error = json.loads(result.stdout)["error"]
    assert error["expected"] or error["remedy"]
    return dict(error)


def test_build_says_what_it_did_and_the_next_one_needs_no_encoder(
    root: Path, pictures: Path, encoder: str
) -> None:
    first = json.loads(_run("build", root, pictures, "--encoder", encoder, "--json").stdout)
    assert (first["version"], first["embedded"], first["reused"]) == ("000001", 20, 0)
    assert first["counts"]["images"] == 20
    second = json.loads(_run("build", root, pictures, "--json").stdout)
    assert (second["version"], second["embedded"], second["reused"]) == ("000002", 0, 20)
    assert second["encoder"] == first["encoder"]


def test_a_table_for_people_says_embedded_and_reused(
    root: Path, pictures: Path, encoder: str
) -> None:
    (pictures / "broken.jpg").write_bytes(b"no")
    shown = _run("build", root, pictures, "--encoder", encoder).stdout
    assert "embedded 20, reused 0" in shown
    assert "21 = 20 images + 1 skipped + 0 duplicates" in shown
    assert "skipped.jsonl" in shown


def test_the_kind_of_index_is_kept_by_the_next_build(
    root: Path, pictures: Path, encoder: str
) -> None:
    _run("build", root, pictures, "--encoder", encoder, "--store", "hnsw")
    again = json.loads(_run("build", root, pictures, "--json").stdout)
    assert again["index_kind"].startswith("hnsw")
    assert again["measured_recall"]["texts"] is None, "a folder has no texts"


def test_recall_is_measured_with_the_archives_own_texts_too(
    root: Path, pictures: Path, tmp_path: Path, encoder: str
) -> None:
    rows = [
        {"image_path": str(path), "case_id": path.stem, "finding": f"finding {path.stem}"}
        for path in sorted(pictures.iterdir())
    ]
    table = write_table(tmp_path / "cases.csv", rows)
    result = _run("build", root, table, "--encoder", encoder, "--store", "hnsw", "--json")
    recall = json.loads(result.stdout)["measured_recall"]
    assert 0.9 < recall["texts"] <= 1.0


def test_a_parquet_manifest_is_read(root: Path, pictures: Path, encoder: str) -> None:
    names = [path.name for path in sorted(pictures.iterdir())]
    columns = {"image_path": names, "case_id": names, "mpp_um": [0.5] * len(names)}
    pq.write_table(pa.table(columns), pictures / "cases.parquet")
    result = _run("build", root, pictures / "cases.parquet", "--encoder", encoder, "--json")
    assert json.loads(result.stdout)["counts"]["images"] == 20
    with open_archive(root) as archive:
        assert archive.catalog.case_images(names[0])[0].mpp_um == 0.5


def test_missing_columns_are_an_error_before_anything_is_written(
    root: Path, tmp_path: Path
) -> None:
    table = write_table(tmp_path / "cases.csv", [{"path": "a.png", "case_id": "c"}])
    error = _error(_run("build", root, table, "--json"))
    assert error["type"] == "CaseTableError"
    assert "image_path" in str(error["problem"])
    assert not root.exists()


def test_a_late_bad_row_is_an_error_before_anything_is_written(root: Path, tmp_path: Path) -> None:
    rows = [{"image_path": "a.png", "case_id": "c", "origin": "real"}] * 50
    table = write_table(tmp_path / "cases.csv", [*rows, rows[0] | {"origin": "synthetic"}])
    error = _error(_run("build", root, table, "--json"))
    assert error["value"] == "synthetic"
    assert not root.exists()


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["nowhere"], "InputError"),
        (["cell.png"], "InputError"),
        (["empty"], "InputError"),
        (["pictures", "--where", "site"], "FilterError"),
        (["pictures", "--where", "organ=liver"], "FilterError"),
        (["pictures", "--store", "annoy"], "SettingsError"),
        (["pictures", "--encoder", "no such encoder"], "SettingsError"),
    ],
)
def test_what_cannot_be_built_is_a_clear_error_and_writes_nothing(
    root: Path,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    kind: str,
) -> None:
    write_picture(tmp_path / "cell.png", seed=1)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    assert _error(_run("build", root, *words, "--json"))["type"] == kind
    assert not root.exists()


def test_an_error_for_people_says_value_expectation_and_remedy(tmp_path: Path) -> None:
    result = _run("info", tmp_path / "nowhere")
    assert result.exit_code == 2
    shown = result.stderr
    assert "not an archive" in shown
    assert "expected" in shown
    assert "coin-index build" in shown


def test_info_shows_what_can_be_filtered_by(root: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path, 2)
    rows = [
        {"image_path": f"cell_00{n}.png", "case_id": f"[bold]{n}", "site": "cervix [x]"}
        for n in range(2)
    ]
    build_archive(root, write_table(tmp_path / "cases.csv", rows))
    assert "cervix [x] (2)" in _run("info", root).stdout
    answer = json.loads(_run("info", root, "--json").stdout)
    assert answer["fields"]["site"] == {"cervix [x]": 2}
    assert answer["manifest"]["counts"]["images"] == 2


def test_info_says_when_there_are_no_patients(root: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path, 1)
    rows = [{"image_path": "cell_000.png", "case_id": "c", "origin": "generated"}]
    build_archive(root, write_table(tmp_path / "cases.csv", rows))
    assert "no patients" in _run("info", root).stdout


def test_verify_of_a_whole_archive_exits_with_zero(root: Path, pictures: Path) -> None:
    build_archive(root, pictures)
    result = _run("verify", root, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["ok"]


def test_an_archive_with_a_cut_off_file_is_refused(root: Path, pictures: Path) -> None:
    vectors = root / build_archive(root, pictures).manifest.segments[0].folder / "vectors.faiss"
    vectors.write_bytes(vectors.read_bytes()[:-10])
    assert _error(_run("verify", root, "--json"))["type"] == "ArchiveCorruptError"


def test_verify_finds_a_changed_byte(root: Path, pictures: Path) -> None:
    (pictures / "broken.png").write_bytes(b"no")
    report = build_archive(root, pictures)
    skipped = report.folder / "skipped.jsonl"
    skipped.write_text(skipped.read_text().replace("broken", "brokem"))
    result = _run("verify", root)
    assert result.exit_code == 1
    assert "skipped.jsonl: the checksum does not hold" in result.stdout


def test_verify_only_warns_of_pictures_that_moved_away(root: Path, pictures: Path) -> None:
    build_archive(root, pictures)
    (pictures / "cell_003.png").unlink()
    result = _run("verify", root, "--json")
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert (answer["errors"], answer["warnings"]) == (0, 1)
    assert "cell_003.png" in answer["findings"][0]["problem"]

"""What ``coin`` cannot do is one error that says why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from e2e.asking import REPORT, coin


@pytest.mark.usefixtures("cache")
def test_a_search_for_nothing_is_refused(archive: Path) -> None:
    result = coin("search", archive)
    assert result.exit_code == 2
    assert "--like" in result.stderr


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

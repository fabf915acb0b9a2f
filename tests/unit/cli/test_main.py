from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from coin_retrieval import __version__
from coin_retrieval.cli.doctor import faiss_builds
from coin_retrieval.cli.main import app

VENDORS = {"torch", "faiss", "diffusers", "transformers", "open_clip", "timm", "sqlalchemy"}


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COIN_CACHE_DIR", str(tmp_path))


@pytest.mark.parametrize("arguments", [["--help"], ["search", "--help"], ["--version"]])
def test_help_loads_no_model_library(arguments: list[str]) -> None:
    code = (
        "import sys; from coin_retrieval.cli.main import app\n"
        f"try: app({arguments!r})\n"
        f"except SystemExit: print('LOADED', sorted({VENDORS!r} & set(sys.modules)))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert shown.splitlines()[-1] == "LOADED []"


def test_version_is_the_packages() -> None:
    assert __version__ in CliRunner().invoke(app, ["--version"]).stdout


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["--report", ""], "ReportError"),
        (["--report", "x" * 20_001], "ReportError"),
        (["--report", "\x07 bell"], "ReportError"),
        ([], "InputError"),
        (["--report", "cells", "--where", "site"], "FilterError"),
        (["--report", "cells", "--image", "absent.png"], "ImageError"),
        (["--image", "absent.png"], "ImageError"),
        (["--image", "absent.png", "--mode", "text"], "ImageError"),
    ],
)
def test_bad_input_is_told_before_anything_loads(
    arguments: list[str], kind: str, tmp_path: Path
) -> None:
    result = CliRunner().invoke(app, ["search", str(tmp_path), *arguments, "--json"])
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["type"] == kind


def test_the_doctor_tells_of_every_part() -> None:
    result = CliRunner().invoke(app, ["doctor", "--json"])
    diagnosis = json.loads(result.stdout)
    checks = {check["name"]: check for check in diagnosis["checks"]}
    assert {"torch", "faiss builds", "devices", "text tower", "cache"} <= checks.keys()
    assert checks["cache"]["ok"]
    assert diagnosis["healthy"] == all(check["ok"] for check in checks.values())
    assert result.exit_code == (0 if diagnosis["healthy"] else 1)


def test_a_cache_that_cannot_be_written_worries_the_doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("COIN_CACHE_DIR", str(tmp_path / "file"))
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "COIN_CACHE_DIR" in result.stdout


@pytest.mark.parametrize(("builds", "fine"), [(0, False), (1, True), (2, False)])
def test_exactly_one_faiss_build_is_healthy(builds: int, fine: bool) -> None:
    # names of packages that are installed: only their count matters here
    assert faiss_builds(["numpy", "pillow"][:builds]).ok is fine

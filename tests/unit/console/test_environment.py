from __future__ import annotations

from pathlib import Path

import pytest

from coin_retrieval.console.environment import read_environment


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COIN_CACHE_DIR", "COIN_ENCODER", "COIN_GENERATOR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_the_cache_honours_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert read_environment().prototype_dir == tmp_path / "coin-retrieval" / "prototypes"


def test_a_relative_xdg_directory_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "somewhere")
    assert read_environment().prototype_dir.is_absolute()


def test_the_programs_own_variable_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    monkeypatch.setenv("COIN_CACHE_DIR", str(tmp_path))
    assert read_environment().prototype_dir == tmp_path / "prototypes"


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COIN_GENERATOR", "")
    assert read_environment().generator == "starter"

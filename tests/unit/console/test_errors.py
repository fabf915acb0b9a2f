from __future__ import annotations

import json
from pathlib import Path
from typing import NoReturn

import pytest
import typer
from typer.testing import CliRunner

from coin_retrieval.console.errors import CoinGroup, JsonOption, run, show_error
from coin_retrieval.errors import ArchiveError, CoinError, FilterError

FILTER = FilterError("no [bold]field", value=["a", Path("b")], expected="site", remedy="see help")


@pytest.fixture
def failing() -> typer.Typer:
    app = typer.Typer(cls=CoinGroup)

    @app.command()
    def fail(as_json: JsonOption = False) -> NoReturn:
        raise FILTER

    @app.command()
    def other() -> None: ...

    return app


def test_people_get_problem_value_expectation_and_remedy(failing: typer.Typer) -> None:
    result = CliRunner().invoke(failing, ["fail"])
    assert result.exit_code == 2
    assert result.stdout == ""
    for part in ("no [bold]field", "'a'", "expected", "site", "remedy", "see help"):
        assert part in result.stderr


def test_programs_get_one_json_object(failing: typer.Typer) -> None:
    result = CliRunner().invoke(failing, ["fail", "--json"])
    assert result.exit_code == 2
    error = json.loads(result.stdout)["error"]
    assert error["type"] == "FilterError"
    assert error["value"] == ["a", "b"]
    assert (error["expected"], error["remedy"]) == ("site", "see help")


def test_an_app_without_sub_commands_is_covered_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = typer.Typer()

    @app.command()
    def only() -> NoReturn:
        raise ArchiveError("it is locked")

    monkeypatch.setattr("sys.argv", ["only"])
    with pytest.raises(SystemExit) as stopped:
        run(app)
    assert stopped.value.code == 2
    assert "it is locked" in capsys.readouterr().err


def test_a_value_that_json_lacks_is_shown_as_python_writes_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_error(CoinError("odd", value={1}), as_json=True)
    assert json.loads(capsys.readouterr().out)["error"]["value"] == "{1}"

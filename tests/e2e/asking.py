"""``coin`` in this process: what it prints, and its JSON answer."""

from __future__ import annotations

import json
from typing import Any

from typer.testing import CliRunner, Result

from coin_retrieval.cli.main import app

REPORT = "(Cervix) Koilocytes with perinuclear halos. LSIL."


def coin(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def answer(*arguments: object) -> dict[str, Any]:
    result = coin(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found

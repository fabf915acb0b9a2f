"""Generated requests, well-formed and not, against what the API's description promises."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from unit.server.ground import MakeApp, listening_at

from coin_retrieval.testing.noise_prototyper import NoisePrototyper
from server.access.keys import KeyFile
from server.access.principals import Role
from server.access.settings import AccessSettings
from server.audit.chain import AuditLog

EXAMPLES = 5
LEFT_OUT = "positive_data_acceptance"
"""The description cannot say which words are a report, which bytes a picture, or which cases exist:
what fits it may still be refused for what it says (kinds report, image, filter, input)."""
PHASES = "examples,coverage,fuzzing"
"""Not the stateful one: no operation links to another here, and jobs have tests of their own."""


@pytest.mark.parametrize("accounts", [False, True], ids=["open", "accounts"])
def test_every_answer_is_one_that_is_described(
    accounts: bool,
    make_app: MakeApp,
    tmp_path: Path,
) -> None:
    access, headers = None, []
    if accounts:
        keys = KeyFile(tmp_path / "keys.json")
        headers = ["--header", f"Authorization: Bearer {keys.add('contract', Role.ADMIN)}"]
        access = AccessSettings(
            keys=keys.path, questions_per_minute=100_000, requests_per_minute=100_000,
            logins_per_minute=100_000,
        )  # fmt: skip
    with AuditLog(tmp_path / "audit", key=bytes(32), keep_days=400) as audit:
        app = make_app(NoisePrototyper(), access=access, audit=audit)
        with listening_at(app) as address:
            found = subprocess.run(
                [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()",
                 "run", f"{address}/openapi.json", *headers, "--checks", "all", "--no-color",
                 "--exclude-checks", LEFT_OUT, "--phases", PHASES,
                 "--max-examples", str(EXAMPLES), "--seed", "1", "--generation-database", "none"],
                cwd=tmp_path, capture_output=True, text=True, check=False,
            )  # fmt: skip
    assert found.returncode == 0, found.stdout[-20_000:] + found.stderr[-2000:]

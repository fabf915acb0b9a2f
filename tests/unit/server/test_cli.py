"""What coin-serve reads from the environment."""

from __future__ import annotations

import pytest

from coin_retrieval.console.environment import read_environment
from coin_retrieval.errors import SettingsError
from server.cli.main import ServeEnvironment
from server.limits import ServerLimits


def test_without_an_environment_only_this_machine_is_listened_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("COIN_HOST", raising=False)
    monkeypatch.delenv("COIN_PORT", raising=False)
    found = read_environment(ServeEnvironment)
    assert (found.host, found.port, found.limits) == ("127.0.0.1", 8000, ServerLimits())


def test_the_environment_sets_address_and_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COIN_PORT", "9001")
    monkeypatch.setenv("COIN_LIMITS__UPLOAD_BYTES", "5000")
    monkeypatch.setenv("COIN_GENERATOR", "some/model")
    found = read_environment(ServeEnvironment)
    assert (found.port, found.limits.upload_bytes) == (9001, 5000)
    assert found.generator == "some/model"


@pytest.mark.parametrize(
    ("name", "value"),
    [("COIN_PORT", "http"), ("COIN_PORT", "70000"), ("COIN_LIMITS__DRAWING_WORKERS", "0")],
)
def test_a_variable_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        read_environment(ServeEnvironment)
    assert name.split("__", maxsplit=1)[0] in str(refused.value)
    assert value in str(refused.value)

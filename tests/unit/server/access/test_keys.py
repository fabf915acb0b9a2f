"""API keys, and the file that keeps their hashes."""

from __future__ import annotations

import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from coin_retrieval.errors import InputError, NotFoundError, SettingsError
from server.access.keys import KeyFile
from server.access.principals import Principal, Role
from server.cli.main import app


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "keys.json")


def test_a_key_says_who_asks(keys: KeyFile) -> None:
    key = keys.add("ward-3", Role.CURATOR)
    assert keys.principal(key) == Principal("key:ward-3", Role.CURATOR)


def test_the_file_holds_no_key_and_is_for_its_owner_only(keys: KeyFile) -> None:
    key = keys.add("ward-3", Role.READER)
    assert key.split("_", 2)[2] not in keys.path.read_text()
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "change",
    [
        lambda key: key[:-1] + ("A" if key[-1] != "A" else "B"),
        str.upper,
        lambda key: key + " ",
        lambda key: key.split("_", 2)[2],
        lambda key: "",
    ],
    ids=["another", "upper case", "a blank more", "secret alone", "empty"],
)
def test_what_is_nearly_a_key_is_none(keys: KeyFile, change: Callable[[str], str]) -> None:
    key = keys.add("ward-3", Role.READER)
    assert keys.principal(change(key)) is None


def test_the_secret_of_one_key_does_not_open_with_the_id_of_another(keys: KeyFile) -> None:
    one, other = (keys.add("ward", Role.READER) for _ in range(2))
    mixed = f"coin_{one.split('_')[1]}_{other.split('_', 2)[2]}"
    assert keys.principal(mixed) is None


def test_a_running_server_knows_at_once_of_new_and_revoked_keys(keys: KeyFile) -> None:
    server = KeyFile(keys.path)
    assert server.principal("coin_00000000_" + "x" * 43) is None
    key = keys.add("ward", Role.READER)
    assert server.principal(key) is not None
    keys.revoke("ward")
    assert server.principal(key) is None


def test_a_key_that_has_expired_opens_nothing(keys: KeyFile) -> None:
    key = keys.add("ward", Role.READER, days=1)
    assert keys.principal(key) is not None
    text = keys.path.read_text()
    expires = next(iter(keys.all())).expires
    assert expires is not None
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    keys.path.write_text(text.replace(expires.isoformat().replace("+00:00", "Z"), past))
    assert KeyFile(keys.path).principal(key) is None


def test_a_broken_file_lets_nobody_in_and_is_told(keys: KeyFile) -> None:
    key = keys.add("ward", Role.READER)
    keys.path.write_text("{not json")
    assert keys.principal(key) is None
    with pytest.raises(SettingsError, match="coin-serve keys add"):
        keys.add("other", Role.READER)


@pytest.mark.parametrize("name", ["", "two words", "x" * 65, "new\nline"])
def test_a_name_is_short_and_plain(keys: KeyFile, name: str) -> None:
    with pytest.raises(InputError, match="no name of a key"):
        keys.add(name, Role.READER)


def test_to_revoke_what_is_not_there_is_told(keys: KeyFile) -> None:
    with pytest.raises(NotFoundError, match="no such key"):
        keys.revoke("ward")


def test_the_command_line_makes_lists_and_revokes(tmp_path: Path) -> None:
    run, file = CliRunner(), str(tmp_path / "keys.json")
    made = run.invoke(app, ["keys", "add", "ward", "--role", "admin", "--keys", file])
    key = made.stdout.strip().splitlines()[-1]
    assert KeyFile(Path(file)).principal(key) == Principal("key:ward", Role.ADMIN)
    listed = run.invoke(app, ["keys", "list", "--keys", file])
    assert "ward" in listed.stdout
    assert key not in listed.stdout
    assert run.invoke(app, ["keys", "revoke", "ward", "--keys", file]).exit_code == 0
    assert KeyFile(Path(file)).principal(key) is None

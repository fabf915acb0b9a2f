"""What `deploy/` says holds together, and names only what the programs know."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from coin_retrieval.config import ArchiveAddress

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    return loaded


def test_the_address_is_one_and_names_the_services(compose: dict[str, Any]) -> None:
    said = yaml.safe_load((DEPLOY / "archive.yaml").read_text("utf-8"))
    address = ArchiveAddress.model_validate(said)
    hosts = re.findall(r"//(?:\w+@)?([a-z]+)[:/]", f"{address.catalog.url} {address.store.uri}")
    hosts += re.findall(r"//([a-z]+):", str(address.files_options))
    assert set(hosts) == {"postgres", "milvus", "minio"}
    assert set(hosts) <= set(compose["services"])


def test_services_wait_for_services_that_are_there_and_keep_their_data(
    compose: dict[str, Any],
) -> None:
    for service in compose["services"].values():
        assert set(service.get("depends_on", ())) <= set(compose["services"])
        named = {volume.split(":")[0] for volume in service["volumes"] if volume[0] != "."}
        assert named <= set(compose["volumes"])
        assert "image" in service or "build" in service


def test_no_secret_and_no_tag_that_moves_stands_in_it(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert ":latest" not in service.get("image", "")
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|ACCESS_KEY|ROOT_USER", name):
                assert re.fullmatch(r"\$\{\w+:\?\}", value), name


def test_the_container_copies_what_is_there_and_does_not_run_as_root() -> None:
    lines = (DEPLOY / "Containerfile").read_text("utf-8").splitlines()
    copied = [word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]]
    assert copied
    assert all((ROOT / name).exists() for name in copied)
    users = [line.split()[1] for line in lines if line.startswith("USER")]
    assert users[-1:] == ["coin"]
    known = {"FROM", "RUN", "WORKDIR", "COPY", "USER", "ENV", "VOLUME", "EXPOSE", "HEALTHCHECK"}
    known |= {"ENTRYPOINT", "CMD", "#", "", "(continued)"}
    continued = False
    for line in lines:
        word = "(continued)" if continued else line.split(" ")[0]
        assert word in known, line
        continued = line.endswith("\\")

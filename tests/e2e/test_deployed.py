"""What `deploy/` starts in containers, started on loopback: the same address, the same commands."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from e2e.conftest import ServedFiles
from e2e.served import PATIENCE_S, Server
from servers import Milvus, ObjectStore, Postgres
from typer.testing import CliRunner

from coin_retrieval.cli.main import app as coin
from indexer.cli import app as coin_index
from server.access.keys import KeyFile
from server.access.principals import Role

pytestmark = pytest.mark.xdist_group("servers")

DEPLOY = Path(__file__).parents[2] / "deploy"
LINES = (DEPLOY / "Containerfile").read_text("utf-8").replace("\\\n", " ").splitlines()


def words_of(instruction: str) -> list[str]:
    """What a line of the container file says, a list in JSON."""
    (line,) = (line for line in LINES if line.startswith(f"{instruction} "))
    words: list[str] = json.loads(line[line.index("[") :])
    return words


@pytest.fixture
def address(postgres: Postgres, milvus: Milvus, object_store: ObjectStore, tmp_path: Path) -> Path:
    """deploy/archive.yaml, but that its hosts are those that listen here."""
    said = (DEPLOY / "archive.yaml").read_text("utf-8")
    endpoint = object_store.options["client_kwargs"]["endpoint_url"]
    for there, here in (
        ("postgresql://coin@postgres/coin", postgres.url),
        ("http://milvus:19530", milvus.uri),
        ("http://minio:9000", endpoint),
        ("/home/coin/cache/archives", str(tmp_path / "archives")),
    ):
        assert there in said
        said = said.replace(there, here)
    path = tmp_path / "archive.yaml"
    path.write_text(said, "utf-8")
    return path


@pytest.fixture
def run(
    address: Path, served_files: ServedFiles, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Runs a command on the archive, in this process; what it answers with --json."""
    # as the compose file hands them over
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("COIN_CACHE_DIR", str(served_files.cache))

    def answer(app: typer.Typer, subcommand: str, *words: object) -> Any:
        said = [subcommand, str(address), *map(str, words), "--json"]
        done = CliRunner().invoke(app, said, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return answer


def test_the_deployed_processes_build_serve_search_and_change_an_archive(
    run: Callable[..., Any],
    address: Path,
    served_files: ServedFiles,
    tiny_open_clip_dir: Path,
    tmp_path: Path,
) -> None:
    encoder = f"open_clip:{tiny_open_clip_dir}?text_tower=minilm"
    built = run(coin_index, "build", served_files.sources / "cases.csv", "--encoder", encoder)
    assert built["counts"]["images"] == 6
    keys = tmp_path / "keys.json"
    key = KeyFile(keys).add("somebody", Role.READER)

    entry, said = words_of("ENTRYPOINT"), words_of("CMD")
    assert entry == ["coin-serve"]
    assert said[0] == "/etc/coin/archive.yaml"
    here = {said[2]: "127.0.0.1", "8000": "0", "/home/coin/access/keys.json": str(keys)}
    options = [here.get(word, word) for word in said[1:]]
    with Server(
        address, *options, "--generator", served_files.generator, cache=served_files.cache
    ) as server:
        server.wait_until_ready()
        program = words_of("HEALTHCHECK")
        assert program[:2] == ["python", "-c"]
        ready = program[2].replace("http://127.0.0.1:8000", server.address)
        subprocess.run([sys.executable, "-c", ready], check=True)

        asked = {"report": "LSIL", "mode": "text", "k": 10}
        allowed = {"Authorization": f"Bearer {key}"}
        assert server.client.post("/v1/search", json=asked).status_code == 401
        served = server.client.post("/v1/search", json=asked, headers=allowed).json()
        found = run(coin, "search", "--report", "LSIL", "--mode", "text")
        assert cases(found) == cases(served)
        picture = served["cases"][0]["images"][0]["uri"]
        assert server.client.get(picture, headers=allowed).content[:3] == b"\xff\xd8\xff"

        gone = cases(found)[0]
        run(coin_index, "remove", gone)
        until = time.monotonic() + PATIENCE_S
        while gone in cases(server.client.post("/v1/search", json=asked, headers=allowed).json()):
            assert time.monotonic() < until, "the server stays at the version before"
            time.sleep(0.2)
    assert run(coin_index, "verify")["ok"]


def cases(answer: Any) -> list[str]:
    return [case["case_id"] for case in answer["cases"]]

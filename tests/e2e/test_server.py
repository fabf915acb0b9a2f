"""``coin-serve`` as its users run it."""

from __future__ import annotations

import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from e2e.served import PATIENCE_S, Server, command, environment
from unit.server.ground import PRIVATE, REPORT, disc, png


def test_a_report_is_answered_and_its_pictures_can_be_seen(server: Server) -> None:
    answer = server.client.post("/v1/search", json={"report": REPORT, "k": 3}).json()
    assert len(answer["prototypes"]) == 4
    assert len(answer["cases"]) == 3
    best = answer["cases"][0]["images"][0]
    assert server.client.get(f"{best['uri']}?size=1024").headers["content-type"] == "image/png"
    assert server.client.get(answer["prototypes"][0]["path"]).content.startswith(b"\x89PNG")


def test_a_picture_is_answered(server: Server) -> None:
    files = {"image": ("x.png", png(disc(3)))}
    answer = server.client.post("/v1/search/image", files=files).json()
    assert answer["cases"][0]["case_id"] == "C-3"


def test_many_at_once_are_all_answered_or_told_to_come_again(server: Server) -> None:
    picture = png(disc(2))

    def ask(number: int) -> Any:
        if number % 4 == 0:
            return server.client.post("/v1/search/image", files={"image": ("x", picture)})
        if number % 4 == 1:
            return server.client.get("/v1/archive")
        body = {"report": REPORT, "seed": 1000 + number, "prototypes": 1}
        return server.client.post("/v1/search", json=body)

    with ThreadPoolExecutor(24) as crowd:
        answers = list(crowd.map(ask, range(48)))
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert all(answer.status_code == 200 for answer in answers[::4] + answers[1::4])
    for answer in answers:
        if answer.status_code == 503:
            assert answer.headers["retry-after"]


def test_nothing_that_the_server_prints_quotes_a_report(server: Server) -> None:
    long = f"{PRIVATE} with pale cytoplasm and round nuclei. " * 80
    for report in (long, f"{PRIVATE}.", f"{PRIVATE}\0"):
        server.client.post("/v1/search", json={"report": report, "prototypes": 1})
    server.client.get(f"/v1/search?report={PRIVATE}")
    assert "POST /v1/search" in server.log
    for word in PRIVATE.split():
        assert word not in server.log


def test_a_body_beyond_the_cap_is_refused_over_a_real_connection(server: Server) -> None:
    answer = server.client.post("/v1/search", json={"report": "x" * 300_000})
    assert answer.status_code == 413
    assert server.client.get("/healthz").status_code == 200


def test_a_server_that_is_told_to_stop_while_it_loads_ends_well(served_files: Any) -> None:
    options = ("--generator", served_files.generator)
    with Server(served_files.archive, *options, cache=served_files.cache) as short_lived:
        # uvicorn hands the signal on once it has closed everything
        assert short_lived.stop() in (0, -signal.SIGTERM)
        assert "Finished server process" in short_lived.log
        assert "Traceback" not in short_lived.log


def refused(cache: Path, *arguments: str) -> str:
    """What coin-serve prints when it refuses to start."""
    done = subprocess.run(
        command("server.cli", *arguments),
        env=environment(cache),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_an_archive_that_is_none_is_refused_before_anything_is_served(tmp_path: Path) -> None:
    said = refused(tmp_path, str(tmp_path / "none"))
    assert "not an archive" in said
    assert "coin-index build" in said


def test_a_port_that_is_taken_is_refused(served_files: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = refused(
            served_files.cache,
            *(str(served_files.archive), "--generator", served_files.generator),
            *("--port", str(taken.getsockname()[1])),
        )
    assert "cannot listen there" in said
    assert "--port" in said


def test_a_generator_that_cannot_be_loaded_ends_the_server(
    served_files: Any, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    said = refused(
        served_files.cache,
        *(str(served_files.archive), "--generator", str(empty), "--port", "0"),
    )
    assert str(empty) in said


@pytest.mark.parametrize("port", ["-1", "70000", "http"])
def test_a_port_that_is_none_is_refused(tmp_path: Path, port: str) -> None:
    assert "--port" in refused(tmp_path, str(tmp_path), "--port", port)

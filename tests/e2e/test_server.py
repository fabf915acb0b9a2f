"""``coin-serve`` as its users run it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from e2e.served import PATIENCE_S, Server, coin_search, command, environment
from PIL import Image
from unit.server.ground import PRIVATE, REPORT, disc, png

from coin_retrieval.presenting.replay import read_answer
from coin_retrieval.search.query import Query


def test_a_report_is_answered_and_its_pictures_can_be_seen(server: Server) -> None:
    answer = server.asked.search(Query(report=REPORT, k=3))
    assert len(answer.prototypes) == 4
    assert len(answer.cases) == 3
    best = answer.cases[0].images[0]
    for picture in (
        server.asked.picture(best.uri, size_px=1024),
        server.asked.picture(answer.prototypes[0].path),
    ):
        assert picture.startswith(b"\x89PNG")


def test_a_picture_is_answered_and_its_own_case_told_apart(server: Server) -> None:
    answer = server.asked.search(Query(), image=png(disc(3)))
    assert [own.case.case_id for own in answer.own] == ["C-3"]
    assert answer.cases
    assert "C-3" not in {case.case_id for case in answer.cases}


def test_the_command_line_asks_a_server_as_it_asks_an_archive(
    server: Server, served_files: Any
) -> None:
    question = ("--report", REPORT, "-k", "3", "--where", "site=urine", "--json")
    there = coin_search("--server", server.address, *question)
    here = coin_search(
        str(served_files.archive), "--generator", served_files.generator, *question,
        COIN_CACHE_DIR=str(served_files.cache),
    )  # fmt: skip
    answers = [json.loads(done.stdout) for done in (there, here)]
    for answer in answers:
        del answer["timings_ms"]
        for case in answer["cases"]:
            for image in case["images"]:
                del image["uri"]
        for prototype in answer["prototypes"]:
            del prototype["path"]
    assert answers[0] == answers[1]
    assert server.address in there.stdout


def test_the_tables_of_a_served_answer_are_the_command_lines(server: Server) -> None:
    done = coin_search(
        "--report", f"(Urine) {REPORT}", "--explain", "-k", "1",
        COIN_SERVER=server.address,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for words in ("Nearest cases, mode fused", "SYNTHETIC prototypes", "Searched: urine",
                  "is the sum of", server.address):  # fmt: skip
        assert words in done.stdout


def test_a_picture_and_a_filter_that_nothing_fits_are_asked_too(
    server: Server, tmp_path: Path
) -> None:
    (tmp_path / "cell.png").write_bytes(png(disc(3)))
    done = coin_search(
        "--server", server.address, "--image", str(tmp_path / "cell.png"),
        "--where", "site=brain",
    )  # fmt: skip
    assert "No image of the archive fits the filter" in done.stdout
    assert "site is one of: cervix (2)" in done.stdout


def test_an_answer_of_a_server_is_saved_with_its_pictures_and_its_sheet(
    server: Server, tmp_path: Path
) -> None:
    out = tmp_path / "saved"
    done = coin_search(
        "--server", server.address, "--report", REPORT, "-k", "2", "--save", str(out)
    )
    assert f"Contact sheet: {out / 'sheet.png'}" in done.stdout, done.stderr
    saved = read_answer(out / "answer.json")
    assert len(saved.cases) == 2
    for prototype in saved.prototypes:
        with Image.open(out / prototype.path) as picture:
            assert picture.info["synthetic"] == "true"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--generator", "starter"), "leave --generator out"),
        (("--replay", "answer.json"), "leave --replay out"),
        (("archive",), "one archive at a time"),
    ],
)
def test_what_only_this_machine_could_do_is_refused_before_a_server_is_asked(
    arguments: tuple[str, ...], told: str
) -> None:
    done = coin_search(*arguments, "--server", "http://127.0.0.1:1", "--report", REPORT)
    assert done.returncode == 2
    assert told in done.stderr


def test_a_server_that_is_not_there_is_an_error_that_says_what_to_do() -> None:
    done = coin_search("--server", "http://127.0.0.1:1", "--report", REPORT, "--json")
    assert done.returncode == 1
    assert "coin-serve ARCHIVE" in json.loads(done.stdout)["error"]["remedy"]


def test_an_archive_that_is_named_wins_over_the_environment(served_files: Any) -> None:
    done = coin_search(
        str(served_files.archive), "--report", REPORT, "--mode", "text", "-k", "1",
        COIN_SERVER="http://127.0.0.1:1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_without_archive_and_server_the_command_says_what_it_needs() -> None:
    done = coin_search("--report", REPORT)
    assert done.returncode == 2
    assert "--server URL, or COIN_SERVER" in done.stderr


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
        command("server.cli.main", *arguments),
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

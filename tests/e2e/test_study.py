"""A whole reader study: made and analysed by the command line, read on the page."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from e2e.conftest import ServedFiles
from e2e.served import Server, command, environment
from e2e.test_page import PATIENCE_MS
from playwright.sync_api import Page, expect
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from coin_retrieval.study.tables import ItemEntry

pytestmark = pytest.mark.browser

CHOICES = ("LSIL", "benign", "malignant")


@dataclass(frozen=True)
class Made:
    database: Path
    tokens: list[str]


def coin(files: ServedFiles, *arguments: str) -> str:
    done = subprocess.run(
        command("coin_retrieval.cli.main", *arguments), env=environment(files.cache),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def made(served_files: ServedFiles, tmp_path_factory: pytest.TempPathFactory) -> Made:
    database = tmp_path_factory.mktemp("study") / "study.db"
    told = json.loads(
        coin(
            served_files, "study", "create", str(served_files.archive), str(database),
            "--readers", "2", "--washout-days", "0", "--cases", "2", "--json",
        )
    )  # fmt: skip
    assert told["pictures"] == 5
    return Made(database, [link.split("#")[1] for link in told["links"].values()])


@pytest.fixture(scope="module")
def studied(served_files: ServedFiles, made: Made) -> Iterator[Server]:
    options = ("--generator", served_files.generator, "--study", str(made.database))
    with Server(served_files.archive, *options, cache=served_files.cache) as running:
        yield running


def test_two_readers_read_a_study_and_the_analysis_finds_what_was_planted(
    page: Page, studied: Server, made: Made, served_files: ServedFiles, tmp_path: Path
) -> None:
    expect.set_options(timeout=PATIENCE_MS)
    with Session(create_engine(f"sqlite:///{made.database}")) as session:
        items = session.scalars(select(ItemEntry)).all()
    truth = {item.picture: (item.item_id, item.truth) for item in items}
    # two of five are known without retrieval, four with it
    for token in made.tokens:
        page.goto("about:blank")
        page.goto(f"{studied.address}/study#{token}")
        for reading in range(10):
            expect(page.locator("#progress")).to_contain_text(re.compile(rf"^{reading} of 10"))
            proof = {"X-Study-Reader": token}
            now = studied.client.get("/v1/study", headers=proof).json()["now"]
            item, name = truth[now["picture"]]
            expect(page.locator("#picture")).not_to_have_js_property("naturalWidth", 0)
            expect(page.locator("#help-list li")).to_have_count(2 if now["aided"] else 0)
            right = item < (4 if now["aided"] else 2)
            wrong = next(choice for choice in CHOICES if choice != name)
            page.locator("#answer-first").select_option(name if right else wrong)
            page.locator(f"[name=sure][value='{4 if right else 2}']").check()
            if reading == 0:
                assert not Axe().run(page).response["violations"]
            page.locator("#next").click()
        expect(page.locator("#rest-title")).to_contain_text("All is read")
        expect(page.locator("#results li")).to_have_count(10)
    assert not Axe().run(page).response["violations"]
    found = json.loads(coin(served_files, "study", "analyse", str(made.database),
                            "--out", str(tmp_path), "--json"))  # fmt: skip
    gain = found["first"]["gain"]
    assert gain["mean"] == pytest.approx(0.4)
    assert 0 <= gain["low"] <= 0.4 <= gain["high"] < 1
    assert found["pairs"] == 10
    assert (tmp_path / "study.png").stat().st_size > 1000
    assert "+0.400" in (tmp_path / "study.md").read_text("utf-8")
    rows = coin(served_files, "study", "export", str(made.database)).splitlines()
    assert len(rows) == 1 + 20


def test_pictures_of_a_study_are_for_its_readers_and_say_nothing(
    studied: Server, made: Made
) -> None:
    view = studied.client.get("/v1/study", headers={"X-Study-Reader": made.tokens[0]}).json()
    shown = (view["now"] or view["results"][0])["picture"]
    address = f"/v1/study/pictures/{shown}"
    assert studied.client.get(address).status_code == 404
    own = studied.client.get(address, headers={"X-Study-Reader": made.tokens[0]})
    assert own.headers["content-type"] == "image/jpeg"
    assert b"EXIF" not in own.content
    assert made.tokens[0] not in studied.log


def test_a_link_of_nobody_is_told_so(page: Page, studied: Server) -> None:
    page.goto(f"{studied.address}/study#nobody")
    expect(page.locator("#problem")).to_contain_text("belongs to no reader")
    assert not Axe().run(page).response["violations"]


def test_a_page_without_a_link_asks_for_it(page: Page, studied: Server) -> None:
    page.goto(f"{studied.address}/study")
    expect(page.locator("#problem")).to_contain_text("needs the link")

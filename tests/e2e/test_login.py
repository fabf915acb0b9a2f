"""The page of a server that has accounts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from e2e.served import Server
from playwright.sync_api import Page, expect

from server.access.keys import KeyFile
from server.access.principals import Role

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyFile:
    return KeyFile(tmp_path_factory.mktemp("keys") / "keys.json")


@pytest.fixture(scope="module")
def guarded(served_files: Any, keys: KeyFile) -> Iterator[Server]:
    key = keys.add("dr-lee", Role.READER)
    with Server(
        served_files.archive, "--generator", served_files.generator, "--keys", str(keys.path),
        cache=served_files.cache,
    ) as server:  # fmt: skip
        server.wait_until_ready()
        server.key = key  # type: ignore[attr-defined]
        yield server


def test_nothing_is_seen_before_the_login_and_all_after_it(page: Page, guarded: Any) -> None:
    page.goto(guarded.address)
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    if shot := os.environ.get("COIN_SHOT"):
        page.screenshot(path=shot)
    expect(page.locator("#facts")).not_to_contain_text("cases")
    page.locator("#login-key").fill("coin_00000000_" + "x" * 43)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#login-problem")).to_contain_text("not known")
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    page.locator("#login-key").fill(guarded.key)
    page.keyboard.press("Enter")
    expect(page.locator("#facts")).to_contain_text("cases")
    expect(page.locator("#account")).to_contain_text("dr-lee")
    page.locator("#report").fill("Bilobed nucleus with coarse orange granules.")
    page.keyboard.press("Control+Enter")
    picture = page.locator("#case-list img").first
    expect(picture).to_be_visible()
    assert picture.evaluate("img => img.decode().then(() => img.naturalWidth)") > 0


def test_who_logs_out_leaves_nothing_behind(page: Page, guarded: Any) -> None:
    page.goto(guarded.address)
    page.locator("#login-key").fill(guarded.key)
    page.keyboard.press("Enter")
    expect(page.locator("#facts")).to_contain_text("cases")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    assert page.context.cookies() == []


def test_a_login_that_was_taken_back_asks_again(page: Page, guarded: Any, keys: KeyFile) -> None:
    page.goto(guarded.address)
    page.locator("#login-key").fill(guarded.key)
    page.keyboard.press("Enter")
    expect(page.locator("#facts")).to_contain_text("cases")
    page.context.clear_cookies()
    page.reload()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()

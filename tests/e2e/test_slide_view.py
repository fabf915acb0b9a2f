"""Whole slides on the page: a tile is shown where it lies, with and without OpenSeadragon."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from e2e.served import Server, command, environment
from playwright.sync_api import Page, expect

from server.routes.page import STATIC

pytestmark = pytest.mark.browser

pytest.importorskip("openslide", reason="the extra `slides` is not installed")

LIBRARY = STATIC / "openseadragon" / "openseadragon.min.js"


@pytest.fixture(scope="module")
def slides(
    formats_root: Path,
    tiny_open_clip_dir: Path,
    tiny_pipeline_dir: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """An archive of one slide's tiles, searched by text."""
    folder = tmp_path_factory.mktemp("slides")
    encoder = f"open_clip:{tiny_open_clip_dir}?text_tower=minilm"
    build = command(
        "indexer.cli", "build", str(folder / "archive"), str(formats_root / "boxes.tiff"),
        "--encoder", encoder, "--tile-px", "64", "--tile-mpp", "0.25", "--mpp", "0.25",
    )  # fmt: skip
    made = environment(folder / "cache")
    done = subprocess.run(build, env=made, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    options = ("--generator", f"{tiny_pipeline_dir}?text_encoder=minilm")
    with Server(folder / "archive", *options, cache=folder / "cache") as running:
        running.wait_until_ready()
        yield running


def open_a_tile(page: Page, slides: Server) -> None:
    page.goto(slides.address)
    expect(page.locator("#mode option")).not_to_have_count(0)
    page.locator("#finer > summary").click()
    page.locator("#mode").select_option("text")
    page.locator("#report").fill("Pale cytoplasm.")
    page.locator("#go").click()
    page.locator(".case .picture").first.click()
    page.locator("#viewer-slide").click()
    expect(page.locator("#viewer-beside")).to_have_value("slide")


def test_without_a_viewer_of_slides_the_page_links_to_the_slide(page: Page, slides: Server) -> None:
    page.route("**/openseadragon.min.js", lambda route: route.fulfill(status=404))
    open_a_tile(page, slides)
    link = page.locator("#slide a")
    expect(link).to_be_visible()
    described = slides.client.get(f"/{link.get_attribute('href')}")
    assert described.headers["content-type"] == "application/xml"
    expect(page.locator("#slide")).to_contain_text("boxes")
    assert not Axe().run(page).response["violations"]


@pytest.mark.skipif(not LIBRARY.is_file(), reason="OpenSeadragon was not fetched (make page)")
def test_the_slide_is_shown_at_the_place_of_the_tile(page: Page, slides: Server) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    open_a_tile(page, slides)
    place = page.locator("#slide .place")
    expect(place).to_be_visible()
    frame, whole = place.bounding_box(), page.locator("#slide").bounding_box()
    assert frame is not None
    assert whole is not None
    # in the middle, with its surroundings
    middle = frame["x"] + frame["width"] / 2 - whole["x"]
    assert middle == pytest.approx(whole["width"] / 2, abs=2)
    assert frame["width"] < whole["width"] / 2
    expect(page.locator("#slide .scale")).to_be_visible()
    expect(page.locator("#slide .scale")).to_contain_text("µm")
    assert not Axe().run(page).response["violations"]
    page.keyboard.press("Escape")
    page.locator(".case .picture").first.click()
    page.locator("#viewer-beside").select_option("none")
    expect(page.locator("#slide")).to_be_hidden()
    assert not [text for text in said if "blocked" in text or "Error" in text]

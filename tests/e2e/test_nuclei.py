"""Asking by nuclei, and by a picture that is translated first, on the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e.served import Server
from e2e.test_page import PATIENCE_MS, choose_picture, expect_pictures, search, wait_until
from e2e.test_visit import expect_accessible
from playwright.sync_api import Browser, BrowserContext, Page, expect

pytestmark = pytest.mark.browser

PLACES = ((0.2, 0.2), (0.5, 0.5), (0.8, 0.6))


@pytest.fixture
def page(page: Page, context: BrowserContext, making: Server) -> Page:
    """The page, its archive read."""
    expect.set_options(timeout=PATIENCE_MS)
    context.set_default_timeout(PATIENCE_MS)
    page.goto(f"{making.address}/")
    expect(page.locator("#mode option")).not_to_have_count(0)
    return page


def place(page: Page, *places: tuple[float, float]) -> None:
    field = page.locator("#layout-field")
    box = field.bounding_box()
    assert box is not None
    for x, y in places:
        field.click(position={"x": x * box["width"], "y": y * box["height"]})


def test_nuclei_are_placed_and_searched_with(page: Page) -> None:
    page.locator("#tab-layout").click()
    place(page, *PLACES)
    expect(page.locator("#layout-count")).to_have_text("3 nuclei")
    expect_accessible(page)
    # on it again: away
    place(page, PLACES[1])
    expect(page.locator("#layout-count")).to_have_text("2 nuclei")
    page.locator("#layout-undo").click()
    page.get_by_role("radio", name="mitosis").check()
    place(page, (0.3, 0.8))
    expect(page.locator("#layout-count")).to_have_text("4 nuclei: 3 nucleus and 1 mitosis")
    search(page)
    expect(page.locator("#prototypes-title")).to_have_text("The picture that was searched with")
    expect_pictures(page.locator(".prototype img"), 1)
    expect(page.locator(".prototype")).to_contain_text("SYNTHETIC", use_inner_text=True)
    expect(page.locator("#measures")).to_contain_text("4 asked for")
    expect(page.locator("#summary")).to_contain_text("SYNTHETIC picture")
    expect(page.locator("#cases-facts")).to_contain_text("By drawn nuclei")
    expect(page.locator(".case")).to_have_count(5)
    expect_accessible(page)


def test_a_case_stands_beside_the_drawing(page: Page) -> None:
    page.locator("#tab-layout").click()
    place(page, *PLACES)
    search(page)
    page.locator(".case .picture").first.click()
    expect(page.locator("#pane-beside .tag")).to_have_text("Synthetic")
    expect(page.locator("#viewer-beside option").first).to_contain_text("drawn from your nuclei")
    expect(page.locator("#viewer-why-list")).to_contain_text("The synthetic picture")


def test_nuclei_can_be_placed_by_keys_alone(page: Page) -> None:
    expect(page.locator("#tab-layout")).to_be_visible()
    page.locator("#tab-report").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#tab-layout")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.locator("#layout-field")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#layout-at")).to_have_text("60 % from the left, 50 % from the top")
    page.keyboard.press("Space")
    expect(page.locator("#layout-count")).to_have_text("2 nuclei")
    page.keyboard.press("Backspace")
    expect(page.locator("#layout-count")).to_have_text("1 nucleus")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#measures")).to_contain_text("1 asked for")


def test_nuclei_are_described_in_words(page: Page) -> None:
    page.locator("#tab-layout").click()
    page.locator("#layout-by-words").check()
    page.locator("#layout-words").fill("three crowded nuclei, a mitosis")
    search(page)
    expect(page.locator("#measures")).to_contain_text("4 asked for")


def test_words_that_are_no_nuclei_are_told_with_what_can_be_asked(page: Page) -> None:
    page.locator("#tab-layout").click()
    page.locator("#layout-by-words").check()
    page.locator("#layout-words").fill("three koilocytes")
    page.locator("#go").click()
    expect(page.locator("#error-problem")).to_contain_text("no such nuclei")
    expect(page.locator("#error-detail")).to_contain_text("koilocytes")
    expect(page.locator("#error-detail")).to_contain_text("mitosis")


def test_an_empty_square_is_refused_and_focused(page: Page) -> None:
    page.locator("#tab-layout").click()
    page.locator("#go").click()
    expect(page.locator("#error-problem")).to_have_text("There is no nucleus yet.")
    # once, not twice
    expect(page.locator("#error-remedy")).to_have_text(
        "What helps: click into the square, or describe the nuclei in words."
    )
    expect(page.locator("#layout-field")).to_be_focused()


def test_a_reload_and_a_link_bring_the_nuclei_back(page: Page, browser: Browser) -> None:
    page.locator("#tab-layout").click()
    place(page, *PLACES)
    search(page)
    wait_until(page, "location.hash.startsWith('#plan=')")
    link = page.evaluate("location.href")
    page.reload()
    expect(page.locator("#layout-nuclei .nucleus")).to_have_count(3)
    expect_pictures(page.locator(".prototype img"), 1)
    with browser.new_context() as other:
        foreign = other.new_page()
        foreign.goto(link)
        expect(foreign.locator("#layout-nuclei .nucleus")).to_have_count(3)
        foreign.locator("#linked button").click()
        expect(foreign.locator("#linked")).to_have_text("This is the very search of the link.")


def test_a_link_holds_no_word_of_nuclei_in_words(page: Page) -> None:
    page.locator("#tab-layout").click()
    page.locator("#layout-by-words").check()
    page.locator("#layout-words").fill("three zebra nuclei")
    search(page)
    wait_until(page, "location.hash.startsWith('#plan=')")
    told = page.evaluate(
        "import('./static/keep/link.js').then(({ linked }) => linked()).then(JSON.stringify)"
    )
    assert "zebra" not in told
    page.evaluate("sessionStorage.clear()")
    page.reload()
    expect(page.locator("#linked")).to_contain_text("but not the words")
    expect(page.locator("#layout-words")).to_be_visible()


def test_a_picture_is_translated_first_until_that_is_lifted(page: Page, tmp_path: Path) -> None:
    choose_picture(page, tmp_path)
    page.locator("#translate").check()
    search(page)
    expect(page.locator(".prototype")).to_contain_text("translated from your picture")
    expect_pictures(page.locator(".prototype img"), 1)
    expect(page.locator("#measures")).to_be_hidden()
    expect(page.locator("#own")).to_be_hidden()
    assert "iVBOR" not in page.evaluate("JSON.stringify(sessionStorage)")
    page.get_by_role("button", name="Search with your picture as it is").click()
    expect(page.locator("#own .id")).to_have_text("C-3")
    expect(page.locator("#prototype-room")).to_be_hidden()


@pytest.mark.parametrize("width_px", [360, 1280])
def test_nothing_of_it_sticks_out_sideways(page: Page, width_px: int) -> None:
    page.set_viewport_size({"width": width_px, "height": 800})
    page.locator("#tab-layout").click()
    place(page, *PLACES)
    search(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width_px


@pytest.mark.parametrize("language", ["de", "zh"])
def test_other_languages_tell_of_the_synthetic_picture_too(page: Page, language: str) -> None:
    page.evaluate("(language) => localStorage.setItem('coin-language', language)", language)
    page.reload()
    page.locator("#tab-layout").click()
    place(page, *PLACES)
    search(page)
    expect(page.locator("#summary li").first).to_contain_text(
        {"de": "SYNTHETISCHE", "zh": "合成图像"}[language]
    )
    shown = page.locator("#prototype-room").inner_text()
    assert "made." not in shown
    assert "measure." not in shown


def test_a_server_without_such_models_shows_nothing_of_it(page: Page, server: Server) -> None:
    page.goto(f"{server.address}/")
    expect(page.locator("#mode option")).not_to_have_count(0)
    expect(page.locator("#tab-layout")).to_be_hidden()
    page.locator("#tab-picture").click()
    expect(page.locator("#translating")).to_be_hidden()

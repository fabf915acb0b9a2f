"""The page at /, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest
from e2e.served import Server
from playwright.sync_api import BrowserContext, Locator, Page, expect
from unit.server.ground import ROWS, disc

pytestmark = pytest.mark.browser

PATIENCE_MS = 60_000
REPORT = "Round nuclei with pale cytoplasm."


@pytest.fixture(scope="module", autouse=True)
def patience() -> None:
    """A busy machine draws slowly."""
    expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture
def said(context: BrowserContext) -> Iterator[list[str]]:
    """What the page writes to its console, refusals of the browser and exceptions included."""
    said: list[str] = []
    context.on("console", lambda message: said.append(message.text))
    context.on("weberror", lambda error: said.append(str(error.error)))
    context.set_default_timeout(PATIENCE_MS)
    return said


@pytest.fixture
def page(page: Page, said: list[str], server: Server) -> Page:
    """The page, freshly opened, its archive read."""
    page.goto(f"{server.address}/")
    expect(page.locator("#mode option")).not_to_have_count(0)
    page.locator("#finer > summary").click()
    said.clear()
    return page


def search(page: Page) -> None:
    """Ask, and wait for the answer."""
    page.locator("#go").click()
    expect(page.locator("#progress")).to_be_hidden()
    expect(page.locator("#answer")).to_be_visible()


def wait_until(page: Page, expression: str) -> None:
    """Ask the page until it says so; ``wait_for_function`` may ask by eval, which the page's
    Content-Security-Policy forbids."""
    ends = monotonic() + PATIENCE_MS / 1000
    while not page.evaluate(expression):
        assert monotonic() < ends, expression
        page.wait_for_timeout(50)


def search_report(page: Page, report: str = REPORT, *, mode: str | None = None) -> None:
    if mode:
        page.locator("#mode").select_option(mode)
    page.locator("#report").fill("")
    page.locator("#report").press_sequentially(report)
    search(page)


def choose_picture(page: Page, folder: Path) -> None:
    """Case C-3's own picture."""
    file = folder / "cell.png"
    disc(3).save(file)
    page.locator("#tab-picture").click()
    page.locator("#picture").set_input_files(file)


def expect_pictures(shown: Locator, count: int) -> None:
    """So many, and every one of them really shows something."""
    expect(shown).to_have_count(count)
    for number in range(count):
        expect(shown.nth(number)).to_have_js_property("complete", True)
        expect(shown.nth(number)).not_to_have_js_property("naturalWidth", 0)


def test_a_typed_report_shows_prototypes_marked_synthetic_and_real_cases(
    page: Page, said: list[str]
) -> None:
    search_report(page)
    expect_pictures(page.locator(".prototype img"), 4)
    expect_pictures(page.locator(".case .picture img"), len({row[1] for row in ROWS}))
    captions = page.locator(".prototype")
    expect(captions).to_contain_text(["SYNTHETIC"] * 4, use_inner_text=True)
    expect(page.locator("#cases-title")).to_have_text("Nearest real cases")
    assert said == []


def test_a_prototype_opens_larger_with_the_report_that_it_was_drawn_from(page: Page) -> None:
    search_report(page)
    page.locator("button.prototype").first.click()
    expect_pictures(page.locator("#viewer-picture"), 1)
    expect(page.locator("#viewer-tag")).to_have_text("Synthetic")
    expect(page.locator("#viewer-report-text")).to_have_text(REPORT)
    expect(page.locator("#viewer-why")).to_be_hidden()


def test_only_what_fits_the_chosen_filter_is_shown(page: Page) -> None:
    page.locator("#filter-site").select_option("urine")
    search_report(page)
    places = page.locator(".case .place").all_inner_texts()
    assert len(places) == 2
    assert all(place.startswith("urine") for place in places)


def test_an_empty_report_is_refused_with_a_remedy_and_the_focus_goes_to_it(page: Page) -> None:
    page.locator("#go").click()
    expect(page.locator("#error")).to_be_visible()
    expect(page.locator("#error-problem")).to_contain_text("empty")
    expect(page.locator("#error-remedy")).to_contain_text("paste")
    expect(page.locator("#report")).to_be_focused()


def test_what_the_server_refuses_is_shown_with_its_remedy(page: Page) -> None:
    page.locator("#report").fill("1234567890 !!! ???")
    page.locator("#go").click()
    expect(page.locator("#error")).to_be_visible()
    expect(page.locator("#error-problem")).to_contain_text("words")
    expect(page.locator("#error-remedy")).to_contain_text("paste")


def test_a_case_opens_larger_with_its_other_images_and_closes_by_key(
    page: Page, said: list[str]
) -> None:
    page.locator("#filter-site").select_option("cervix")
    search_report(page)
    page.locator(".case .picture").first.click()
    expect_pictures(page.locator("#viewer-strip img"), 2)
    expect_pictures(page.locator("#viewer-picture"), 1)
    title = page.locator("#viewer-title")
    first = title.inner_text()
    page.keyboard.press("ArrowDown")
    assert {first, title.inner_text()} == {"LSIL", "HSIL"}
    expect(page.locator("#viewer-report")).to_contain_text("A report of case A-1.")
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    assert said == []


def test_a_case_says_what_each_part_of_the_query_brought_to_it(page: Page, said: list[str]) -> None:
    search_report(page)
    page.locator(".case .picture").first.click()
    parts = page.locator("#viewer-why-list li")
    expect(parts).to_have_count(5)
    expect(parts.first).to_contain_text("Report text")
    expect(parts.last).to_contain_text("Drawing, seed 3")
    assert said == []


def test_a_picture_of_the_archive_is_told_so_and_its_case_stands_apart(
    page: Page, tmp_path: Path
) -> None:
    choose_picture(page, tmp_path)
    search(page)
    expect(page.locator("#own .id")).to_have_text("C-3")
    expect(page.locator("#summary")).to_contain_text("neither listed nor counted")
    expect(page.locator("#case-list .id", has_text="C-3")).to_have_count(0)
    expect(page.locator("#prototype-room")).to_be_hidden()


def test_a_found_picture_can_be_searched_with(page: Page) -> None:
    search_report(page)
    found = page.locator(".case .id").first.inner_text()
    page.locator(".case .picture").first.click()
    expect_pictures(page.locator("#viewer-picture"), 1)
    page.locator("#viewer-similar").click()
    expect(page.locator("#cases-facts")).to_contain_text("picture")
    expect(page.locator("#own .id")).to_have_text(found)


def test_diagnoses_stand_with_their_n_and_interval_and_a_caution(page: Page) -> None:
    search_report(page, mode="text")
    rows = page.locator(".share").all_inner_texts()
    assert rows
    assert all(" of 5 cases" in row and " to " in row for row in rows)
    expect(page.locator("#caution")).to_contain_text("not a diagnosis")
    expect(page.locator("#summary li").first).to_be_visible()
    expect(page.locator("#details")).to_contain_text("search of")


def test_what_matters_most_stands_first_and_warns(page: Page) -> None:
    search_report(page, mode="text")
    page.evaluate(
        "import('./static/visit/answer.js').then(({ shown, showAnswer }) =>"
        " showAnswer({...shown.answer, closeness: { verdict: 'no',"
        " reasons: [{ because: 'site lacking', named: 'breast' }] }, summary: ["
        "{ level: 'warning', text: 'No close match. The archive may hold nothing like this.' },"
        "{ level: 'note', text: 'NILM in 1 of 1 case.' },"
        "{ level: 'detail', text: 'Exact search.' }]}, shown))"
    )
    expect(page.locator("#summary li")).to_have_count(3)
    expect(page.locator("#summary li").last).to_contain_text("What helps: use an archive with")
    expect(page.locator("#summary li").first).to_have_class("warning")
    expect(page.locator("#summary li").first).to_contain_text("No close match")
    expect(page.locator("#details")).to_have_text("Exact search.")


def test_nearest_cases_that_are_not_real_are_not_counted(page: Page) -> None:
    search_report(page, mode="text")
    page.evaluate(
        "import('./static/visit/support.js').then(({ showSupport }) => showSupport({"
        " closeness: { verdict: 'no' }, support: { counted: 1, unit: 'patient', nearest: 1,"
        " not_real: 2,"
        " shares: [{ diagnosis: 'NILM', count: 1, share: 1, low: 0.2, high: 1 }],"
        " heading: '', caution: 'Not a diagnosis.' } }))"
    )
    expect(page.locator("#support-title")).to_contain_text("none of them close")
    expect(page.locator(".share .n")).to_have_text("1 of 1 patient")
    expect(page.locator("#share-key")).to_contain_text("2 nearest cases not real")


def test_rivals_stand_side_by_side_and_open_larger(page: Page) -> None:
    search_report(page, mode="text")
    rivals = page.locator(".rival")
    expect(rivals.first).to_contain_text("The others are compared with these")
    assert rivals.count() > 1
    rivals.last.locator(".picture").first.click()
    expect(page.locator("#viewer")).to_be_visible()


def test_marked_cases_are_searched_with_and_can_be_cleared(page: Page) -> None:
    search_report(page, mode="text")
    last = page.locator("#case-list li").last
    wanted = last.locator(".id").inner_text()
    last.locator(".mark.liked").click()
    page.locator("#case-list li").first.locator(".mark.disliked").click()
    expect(page.locator("#marks-text")).to_have_text("more like 1 case and not like 1 case")
    page.locator("#marks-search").click()
    expect(page.locator("#cases-facts")).to_contain_text("marks")
    expect(page.locator("#own .id")).to_have_text(wanted)
    expect(page.locator("#own")).to_contain_text("You marked it")
    expect(page.locator("#case-list .id", has_text=wanted)).to_have_count(0)
    page.locator("#marks-clear").click()
    expect(page.locator("#marks")).to_be_hidden()


def test_another_report_starts_without_marks(page: Page) -> None:
    search_report(page, mode="text")
    page.locator(".mark.liked").first.click()
    expect(page.locator("#marks")).to_be_visible()
    page.locator("#report").press_sequentially(" Other words.")
    expect(page.locator("#marks")).to_be_hidden()


def test_the_site_of_the_report_is_searched_until_one_click_lifts_it(page: Page) -> None:
    search_report(page, "Cervical smear: koilocytes with perinuclear halos.", mode="text")
    expect(page.locator(".case")).to_have_count(1)
    assert page.locator(".case .place").inner_text().startswith("cervix")
    expect(page.locator("#chips")).to_contain_text("Searched: cervix, named in the report")
    page.get_by_role("button", name="Search all sites").click()
    expect(page.locator(".case")).to_have_count(5)
    expect(page.get_by_role("button", name="Search only cervix")).to_be_visible()


def test_what_a_report_denies_is_struck_out_and_told(page: Page) -> None:
    search_report(page, "Koilocytes. No clue cells.", mode="text")
    expect(page.locator("#reading-text .left-out")).to_have_text("No clue cells")
    expect(page.locator("#reading-text .searched")).to_have_text("Koilocytes.")
    expect(page.locator("#reading-reasons li")).to_contain_text("negated")


def test_a_picture_can_be_searched_with_together_with_the_report(
    page: Page, said: list[str], tmp_path: Path
) -> None:
    page.locator("#mode").select_option("text")
    page.locator("#report").fill(REPORT)
    choose_picture(page, tmp_path)
    page.locator("#with-report").click()
    search(page)
    expect(page.locator("#cases-facts")).to_contain_text("with the picture")
    assert said == []


def test_different_cases_can_be_preferred(page: Page) -> None:
    page.locator("#varied").click()
    search_report(page, mode="text")
    expect(page.locator("#cases-facts")).to_contain_text("different ones preferred")


@pytest.mark.parametrize("width_px", [360, 768, 1440])
def test_nothing_sticks_out_sideways(page: Page, width_px: int) -> None:
    page.set_viewport_size({"width": width_px, "height": 800})
    search_report(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width_px


def test_every_field_has_a_name_for_those_who_do_not_see_it(page: Page) -> None:
    nameless = page.evaluate(
        "[...document.querySelectorAll('input:not([type=hidden]), select, textarea')]"
        ".filter(f => !f.labels?.length && !f.ariaLabel).map(f => f.id)"
    )
    assert nameless == []


def test_the_reference_shows_every_endpoint(page: Page, said: list[str], server: Server) -> None:
    page.goto(f"{server.address}/docs")
    paths = server.client.get("/openapi.json").json()["paths"]
    endpoints = sum(len(methods) for methods in paths.values())
    expect(page.locator(".endpoint")).to_have_count(endpoints)
    assert said == []

"""A whole visit to the page: report, progress, answer, compare, refine, keep."""

from __future__ import annotations

import io
import json
import unicodedata
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from e2e.served import Server
from e2e.test_page import PATIENCE_MS, REPORT, choose_picture, search, search_report, wait_until
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pypdf import PdfReader

from server.routes.page import STATIC

pytestmark = pytest.mark.browser

TWO_SPECIMENS = (
    "A. Cervical smear: koilocytes with perinuclear halos. LSIL.\n"
    "B. Urine, voided: benign urothelial cells."
)
LONG = "Koilocytes with halos. No clue cells. Prior HSIL in 2019. " + "Pale cytoplasm. " * 80
WEIGHT_BYTES = 150_000


WATCH = """() => {
    const count = (what) => document.querySelectorAll(what).length;
    window.seen = {};
    new MutationObserver(() => {
        if (!count("#summary .pending") || window.seen.pending) return;
        const [frames, cases] = [count("#prototype-list .frame"), count("#case-list > li")];
        window.seen = { pending: 1, frames, cases };
    }).observe(document.getElementById("answer"), { attributes: true });
    window.taken = 0;
    new MutationObserver((records) => records.forEach(({ removedNodes: [gone, ...more] }) => {
        if (gone?.matches?.(".frame") && !more.length) window.taken += 1;
    })).observe(document.getElementById("prototype-list"), { childList: true });
}"""
"""What shows before the drawings are there, however soon they are."""


@pytest.fixture
def page(page: Page, context: BrowserContext, server: Server) -> Page:
    """The page, its archive read."""
    expect.set_options(timeout=PATIENCE_MS)
    context.set_default_timeout(PATIENCE_MS)
    page.goto(f"{server.address}/")
    expect(page.locator("#mode option")).not_to_have_count(0)
    page.locator("#finer > summary").click()
    return page


def expect_accessible(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    assert not found, json.dumps(found, indent=1)[:3000]


def test_a_visit_from_the_report_to_what_is_kept(
    page: Page, browser: Browser, server: Server
) -> None:
    # drawn anew: the first cases come by the text, frames stand for the drawings
    page.locator("#seed").fill("4711")
    page.locator("#report").fill(REPORT)
    page.evaluate(WATCH)
    page.locator("#go").click()
    expect(page.locator("#progress")).to_be_hidden()
    assert page.evaluate("window.seen") == {"pending": 1, "frames": 4, "cases": 5}
    expect(page.locator("#summary .pending")).to_have_count(0)
    expect(page.locator(".prototype")).to_have_count(4)
    # each drawing took the place of a frame when it was there
    assert page.evaluate("window.taken") == 4

    # compare, leaf, zoom both
    page.locator(".case .picture").first.click()
    expect(page.locator("#viewer-place")).to_have_text("Case 1 of 5")
    expect(page.locator("#pane-beside .tag")).to_have_text("Synthetic")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer-place")).to_have_text("Case 2 of 5")
    page.keyboard.press("+")
    expect(page.locator("#zoom-level")).to_have_text("125%")
    left, right = (page.locator(f"#{pane} img") for pane in ("pane-beside", "pane-case"))
    assert left.evaluate("i => i.style.transform") != ""
    assert right.evaluate("i => i.offsetWidth > i.parentElement.offsetWidth")
    expect_accessible(page)
    page.locator("#viewer-marks .liked").click()
    page.keyboard.press("Escape")

    # refine
    page.locator("#marks-search").click()
    expect(page.locator("#cases-facts")).to_contain_text("moved by 1 mark")
    expect(page.locator("#progress")).to_be_hidden()

    # keep: JSON, link, reload
    with page.expect_download() as saved:
        page.locator("#keep-json").click()
    answer = json.loads(Path(saved.value.path()).read_text("utf-8"))
    assert answer["query"]["asked"]["report"] == REPORT
    link = page.evaluate("location.href")
    assert answer["plan_digest"]
    page.reload()
    expect(page.locator("#report")).to_have_value(REPORT)
    expect(page.locator("#case-list > li")).to_have_count(len(answer["cases"]))

    # another browser knows the search, but not the report
    with browser.new_context() as other:
        foreign = other.new_page()
        foreign.goto(link)
        expect(foreign.locator("#linked")).to_contain_text("reports never travel in links")
        expect(foreign.locator("#report")).to_have_value("")
        foreign.locator("#report").fill(REPORT)
        foreign.keyboard.press("Control+Enter")
        expect(foreign.locator("#linked")).to_have_text("This is the very search of the link.")


def test_the_link_tells_what_has_changed_and_holds_no_word(page: Page, server: Server) -> None:
    search_report(page, "Koilocytes with perinuclear halos.", mode="text")
    wait_until(page, "location.hash.startsWith('#plan=')")
    told = page.evaluate(
        "import('./static/keep/link.js').then(({ linked }) => linked()).then(JSON.stringify)"
    )
    assert "oilocytes" not in told
    page.evaluate("sessionStorage.clear()")
    page.reload()
    expect(page.locator("#linked")).to_contain_text("reports never travel")
    page.locator("#report").fill("Something else: pale cytoplasm.")
    search(page)
    expect(page.locator("#linked")).to_contain_text("What is different: the report")


def test_a_damaged_link_is_told(page: Page, server: Server) -> None:
    page.goto(f"{server.address}/#plan=AAAA")
    expect(page.locator("#linked")).to_contain_text("incomplete")


def test_the_printed_sheet_has_all_that_was_asked_and_marks_what_is_drawn(page: Page) -> None:
    search_report(page, REPORT)
    pages = PdfReader(io.BytesIO(page.pdf(format="A4"))).pages
    text = " ".join(" ".join(part.extract_text() for part in pages).split())
    text = unicodedata.normalize("NFKC", text)
    digest = page.evaluate(
        "import('./static/visit/answer.js').then(({ shown }) => shown.answer.plan_digest)"
    )
    for wanted in [REPORT, "version 000001", digest[:16], "Not a diagnosis", "Nearest real cases"]:
        assert wanted in text
    # in ink, not as a background that printers leave out: on each drawing and above them
    assert text.upper().count("SYNTHETIC") >= 2 * 4 + 1
    assert "Search all words" not in text


def test_the_keyboard_alone_makes_the_whole_visit(page: Page) -> None:
    page.locator("#report").focus()
    page.keyboard.type(REPORT)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#progress")).to_be_hidden()
    reach(page, ".case .picture")
    page.keyboard.press("Enter")
    expect(page.locator("#viewer")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer-place")).to_have_text("Case 2 of 5")
    reach(page, "#viewer-marks .liked")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    reach(page, "#marks-search", backwards=True)
    page.keyboard.press("Enter")
    expect(page.locator("#cases-facts")).to_contain_text("moved by 1 mark")
    reach(page, "#keep-link")
    page.keyboard.press("Enter")
    expect(page.locator("#kept")).to_contain_text("but not the report")


def reach(page: Page, target: str, *, backwards: bool = False) -> None:
    """Tab until the first such element has the focus."""
    wanted = page.locator(target).first
    for _ in range(200):
        if wanted.evaluate("node => node === document.activeElement"):
            return
        page.keyboard.press("Shift+Tab" if backwards else "Tab")
    raise AssertionError(f"{target} cannot be reached by keyboard")


def test_only_what_lies_in_the_box_is_searched(page: Page, tmp_path: Path) -> None:
    choose_picture(page, tmp_path)
    expect(page.locator("#region-words")).to_contain_text("Draw a box")
    field = page.locator("#preview").bounding_box()
    assert field is not None
    page.mouse.move(field["x"] + field["width"] / 4, field["y"] + field["height"] / 4)
    page.mouse.down()
    page.mouse.move(field["x"] + field["width"] * 3 / 4, field["y"] + field["height"] * 3 / 4)
    page.mouse.up()
    expect(page.locator("#region-words")).to_have_text("Only the box is searched: 32 × 32 px.")
    page.locator("#region-box").focus()
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("#region-words")).to_contain_text("33 × 32 px")
    search(page)
    sent = page.evaluate(
        "import('./static/visit/answer.js').then(({ shown }) => createImageBitmap(shown.picture))"
        ".then(({ width, height }) => [width, height])"
    )
    assert sent == [33, 32]


def test_a_picture_is_varied_and_nothing_of_it_is_kept(page: Page, tmp_path: Path) -> None:
    choose_picture(page, tmp_path)
    page.locator("#vary").click()
    expect(page.locator("#prototype-list .prototype")).to_have_count(4)
    expect(page.locator("#prototypes-text")).to_contain_text("kept nowhere")
    expect(page.locator("#chips")).to_contain_text("With 4 drawings near to your picture")
    expect_accessible(page)
    drawn = page.locator("#prototype-list img").first
    assert drawn.evaluate("i => i.decode().then(() => i.src.startsWith('blob:'))")
    wait_until(page, "sessionStorage['coin-answer']")
    kept = json.loads(page.evaluate("sessionStorage['coin-answer']"))
    assert kept["answer"]["variations"] == []
    # they stand in the parts of the score, and beside a case
    page.locator(".case .picture").first.click()
    expect(page.locator("#viewer-why-list")).to_contain_text("Drawing from your picture, seed 3")
    page.locator("#viewer-beside").select_option("variation-2")
    expect(page.locator("#pane-beside .tag")).to_have_text("Synthetic")
    # and a case found can be varied, too
    page.locator("#viewer-vary").click()
    expect(page.locator("#viewer")).to_be_hidden()
    expect(page.locator("#prototype-list .prototype")).to_have_count(4)
    expect(page.locator("#own .id")).to_have_count(1)
    page.get_by_role("button", name="Search with your picture alone").click()
    expect(page.locator("#prototype-room")).to_be_hidden()


def test_each_specimen_of_a_report_has_its_button(page: Page) -> None:
    search_report(page, TWO_SPECIMENS, mode="text")
    first = page.get_by_role("button", name="Specimen A")
    expect(first).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Specimen B").click()
    expect(page.get_by_role("button", name="Specimen B")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".case .place").first).to_contain_text("urine")
    page.get_by_role("button", name="All specimens together").click()
    pressed = page.locator("#chips [aria-pressed=true]")
    expect(pressed).to_have_text("All specimens together")
    # another report is of other specimens
    page.locator("#report").fill(REPORT)
    search(page)
    expect(page.locator("#chips [aria-pressed]")).to_have_count(0)


def test_cases_of_a_rival_stand_beside_the_leading_diagnosis(page: Page) -> None:
    search_report(page, mode="text")
    page.locator(".rival .quiet").first.click()
    expect(page.locator("#viewer-beside")).to_have_value("pinned")
    expect(page.locator("#viewer-facts thead th")).to_have_count(2)
    expect(page.locator("#viewer-facts .differs")).not_to_have_count(0)


def test_a_long_report_leaves_the_answer_on_the_screen(page: Page) -> None:
    page.locator("#report").fill(LONG)
    page.locator("#mode").select_option("text")
    search(page)
    expect(page.locator("#reading .left-out").first).to_be_visible()
    expect_accessible(page)
    assert page.locator("#cases-title").evaluate("n => n.getBoundingClientRect().top") < 1400


def test_the_history_is_kept_only_if_wanted_and_holds_no_report(page: Page) -> None:
    search_report(page, "Koilocytes with halos.", mode="text")
    assert page.evaluate("localStorage.length") == 0
    page.locator("#remember").check()
    search(page)
    wait_until(page, "JSON.parse(localStorage['coin-history']).length === 1")
    assert "oilocytes" not in page.evaluate("localStorage['coin-history']")
    page.locator("#clear").click()
    expect(page.locator("#past-list li")).to_have_count(1)
    assert page.evaluate("sessionStorage.length") == 0
    page.locator("#forget").click()
    expect(page.locator("#past")).to_be_hidden()


def test_a_search_waits_while_the_models_load(page: Page) -> None:
    loading = {
        "kind": "not_ready", "problem": "the models are still loading", "status": 503,
        "value": "3 s so far", "expected": "a server that is ready", "remedy": "ask again",
    }  # fmt: skip
    page.route(
        "**/v1/search/stream",
        lambda route: route.fulfill(
            status=503, headers={"Retry-After": "1"}, content_type="application/problem+json",
            body=json.dumps(loading),
        ),
        times=1,
    )  # fmt: skip
    page.locator("#report").fill(REPORT)
    page.locator("#go").click()
    expect(page.locator("#doing")).to_have_text("The models are loading…")
    expect(page.locator("#case-list > li")).to_have_count(5)


def test_a_server_out_of_reach_is_told_in_words_and_tried_again(
    page: Page, context: BrowserContext
) -> None:
    page.locator("#report").fill(REPORT)
    context.set_offline(True)
    page.locator("#go").click()
    expect(page.locator("#error")).to_contain_text("The server does not answer.")
    expect(page.locator("#error-remedy")).to_contain_text("Your report is still here")
    expect_accessible(page)
    context.set_offline(False)
    page.locator("#error-again").click()
    expect(page.locator("#case-list > li")).to_have_count(5)


@pytest.mark.parametrize(
    ("locale", "search_word", "heading"),
    [("de-DE", "Suchen", "Nächste echte Fälle"), ("zh-CN", "检索", "最相近的真实病例")],
)
def test_the_page_speaks_the_reader_s_language(
    browser: Browser, server: Server, locale: str, search_word: str, heading: str
) -> None:
    with browser.new_context(locale=locale, color_scheme="dark") as context:
        page = context.new_page()
        page.goto(server.address)
        expect(page.locator("#go")).to_have_text(search_word)
        expect(page.locator("#mode option")).not_to_have_count(0)
        page.locator("#report").fill(REPORT)
        page.locator("#go").click()
        expect(page.locator("#cases-title")).to_have_text(heading)
        expect(page.locator("#progress")).to_be_hidden()
        expect_accessible(page)


def test_the_page_is_light() -> None:
    # the larger view is loaded when it is first opened
    rooms = ("keep", "shared", "styles", "visit")
    parts = [STATIC / "index.html", *(file for room in rooms for file in (STATIC / room).iterdir())]
    heaviest = max(file.stat().st_size for file in STATIC.glob("messages/*.json"))
    assert sum(file.stat().st_size for file in parts) + heaviest < WEIGHT_BYTES

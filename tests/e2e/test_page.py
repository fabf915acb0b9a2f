"""The page at /, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.chromium import Chromium
from e2e.served import Server
from unit.server.ground import ROWS, disc

pytestmark = pytest.mark.browser

SHOWN = "!document.getElementById('answer').hidden"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture
def page(browser: Chromium, server: Server) -> Chromium:
    """The page, freshly opened, its archive read."""
    browser.open(f"{server.address}/")
    browser.wait_for("document.querySelectorAll('#mode option').length > 0")
    browser.console.clear()
    return browser


def count(page: Chromium, selector: str) -> int:
    return int(page.evaluate(f"document.querySelectorAll('{selector}').length"))


def text(page: Chromium, selector: str) -> str:
    return str(page.evaluate(f"document.querySelector('{selector}').innerText"))


def loaded_pictures(page: Chromium, selector: str) -> int:
    """How many pictures really show something."""
    script = f"[...document.querySelectorAll('{selector}')].filter(i => i.naturalWidth > 0).length"
    return int(page.evaluate(script))


def search_report(page: Chromium, report: str) -> None:
    page.evaluate("document.getElementById('report').value = ''")
    page.click("#report")
    page.write(report)
    page.click("#go")


def test_a_typed_report_shows_prototypes_marked_synthetic_and_real_cases(page: Chromium) -> None:
    search_report(page, "Round nuclei with pale cytoplasm.")
    page.wait_for(SHOWN)
    page.wait_for("[...document.querySelectorAll('#answer img')].every(i => i.complete)")
    assert loaded_pictures(page, ".prototype img") == 4
    assert loaded_pictures(page, ".case .picture img") == len({row[1] for row in ROWS})
    captions = page.evaluate("[...document.querySelectorAll('.prototype')].map(p => p.innerText)")
    assert all("SYNTHETIC" in caption for caption in captions)
    assert text(page, "#cases-title") == "Nearest real cases"
    assert page.console == []


def test_only_what_fits_the_chosen_filter_is_shown(page: Chromium) -> None:
    page.evaluate("document.getElementById('filter-site').value = 'urine'")
    search_report(page, "Round nuclei with pale cytoplasm.")
    page.wait_for(SHOWN)
    places = page.evaluate("[...document.querySelectorAll('.case .place')].map(p => p.innerText)")
    assert len(places) == 2
    assert all(place.startswith("urine") for place in places)


def test_an_empty_report_is_refused_with_a_remedy_and_the_focus_goes_to_it(
    page: Chromium,
) -> None:
    page.click("#go")
    page.wait_for("!document.getElementById('error').hidden")
    assert "empty" in text(page, "#error-problem")
    assert "paste" in text(page, "#error-remedy")
    assert page.evaluate("document.activeElement.id") == "report"


def test_what_the_server_refuses_is_shown_with_its_remedy(page: Chromium) -> None:
    search_report(page, "1234567890 !!! ???")
    page.wait_for("!document.getElementById('error').hidden")
    assert "words" in text(page, "#error-problem")
    assert "paste" in text(page, "#error-remedy")


def test_a_case_opens_larger_with_its_other_images_and_closes_by_key(page: Chromium) -> None:
    page.evaluate("document.getElementById('filter-site').value = 'cervix'")
    search_report(page, "Round nuclei with pale cytoplasm.")
    page.wait_for(SHOWN)
    page.click(".case .picture")
    page.wait_for("document.querySelectorAll('#viewer-strip img').length === 2")
    page.wait_for("document.getElementById('viewer-picture').naturalWidth > 0")
    first = text(page, "#viewer-title")
    page.press("ArrowRight")
    assert {first, text(page, "#viewer-title")} == {"LSIL", "HSIL"}
    assert "A report of case A-1." in text(page, "#viewer-report")
    page.press("Escape")
    page.wait_for("!document.getElementById('viewer').open")
    assert page.console == []


def test_a_chosen_picture_finds_its_case_first(page: Chromium, tmp_path: Path) -> None:
    file = tmp_path / "cell.png"
    disc(3).save(file)
    page.click("#tab-picture")
    page.choose_file("#picture", file)
    page.click("#go")
    page.wait_for(SHOWN)
    assert text(page, ".case .id") == "C-3"
    assert page.evaluate("document.getElementById('prototype-room').hidden")


def test_a_found_picture_can_be_searched_with(page: Chromium) -> None:
    search_report(page, "Round nuclei with pale cytoplasm.")
    page.wait_for(SHOWN)
    found = text(page, ".case .id")
    page.click(".case .picture")
    page.wait_for("document.getElementById('viewer-picture').naturalWidth > 0")
    page.click("#viewer-similar")
    page.wait_for(
        f"{SHOWN} && document.getElementById('cases-facts').innerText.includes('picture')"
    )
    assert text(page, ".case .id") == found


def test_the_keyboard_alone_searches(page: Chromium) -> None:
    page.evaluate("document.getElementById('report').focus()")
    page.write("Round nuclei with pale cytoplasm.")
    for _ in range(60):
        page.press("Tab")
        if page.evaluate("document.activeElement.id") == "go":
            break
    page.press("Enter")
    page.wait_for(SHOWN)
    assert count(page, ".case") > 0


def search_text(page: Chromium, report: str) -> None:
    page.evaluate("document.getElementById('mode').value = 'text'")
    search_report(page, report)
    page.wait_for(SHOWN)


def test_diagnoses_stand_with_their_n_and_interval_and_a_caution(page: Chromium) -> None:
    search_text(page, "Round nuclei with pale cytoplasm.")
    rows = page.evaluate("[...document.querySelectorAll('.share')].map(r => r.innerText)")
    assert rows
    assert all(" of 5 cases" in row and " to " in row for row in rows)
    assert "not a diagnosis" in text(page, "#caution")
    assert "not judged" in text(page, "#closeness")
    assert page.evaluate("document.getElementById('no-match').hidden")


def test_no_close_match_is_a_warning_with_its_false_alarms(page: Chromium) -> None:
    search_text(page, "Round nuclei with pale cytoplasm.")
    page.evaluate(
        "import('/static/support.js').then(({ showSupport }) => showSupport({ close: false,"
        " score: 0.2, threshold: 0.5, false_alarm_rate: 0.05, cases: 1, not_real: 2,"
        " shares: [{ diagnosis: 'NILM', cases: 1, share: 1, low: 0.2, high: 1 }],"
        " closeness: 'No close match. Score 0.200. Of queries, 5 % are told this too.',"
        " heading: '', caution: 'Not a diagnosis.' }))"
    )
    assert text(page, "#no-match-problem") == "No close match."
    assert "5 %" in text(page, "#no-match-detail")
    assert "none of them close" in text(page, "#support-title")
    assert "2 nearest cases not real" in text(page, "#share-key")


def test_marked_cases_are_searched_with_and_can_be_cleared(page: Chromium) -> None:
    search_text(page, "Round nuclei with pale cytoplasm.")
    last = "#case-list li:last-child"
    wanted, before = text(page, f"{last} .id"), float(text(page, f"{last} .similarity"))
    page.click(f"{last} .mark.liked")
    page.click("#case-list li:first-child .mark.disliked")
    assert text(page, "#marks-text") == "More like 1 case, not like 1 case"
    page.click("#marks-search")
    page.wait_for(f"{SHOWN} && document.querySelector('#cases-facts').innerText.includes('marks')")
    pressed = ".case:has(.mark.liked[aria-pressed=true])"
    assert text(page, f"{pressed} .id") == wanted
    assert float(text(page, f"{pressed} .similarity")) > before
    page.click("#marks-clear")
    assert page.evaluate("document.getElementById('marks').hidden")


def test_another_report_starts_without_marks(page: Chromium) -> None:
    search_text(page, "Round nuclei with pale cytoplasm.")
    page.click(".mark.liked")
    page.click("#report")
    page.write(" Other words.")
    assert page.evaluate("document.getElementById('marks').hidden")


def test_a_site_in_the_report_is_offered_and_applied_only_when_asked(page: Chromium) -> None:
    search_text(page, "Cervical smear: koilocytes with perinuclear halos.")
    assert count(page, ".case") == 5
    assert text(page, "#site-name") == "cervix"
    page.click("#site-buttons button")
    page.wait_for("document.querySelectorAll('.case').length === 1")
    assert text(page, ".case .place").startswith("cervix")
    assert page.evaluate("document.getElementById('site-offer').hidden")


def test_a_picture_can_be_searched_with_together_with_the_report(
    page: Chromium, tmp_path: Path
) -> None:
    file = tmp_path / "cell.png"
    disc(3).save(file)
    page.evaluate("document.getElementById('mode').value = 'text'")
    page.click("#report")
    page.write("Round nuclei with pale cytoplasm.")
    page.click("#tab-picture")
    page.choose_file("#picture", file)
    page.click("#with-report")
    page.click("#go")
    page.wait_for(SHOWN)
    assert "with the picture" in text(page, "#cases-facts")
    assert page.console == []


def test_different_cases_can_be_preferred(page: Chromium) -> None:
    page.click("#varied")
    search_text(page, "Round nuclei with pale cytoplasm.")
    assert "different ones preferred" in text(page, "#cases-facts")


@pytest.mark.parametrize("width_px", [360, 768, 1440])
def test_nothing_sticks_out_sideways(page: Chromium, width_px: int) -> None:
    page.resize(width_px, 800)
    search_report(page, "Round nuclei with pale cytoplasm.")
    page.wait_for(SHOWN)
    assert page.evaluate("document.documentElement.scrollWidth") <= width_px
    page.resize(1280, 900)


def test_every_field_has_a_name_for_those_who_do_not_see_it(page: Chromium) -> None:
    nameless = page.evaluate(
        "[...document.querySelectorAll('input, select, textarea')]"
        ".filter(f => !f.labels?.length && !f.ariaLabel).map(f => f.id)"
    )
    assert nameless == []


def test_the_reference_shows_every_endpoint(page: Chromium, server: Server) -> None:
    page.open(f"{server.address}/docs")
    page.wait_for("document.querySelectorAll('.endpoint').length > 0")
    assert count(page, ".endpoint") == len(server.client.get("/openapi.json").json()["paths"])
    assert page.console == []

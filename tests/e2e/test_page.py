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

"""The page in its states: pictures of each, axe-core's verdict, and what it takes to show them.

    coin-serve ARCHIVE --study study.db &
    python bench/page.py http://127.0.0.1:8000 --out docs/page --study LINK-TOKEN

Needs the extra ``test`` and a Chromium on the PATH. Real pictures must not be published: take a
demonstration archive, and for ``--slides`` a server whose archive was cut from a mosaic of one.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import statistics
from collections.abc import Callable
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

REPORT = "Bilobed nucleus; the cytoplasm is packed with coarse orange-red granules."
FOREIGN = "Thyroid FNA: papillary carcinoma with nuclear grooves and inclusions."
SPECIMENS = (
    "A. Cervical smear: koilocytes with perinuclear halos. No clue cells. LSIL.\n"
    "B. Peripheral blood: bilobed eosinophil with coarse orange-red granules."
)
LONG = "Cervical smear: koilocytes with perinuclear halos. No clue cells. Prior HSIL in 2019."
NUCLEI = ((0.2, 0.2), (0.5, 0.2), (0.8, 0.25), (0.3, 0.5), (0.6, 0.5), (0.25, 0.8), (0.7, 0.8))
DESKTOP, PHONE = (1280, 860), (360, 740)
LAYOUTS = {"nuclei": DESKTOP, "nuclei-phone": PHONE}
WIDTH_PX, QUALITY = 960, 62
REPEATS = 7
_PATIENCE_MS = 40_000

_DRAW_200 = """async () => {
    const { shown, showAnswer } = await import('./static/visit/answer.js');
    const cases = Array.from({ length: 200 }, (_, n) =>
        ({ ...shown.answer.cases[n % shown.answer.cases.length], case_id: `c-${n}` }));
    const began = performance.now();
    showAnswer({ ...shown.answer, cases }, shown);
    document.body.getBoundingClientRect();
    return performance.now() - began;
}"""
_WEIGHT = (
    "performance.getEntriesByType('resource').filter(r => r.name.includes('/static/'))"
    ".reduce((sum, r) => sum + r.decodedBodySize, 0)"
)
_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"


class Shots:
    """A new window for each state."""

    def __init__(self, browser: Browser, address: str, out: Path, only: list[str]) -> None:
        self.browser, self.address, self.out = browser, address, out
        self.only = only
        self.violations: dict[str, int] = {}

    def take(
        self,
        name: str,
        act: Callable[[Page], object],
        *,
        size: tuple[int, int] = DESKTOP,
        path: str = "/",
        dark: bool = False,
        locale: str = "en-GB",
        printed: bool = False,
        settled: bool = True,
    ) -> None:
        """Open the page, do something, look."""
        if self.only and name not in self.only:
            return
        context = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]}, locale=locale,
            color_scheme="dark" if dark else "light",
        )  # fmt: skip
        context.set_default_timeout(_PATIENCE_MS)
        page = context.new_page()
        page.goto(f"{self.address}{path}")
        if path == "/":
            page.wait_for_selector("#mode option", state="attached")
        act(page)
        if settled:
            page.wait_for_timeout(600)
        if printed:
            page.evaluate("document.querySelectorAll('img').forEach(i => { i.loading = 'eager' })")
            page.emulate_media(media="print")
            page.evaluate("window.scrollTo(0, 0)")
            page.wait_for_timeout(600)
        shot = page.screenshot()
        found = Axe().run(page).response["violations"]
        self.violations[name] = len(found)
        for one in found:
            print(name, one["id"], [node["target"] for node in one["nodes"]][:3])
        image = Image.open(io.BytesIO(shot)).convert("RGB")
        image.thumbnail((WIDTH_PX, WIDTH_PX))
        image.save(self.out / f"{name}.webp", quality=QUALITY, method=6)
        context.close()


def ask(page: Page, report: str = REPORT) -> None:
    page.locator("#report").fill(report)
    page.locator("#go").click()
    page.wait_for_selector("#answer:not([hidden])")
    page.wait_for_selector("#progress", state="hidden")


def drawing(page: Page) -> None:
    page.evaluate("document.getElementById('finer').open = true")
    page.locator("#reseed").click()
    page.evaluate("document.getElementById('finer').open = false")
    page.locator("#report").fill(REPORT)
    page.locator("#go").click()
    page.wait_for_selector("#summary .pending")


def compare(page: Page) -> None:
    ask(page)
    page.locator(".case .picture").first.click()
    page.keyboard.press("+")


def beside(page: Page) -> None:
    ask(page, LONG)
    page.locator(".case .picture").first.click()
    page.wait_for_timeout(1500)
    page.locator("#viewer-pin").click()
    page.locator("#viewer-next").click()
    page.wait_for_selector("#viewer-facts thead th")


def vary(page: Page) -> None:
    ask(page)
    page.locator(".case .picture").first.click()
    page.wait_for_timeout(600)
    page.locator("#viewer-vary").click()
    page.wait_for_selector("#chips:has-text('drawings')")


def slide(page: Page) -> None:
    page.locator("#mode").evaluate("(mode) => { mode.value = 'text'; }")
    ask(page)
    page.locator(".case .picture").first.click()
    page.locator("#viewer-slide").click()
    page.wait_for_selector("#slide .place")
    page.wait_for_timeout(1500)


def nuclei(page: Page) -> None:
    page.locator("#tab-layout").click()
    field = page.locator("#layout-field")
    box = field.bounding_box()
    side = box["width"] if box else 0
    for x, y in NUCLEI:
        field.click(position={"x": x * side, "y": y * side})
    page.locator("#go").click()
    page.wait_for_selector("#measures:not([hidden])")


def region(page: Page) -> None:
    ask(page)
    page.locator(".case .picture").first.click()
    page.locator("#viewer-similar").click()
    page.wait_for_selector("#cases-facts:has-text('picture')")
    page.locator("#region-add").click()


def unreachable(page: Page) -> None:
    page.locator("#report").fill(REPORT)
    page.context.set_offline(True)
    page.locator("#go").click()
    page.wait_for_selector("#error:not([hidden])")


def loading(page: Page) -> None:
    refusal = {"kind": "not_ready", "problem": "the models are still loading", "status": 503}
    page.route("**/v1/search/stream", lambda route: route.fulfill(
        status=503, headers={"Retry-After": "600"}, body=json.dumps(refusal),
        content_type="application/problem+json",
    ))  # fmt: skip
    page.locator("#report").fill(REPORT)
    page.locator("#go").click()
    page.wait_for_selector("#doing:has-text('models')")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("address", help="of a server that is ready")
    asked.add_argument("--out", type=Path, required=True, help="directory for the pictures")
    asked.add_argument("--study", default="", help="the token of a reader's link")
    asked.add_argument("--slides", default="", help="address of a server with a slide")
    asked.add_argument("--layouts", default="", help="address of a server with a layout model")
    asked.add_argument("--only", nargs="*", default=[], help="these states alone")
    given = asked.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        shots = Shots(browser, given.address.rstrip("/"), given.out, given.only)
        shots.take("empty", lambda page: None)
        shots.take("drawing", drawing, settled=False)
        shots.take("answer", ask)
        shots.take("answer-dark", ask, dark=True)
        shots.take("answer-phone", ask, size=PHONE)
        shots.take("answer-de", lambda page: ask(page, SPECIMENS), locale="de-DE")
        shots.take("vary", vary)
        shots.take("foreign", lambda page: ask(page, FOREIGN))
        shots.take("compare", compare)
        shots.take("compare-phone", compare, size=PHONE, dark=True)
        shots.take("side-by-side", beside)
        shots.take("region", region)
        shots.take("print", ask, size=(760, 1075), printed=True)
        shots.take("error", unreachable)
        shots.take("loading", loading)
        if given.study:
            shots.take("study", lambda page: page.wait_for_selector("#picture[src]"),
                       path=f"/study#{given.study}")  # fmt: skip
        if given.slides:
            Shots(browser, given.slides, given.out, given.only).take("slide", slide)
        for name, size in LAYOUTS.items() if given.layouts else ():
            Shots(browser, given.layouts, given.out, given.only).take(name, nuclei, size=size)
        page = browser.new_page()
        paints: list[float] = []
        weights: list[float] = []
        for _ in range(REPEATS):
            page.goto(f"{shots.address}/")
            page.wait_for_selector("body.ready")
            page.wait_for_timeout(200)
            paints.append(page.evaluate(_PAINT))
            weights.append(page.evaluate(_WEIGHT))
        ask(page)
        draws = [page.evaluate(_DRAW_200) for _ in range(REPEATS)]
        browser.close()
    print(f"axe-core violations: {shots.violations}")
    print(f"first paint: median {statistics.median(paints):.0f} ms, most {max(paints):.0f} ms")
    print(f"200 cases: median {statistics.median(draws):.0f} ms, most {max(draws):.0f} ms")
    print(f"scripts, styles and messages: {max(weights) / 1000:.0f} kB")
    taken = sum(file.stat().st_size for file in given.out.glob("*.webp"))
    print(f"pictures: {len(shots.violations)}, {taken / 1000:.0f} kB")


if __name__ == "__main__":
    main()

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from unit.server.ground import REPORT

import coin_retrieval as coin


def test_a_report_is_drawn_from_its_seeds(generator_name: str, cache: Path) -> None:
    drawn = coin.draw(REPORT, n=2, seed=5, generator=generator_name, cache=cache)
    assert repr(drawn) == "<2 synthetic prototypes, seeds 5, 6>"
    assert [image.mode for image in drawn.images] == ["RGB", "RGB"]
    assert [one["seed"] for one in drawn.to_dict()["prototypes"]] == [5, 6]


def test_drawings_show_themselves_marked(generator_name: str, cache: Path) -> None:
    page = coin.draw("<b>Cells</b>", n=1, generator=generator_name, cache=cache)._repr_html_()
    assert "&lt;b&gt;Cells" in page
    assert page.count("SYNTHETIC") >= 3
    assert "data:image/jpeg" in page


def test_a_listener_is_told_of_the_steps(generator_name: str, cache: Path) -> None:
    told: list[str] = []
    coin.draw(
        REPORT, n=1, seed=900, generator=generator_name, cache=cache,
        on=lambda stage, done, of: told.append(stage),
    )  # fmt: skip
    assert "drawing" in told


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"report": None}, "no text"),
        ({"report": ""}, "empty"),
        ({"n": 0}, "number of pictures"),
        ({"n": 2.5}, "n is no whole number"),
        ({"seed": "one"}, "the seed is no whole number"),
        ({"on": 1}, "listener"),
        ({"generator": None}, "the generator is no name"),
    ],
)
def test_what_cannot_be_drawn_is_an_input_error(
    generator_name: str, cache: Path, asked: dict[str, Any], told: str
) -> None:
    usual = {"report": REPORT, "generator": generator_name, "cache": cache}
    with pytest.raises(coin.InputError, match=told):
        coin.draw(**usual | asked)

"""Order, storage and analysis of reader studies."""

from __future__ import annotations

import io
from collections import Counter
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from unit.study.simulated import BEGUN, WASHOUT_DAYS, made_in, plan_of, read_all

from coin_retrieval.errors import InputError, NotFoundError, SettingsError
from coin_retrieval.study.analysis import analyse
from coin_retrieval.study.blinding import Blinding, common_size_px
from coin_retrieval.study.figures import DiagnosisFigures, RealOrDrawnFigures
from coin_retrieval.study.kind import Kind
from coin_retrieval.study.models import Answer
from coin_retrieval.study.order import readings_of
from coin_retrieval.study.report import plot_png, to_markdown
from coin_retrieval.study.store import StudyStore

ITEMS = 60


def test_everybody_reads_every_picture_once_in_each_way() -> None:
    items = plan_of().items
    for reader in range(4):
        planned = readings_of(items, kind=Kind.DIAGNOSIS, reader=reader, seed=0)
        assert Counter((p.item, p.aided) for p in planned) == {
            (item, way): 1 for item in range(len(items)) for way in (False, True)
        }
        assert Counter((p.item, p.period) for p in planned).total() == 2 * len(items)


def test_halves_are_balanced_and_change_places_between_readers_and_periods() -> None:
    items = plan_of(items=24).items
    first, second = (
        readings_of(items, kind=Kind.DIAGNOSIS, reader=reader, seed=0) for reader in (0, 1)
    )

    def aided(planned: list, period: int) -> set[int]:
        return {p.item for p in planned if p.period == period and p.aided}

    assert aided(first, 1) == aided(second, 2) == set(range(24)) - aided(first, 2)
    labels = Counter(items[item].truth for item in aided(first, 1))
    assert set(labels.values()) == {4}


def test_each_reader_has_an_order_of_their_own() -> None:
    items = plan_of().items
    orders = [
        [p.item for p in readings_of(items, kind=Kind.REAL_OR_DRAWN, reader=n, seed=0)]
        for n in range(3)
    ]
    assert len({tuple(order) for order in orders}) == 3


def test_blinded_pictures_have_one_size_one_codec_and_say_nothing() -> None:
    images = [np.random.default_rng(n).integers(0, 255, (40 + n, 50, 3), np.uint8) for n in (0, 9)]
    blinding = Blinding(common_size_px(images))
    names = [blinding.name_of(f"case-{n}", image) for n, image in enumerate(images)]
    assert blinding.name_of("case-0", images[0]) == names[0]
    opened = [Image.open(io.BytesIO(blinding.pictures[name])) for name in names]
    assert {(image.format, image.size, tuple(image.info)) for image in opened} == {
        ("JPEG", (40, 40), tuple(opened[0].info))
    }
    assert not any("case" in name for name in names)


def test_a_reader_goes_on_where_they_left_off_and_answers_once(tmp_path: Path) -> None:
    store, (token, _) = made_in(tmp_path, plan_of())
    reader = store.reader_of(token)
    first = store.view(reader, now=BEGUN).now
    assert first is not None
    given = Answer(reading=first.reading, answers=("HSIL",), confidence=3, took_ms=900)
    after = store.answer(reader, given, now=BEGUN)
    assert (after.done, after.of) == (1, 24)
    assert StudyStore(tmp_path / "study.db").view(reader, now=BEGUN) == after
    with pytest.raises(InputError, match="not the one"):
        store.answer(reader, given, now=BEGUN)


def test_what_is_no_choice_is_refused(tmp_path: Path) -> None:
    store, (token, _) = made_in(tmp_path, plan_of())
    reader = store.reader_of(token)
    first = store.view(reader, now=BEGUN).now
    assert first is not None
    for answers in [("cancer",), ("HSIL", "HSIL")]:
        with pytest.raises(InputError, match="choices"):
            store.answer(
                reader,
                Answer(reading=first.reading, answers=answers, confidence=3, took_ms=1),
                now=BEGUN,
            )


def test_the_second_period_waits_for_the_washout(tmp_path: Path) -> None:
    plan = plan_of()
    store, (token, _) = made_in(tmp_path, plan)
    reader, now = store.reader_of(token), BEGUN
    for _ in plan.items:
        view = store.view(reader, now=now)
        assert view.now is not None
        store.answer(
            reader,
            Answer(reading=view.now.reading, answers=("HSIL",), confidence=1, took_ms=1),
            now=now,
        )
    waiting = store.view(reader, now=now + timedelta(days=WASHOUT_DAYS - 1))
    assert (waiting.phase, waiting.now) == ("washout", None)
    assert waiting.opens_at == now + timedelta(days=WASHOUT_DAYS)
    assert store.view(reader, now=now + timedelta(days=WASHOUT_DAYS)).phase == "reading"


def test_nothing_is_told_before_the_last_answer_and_all_after_it(tmp_path: Path) -> None:
    plan = plan_of(Kind.REAL_OR_DRAWN)
    store, tokens = made_in(tmp_path, plan)
    during = store.view(store.reader_of(tokens[0]), now=BEGUN).model_dump_json()
    assert "truth" not in during.replace('"results":[]', "")
    assert "case-" not in during
    read_all(store, plan, tokens[0])
    results = store.view(store.reader_of(tokens[0]), now=BEGUN).results
    assert sum(result.drawn for result in results) == 6


def test_help_shows_in_aided_readings_only(tmp_path: Path) -> None:
    plan = plan_of()
    store, (token, _) = made_in(tmp_path, plan)
    view = store.view(store.reader_of(token), now=BEGUN).now
    assert view is not None
    assert bool(view.help) is view.aided


def test_a_foreign_link_and_a_missing_study_are_refused(tmp_path: Path) -> None:
    store, _ = made_in(tmp_path, plan_of())
    with pytest.raises(NotFoundError, match="no reader"):
        store.reader_of("x" * 32)
    with pytest.raises(SettingsError, match="no study"):
        StudyStore(tmp_path / "none.db")
    with pytest.raises(InputError, match="already"):
        made_in(tmp_path, plan_of())


def test_the_planted_gain_lies_in_its_interval(tmp_path: Path) -> None:
    plan = plan_of(items=ITEMS)
    store, tokens = made_in(tmp_path, plan)
    for token in tokens:
        read_all(store, plan, token)
    found = analyse(store.study())
    assert isinstance(found, DiagnosisFigures)
    assert found.pairs == 2 * ITEMS
    assert found.first.without.mean == pytest.approx(0.5)
    assert found.first.gain.mean == pytest.approx(0.25)
    assert 0 < found.first.gain.low < 0.25 < found.first.gain.high < 0.5
    assert found.any.gain.mean == 0
    assert found.time_ratio.mean == pytest.approx(2)
    assert found.time_p < 0.001
    # both readers answer alike
    assert found.kappa.aided.mean == pytest.approx(1)
    assert [reader.mended for reader in found.by_reader] == [15, 15]
    assert [group.group.split()[0] for group in found.by_rarity] == ["rare", "between", "common"]
    assert all(group.first.gain.mean == pytest.approx(0.25) for group in found.by_finding)
    report = to_markdown(found)
    assert "+0.250 (" in report
    assert plot_png(found).startswith(b"\x89PNG")


def test_real_or_drawn_is_chance_where_readers_guess(tmp_path: Path) -> None:
    plan = plan_of(Kind.REAL_OR_DRAWN, items=ITEMS)
    store, tokens = made_in(tmp_path, plan)
    for token in tokens:
        read_all(store, plan, token)
    found = analyse(store.study())
    assert isinstance(found, RealOrDrawnFigures)
    assert found.accuracy.mean == pytest.approx(0.5, abs=0.04)
    assert found.accuracy.low < 0.5 < found.accuracy.high
    assert "Chance is 0.5" in to_markdown(found)


def test_a_study_that_nobody_read_has_no_figures(tmp_path: Path) -> None:
    store, _ = made_in(tmp_path, plan_of())
    with pytest.raises(InputError, match="nobody has answered"):
        analyse(store.study())

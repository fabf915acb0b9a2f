from __future__ import annotations

import io
import sys

import pytest
from rich.console import Console
from rich.progress import Progress as RichProgress

from coin_retrieval.console.bars import _Bars, _Lines, showing
from coin_retrieval.progress import SupportsNotes, counted


def test_where_stderr_is_no_terminal_a_stage_that_is_done_is_a_plain_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with showing() as on:
        assert list(counted("ab", "embedding", on)) == ["a", "b"]
        on("trying", 0, 1)
        on("trying", 1, 1)
    said = capsys.readouterr()
    assert said.err == "embedding 2/2\ntrying 1/1\n"
    assert said.out == ""


def test_nothing_is_said_when_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with showing(quiet=True) as on:
        on("embedding", 1, 1)
    assert capsys.readouterr().err == ""


def test_lines_of_long_work_are_five_seconds_apart(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    lines = _Lines(clock=lambda: now)
    for second in range(12):
        now = float(second)
        lines("drawing", second, 100)
    assert capsys.readouterr().err == (
        "drawing 5/100, 1/s, 0:01:35 left\ndrawing 10/100, 1/s, 0:01:30 left\n"
    )


def test_what_work_notes_stands_beside_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with showing() as on:
        assert isinstance(on, SupportsNotes)
        on("indexing", 0, 2)
        on.note("1 skipped")
        on("indexing", 2, 2)
        on("writing", 1, 1)
    assert capsys.readouterr().err == "indexing 2/2, 1 skipped\nwriting 1/1\n"


def test_at_a_terminal_every_stage_has_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with showing() as on:
        on("embedding", 2, 4)
        on("trying", 3, 3)
        assert isinstance(on, SupportsNotes)
        on.note("7 skipped")
    shown = screen.getvalue()
    assert "embedding" in shown
    assert "2/4" in shown
    assert "3/3" in shown
    assert "7 skipped" in shown


def test_a_stage_that_begins_anew_begins_its_bar_anew() -> None:
    bars = RichProgress(console=Console(file=io.StringIO()))
    on = _Bars(bars)
    on("drawing", 4, 4)
    on("drawing", 0, 8)
    (task,) = bars.tasks
    assert (task.completed, task.total, task.finished) == (0, 8, False)

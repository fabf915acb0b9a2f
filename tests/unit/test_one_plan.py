"""One place decides how a report is searched: command line, server and evaluation agree."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from unit.server.ground import serving

from coin_retrieval.archive.amend import put_calibration
from coin_retrieval.archive.measured.calibration import Calibration, CloseMatch
from coin_retrieval.cli.main import app
from coin_retrieval.config import FusionSettings, OpenClipEncoderSettings
from coin_retrieval.evaluation.retrieval import close_match, evaluate
from coin_retrieval.evaluation.retrieval.modes import RetrievalEvaluation
from coin_retrieval.evaluation.retrieval.questions import Question
from coin_retrieval.factory import make_encoder, make_retriever, open_archive, parse_generator
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.types import SearchMode
from coin_retrieval.wordings.known import known_digest
from coin_retrieval.wordings.labelled_reports import LabelledReport
from indexer import build
from server.app import create_app

REPORT, K = "orange granules", 5


@pytest.fixture
def own(tiny_pipeline_dir: Path) -> str:
    """The generator that the archive was calibrated with."""
    return f"{tiny_pipeline_dir}?text_encoder=minilm"


@pytest.fixture
def archive(training: Path, tiny_open_clip_dir: Path, own: str, tmp_path: Path) -> Path:
    """An archive that was calibrated to mode text, with the prototypes of one generator."""
    settings = OpenClipEncoderSettings(
        model=str(tiny_open_clip_dir), text_tower="minilm", device="cpu", dtype="float32"
    )
    root, encoder = tmp_path / "archive", make_encoder(settings)
    build(root, training, encoder=settings, store="flat", batch_size=8, workers=1)
    calibration = Calibration(
        created_at=datetime.now(UTC),
        queries=20,
        by="finding",
        mode=SearchMode.TEXT,
        fusion=FusionSettings(),
        prototypes=2,
        figures={},
        close_match=CloseMatch(threshold=0.1, false_alarm_rate=0.05, queries=20),
        known=known_digest(),
        generator=opened(root, own, tmp_path).planner.need_drawer().identity,
        images=24,
    )
    put_calibration(root, calibration, encoder=encoder.spec)
    return root


def opened(archive: Path, generator: str, folder: Path) -> Retriever:
    return make_retriever(
        open_archive(archive), cache_dir=folder / "cache", generator=parse_generator(generator)
    )


def by_command(archive: Path, generator: str) -> Any:
    ran = CliRunner().invoke(
        app,
        [
            "search",
            str(archive),
            "--report",
            REPORT,
            "-k",
            str(K),
            "--generator",
            generator,
            "--json",
        ],
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


def by_server(retriever: Retriever) -> Any:
    with serving(create_app(lambda: retriever)) as client:
        answer = client.post("/v1/search", json={"report": REPORT, "k": K})
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.mark.parametrize(("steps", "mode"), [("", SearchMode.TEXT), ("&steps=3", SearchMode.FUSED)])
def test_an_archive_calibrated_to_text_is_searched_alike_by_all_whatever_draws(
    archive: Path,
    own: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    steps: str,
    mode: SearchMode,
) -> None:
    monkeypatch.setenv("COIN_CACHE_DIR", str(tmp_path / "cache"))
    said = by_command(archive, own + steps)
    served = by_server(opened(archive, own + steps, tmp_path))
    assert said["plan"] == served["plan"]
    assert said["plan"]["mode"] == mode
    assert said["plan"]["calibrated"] == (mode is SearchMode.TEXT)
    ids = [case["case_id"] for case in said["cases"]]
    assert [case["case_id"] for case in served["cases"]] == ids

    retriever = opened(archive, own + steps, tmp_path)
    asked = LabelledReport(REPORT, "eosinophil")
    figures = evaluate(retriever, [asked], k=K)
    assert figures.calibrated == said["plan"]["calibrated"]
    assert {one.mode for one in figures.modes} >= {mode}
    drawn = retriever.planner.prototypes
    evaluation = RetrievalEvaluation(retriever, where={}, k=K)
    (ranking,) = evaluation.reports([mode], [asked], prototypes=drawn)
    shown = [case["images"][0]["finding"] for case in said["cases"]]
    assert ranking.found == [shown]

    judged = close_match(retriever, [Question(REPORT)], [Question("halos")])
    assert judged.mode == mode
    assert judged.stated is not None
    assert judged.stated.threshold == 0.1, "what a report says is judged alike, whatever draws"
    closeness = said["closeness"]
    assert judged.inside_scores == pytest.approx([closeness["score"]], abs=1e-4)
    assert judged.stated.threshold == closeness["threshold"]

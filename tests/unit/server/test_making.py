"""Questions with a picture that is made first: of a layout of nuclei, or translated."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image
from unit.server.ground import PATIENCE_S, PRIVATE, REPORT, MakeApp, disc, png, serving
from unit.server.test_bad_input import refusal

from coin_retrieval.client import Client
from coin_retrieval.config import FusionSettings
from coin_retrieval.encoding.base import Encoder
from coin_retrieval.errors import InputError, MissingDependencyError
from coin_retrieval.factory import make_picture_maker, open_archive
from coin_retrieval.generation import joint
from coin_retrieval.presenting.answer import SearchAnswer
from coin_retrieval.prototypes.base import Prototyper
from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.search.making import PictureMaker
from coin_retrieval.search.query import Query
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.testing import tiny_models
from coin_retrieval.types import LayoutSource
from server.app import create_app
from server.audit.chain import AuditLog, audit_files, records
from server.limits import ServerLimits

WORDS = "three crowded nuclei, a mitosis"
POINTS = [{"x": 0.25, "y": 0.25}, {"x": 0.7, "y": 0.6, "type": "mitosis"}]
MakeMaking = Callable[..., FastAPI]


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> PictureMaker:
    folder = tmp_path_factory.mktemp("makers")
    return make_picture_maker(
        layout_model=tiny_models.write_joint_dir(folder / "joint"),
        translator=tiny_models.write_cyclegan_dir(folder / "gan"),
    )


@pytest.fixture(scope="module")
def make_making(
    archive_dir: Path, encoder: Encoder, generator: Prototyper, maker: PictureMaker,
    tmp_path_factory: pytest.TempPathFactory,
) -> MakeMaking:  # fmt: skip
    """An application that makes pictures, with a cache of its own, here or at a place."""

    def make(cache: Path | None = None, **options: Any) -> FastAPI:
        kept = PrototypeCache(cache or tmp_path_factory.mktemp("cache"))

        def load() -> Retriever:
            archive = open_archive(archive_dir)
            return Retriever(archive, encoder, generator, kept, FusionSettings(), maker)

        return create_app(load, **options)

    return make


@pytest.fixture(scope="module")
def making(make_making: MakeMaking) -> Iterator[TestClient]:
    with serving(make_making()) as client:
        yield client


def ask(client: TestClient, layout: Any = WORDS, **body: Any) -> Any:
    answer = client.post("/v1/search/layout", json={"layout": layout, **body})
    assert answer.status_code == 200, answer.text
    assert SearchAnswer.model_validate(answer.json())
    return answer.json()


def test_a_layout_in_words_is_drawn_and_searched_with(making: TestClient) -> None:
    answer = ask(making, k=3)
    made = answer["searched_with"]
    assert (made["how"], made["synthetic"], answer["query"]["mode"]) == ("drawn", True, "image")
    assert made["measures"]["asked"] == 4
    assert made["measures"]["unit"] == "px"
    kinds = [kind for _, _, kind in made["provenance"]["source"]["points"]]
    assert sorted(kinds) == ["mitosis", "nucleus", "nucleus", "nucleus"]
    assert len(answer["cases"]) == 3
    told = answer["summary"]
    assert "SYNTHETIC" in told[0]["text"]
    assert "(4 asked)" in told[0]["text"]
    assert any("mean diameter" in one["text"] for one in told if one["level"] == "detail")


def test_points_are_drawn_where_they_lie_and_are_of_the_first_kind_unless_told(
    making: TestClient,
) -> None:
    source = ask(making, {"points": POINTS})["searched_with"]["provenance"]["source"]
    assert source["points"] == [[0.25, 0.25, "nucleus"], [0.7, 0.6, "mitosis"]]


def test_the_drawing_can_be_fetched_and_says_that_it_is_synthetic(making: TestClient) -> None:
    made = ask(making)["searched_with"]
    assert not made["png"]
    fetched = making.get(made["path"])
    assert fetched.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(fetched.content)) as image:
        assert image.info["synthetic"] == "true"
        assert image.size == (16, 16)


def test_where_nothing_can_be_kept_the_answer_has_the_drawing(
    make_making: MakeMaking, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    app = make_making(tmp_path / "file" / "cache")
    # the warm-up draws, too, and must not fail
    with serving(app) as client:
        made = ask(client)["searched_with"]
    assert not made["path"]
    with Image.open(io.BytesIO(base64.b64decode(made["png"]))) as image:
        assert image.info["synthetic"] == "true"


def test_the_same_seed_draws_the_same_picture_and_another_another(making: TestClient) -> None:
    one, again, other = (ask(making, seed=seed)["plan"]["image"] for seed in (1, 1, 2))
    assert one == again != other


def test_a_drawing_is_not_judged_by_the_thresholds_of_pictures(making: TestClient) -> None:
    closeness = ask(making)["closeness"]
    assert (closeness["verdict"], closeness["reasons"][0]["because"]) == (
        "not judged",
        "not measured",
    )


def test_filters_and_marks_hold_for_layouts_too(making: TestClient) -> None:
    answer = ask(making, where={"site": "urine"}, liked=["C-3"])
    assert {case["case_id"] for case in answer["cases"]} == {"B/2"}
    assert [own["case"]["case_id"] for own in answer["own"]] == ["C-3"]


def test_the_drawing_counts_to_the_answers_time(making: TestClient) -> None:
    timings = ask(making, seed=77)["timings_ms"]
    assert 0 < timings["generate"] < timings["total"]


@pytest.mark.parametrize(
    "layout",
    [
        {"points": [{"x": 1.0, "y": 0.5}]},
        {"points": [{"x": 0.5, "y": -0.01}]},
        {"points": [{"x": True, "y": 0.5}]},
        {"points": [{"x": 0.5}]},
        {"points": [{"x": 0.5, "y": 0.5}] * 501},
        {"points": []},
        {"points": POINTS, "file": "/etc/passwd"},
        {},
        [],
        3,
        None,
        "",
        "x" * 501,
    ],
    ids=lambda layout: str(layout)[:40],
)
def test_a_layout_that_does_not_fit_is_named(making: TestClient, layout: Any) -> None:
    error = refusal(making.post("/v1/search/layout", json={"layout": layout}), 422)
    assert error["kind"] == "validation"
    assert error["problem"].startswith("body.layout")


@pytest.mark.parametrize(
    ("layout", "value"),
    [
        ({"points": [{"x": 0.5, "y": 0.5, "type": "koilocyte"}]}, "koilocyte"),
        ("three koilocytes", "koilocytes"),
        ("crowded nuclei", "crowded nuclei"),
        ("501 nuclei", 501),
        ("/etc/layouts.csv", "/etc/layouts.csv"),
    ],
)
def test_a_layout_that_cannot_be_drawn_says_what_could(
    making: TestClient, layout: Any, value: object
) -> None:
    error = refusal(making.post("/v1/search/layout", json={"layout": layout}), 400)
    assert (error["kind"], error["value"]) == ("input", value)
    assert error["expected"]


@pytest.mark.parametrize(
    "body", [{"report": REPORT}, {"mode": "text"}, {"prototypes": 3}, {"variations": 2}, {"k": 0}]
)
def test_what_asks_of_a_report_or_a_picture_is_no_field_here(
    making: TestClient, body: dict[str, Any]
) -> None:
    refusal(making.post("/v1/search/layout", json={"layout": WORDS, **body}), 422)


@pytest.mark.parametrize(
    ("body", "status"),
    [({"where": {"planet": "Mars"}}, 422), ({"liked": ["Z-9"]}, 404),
     ({"liked": ["C-3"], "disliked": ["C-3"]}, 400)],
)  # fmt: skip
def test_what_can_be_refused_at_once_is_refused_before_anything_is_drawn(
    making: TestClient, maker: PictureMaker, monkeypatch: pytest.MonkeyPatch,
    body: dict[str, Any], status: int,
) -> None:  # fmt: skip
    monkeypatch.setattr(maker, "drawn", lambda *_, **__: pytest.fail("it was drawn"))
    refusal(making.post("/v1/search/layout", json={"layout": WORDS, **body}), status)


def test_a_server_that_draws_no_layouts_says_so_with_a_remedy(client: TestClient) -> None:
    error = refusal(client.post("/v1/search/layout", json={"layout": WORDS}), 409)
    assert error["kind"] == "unsupported"
    assert "--layout-model" in error["remedy"]


def test_a_server_that_does_not_translate_says_so_with_a_remedy(client: TestClient) -> None:
    error = refusal(translating(client, disc(1)), 409)
    assert "--translate" in error["remedy"]


def test_the_archive_says_what_the_server_makes(making: TestClient, client: TestClient) -> None:
    able, not_able = (one.get("/v1/archive").json() for one in (making, client))
    assert able["layouts"] == {
        "model": "joint",
        "kinds": ["nucleus", "mitosis"],
        "side_px": 16,
        "mpp_um": None,
        "most": 500,
    }
    assert able["translator"] == "gan"
    assert (not_able["layouts"], not_able["translator"]) == (None, None)


def translating(client: TestClient, image: Image.Image, **form: Any) -> Any:
    files = {"image": ("x", png(image))}
    return client.post("/v1/search/image", files=files, data={"translate": "true", **form})


def test_a_picture_is_translated_first_where_that_is_asked(making: TestClient) -> None:
    answer = translating(making, disc(3)).json()
    made = answer["searched_with"]
    assert (made["how"], made["measures"], made["path"]) == ("translated", None, "")
    with Image.open(io.BytesIO(base64.b64decode(made["png"]))) as image:
        assert (image.info["synthetic"], image.size) == ("true", (16, 16))
    # as it is, it finds its own case
    assert answer["own"] == []
    plain = making.post("/v1/search/image", files={"image": ("x", png(disc(3)))}).json()
    assert plain["searched_with"] is None
    assert [own["case"]["case_id"] for own in plain["own"]] == ["C-3"]


def test_a_translated_picture_is_searched_with_together_with_a_report(making: TestClient) -> None:
    answer = translating(making, disc(3), report=REPORT, mode="text").json()
    assert (answer["query"]["mode"], answer["searched_with"]["how"]) == ("text", "translated")


def test_the_scale_of_a_translated_picture_is_its_sources(
    maker: PictureMaker, archive_dir: Path, encoder: Encoder, tmp_path: Path
) -> None:
    with open_archive(archive_dir) as archive:
        retriever = Retriever(archive, encoder, None, PrototypeCache(tmp_path), None, maker)
        made = maker.translated(np.asarray(disc(1, (64, 80))))
        plan = retriever.plan(Query(image_mpp_um=0.5), made=made)
    assert plan.shown_um == 32


def test_no_translation_is_kept(make_making: MakeMaking, tmp_path: Path) -> None:
    with serving(make_making(tmp_path)) as client:
        before = set(tmp_path.rglob("*.png"))
        translating(client, disc(3))
        assert set(tmp_path.rglob("*.png")) == before
        ask(client)
        assert len(set(tmp_path.rglob("*.png")) - before) == 1


@pytest.mark.parametrize("image", [b"no picture", b""])
def test_what_is_no_picture_is_not_translated(making: TestClient, image: bytes) -> None:
    files = {"image": ("x", image)}
    refusal(making.post("/v1/search/image", files=files, data={"translate": "true"}), 422)


def test_the_audit_log_has_what_was_shown_and_no_word_of_the_layout(
    make_making: MakeMaking, tmp_path: Path
) -> None:
    folder = tmp_path / "audit"
    with (
        AuditLog(folder, key=bytes(32), keep_days=400) as log,
        serving(make_making(audit=log)) as c,
    ):
        answer = ask(c, f"three {PRIVATE} nuclei")
        c.post("/v1/search/layout", json={"layout": PRIVATE})
    shown, refused = (record for path in audit_files(folder) for record in records(path))
    assert (shown["what"], shown["mode"]) == ("POST /v1/search/layout", "image")
    assert shown["cases"] == [case["case_id"] for case in answer["cases"]]
    assert refused["status"] == 400
    text = "".join(path.read_text() for path in audit_files(folder))
    assert not [word for word in PRIVATE.split() if word.lower() in text.lower()]


def test_a_drawing_that_takes_too_long_ends_at_its_next_step(
    make_making: MakeMaking, maker: PictureMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []

    def slowly(plans: Any, on_step: Callable[[int], None]) -> Any:
        for step in range(1, 100):
            threading.Event().wait(0.05)
            steps.append(step)
            on_step(step)

    monkeypatch.setattr(maker.layouts, "pairs", slowly)
    with serving(make_making(limits=ServerLimits(drawing_s=0.2))) as client:
        answer = client.post("/v1/search/layout", json={"layout": WORDS, "seed": 4242})
    assert refusal(answer, 503)["kind"] == "too_late"
    assert len(steps) < 99


def test_who_waits_for_another_drawing_may_leave(maker: PictureMaker) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def held(stage: str, done: int, of: int) -> None:
        begun.set()
        assert go_on.wait(PATIENCE_S)

    def leave(stage: str, done: int, of: int) -> None:
        raise InterruptedError

    layout = maker.layout("two nuclei", seed=9)
    first = threading.Thread(target=lambda: maker.drawn(layout, seed=9, on=held))
    first.start()
    try:
        assert begun.wait(PATIENCE_S)
        with pytest.raises(InterruptedError):
            maker.drawn(layout, seed=10, on=leave)
    finally:
        go_on.set()
        first.join(PATIENCE_S)


def test_what_was_drawn_before_is_not_drawn_again(
    maker: PictureMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = LayoutSource(((0.5, 0.5, "nucleus"),))
    first = maker.drawn(layout, seed=5)
    monkeypatch.setattr(maker.layouts, "pairs", lambda *_: pytest.fail("it was drawn again"))
    assert np.array_equal(maker.drawn(layout, seed=5).image, first.image)


def test_a_client_in_python_asks_for_both(making: TestClient) -> None:
    asked = Client("http://127.0.0.1:8000", http=making)
    words = asked.search_layout(WORDS, Query(k=2))
    assert words.searched_with is not None
    assert words.searched_with.measures is not None
    assert (words.searched_with.measures.asked, len(words.cases)) == (4, 2)
    placed = asked.search_layout(LayoutSource(((0.5, 0.5, "mitosis"),)), Query())
    assert placed.searched_with is not None
    assert placed.searched_with.provenance["source"]["points"] == [[0.5, 0.5, "mitosis"]]
    translated = asked.search(Query(), image=png(disc(3)), translate=True)
    assert translated.searched_with is not None
    assert translated.searched_with.how == "translated"
    with pytest.raises(InputError):
        asked.search_layout(WORDS, Query(report=REPORT))


def test_that_nothing_can_find_nuclei_is_told_when_the_server_loads(
    maker: PictureMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise MissingDependencyError("scipy is not installed")

    monkeypatch.setattr(joint, "decode", missing)
    with pytest.raises(MissingDependencyError):
        maker.load()


def test_the_description_tells_both_ways_to_give_a_layout(make_app: MakeApp) -> None:
    told = make_app().openapi()
    asked = told["components"]["schemas"]["LayoutQuery"]["properties"]
    assert len(asked["layout"]["oneOf"]) == 2
    assert "report" not in asked
    nuclei = told["components"]["schemas"]["Nuclei"]["properties"]["points"]
    assert (nuclei["minItems"], nuclei["maxItems"]) == (1, 500)
    assert "409" in told["paths"]["/v1/search/layout"]["post"]["responses"]
    assert json.dumps(told)

"""Every refusal in one shape, with the status that fits."""

from __future__ import annotations

import json
import math

import pytest

from coin_retrieval import errors as coin
from server.wire.errors import BodySizeError, RequestError, kind_of, status_of
from server.wire.problems import problem_of, shown


def every(kind: type[coin.CoinError]) -> list[type[coin.CoinError]]:
    return [kind, *(leaf for child in kind.__subclasses__() for leaf in every(child))]


LIBRARY = [kind for kind in every(coin.CoinError) if kind.__module__ == coin.__name__]


@pytest.mark.parametrize("kind", LIBRARY[1:], ids=lambda kind: kind.__name__)
def test_every_error_of_the_library_has_a_status_of_its_own(kind: type[coin.CoinError]) -> None:
    assert status_of(kind("wrong")) in {400, 404, 409, 413, 415, 422, 503}


@pytest.mark.parametrize("kind", LIBRARY, ids=lambda kind: kind.__name__)
def test_every_error_of_the_library_has_the_one_shape(kind: type[coin.CoinError]) -> None:
    answer = problem_of(kind("wrong", value=3, expected="right", remedy="mend it"))
    assert answer["kind"] == kind_of(kind("wrong"))
    assert answer["status"] == status_of(kind("wrong"))
    assert str(answer["type"]).endswith(kind_of(kind("wrong")).replace("_", "-"))
    assert answer["problem"] in str(answer["detail"]).lower()


def test_the_status_of_a_subclass_is_its_own_and_not_its_parents() -> None:
    assert status_of(coin.ReportError("x")) == 422
    assert status_of(coin.InputError("x")) == 400
    assert status_of(coin.SettingsError("x")) == 503
    assert status_of(coin.EncoderMismatchError("x")) == 409
    assert status_of(BodySizeError("x")) == 413


def test_the_kind_is_the_class_in_words() -> None:
    assert kind_of(coin.EncoderMismatchError("x")) == "encoder_mismatch"
    assert kind_of(RequestError("x")) == "request"


@pytest.mark.parametrize(
    "kind", [coin.ArchiveCorruptError, coin.WeightsError, coin.LoraError, coin.SettingsError]
)
def test_a_fault_of_the_installation_names_no_file_of_the_server(
    kind: type[coin.CoinError],
) -> None:
    error = kind("/srv/secret is broken", value="/srv/secret", remedy="look into /srv/secret")
    assert "/srv" not in json.dumps(problem_of(error))


def test_a_generator_that_drew_nothing_says_what_helps() -> None:
    answer = problem_of(coin.GenerationError("blank", value="seed 3", remedy="another seed"))
    assert answer["remedy"] == "another seed"


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, "\ud800", "x" * 100_000, {"a": ["b"] * 10_000}, 10**400, b"\xff", None],
    ids=["nan", "infinite", "surrogate", "long", "nested", "huge", "bytes", "none"],
)
def test_any_value_can_be_shown_in_json(value: object) -> None:
    text = json.dumps(shown(value), allow_nan=False, ensure_ascii=False)
    assert len(text.encode()) < 600

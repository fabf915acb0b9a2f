from __future__ import annotations

import numpy as np
import pytest

from coin_retrieval.errors import InputError
from coin_retrieval.evaluation.pictures.agreement import (
    AgreementFigures,
    LabelledFeatures,
    measure_agreement,
    to_markdown,
)

CENTRES = {"a": (8.0, 0.0, 0.0), "b": (0.0, 8.0, 0.0), "c": (0.0, 0.0, 8.0)}


def cells(seed: int, n: int = 40, **drawn_as: str) -> LabelledFeatures:
    """``n`` points of each class around its centre; ``a="b"`` puts class a where b lies."""
    random = np.random.default_rng(seed)
    features = [random.normal(CENTRES[drawn_as.get(label, label)], 1, (n, 3)) for label in CENTRES]
    labels = [label for label in CENTRES for _ in range(n)]
    return LabelledFeatures(
        np.concatenate(features).astype(np.float32), labels, [str(i) for i in range(3 * n)]
    )


def judged(generated: LabelledFeatures) -> AgreementFigures:
    return measure_agreement(cells(0), cells(1), generated, encoder="points")


def test_drawings_as_good_as_real_pictures_are_named_as_often() -> None:
    found = judged(cells(2))
    assert found.held_out.mean > 0.95
    assert found.ratio.mean == pytest.approx(1, abs=0.03)
    assert found.ratio.low <= found.ratio.mean <= found.ratio.high


def test_a_class_drawn_like_another_is_found_out() -> None:
    found = judged(cells(2, a="b"))
    by_label = {c.label: c for c in found.classes}
    assert by_label["a"].accuracy_generated < 0.1
    assert by_label["a"].mistaken_for == "b"
    assert by_label["b"].accuracy_generated > 0.9
    assert found.ratio.mean == pytest.approx(2 / 3, abs=0.05)
    assert found.ratio.high < 0.9


def test_the_ratio_is_generated_over_real() -> None:
    found = judged(cells(2, c="a"))
    assert found.ratio.mean == pytest.approx(found.generated.mean / found.held_out.mean)
    for c in found.classes:
        assert c.ratio == pytest.approx(c.accuracy_generated / c.accuracy_held_out)


def test_a_class_that_a_set_lacks_is_left_out_and_told() -> None:
    generated = cells(2)
    found = judged(generated.of(["a", "b"]))
    assert [c.label for c in found.classes] == ["a", "b"]
    assert found.left_out == ["c"]
    assert "Left out: c." in to_markdown(found)


def test_one_class_cannot_be_told_apart() -> None:
    with pytest.raises(InputError, match="too few classes"):
        judged(cells(2).of(["a"]))


def test_a_classifier_that_names_nothing_right_judges_nothing() -> None:
    swapped = cells(1, a="b", b="c", c="a")
    with pytest.raises(InputError, match="judge nothing"):
        measure_agreement(cells(0), swapped, cells(2), encoder="points")

from __future__ import annotations

from pathlib import Path

import pytest

from coin_retrieval.errors import WeightsError
from coin_retrieval.nets.model_card import ModelCard, model_name, read_card


def test_a_directory_without_a_card_recommends_nothing_and_has_its_own_name(tmp_path: Path) -> None:
    assert read_card(tmp_path) == ModelCard()
    assert model_name(tmp_path) == tmp_path.name


@pytest.mark.parametrize("text", ["{", "[]", '{"step": 4}', '{"steps": 0}'])
def test_a_card_that_says_anything_else_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "coin.json").write_text(text)
    with pytest.raises(WeightsError, match=r"coin\.json cannot be read"):
        read_card(tmp_path)

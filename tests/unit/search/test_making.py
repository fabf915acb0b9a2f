"""What makes pictures to search with, before any is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from coin_retrieval.errors import UnsupportedError, WeightsError
from coin_retrieval.factory import make_picture_maker
from coin_retrieval.search.making import PictureMaker


def test_a_maker_of_nothing_refuses_both() -> None:
    with pytest.raises(UnsupportedError):
        PictureMaker().layout("two nuclei")
    with pytest.raises(UnsupportedError):
        PictureMaker().translated(np.zeros((8, 8, 3), np.uint8))


@pytest.mark.parametrize("given", ["layout_model", "translator"])
def test_a_model_that_cannot_be_read_is_told_when_the_server_loads(
    given: str, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError) as told:
        make_picture_maker(**{given: tmp_path})
    assert str(tmp_path) in str(told.value)

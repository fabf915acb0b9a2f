"""docs/extending.md stays true: its example is put together and passes the encoders' suite."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import get_model

from coin_retrieval import config
from coin_retrieval.encoding.base import Encoder
from coin_retrieval.errors import WeightsError
from coin_retrieval.testing.encoder_suite import EncoderSuite

DOCUMENT = Path(__file__).parents[2] / "docs" / "extending.md"
BLOCKS = {
    block.split("\n", 1)[0].removeprefix("# "): block
    for block in re.findall(r"```python\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
}


@pytest.fixture(scope="module")
def documented() -> Iterator[dict[str, Any]]:
    """The names of all code blocks, run where the document says they go."""
    with pytest.MonkeyPatch.context() as patch:
        settings = vars(config).copy()
        exec(BLOCKS["coin_retrieval/config.py"], settings)  # noqa: S102  the document's own code
        name = "TorchvisionEncoderSettings"
        patch.setattr(config, name, settings[name], raising=False)
        module = types.ModuleType("coin_retrieval.encoding.torchvision")
        exec(BLOCKS["coin_retrieval/encoding/torchvision.py"], vars(module))  # noqa: S102
        patch.setitem(sys.modules, module.__name__, module)
        branch = indent(BLOCKS["coin_retrieval/factory.py, in make_encoder"], "    ")
        from coin_retrieval import factory

        names = {**vars(factory)}
        exec(f"def make_encoder(settings):\n{branch}", names)  # noqa: S102
        suite = {
            **globals(),
            name: settings[name],
            "make_encoder": names["make_encoder"],
        }
        exec(BLOCKS["tests/conformance/test_encoders.py"], suite)  # noqa: S102
        yield suite


class TestTheDocumentedEncoder(EncoderSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def encoder(
        cls, documented: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
    ) -> Encoder:
        fixture = vars(documented["TestTorchvisionEncoder"])["encoder"]
        body = getattr(fixture, "__wrapped__", None) or fixture.__pytest_wrapped__.obj
        made: Encoder = body.__func__(documented["TestTorchvisionEncoder"], tmp_path_factory)
        return made


def test_the_documented_encoder_loads_strictly(documented: dict[str, Any], tmp_path: Path) -> None:
    tensors = get_model("mobilenet_v3_small", weights=None).state_dict()
    save_file({**tensors, "extra": torch.zeros(1)}, tmp_path / "w.safetensors")
    settings = documented["TorchvisionEncoderSettings"](
        model="mobilenet_v3_small", checkpoint=tmp_path / "w.safetensors"
    )
    with pytest.raises(WeightsError, match="extra"):
        documented["make_encoder"](settings)


def test_every_place_that_the_document_names_exists() -> None:
    root = DOCUMENT.parents[1]
    for place in ("coin_retrieval/config.py", "coin_retrieval/factory.py", "pyproject.toml"):
        assert place in DOCUMENT.read_text("utf-8")
        assert (root / place).is_file()
    for role in ("encoder", "generator", "store", "catalog"):
        assert list((root / "tests" / "conformance").glob(f"test_{role}*.py")), role

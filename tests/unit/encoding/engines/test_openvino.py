from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from coin_retrieval.config import OpenClipEncoderSettings, TimmEncoderSettings
from coin_retrieval.encoding.engines.openvino import in_openvino
from coin_retrieval.errors import MissingDependencyError, ModelError, SettingsError
from coin_retrieval.factory import make_encoder
from coin_retrieval.testing.encoder_suite import pictures

CPU = torch.device("cpu")


class Tower(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.GELU(), nn.Flatten(2))

    def forward(self, batch: Tensor) -> Tensor:
        result: Tensor = self.layers(batch).mean(-1)
        return result


def run(model: nn.Module, batch: Tensor) -> Tensor:
    result: Tensor = model(batch)
    return result


def test_without_openvino_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingDependencyError, match=r"coin-retrieval\[openvino\]"):
        in_openvino(Tower(), run, input_size=(3, 8, 8), dtype=torch.float32, device=CPU)


def test_it_is_no_engine_for_a_gpu() -> None:
    cuda = torch.device("cuda")
    with pytest.raises(SettingsError, match="CPU only"):
        in_openvino(Tower(), run, input_size=(3, 8, 8), dtype=torch.float32, device=cuda)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_an_open_clip_model_gives_torchs_vectors(tiny_open_clip_dir: Path, dtype: str) -> None:
    pytest.importorskip("openvino")
    fields = {"model": str(tiny_open_clip_dir), "text_tower": "minilm", "dtype": dtype}
    theirs, ours = (
        make_encoder(OpenClipEncoderSettings(**fields, engine=engine))
        for engine in ("torch", "openvino")
    )
    shown = pictures([(40, 60), (33, 32), (50, 50)])
    cosines = (theirs.encode(shown) * ours.encode(shown)).sum(axis=1)
    assert cosines.min() > 0.999
    assert ours.spec == theirs.spec


def test_a_timm_model_gives_torchs_vectors(tiny_timm_dir: Path) -> None:
    pytest.importorskip("openvino")
    theirs, ours = (
        make_encoder(TimmEncoderSettings(model=str(tiny_timm_dir), engine=engine, dtype="float32"))
        for engine in ("torch", "openvino")
    )
    shown = pictures([(40, 60), (33, 32), (50, 50)])
    np.testing.assert_allclose(ours.encode(shown), theirs.encode(shown), atol=1e-4)
    assert ours.spec == theirs.spec


def test_vectors_other_than_torchs_are_refused() -> None:
    pytest.importorskip("openvino")
    calls = iter(range(9))

    def embed(model: nn.Module, batch: Tensor) -> Tensor:
        return run(model, batch) + 10.0 * (torch.arange(8) == next(calls))

    with pytest.raises(ModelError, match="other vectors"):
        in_openvino(Tower(), embed, input_size=(3, 8, 8), dtype=torch.float32, device=CPU)


def test_a_network_that_cannot_be_exported_is_refused() -> None:
    pytest.importorskip("openvino")

    def embed(model: nn.Module, batch: Tensor) -> Tensor:
        return run(model, batch) * float(batch.sum())

    with pytest.raises(ModelError, match="cannot run this network"):
        in_openvino(Tower(), embed, input_size=(3, 8, 8), dtype=torch.float32, device=CPU)


def test_nothing_is_reported_to_those_who_made_it(tmp_path: Path) -> None:
    """Its converter tells a server of every use where openvino_telemetry is installed."""
    pytest.importorskip("openvino")
    (tmp_path / "openvino_telemetry.py").write_text("raise SystemExit('asked for')\n")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import torch\n"
        "from coin_retrieval.encoding.engines.openvino import in_openvino\n"
        "in_openvino(torch.nn.Flatten(), lambda n, b: n(b), input_size=(3, 8, 8),\n"
        "            dtype=torch.float32, device=torch.device('cpu'))\n"
        "from openvino.tools.ovc.convert_impl import tm\n"
        "assert tm.__name__.endswith('telemetry_stub'), tm\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

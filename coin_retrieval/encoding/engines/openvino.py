"""A picture tower in Intel's OpenVINO: torch's vectors in a fraction of the time, on a CPU.

Torch calls one kernel a layer, each of which reads and writes its whole input; OpenVINO fuses them,
which the depthwise convolutions of small encoders gain most from (``docs/performance.md``).
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from coin_retrieval.encoding.engines.precision import MIN_COSINE, alike, probe_pictures
from coin_retrieval.errors import MissingDependencyError, ModelError, SettingsError

_FORMATS = {torch.float32: "f32", torch.bfloat16: "bf16", torch.float16: "f16"}
_TELEMETRY = "openvino_telemetry"


def in_openvino(
    model: nn.Module,
    embed: Callable[[Any, Tensor], Tensor],
    *,
    input_size: tuple[int, ...],
    dtype: torch.dtype,
    device: torch.device,
) -> Callable[[Tensor], Tensor]:
    """``embed`` of ``model``, computed by OpenVINO in the same number format.

    Args:
        model: in evaluation mode, on the CPU; it stays as it is.
        embed: the model's features [n dim] of a batch [n 3 h w].
        input_size: one picture's shape [3 h w].
        dtype: the number format to compute in.
        device: where the model is.

    Returns:
        What gives float32 features [n dim] of a float32 batch [n 3 h w] of any n.

    Raises:
        MissingDependencyError: OpenVINO is not installed.
        ModelError: it cannot convert this network, or gives other vectors than torch.
        SettingsError: a device other than the CPU.
    """
    if device.type != "cpu":
        raise SettingsError(
            "OpenVINO is used on a CPU only",
            value=str(device),
            expected="device cpu",
            remedy="leave engine out, or set device=cpu beside it",
        )
    openvino = _import()
    shown = probe_pictures(input_size)
    tower = _Tower(copy.deepcopy(model).float(), embed)
    try:
        with torch.no_grad():
            exported = torch.export.export(
                tower, (shown,), dynamic_shapes=({0: torch.export.Dim("pictures")},)
            )
            converted = openvino.convert_model(exported)
        compiled = openvino.Core().compile_model(
            converted,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": _FORMATS[dtype],
                "INFERENCE_NUM_THREADS": torch.get_num_threads(),
                "PERFORMANCE_HINT": "LATENCY",
            },
        )
    except (RuntimeError, TypeError, ValueError) as error:
        raise ModelError(
            f"OpenVINO cannot run this network ({str(error).splitlines()[0]})",
            value=type(model).__name__,
            expected="a network that torch.export takes",
            remedy="leave engine out",
        ) from error

    def run(batch: Tensor) -> Tensor:
        return torch.from_numpy(compiled(batch.numpy())[0])

    with torch.inference_mode():
        if not alike(embed(model, shown.to(dtype)).float(), run(shown), least=MIN_COSINE):
            raise ModelError(
                "OpenVINO gives other vectors than torch",
                value=_FORMATS[dtype],
                expected=f"a cosine of {MIN_COSINE} at least",
                remedy="leave engine out, or set dtype=float32",
            )
    return run


class _Tower(nn.Module):
    def __init__(self, model: nn.Module, embed: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.model, self._embed = model, embed

    def forward(self, batch: Tensor) -> Tensor:
        return self._embed(self.model, batch)


def _import() -> Any:
    """OpenVINO without what it counts its users by: its converter reports each use to a server."""
    sys.modules.setdefault(_TELEMETRY, None)  # type: ignore[arg-type]  # as if not installed
    try:
        import openvino
    except ImportError as error:
        raise MissingDependencyError(
            f"this engine needs openvino ({error})", remedy="pip install coin-retrieval[openvino]"
        ) from error
    return openvino

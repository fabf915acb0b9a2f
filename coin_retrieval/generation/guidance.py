"""Classifier-free guidance in the first steps alone: later ones change little and cost half.

diffusers' own callback for it keeps the last prompt of a batch only; several pictures need half of
it. Guidance in a limited interval: arXiv 2404.07724.
"""

from __future__ import annotations

import inspect
from typing import Any

from coin_retrieval.errors import SettingsError

_DOUBLED = ("prompt_embeds", "add_text_embeds", "add_time_ids")


def require_guidance(pipeline: Any) -> None:
    """Raises:
    SettingsError: a pipeline whose guidance cannot be stopped on the way.
    """
    if "callback_on_step_end_tensor_inputs" not in inspect.signature(pipeline.__call__).parameters:
        raise SettingsError(
            "this pipeline is guided in all steps or in none",
            value=type(pipeline).__name__,
            expected="guided_share 1",
            remedy="leave guided_share out, or use another preset",
        )


def guided_tensors(pipeline: Any) -> list[str]:
    """The tensors of a running pipeline that hold an unguided and a guided half."""
    return ["latents", *(name for name in _DOUBLED if name in pipeline._callback_tensor_inputs)]


def stop_guiding(pipeline: Any, tensors: dict[str, Any]) -> dict[str, Any]:
    """The tensors for the steps to come, without the unguided half, where there is one."""
    if not pipeline.do_classifier_free_guidance:
        return tensors
    pipeline._guidance_scale = 0.0
    return {
        name: value.chunk(2)[-1] if name in _DOUBLED else value for name, value in tensors.items()
    }

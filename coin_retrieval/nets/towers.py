"""Frozen text towers from their own directories: read once, whoever uses them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import torch

from coin_retrieval.files import digest_file
from coin_retrieval.nets.pretrained import digest_files, read_safetensors, refuse_mismatch
from coin_retrieval.nets.text_adapter import adapter_files, merge

WEIGHTS = "model.safetensors"

reading = threading.RLock()
"""Held while a tower computes: encoder and generator may have the same one."""

_towers: WeakValueDictionary[tuple[object, ...], Any] = WeakValueDictionary()


def filled_tower(
    empty: Any,
    directory: Path,
    *,
    dtype: torch.dtype,
    device: torch.device,
    adapter: Path | None = None,
) -> Any:
    """A frozen tower with a directory's weights: the one that is here already, else ``empty``.

    Args:
        empty: a model of transformers of the directory's configuration, its weights not set.
        directory: in the format of transformers.
        adapter: a folder as :mod:`.text_adapter` reads it, which is merged.

    Raises:
        WeightsError: no weights there, or a key that the model has and the file lacks: transformers
            would fill it with random numbers.
    """
    weights = directory / WEIGHTS
    own = empty.state_dict()
    with reading:
        tensors = read_safetensors(weights)
        added = "" if adapter is None else digest_files(adapter_files(adapter))
        key = (digest_file(weights), added, type(empty), frozenset(own), dtype, device)
        here = _towers.get(key)
        if here is not None:
            return here
        prefix = f"{empty.base_model_prefix}."
        fitting = {
            name.removeprefix(prefix): tensor
            for name, tensor in tensors.items()
            if name.removeprefix(prefix) in own
        }
        refuse_mismatch(f"the text tower {directory.name}", missing=set(own) - set(fitting))
        empty.load_state_dict(fitting)
        if adapter is not None:
            merge(empty, adapter)
        tower = empty.to(device=device, dtype=dtype).requires_grad_(False).eval()
        return _towers.setdefault(key, tower)

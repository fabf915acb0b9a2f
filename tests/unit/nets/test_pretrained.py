from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from coin_retrieval.errors import WeightsError
from coin_retrieval.nets.pretrained import (
    digest_file,
    digest_files,
    hub_snapshot,
    loading,
    read_safetensors,
    refuse_mismatch,
)


def test_a_digest_follows_the_content_not_the_place(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "w", tmp_path / "b" / "w"
    for path in (first, second):
        path.parent.mkdir()
        path.write_bytes(b"weights")
    assert digest_files({"w": first}) == digest_files({"w": second})
    assert digest_files({"w": first}) != digest_files({"other": first})


def test_a_changed_file_gets_another_digest(tmp_path: Path) -> None:
    path = tmp_path / "w"
    path.write_bytes(b"weights")
    os.utime(path, ns=(0, 0))
    before = digest_file(path)
    path.write_bytes(b"wEights")
    os.utime(path, ns=(1, 1))
    assert digest_file(path) != before


def test_tensors_are_read_from_safetensors(tmp_path: Path) -> None:
    save_file({"x": torch.arange(3)}, tmp_path / "w.safetensors")
    assert read_safetensors(tmp_path / "w.safetensors")["x"].tolist() == [0, 1, 2]


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="missing"):
        read_safetensors(tmp_path / "w.safetensors")


def test_a_file_that_is_no_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"nonsense")
    with pytest.raises(WeightsError, match="cannot be read"):
        read_safetensors(tmp_path / "w.safetensors")


def test_mismatching_keys_are_counted_and_the_first_of_them_named() -> None:
    missing = {f"layer{i:02}" for i in range(20)}
    with pytest.raises(WeightsError, match=r"20 missing: layer00, layer01, .* …; 1 unexpected: x"):
        refuse_mismatch("the model", missing=missing, unexpected={"x"})
    refuse_mismatch("the model")


def test_loading_is_offline_and_quiet_and_then_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    logger = logging.getLogger("diffusers")
    level = logger.level
    with loading():
        assert constants.is_offline_mode()
        assert not logger.isEnabledFor(logging.WARNING)
    assert not constants.is_offline_mode()
    assert logger.level == level
    with loading(allow_download=True):
        assert not constants.is_offline_mode()


def test_a_repository_that_is_not_in_the_cache_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="allow_download"):
        hub_snapshot("organisation/nowhere", patterns=["*"], allow_download=False)

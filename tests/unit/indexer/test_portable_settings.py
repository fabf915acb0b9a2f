from __future__ import annotations

from coin_retrieval.config import OpenClipEncoderSettings
from indexer.versions.version import portable


def test_an_archive_is_opened_without_the_gpu_or_the_engine_that_built_it() -> None:
    built = OpenClipEncoderSettings(model="ViT-B-32", device="cuda", engine="openvino")
    opened = portable(built)
    assert (opened.device, opened.engine) == ("auto", "torch")

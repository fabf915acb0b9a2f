from __future__ import annotations

from pathlib import Path

import pytest

from coin_retrieval.config import OpenClipEncoderSettings, TimmEncoderSettings
from coin_retrieval.encoding.base import Encoder
from coin_retrieval.factory import make_encoder
from coin_retrieval.testing.encoder_suite import EncoderSuite


class TestOpenClipEncoder(EncoderSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def encoder(cls, tiny_open_clip_dir: Path) -> Encoder:
        return make_encoder(
            OpenClipEncoderSettings(model=str(tiny_open_clip_dir), text_tower="minilm")
        )


class TestOpenClipEncoderWithItsOwnTextTower(EncoderSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def encoder(cls, tiny_clip_dir: Path) -> Encoder:
        return make_encoder(OpenClipEncoderSettings(model=str(tiny_clip_dir)))


class TestTimmEncoder(EncoderSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def encoder(cls, tiny_timm_dir: Path) -> Encoder:
        return make_encoder(TimmEncoderSettings(model=str(tiny_timm_dir)))


class TestEncoderInOpenVino(EncoderSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def encoder(cls, tiny_open_clip_dir: Path) -> Encoder:
        pytest.importorskip("openvino")
        return make_encoder(
            OpenClipEncoderSettings(
                model=str(tiny_open_clip_dir), text_tower="minilm", engine="openvino"
            )
        )

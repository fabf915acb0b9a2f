from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from coin_retrieval.config import DiffusersGeneratorSettings
from coin_retrieval.factory import make_generator
from coin_retrieval.generation.joint import JointGenerator
from coin_retrieval.prototypes.base import Prototyper
from coin_retrieval.testing import tiny_models
from coin_retrieval.testing.noise_prototyper import NoisePrototyper
from coin_retrieval.testing.prototyper_suite import PrototyperSuite
from coin_retrieval.translation.cyclegan import CycleGanTranslator
from coin_retrieval.types import LayoutSource, PictureSource, ReportSource, Source


class ReportPrototyperSuite(PrototyperSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def sources(cls) -> list[Source]:
        # the second fills more than one of a short encoder's windows
        texts = ["an eosinophil", "a lymphocyte in urine, " * 12, "koilocytes", "platelets"]
        return [ReportSource(text) for text in texts]


class TestNoise(ReportPrototyperSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def prototyper(cls) -> Prototyper:
        return NoisePrototyper()


class TestSentencePipeline(ReportPrototyperSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def prototyper(cls, tiny_pipeline_dir: Path) -> Prototyper:
        return make_generator(
            DiffusersGeneratorSettings(
                model=str(tiny_pipeline_dir), text_encoder="minilm", dtype="float32"
            )
        )


class TestSdxlPipelineWithLora(ReportPrototyperSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def prototyper(cls, tiny_sdxl_dir: Path, tiny_lora_file: Path) -> Prototyper:
        return make_generator(
            DiffusersGeneratorSettings(
                model=str(tiny_sdxl_dir),
                lora=str(tiny_lora_file),
                steps=2,
                batch_size=2,
                dtype="float32",
            )
        )


class TestPipelineThatTellsNoSteps(ReportPrototyperSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def prototyper(cls, tmp_path_factory: pytest.TempPathFactory) -> Prototyper:
        return make_generator(
            DiffusersGeneratorSettings(
                model=str(tiny_models.write_pixart_dir(tmp_path_factory.mktemp("pixart"))),
                steps=2,
                width_px=64,
                height_px=64,
                dtype="float32",
            )
        )


class PictureSuite(PrototyperSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def sources(cls) -> list[Source]:
        random = np.random.default_rng(0)
        return [PictureSource.of(random.integers(0, 255, (24, 20, 3), np.uint8)) for _ in range(3)]


class TestVariationsOfASentencePipeline(PictureSuite, TestSentencePipeline):
    pass


class TestVariationsBySdxl(PictureSuite, TestSdxlPipelineWithLora):
    pass


class TestLayouts(PrototyperSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def sources(cls) -> list[Source]:
        points = ((0.2, 0.3, "nucleus"), (0.7, 0.6, "mitosis"))
        return [
            LayoutSource(points, "crowded nuclei"),
            LayoutSource(points[:1]),
            LayoutSource(points),
        ]

    @pytest.fixture(scope="class")
    @classmethod
    def prototyper(cls, tmp_path_factory: pytest.TempPathFactory) -> Prototyper:
        return JointGenerator(tiny_models.write_joint_dir(tmp_path_factory.mktemp("joint")))


class TestCycleGan(PictureSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def prototyper(cls, tmp_path_factory: pytest.TempPathFactory) -> Prototyper:
        return CycleGanTranslator(
            tiny_models.write_cyclegan_dir(tmp_path_factory.mktemp("cyclegan"))
        )

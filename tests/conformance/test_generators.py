from __future__ import annotations

from pathlib import Path

import pytest

from coin_retrieval.config import DiffusersGeneratorSettings
from coin_retrieval.factory import make_generator
from coin_retrieval.generation.base import Generator
from coin_retrieval.testing.generator_suite import GeneratorSuite


class TestSentencePipeline(GeneratorSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def generator(cls, tiny_pipeline_dir: Path) -> Generator:
        return make_generator(
            DiffusersGeneratorSettings(
                model=str(tiny_pipeline_dir), text_encoder="minilm", dtype="float32"
            )
        )


class TestSdxlPipelineWithLora(GeneratorSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def generator(cls, tiny_sdxl_dir: Path, tiny_lora_file: Path) -> Generator:
        return make_generator(
            DiffusersGeneratorSettings(
                model=str(tiny_sdxl_dir),
                lora=str(tiny_lora_file),
                steps=2,
                batch_size=2,
                dtype="float32",
            )
        )

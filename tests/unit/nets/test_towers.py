from __future__ import annotations

import threading

import numpy as np
import torch
from transformers import BertModel

from coin_retrieval.factory import (
    make_encoder,
    make_generator,
    starter_encoder_settings,
    starter_generator_settings,
)
from coin_retrieval.nets.sentence import SentenceBert
from coin_retrieval.starter import minilm
from coin_retrieval.types import ReportSource


def tower(dtype: torch.dtype) -> SentenceBert:
    return SentenceBert.of_directory(minilm.directory(), dtype=dtype, device=torch.device("cpu"))


def test_encoder_and_generator_read_with_one_tower() -> None:
    encoder = make_encoder(starter_encoder_settings().model_copy(update={"dtype": "float32"}))
    generator = make_generator(starter_generator_settings().model_copy(update={"dtype": "float32"}))
    encoder.load()
    generator.load()
    theirs = generator._pipeline.text_encoder  # type: ignore[attr-defined]
    ours = encoder._network.model.text.transformer  # type: ignore[attr-defined]
    assert theirs.tower is ours
    weights = {value.data_ptr() for value in ours.parameters()}
    assert weights <= {value.data_ptr() for value in theirs.parameters()}


def test_another_number_format_is_another_tower() -> None:
    exact, half = tower(torch.float32), tower(torch.bfloat16)
    assert exact.dtype == torch.float32
    assert half.dtype == torch.bfloat16
    assert tower(torch.float32).tower is exact.tower


def test_a_tower_computes_what_transformers_computes() -> None:
    ids = torch.tensor([[101, 3526, 102]])
    plain = BertModel.from_pretrained(minilm.directory(), add_pooling_layer=False).eval()
    with torch.inference_mode():
        expected = plain(input_ids=ids).last_hidden_state
        assert torch.equal(tower(torch.float32).tower(input_ids=ids).last_hidden_state, expected)


def test_a_text_is_read_once_however_often_it_is_asked_about() -> None:
    reader, both = tower(torch.float32), [[101, 3526, 102, 0], [101, 3526, 3526, 102]]
    reads: list[int] = []
    counted = reader.encoder.register_forward_hook(lambda *_: reads.append(1))
    with torch.inference_mode(), counted:
        alone = reader(torch.tensor([[101, 3526, 102]])).pooler_output
        again = reader(torch.tensor(both)).pooler_output
        reader(torch.tensor(both))
    assert len(reads) == 2
    assert torch.equal(again[0], alone[0])
    assert not torch.equal(again[1], alone[0])


def test_encoder_and_generator_may_read_at_once() -> None:
    encoder = make_encoder(starter_encoder_settings())
    generator = make_generator(starter_generator_settings())
    plans = generator.plan(ReportSource("an eosinophil"), n=1, seed=3)
    alone = (encoder.encode_text(["koilocytes", "halo"]), generator.draw(plans)[0].image)
    drawn: list[np.ndarray] = []
    drawing = threading.Thread(target=lambda: drawn.append(generator.draw(plans)[0].image))
    drawing.start()
    texts = encoder.encode_text(["koilocytes", "halo"])  # type: ignore[attr-defined]
    drawing.join()
    np.testing.assert_array_equal(texts, alone[0])
    np.testing.assert_array_equal(drawn[0], alone[1])

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from transformers import AutoTokenizer

from coin_retrieval.generation.tokenizers import token_limit
from coin_retrieval.starter import minilm


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(minilm.directory(), local_files_only=True)


def test_tokens_lie_where_the_tokenizer_says(tokenizer) -> None:
    text = "Koilocytes, im Großen"
    expected = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    assert token_limit(tokenizer, None).spans(text) == expected["offset_mapping"]


def test_begin_and_end_take_room(tokenizer) -> None:
    assert token_limit(tokenizer, None).room == tokenizer.model_max_length - 2
    assert token_limit(tokenizer, 100).room == 98


def test_reading_and_a_pipelines_truncation_do_not_disturb_each_other(tokenizer) -> None:
    text = "koilocytes with halos " * 60
    spans = token_limit(tokenizer, None).spans
    whole, done = len(spans(text)), Event()

    def read() -> set[int]:
        lengths = set()
        while not done.is_set():
            lengths.add(len(spans(text)))
        return lengths

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        cut = {
            len(tokenizer(text, truncation=True, max_length=77, padding="max_length").input_ids)
            for _ in range(100)
        }
        done.set()
    assert cut == {77}
    assert reading.result() == {whole}

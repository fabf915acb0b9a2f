from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from coin_retrieval.nets.reader import ConceptReader
from coin_retrieval.reports.plain import read_report
from coin_retrieval.tables.cases import CaseRow
from coin_retrieval.training.loop import LoopSettings, fit
from coin_retrieval.training.reader import (
    ReaderRecipe,
    ReaderTask,
    held_out_scope,
    known_from,
    reports_to_read,
)
from coin_retrieval.training.texts import embed_texts
from coin_retrieval.wordings.captions import (
    held_out_from_elsewhere,
    held_out_reports,
    load_lexicon,
    read_and_set_aside,
    reports_from_elsewhere,
    whole_reports,
)
from coin_retrieval.wordings.concepts import concepts_of

RECIPE = ReaderRecipe(
    loop=LoopSettings(steps=150, learning_rate=2e-3, ema_decay=0.9, warmup_steps=5, bf16=False),
    batch=128,
    composed=40,
    elsewhere=160,
)


def _rows() -> list[CaseRow]:
    rows = []
    for finding in ("eosinophil", "Candida", "target cell"):
        words = load_lexicon().findings[finding]
        rows.append(CaseRow(Path(), "c", site=words.site, finding=finding, specimen=words.specimen))
    return rows


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> ConceptReader:
    rows = _rows()
    concepts = concepts_of(rows)
    reports = reports_to_read(
        rows,
        concepts,
        composed=RECIPE.composed,
        elsewhere=RECIPE.elsewhere,
        seed=0,
        embed=embed_texts,
    )
    assert int((~reports.known).sum()) == RECIPE.elsewhere
    assert (reports.stated[~reports.known] == -1).all()
    out = tmp_path_factory.mktemp("reader")
    trained = fit(ReaderTask(reports, concepts, RECIPE), RECIPE.loop, out, name="reader")
    assert isinstance(trained, ConceptReader)
    return trained


def test_a_reader_learns_what_lies_beyond_its_pictures(reader: ConceptReader) -> None:
    found = held_out_scope(reader, concepts_of(_rows()), embed_texts)
    assert found["held_out_known"] > 0.8
    assert found["held_out_beyond"] > 0.6


def test_the_scope_keeps_as_many_unread_reports_as_the_recipe_says(reader: ConceptReader) -> None:
    concepts = concepts_of(_rows())
    _, aside = read_and_set_aside()
    texts = [text for name in concepts.groups["finding"] for text in aside.inside[name]]
    sentences = F.normalize(embed_texts(texts).float(), dim=-1) * embed_texts([""]).shape[1] ** 0.5
    likely = reader.known(sentences)
    for kept in (0.5, 0.9):
        least = known_from(reader, concepts, embed_texts, kept_share=kept)
        assert abs(float((likely > least).float().mean()) - kept) < 1.5 / len(texts)


def test_what_is_set_aside_is_read_by_nobody() -> None:
    read, aside = read_and_set_aside()
    rows = _rows()
    texts: list[str] = []

    def embed(words: list[str]) -> torch.Tensor:
        texts.extend(words)
        return torch.ones(len(words), 4)

    reports_to_read(rows, concepts_of(rows), composed=300, elsewhere=900, seed=0, embed=embed)
    taken = {text.lower().rstrip(".") for text in texts}
    for finding in ("eosinophil", "Candida", "target cell"):
        assert len(aside.inside[finding]) == len(whole_reports()[finding]) // 12
        assert not taken & {text.lower().rstrip(".") for text in aside.inside[finding]}
        assert taken & {text.lower().rstrip(".") for text in read.inside[finding]}
    assert not taken & {text.lower().rstrip(".") for text in aside.elsewhere}


def test_without_reports_from_elsewhere_a_reader_has_no_scope() -> None:
    rows = _rows()
    concepts = concepts_of(rows)
    reports = reports_to_read(rows, concepts, composed=2, seed=0, embed=embed_texts)
    task = ReaderTask(reports, concepts, RECIPE)
    assert isinstance(task.module, ConceptReader)
    assert task.module.scope is None
    loss, _ = task.loss(np.random.default_rng(0))
    assert torch.isfinite(loss)


def test_reports_from_elsewhere_are_read_once_and_are_nobody_elses() -> None:
    trained, judged = reports_from_elsewhere(), held_out_from_elsewhere()
    ours = [
        text
        for kind in (whole_reports(), held_out_reports())
        for texts in kind.values()
        for text in texts
    ]
    everything = [text.lower() for text in (*trained, *judged)]
    assert len(set(everything)) == len(everything)
    assert not set(everything) & {text.lower() for text in ours}
    assert all(read_report(text).text for text in (*trained, *judged))

"""The known reports are what the wordings say, and their vectors are theirs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from coin_retrieval.encoding.sentences import SentenceEncoder
from coin_retrieval.errors import WeightsError
from coin_retrieval.reports.lexicons import load_sites
from coin_retrieval.wordings.captions import (
    held_out_from_elsewhere,
    held_out_reports,
    load_lexicon,
)
from coin_retrieval.wordings.known import (
    background_reports,
    known_reports,
    known_sentences,
)

NO_CYTOLOGY = {"histology and other pictures", "no report", "larynx and nose"}
UNREAD_SITES = {"colon", "prostate", "testis", "vulva"}


def test_the_sentences_are_of_these_wordings() -> None:
    assert known_sentences().reports == known_reports(), "run make sentences"


def test_a_vector_is_its_reports() -> None:
    known = known_sentences()
    places = [0, 4000, len(known.reports) - 1]
    rows = SentenceEncoder().embed([known.reports[place].text for place in places])
    assert np.all((rows * known.vectors[places]).sum(axis=1) > 0.999)


def test_in_the_space_of_entities_reports_of_one_lie_nearer_together_than_of_two() -> None:
    known = known_sentences()
    first, second = (known.entities == name for name in ("eosinophil", "basophil"))
    apart = []
    for rows in (known.vectors, known.whitened_vectors):
        within = (rows[first] @ rows[first].T).mean()
        apart.append((within - (rows[first] @ rows[second].T).mean()) / within)
    assert apart[1] > apart[0]


def test_no_report_of_the_background_repeats_a_held_out_one() -> None:
    held_out = [*held_out_from_elsewhere(), *(t for of in held_out_reports().values() for t in of)]
    judged = set().union(*(_five_words(text) for text in held_out))
    background = [t for of in background_reports().values() for texts in of.values() for t in texts]
    assert not [text for text in background if _five_words(text) & judged]


def test_every_site_of_the_background_is_one_that_reports_are_read_for() -> None:
    read = {*load_sites().sites, *NO_CYTOLOGY, *UNREAD_SITES}
    assert not set(background_reports()) - read


def test_no_entity_of_the_background_is_a_finding_or_stands_twice() -> None:
    entities = [entity for of in background_reports().values() for entity in of]
    assert len(set(entities)) == len(entities)
    assert not set(entities) & set(load_lexicon().findings)


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "sentences.safetensors").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="known reports"):
        known_sentences(tmp_path / "sentences.safetensors")


def _five_words(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.casefold())
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}

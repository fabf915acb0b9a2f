from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from coin_retrieval.errors import ModelError, WeightsError
from coin_retrieval.nets.reader import CONFIG, WEIGHTS, ConceptReader, ReaderConfig

# not in alphabetical order: a vector's order is the configuration's
GROUPS = {"site": ("blood", "cervix", "brain"), "finding": ("Candida", "neutrophil")}


def _reader(*, sharpness: float = 1.0) -> ConceptReader:
    torch.manual_seed(0)
    config = ReaderConfig(
        groups=GROUPS, dim=32, text_dim=8, hidden=16, bottleneck=4, sharpness=sharpness
    )
    return ConceptReader(config).eval()


def test_a_vector_holds_each_groups_likelihoods_and_the_unstated_share_is_missing() -> None:
    vectors = _reader()(torch.randn(5, 8))
    assert vectors.shape == (5, 32)
    assert (vectors >= 0).all()
    for start, end in ((0, 3), (3, 5)):
        assert (vectors[:, start:end].sum(1) < 1).all()
    assert not vectors[:, 5:].any()


def test_sharpness_gives_the_likelier_value_more() -> None:
    sentences = torch.randn(20, 8)
    plain = _reader().logits(sentences)["site"].softmax(-1)
    sharp = (2 * _reader().logits(sentences)["site"]).softmax(-1)
    assert (sharp.max(1).values >= plain.max(1).values).all()
    assert torch.allclose(_reader(sharpness=2.0)(sentences)[:, :3], sharp[:, :3])


def test_what_was_saved_reads_the_same(tmp_path: Path) -> None:
    reader, sentences = _reader(), torch.randn(3, 8)
    reader.save(tmp_path)
    assert torch.equal(ConceptReader.load(tmp_path)(sentences), reader(sentences))


def test_weights_that_lack_a_part_are_refused_by_its_name(tmp_path: Path) -> None:
    _reader().save(tmp_path)
    weights = load_file(tmp_path / WEIGHTS)
    weights.pop("values.site")
    save_file(weights, tmp_path / WEIGHTS)
    with pytest.raises(WeightsError, match=r"values\.site"):
        ConceptReader.load(tmp_path)


def test_a_configuration_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    _reader().save(tmp_path)
    (tmp_path / CONFIG).write_text("{")
    with pytest.raises(WeightsError, match="coin train reader"):
        ConceptReader.load(tmp_path)


def test_a_reader_without_scope_takes_every_text_for_known_and_says_that_it_cannot_tell() -> None:
    sentences = torch.randn(4, 8)
    assert torch.equal(_reader().known(sentences), torch.ones(4))
    with pytest.raises(ModelError, match="coin train reader"):
        _reader().scope_logits(sentences)


def test_scope_is_saved_with_the_reader_and_leaves_its_vectors_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = _reader().config.model_copy(update={"scoped": True})
    reader, sentences = ConceptReader(config).eval(), torch.randn(3, 8)
    reader.save(tmp_path)
    loaded = ConceptReader.load(tmp_path)
    assert torch.equal(loaded.known(sentences), reader.known(sentences))
    assert ((reader.known(sentences) > 0) & (reader.known(sentences) < 1)).all()
    assert loaded(sentences).shape == (3, 32)

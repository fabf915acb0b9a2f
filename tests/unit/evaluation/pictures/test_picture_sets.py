from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_archives import write_pictures

from coin_retrieval.encoding.base import unit_rows
from coin_retrieval.errors import (
    CaseTableError,
    FilterError,
    ImageError,
    InputError,
    NotFoundError,
)
from coin_retrieval.evaluation.pictures.picture_sets import (
    notes_on,
    read_pictures,
    require_disjoint,
    require_real,
)
from coin_retrieval.evaluation.pictures.spaces import FeatureSpace
from coin_retrieval.testing.histogram_encoder import HistogramEncoder


def test_a_manifest_and_the_folder_it_lies_in_are_the_same(training: Path) -> None:
    assert read_pictures([training]).rows == read_pictures([training.parent]).rows


def test_a_folder_without_a_manifest_gives_all_its_pictures(tmp_path: Path) -> None:
    write_pictures(tmp_path / "below", 3)
    write_pictures(tmp_path, 2)
    (tmp_path / "notes.txt").write_text("no picture")
    found = read_pictures([tmp_path])
    assert len(found) == 5
    assert len({row.case_id for row in found.rows}) == 5


def test_several_sources_are_one_set(training: Path, held_out: Path) -> None:
    assert len(read_pictures([training, held_out])) == 24 + 16


def test_a_filter_joins_fields_by_and_and_values_by_or(training: Path, held_out: Path) -> None:
    where = {"split": ["VAL"], "finding": ["eosinophil", "platelet"]}
    found = read_pictures([training, held_out], where=where)
    assert {(row.finding, row.attributes["split"]) for row in found.rows} == {("eosinophil", "val")}
    assert len(found) == 8
    assert found.name.endswith("(split=VAL, finding=eosinophil/platelet)")


def test_a_filter_on_a_field_that_no_picture_has_is_an_error(training: Path) -> None:
    with pytest.raises(FilterError, match="grade"):
        read_pictures([training], where={"grade": ["1"]})


def test_a_filter_that_nothing_fits_is_an_error(training: Path) -> None:
    with pytest.raises(InputError, match="no pictures"):
        read_pictures([training], where={"finding": ["unicorn"]})


def test_a_source_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="nowhere"):
        read_pictures([tmp_path / "nowhere"])


def test_drawn_pictures_are_no_yardstick(drawn: Path, training: Path) -> None:
    with pytest.raises(CaseTableError, match="not real"):
        require_real(read_pictures([training, drawn]))
    real = read_pictures([training])
    assert require_real(real) is real


def test_sets_that_share_a_case_are_refused(training: Path, held_out: Path) -> None:
    seen, unseen = read_pictures([training]), read_pictures([held_out])
    require_disjoint(seen, unseen)
    with pytest.raises(InputError, match="share cases"):
        require_disjoint(seen, read_pictures([training, held_out]))


def test_a_sample_is_of_the_size_asked_and_the_same_for_a_seed(training: Path) -> None:
    pictures = read_pictures([training])
    sample = pictures.sample(7, seed=1)
    assert len({row.image_path for row in sample.rows}) == len(sample) == 7
    assert sample == pictures.sample(7, seed=1)
    assert sample != pictures.sample(7, seed=2)
    assert pictures.sample(1000, seed=1) is pictures


def test_pictures_without_a_label_are_left_out_of_judging_labels(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("image_path,case_id,finding\na.png,1,x\nb.png,2,\n")
    found = read_pictures([tmp_path]).labelled("finding")
    assert found.labels("finding") == ["x"]
    with pytest.raises(InputError, match="label"):
        found.labels("stain")


def test_features_come_in_the_order_of_the_pictures_and_count_each(tmp_path: Path) -> None:
    pictures = read_pictures([write_pictures(tmp_path, 40)])
    heard: list[tuple[str, int, int]] = []
    encoder = HistogramEncoder()
    features = FeatureSpace(encoder).features(pictures, lambda *told: heard.append(told))
    assert len(features) == 40
    assert heard == [(pictures.name, done, 40) for done in (0, 32, 40)]
    last = np.asarray(Image.open(pictures.rows[-1].image_path))
    assert features[-1] == pytest.approx(encoder.encode([last])[0])
    assert features == pytest.approx(unit_rows(features)), "of this encoder only units are known"


def test_pictures_are_brought_to_one_size_before_they_are_measured(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    pictures = read_pictures([tmp_path])
    sharp = FeatureSpace(HistogramEncoder()).features(pictures)
    smooth = FeatureSpace(HistogramEncoder(), size_px=8).features(pictures)
    assert (smooth > 0).sum() < (sharp > 0).sum()


def test_a_broken_picture_is_told_and_not_left_out(tmp_path: Path) -> None:
    write_pictures(tmp_path, 2)
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    with pytest.raises(ImageError, match=r"broken\.png"):
        FeatureSpace(HistogramEncoder()).features(read_pictures([tmp_path]))


def test_other_formats_and_sizes_are_noted(tmp_path: Path) -> None:
    for name, side in (("a/x.png", 32), ("b/x.png", 32), ("c/x.jpg", 16)):
        (tmp_path / name).parent.mkdir()
        Image.new("RGB", (side, side + 4)).save(tmp_path / name)
    png, same, jpeg = (read_pictures([tmp_path / name]) for name in "abc")
    assert notes_on(png, same, size_px=None) == []
    formats, sizes = notes_on(png, jpeg, size_px=None)
    assert "jpeg" in formats
    assert "png" in formats
    assert "--size-px 16" in sizes
    done, again = notes_on(png, jpeg, size_px=16)
    assert "brought to 16 px" in done
    assert again == formats

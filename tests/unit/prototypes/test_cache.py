from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from coin_retrieval.encoding.base import unit_rows
from coin_retrieval.errors import NotFoundError, SettingsError
from coin_retrieval.images.decoding import load_image
from coin_retrieval.images.png import encode_png
from coin_retrieval.prototypes.cache import SYNTHETIC_NOTICE, PrototypeCache
from coin_retrieval.types import (
    Embeddings,
    EncoderSpec,
    Provenance,
    ReportSource,
    RgbImage,
    Sample,
    content_digest,
)

SPEC = EncoderSpec("mean-colour", "1", 3, "p", "w")
OTHER_SPEC = EncoderSpec("mean-colour", "2", 3, "p", "w")


def plan(seed: int, prompt: str = "Zellen mit großem Kern") -> Provenance:
    return Provenance("noise", "0" * 64, ReportSource(prompt), seed, 4, 1.5, 16, 16)


def drawn(provenance: Provenance) -> Sample:
    random = np.random.default_rng(provenance.seed)
    return Sample(random.integers(0, 256, (16, 16, 3), np.uint8), provenance)


class MeanColour:
    """Embeds a picture by its mean colour and counts the pictures."""

    def __init__(self) -> None:
        self.pictures = 0

    def __call__(self, images: Sequence[RgbImage]) -> Embeddings:
        self.pictures += len(images)
        return unit_rows(np.stack([image.mean((0, 1)) for image in images]))


@pytest.fixture
def cache(tmp_path: Path) -> PrototypeCache:
    return PrototypeCache(tmp_path / "prototypes")


def test_what_was_drawn_is_read_back_pixel_for_pixel(cache: PrototypeCache) -> None:
    sample = drawn(plan(7))
    prototype = cache.put(sample)
    assert cache.get(plan(7)) == prototype
    assert cache.find(prototype.prototype_id) == prototype.path
    np.testing.assert_array_equal(load_image(prototype.path), sample.image)


def test_another_prompt_is_another_prototype(cache: PrototypeCache) -> None:
    cache.put(drawn(plan(0)))
    assert cache.get(plan(0, "Plattenepithelien")) is None


def test_the_png_says_that_it_is_synthetic_and_how_it_was_made(cache: PrototypeCache) -> None:
    with Image.open(cache.put(drawn(plan(3))).path) as image:
        text = image.info
    assert text["synthetic"] == "true"
    assert text["Software"].startswith("coin-retrieval")
    assert text["Description"] == SYNTHETIC_NOTICE
    told = json.loads(text["provenance"])
    assert (told["generator"], told["seed"], told["width_px"]) == ("noise", 3, 16)


def test_neither_names_nor_files_say_what_was_drawn(cache: PrototypeCache, tmp_path: Path) -> None:
    private = replace(plan(0), dropped_text="Frau Schmidt")
    data = cache.put(drawn(private)).path.read_bytes()
    assert b"Zellen" not in data
    assert b"Schmidt" not in data
    digests = {private.digest, content_digest(asdict(private.source))}
    other = PrototypeCache(tmp_path / "other").put(drawn(private)).path
    # who guesses the report needs the key besides
    for digest in digests:
        assert digest.encode() not in data
        assert digest not in other.name
    assert other.name not in {path.name for path in cache.root.rglob("*")}


def test_the_key_is_for_its_owner_only_and_outlives_a_clearing(cache: PrototypeCache) -> None:
    first = cache.put(drawn(plan(0)))
    assert (cache.root / "key").stat().st_mode & 0o077 == 0
    cache.clear()
    assert PrototypeCache(cache.root).put(drawn(plan(0))) == first


def test_an_empty_cache_has_nothing_and_is_left_as_it_is(tmp_path: Path) -> None:
    assert PrototypeCache(tmp_path / "none").get(plan(0)) is None
    assert not (tmp_path / "none").exists()


def test_a_key_that_is_too_short_keeps_nothing(cache: PrototypeCache) -> None:
    cache.root.mkdir()
    (cache.root / "key").write_bytes(b"short")
    assert cache.get(plan(0)) is None
    with pytest.raises(SettingsError, match="5 bytes"):
        cache.put(drawn(plan(0)))


def _truncate(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flip_a_pixel_byte(data: bytes) -> bytes:
    at = data.index(b"IDAT") + 20
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


@pytest.mark.parametrize(
    "damage", [_truncate, _flip_a_pixel_byte, lambda _: b"", lambda _: b"no picture"]
)
def test_a_damaged_file_is_absent_until_it_is_put_again(cache: PrototypeCache, damage) -> None:
    path = cache.put(drawn(plan(0))).path
    path.write_bytes(damage(path.read_bytes()))
    assert cache.get(plan(0)) is None
    cache.put(drawn(plan(0)))
    assert cache.get(plan(0)) is not None
    np.testing.assert_array_equal(load_image(path), drawn(plan(0)).image)


def test_a_file_under_anothers_name_is_not_believed(cache: PrototypeCache) -> None:
    first, second = cache.put(drawn(plan(0))), cache.put(drawn(plan(1)))
    second.path.write_bytes(first.path.read_bytes())
    assert cache.get(plan(1)) is None
    with pytest.raises(NotFoundError):
        cache.find(second.prototype_id)


def test_what_another_program_wrote_is_not_believed(cache: PrototypeCache) -> None:
    prototype = cache.put(drawn(plan(0)))
    told = {"provenance": json.dumps(prototype.provenance.as_dict())}
    prototype.path.write_bytes(encode_png(load_image(prototype.path), text=told))
    assert cache.get(plan(0)) is None
    assert cache.clear() == 1


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_an_id_that_is_no_digest_names_nothing(cache: PrototypeCache, name: str) -> None:
    with pytest.raises(NotFoundError):
        cache.find(name)


def test_a_prototype_is_embedded_once_for_each_encoder(cache: PrototypeCache) -> None:
    prototypes = [cache.put(drawn(plan(seed))) for seed in range(3)]
    encode = MeanColour()
    first = cache.embeddings(prototypes, SPEC, encode)
    np.testing.assert_array_equal(cache.embeddings(prototypes, SPEC, encode), first)
    assert encode.pictures == 3
    cache.embeddings(prototypes, OTHER_SPEC, encode)
    assert encode.pictures == 6


def test_embeddings_come_in_the_order_of_the_prototypes(cache: PrototypeCache) -> None:
    prototypes = [cache.put(drawn(plan(seed))) for seed in range(3)]
    encode = MeanColour()
    cache.embeddings(prototypes[1:2], SPEC, encode)
    rows = cache.embeddings(prototypes, SPEC, encode)
    expected = encode([load_image(p.path) for p in prototypes])
    np.testing.assert_allclose(rows, expected, atol=1e-6)


def test_embeddings_are_kept_in_single_precision_whatever_computed_them(
    cache: PrototypeCache,
) -> None:
    prototypes = [cache.put(drawn(plan(0)))]
    encode = MeanColour()
    for _ in range(2):
        cache.embeddings(prototypes, SPEC, lambda images: encode(images).astype(np.float64))
    assert encode.pictures == 1


def test_an_encoder_that_answers_too_few_rows_is_noticed(cache: PrototypeCache) -> None:
    prototypes = [cache.put(drawn(plan(seed))) for seed in range(2)]
    encode = MeanColour()
    with pytest.raises(ValueError, match="shorter"):
        cache.embeddings(prototypes, SPEC, lambda images: encode(images)[:1])


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY\x01", b"junk"])
def test_a_damaged_embedding_is_computed_again(cache: PrototypeCache, damage: bytes) -> None:
    prototype = cache.put(drawn(plan(0)))
    encode = MeanColour()
    first = cache.embeddings([prototype], SPEC, encode)
    (row,) = prototype.path.parent.glob("*.npy")
    row.write_bytes(damage)
    np.testing.assert_array_equal(cache.embeddings([prototype], SPEC, encode), first)
    assert encode.pictures == 2


def test_a_picture_that_is_drawn_again_loses_its_old_embedding(cache: PrototypeCache) -> None:
    prototype = cache.put(drawn(plan(0)))
    cache.embeddings([prototype], SPEC, MeanColour())
    changed = cache.put(Sample(255 - drawn(plan(0)).image, plan(0)))
    encode = MeanColour()
    cache.embeddings([changed], SPEC, encode)
    assert encode.pictures == 1


def test_every_whole_prototype_is_listed_by_its_id(cache: PrototypeCache) -> None:
    kept = [cache.put(drawn(plan(seed))) for seed in range(6)]
    for damaged in (kept[0], kept[3]):
        damaged.path.write_bytes(b"no picture")
    kept[1].path.write_bytes(kept[2].path.read_bytes())
    listed = list(cache)
    assert [one.prototype_id for one in listed] == sorted(kept[i].prototype_id for i in (2, 4, 5))
    assert {one.generator for one in listed} == {"noise"}
    assert len({one.source for one in listed}) == 1


def test_clearing_deletes_what_the_cache_keeps_and_nothing_else(cache: PrototypeCache) -> None:
    kept = [cache.put(drawn(plan(seed))) for seed in range(3)]
    cache.embeddings(kept, SPEC, MeanColour())
    kept[0].path.write_bytes(b"no picture")
    folder = kept[0].path.parent
    (folder / "half.png.1.partial").write_bytes(b"")
    (folder / "notes.txt").write_text("somebody's own")
    (cache.root / "list.png").write_bytes(b"")
    assert cache.clear() == 3
    left = {path.name for path in cache.root.rglob("*") if path.is_file()}
    assert left == {"notes.txt", "list.png", "key"}
    assert cache.clear() == 0


def test_a_row_of_another_length_or_kind_is_computed_again(cache: PrototypeCache) -> None:
    prototype = cache.put(drawn(plan(0)))
    encode = MeanColour()
    first = cache.embeddings([prototype], SPEC, encode)
    (file,) = prototype.path.parent.glob("*.npy")
    wrong = (first[0, :2], first[0].astype(np.float64), first[0] * 2, first[0] * 0)
    for count, row in enumerate(wrong, start=2):
        np.save(file, row)
        np.testing.assert_array_equal(cache.embeddings([prototype], SPEC, encode), first)
        assert encode.pictures == count


def test_writers_side_by_side_leave_whole_files_only(cache: PrototypeCache) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(cache.put, [drawn(plan(seed % 2)) for seed in range(40)]))
    names = {path.name for path in cache.root.rglob("*") if path.is_file()}
    kept = [cache.get(plan(seed)) for seed in (0, 1)]
    assert names == {"key", *(one.path.name for one in kept if one)}
    assert None not in kept


def test_a_cache_that_cannot_be_written_says_where_to_set_another(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SettingsError, match="COIN_CACHE_DIR"):
        PrototypeCache(tmp_path / "file").put(drawn(plan(0)))

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_archives import build_archive, write_picture, write_pictures, write_table

from coin_retrieval.errors import EncoderMismatchError, InputError
from coin_retrieval.factory import open_archive
from coin_retrieval.images.decoding import load_image
from coin_retrieval.testing.histogram_encoder import HistogramEncoder
from coin_retrieval.types import ImageRecord
from indexer.exporting import export


def records(root: Path) -> dict[int, tuple[ImageRecord, np.ndarray]]:
    with open_archive(root) as archive:
        ids = archive.store.ids()
        images = archive.catalog.images(ids.tolist())
        vectors = archive.store.vectors(ids)
        return {int(i): (images[i], v) for i, v in zip(ids.tolist(), vectors, strict=True)}


@pytest.fixture
def inferred(tmp_path: Path) -> Path:
    """As `clip-retrieval inference` leaves it: half precision, no word of the encoder."""
    folder = write_pictures(tmp_path / "pictures", 6)
    paths = sorted(folder.iterdir())
    rows = HistogramEncoder().encode([load_image(path) for path in paths])
    for number, some in enumerate((slice(0, 4), slice(4, 6))):
        (tmp_path / "out" / "img_emb").mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / "metadata").mkdir(parents=True, exist_ok=True)
        emb = tmp_path / "out" / "img_emb" / f"img_emb_{number}.npy"
        np.save(emb, rows[some].astype(np.float16))
        names = [str(path) for path in paths[some]]
        table = pa.table({"image_path": names, "caption": ["Halos."] * len(names)})
        pq.write_table(table, tmp_path / "out" / "metadata" / f"metadata_{number}.parquet")
    return tmp_path / "out"


def test_an_archive_comes_back_from_its_export_as_it_was(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        write_picture(tmp_path / name, seed=ord(name[0]))
    table = write_table(
        tmp_path / "cases.csv",
        [
            {"image_path": "a.png", "case_id": "1", "diagnosis": "LSIL", "report": "Halos."},
            {"image_path": "b.png", "case_id": "1", "mpp_um": "0.25", "grade": "2"},
            {"image_path": "c.png", "case_id": "2", "site": "cervix", "patient_id": "p"},
        ],
    )
    build_archive(tmp_path / "one", table)
    assert export(tmp_path / "one", tmp_path / "folder") == 3
    report = build_archive(tmp_path / "two", tmp_path / "folder")
    assert report.embedded == 0
    one, two = records(tmp_path / "one"), records(tmp_path / "two")
    assert one.keys() == two.keys()
    for number, (image, vector) in one.items():
        again, same = two[number]
        assert np.abs(vector - same).max() < 1e-6
        for name in ("case_id", "uri", "content_hash", "diagnosis", "mpp_um", "attributes"):
            assert getattr(image, name) == getattr(again, name)
    with open_archive(tmp_path / "one") as a, open_archive(tmp_path / "two") as b:
        assert a.catalog.cases(["1", "2"]) == b.catalog.cases(["1", "2"])


def test_what_was_inferred_elsewhere_is_not_embedded_again(inferred: Path, tmp_path: Path) -> None:
    report = build_archive(tmp_path / "archive", inferred)
    assert (report.embedded, report.manifest.counts.images) == (0, 6)
    with open_archive(tmp_path / "archive") as archive:
        cases = list(archive.catalog.case_ids())
        assert archive.catalog.cases(cases[:1])[cases[0]].report == "Halos."


def test_embeddings_of_another_space_are_refused(inferred: Path, tmp_path: Path) -> None:
    path = inferred / "img_emb" / "img_emb_0.npy"
    np.save(path, np.roll(np.load(path), 5, axis=1))
    with pytest.raises(EncoderMismatchError, match="a cosine of"):
        build_archive(tmp_path / "archive", inferred)


def test_embeddings_of_another_width_are_refused(inferred: Path, tmp_path: Path) -> None:
    path = inferred / "img_emb" / "img_emb_0.npy"
    np.save(path, np.load(path)[:, :-1])
    with pytest.raises(EncoderMismatchError, match="-d"):
        build_archive(tmp_path / "archive", inferred)


def test_an_export_of_another_encoder_is_refused_by_its_name(tmp_path: Path) -> None:
    build_archive(tmp_path / "one", write_pictures(tmp_path / "in", 3))
    export(tmp_path / "one", tmp_path / "folder")
    said = (tmp_path / "folder" / "encoder.json").read_text()
    (tmp_path / "folder" / "encoder.json").write_text(
        said.replace('"revision": "', '"revision": "x')
    )
    with pytest.raises(EncoderMismatchError, match="another encoder"):
        build_archive(tmp_path / "two", tmp_path / "folder")


def test_vectors_that_are_none_are_embedded_by_the_build(inferred: Path, tmp_path: Path) -> None:
    path = inferred / "img_emb" / "img_emb_1.npy"
    rows = np.load(path)
    rows[0] = np.nan
    np.save(path, rows)
    report = build_archive(tmp_path / "archive", inferred)
    assert (report.embedded, report.manifest.counts.images) == (1, 6)


def test_pictures_that_are_gone_are_skipped_and_told(inferred: Path, tmp_path: Path) -> None:
    (tmp_path / "pictures" / "cell_002.png").unlink()
    report = build_archive(tmp_path / "archive", inferred)
    assert (report.manifest.counts.images, report.manifest.counts.skipped) == (5, 1)


def test_a_folder_that_lacks_rows_is_refused(inferred: Path, tmp_path: Path) -> None:
    path = inferred / "img_emb" / "img_emb_1.npy"
    np.save(path, np.load(path)[:-1])
    with pytest.raises(InputError, match="not a whole folder of embeddings"):
        build_archive(tmp_path / "archive", inferred)


def test_an_export_writes_over_nothing(tmp_path: Path) -> None:
    build_archive(tmp_path / "one", write_pictures(tmp_path / "in", 3))
    with pytest.raises(InputError, match="not empty"):
        export(tmp_path / "one", tmp_path / "in")

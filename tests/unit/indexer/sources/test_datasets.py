from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tiny_archives import build_archive, write_picture

from coin_retrieval.factory import open_archive
from coin_retrieval.tables.cases import CaseRow
from indexer.rows import SourceRows, read_sources

FEATURES = {
    "image": {"_type": "Image"},
    "label": {"names": ["NILM", "LSIL"], "_type": "ClassLabel"},
    "note": {"dtype": "string", "_type": "Value"},
}


def picture(seed: int) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (20, 24, 3), np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def table(n: int, *, cells: list[dict[str, object] | None] | None = None) -> pa.Table:
    """As `datasets` encodes an image feature, a class label and a text."""
    images = cells or [{"bytes": picture(seed), "path": f"{seed}.png"} for seed in range(n)]
    schema = pa.schema(
        [("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
         ("label", pa.int64()), ("note", pa.string())],
        metadata={"huggingface": json.dumps({"info": {"features": FEATURES}})},
    )  # fmt: skip
    columns = [images, [seed % 2 for seed in range(n)], [f"note {seed}" for seed in range(n)]]
    arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def save_to_disk(folder: Path, data: pa.Table) -> Path:
    """The layout of `Dataset.save_to_disk`: an Arrow stream with two small files of JSON."""
    folder.mkdir(parents=True)
    name = "data-00000-of-00001.arrow"
    with pa.OSFile(str(folder / name), "wb") as file, pa.ipc.new_stream(file, data.schema) as out:
        out.write_table(data, max_chunksize=3)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
    (folder / "dataset_info.json").write_text(json.dumps({"features": FEATURES}))
    return folder


def read(*paths: Path, **columns: str) -> SourceRows:
    return read_sources(paths, archive=Path("archive"), where={}, columns=columns)


def rows(*paths: Path, **columns: str) -> list[CaseRow]:
    return [row.row for row in read(*paths, **columns)]


def test_a_saved_dataset_is_a_folder_of_cases(tmp_path: Path) -> None:
    found = rows(save_to_disk(tmp_path / "set", table(8)))
    assert [row.case_id for row in found][-1] == "data-00000-of-00001/000007"
    assert found[1].attributes == {"label": "LSIL", "note": "note 1"}


def test_columns_are_called_what_they_are_mapped_to(tmp_path: Path) -> None:
    found = rows(save_to_disk(tmp_path / "set", table(8)), diagnosis="label", report="note")
    assert (found[1].diagnosis, found[1].report) == ("LSIL", "note 1")


def test_splits_are_folders(tmp_path: Path) -> None:
    for split in ("train", "test"):
        save_to_disk(tmp_path / "set" / split, table(2))
    assert {row.case_id.split("/")[0] for row in rows(tmp_path / "set")} == {"train", "test"}


def test_pictures_in_parquet_are_read_group_by_group(tmp_path: Path) -> None:
    pq.write_table(table(8), tmp_path / "train.parquet", row_group_size=3)
    build_archive(tmp_path / "archive", tmp_path / "train.parquet")
    with open_archive(tmp_path / "archive") as archive:
        (image,) = archive.catalog.case_images("train/000007")
        assert image.uri.endswith("#row=7&column=image")
        expected = np.asarray(Image.open(io.BytesIO(picture(7))))
        assert np.array_equal(archive.picture(image), expected)


def test_pictures_that_lie_beside_are_read_from_there(tmp_path: Path) -> None:
    folder = save_to_disk(tmp_path / "set", table(1, cells=[{"bytes": None, "path": "a.png"}]))
    write_picture(folder / "a.png", seed=3)
    (folder / "a.png").rename(folder / ".a.png")
    (folder / ".a.png").rename(folder / "a.png")
    report = build_archive(tmp_path / "archive", folder / "data-00000-of-00001.arrow")
    assert report.manifest.counts.images == 1


def test_rows_without_a_picture_are_skipped_and_told(tmp_path: Path) -> None:
    cells: list[dict[str, object] | None] = [None, {"bytes": picture(1), "path": None}]
    report = build_archive(
        tmp_path / "archive", save_to_disk(tmp_path / "set", table(2, cells=cells))
    )
    assert (report.manifest.counts.images, report.manifest.counts.skipped) == (1, 1)


def test_a_cut_off_file_is_told_and_costs_no_other(tmp_path: Path) -> None:
    save_to_disk(tmp_path / "set" / "a", table(4))
    path = save_to_disk(tmp_path / "set" / "b", table(4)) / "data-00000-of-00001.arrow"
    path.write_bytes(path.read_bytes()[:40])
    found = read(tmp_path / "set")
    assert any("cannot be read as a table" in note for note in found.notes)
    assert sum(bool(row.row.part) for row in found) == 4


def test_a_parquet_without_pictures_is_a_manifest(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", seed=1)
    cases = pa.table({"image_path": ["a.png"], "case_id": ["c1"]})
    pq.write_table(cases, tmp_path / "cases.parquet")
    assert [row.case_id for row in rows(tmp_path / "cases.parquet")] == ["c1"]


@pytest.mark.parametrize("kind", ["Audio", "Video"])
def test_sounds_have_the_form_of_pictures_and_are_none(tmp_path: Path, kind: str) -> None:
    data = table(2)
    features = FEATURES | {"image": {"_type": kind}}
    told = json.dumps({"info": {"features": features}})
    pq.write_table(data.replace_schema_metadata({"huggingface": told}), tmp_path / "a.parquet")
    write_picture(tmp_path / "b.png", seed=1)
    assert [row.case_id for row in rows(tmp_path)] == ["b"]

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_archives import build_archive, write_table

from coin_retrieval.archive import ArchiveLayout
from coin_retrieval.errors import InputError
from coin_retrieval.factory import open_archive
from coin_retrieval.tables.cases import CaseRow
from indexer.rows import SourceRows, read_sources


def picture(seed: int) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (24, 28, 3), np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def write_tar(path: Path, members: Mapping[str, bytes | str]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def sources(*paths: Path) -> SourceRows:
    return read_sources(paths, archive=Path("archive"), where={})


def rows(*paths: Path) -> list[CaseRow]:
    return [row.row for row in sources(*paths)]


def test_a_sample_is_a_case_with_what_its_texts_say(tmp_path: Path) -> None:
    said = {"diagnosis": "LSIL", "patient_id": "p1", "mpp_um": 0.25, "width": 28, "exif": {"a": 1}}
    tar = write_tar(
        tmp_path / "shard-00.tar",
        {"x/001.png": picture(1), "x/001.json": json.dumps(said), "x/001.txt": " Halos.\n",
         "x/001.cls": "3", "x/002.png": picture(2)},
    )  # fmt: skip
    one, two = rows(tar)
    assert (one.case_id, two.case_id) == ("shard-00/x/001", "shard-00/x/002")
    assert (one.diagnosis, one.report, one.patient_id, one.mpp_um) == ("LSIL", "Halos.", "p1", 0.25)
    assert one.attributes == {"width": "28", "cls": "3"}
    assert (two.diagnosis, two.attributes) == ("", {})


def test_pictures_of_a_tar_are_indexed_and_read_again_from_it(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "s.tar", {f"{n}.png": picture(n) for n in range(5)})
    build_archive(tmp_path / "archive", tar)
    with open_archive(tmp_path / "archive") as archive:
        (image,) = archive.catalog.case_images("s/3")
        assert image.uri == f"{tar.as_uri()}#member=3.png"
        assert np.array_equal(
            archive.picture(image), np.asarray(Image.open(io.BytesIO(picture(3))))
        )


def test_what_was_embedded_is_not_embedded_again(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "s.tar", {f"{n}.png": picture(n) for n in range(5)})
    build_archive(tmp_path / "archive", tar)
    report = build_archive(tmp_path / "archive", tar)
    assert (report.embedded, report.reused) == (0, 5)


def test_the_key_ends_at_the_first_dot(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "s.tar", {"a.b/c.seg.png": picture(1), "a.b/c.txt": "Text."})
    assert [(row.case_id, row.report) for row in rows(tar)] == [("s/a.b/c", "Text.")]


def test_a_mask_beside_a_picture_is_no_picture(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "s.tar", {"1.jpg": picture(1), "1.mask.png": picture(2)})
    read = sources(tar)
    assert [row.row.part for row in read] == ["member=1.jpg"]
    assert any("1 .mask.png" in note for note in read.notes)


def test_samples_that_lack_a_member_are_told(tmp_path: Path) -> None:
    tar = write_tar(
        tmp_path / "s.tar",
        {"1.png": picture(1), "1.json": "{}", "2.png": picture(2), "3.json": "{}"},
    )
    told = "\n".join(sources(tar).notes)
    assert "1 of 3 samples have no picture" in told
    assert "1 of 3 samples have no .json" in told


def test_a_broken_text_is_told_and_its_picture_stays(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "s.tar", {"1.png": picture(1), "1.json": "{"})
    read = sources(tar)
    assert len(read) == 1
    assert any("1.json" in note for note in read.notes)


def test_a_broken_picture_is_skipped_and_told(tmp_path: Path) -> None:
    tar = write_tar(
        tmp_path / "s.tar", {"1.png": picture(1)[:100], **{f"{n}.png": picture(n) for n in (2, 3)}}
    )
    report = build_archive(tmp_path / "archive", tar)
    assert (report.manifest.counts.images, report.manifest.counts.skipped) == (2, 1)
    skipped = (ArchiveLayout(tmp_path / "archive").published() / "skipped.jsonl").read_text()
    assert json.loads(skipped)["path"] == "s.tar#member=1.png"


@pytest.mark.parametrize("kept", [0.9, 0.5])
def test_of_a_tar_that_is_cut_off_the_whole_members_are_indexed(
    tmp_path: Path, kept: float
) -> None:
    whole = write_tar(tmp_path / "whole.tar", {f"{n}.png": picture(n) for n in range(20)})
    data = whole.read_bytes()
    cut = tmp_path / "cut.tar"
    cut.write_bytes(data[: int(len(data) * kept * 0.8)])
    report = build_archive(tmp_path / "archive", cut)
    assert 5 <= report.manifest.counts.images < 20
    assert any("cut" in warning for warning in report.warnings)


def test_a_tar_that_ends_between_two_members_is_told_as_cut_off(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "whole.tar", {"1.png": picture(1), "2.png": picture(2)})
    with tarfile.open(whole) as tar:
        end = tar.getmembers()[1].offset
    cut = tmp_path / "cut.tar"
    cut.write_bytes(whole.read_bytes()[:end])
    read = sources(cut)
    assert len(read) == 1
    assert any("cut off after 1.png" in note for note in read.notes)


def test_a_compressed_shard_is_read_and_its_end_is_checked(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "w.tar", {f"{n}.png": picture(n) for n in range(9)})
    packed = tmp_path / "p.tar.gz"
    packed.write_bytes(gzip.compress(whole.read_bytes()))
    assert len(rows(packed)) == 9
    cut = tmp_path / "c.tgz"
    cut.write_bytes(packed.read_bytes()[:8000])
    read = sources(cut)
    assert 0 < len(read) < 9
    assert any("cut off" in note for note in read.notes)


def test_what_is_no_tar_is_told_and_does_not_cost_the_folder(tmp_path: Path) -> None:
    write_tar(tmp_path / "in.tar", {"1.png": picture(1)})
    (tmp_path / "no.tar").write_bytes(b"nothing" * 200)
    assert any("no.tar" in note for note in sources(tmp_path).notes)


def test_a_manifest_may_name_a_shard(tmp_path: Path) -> None:
    write_tar(tmp_path / "s.tar", {"1.png": picture(1), "2.png": picture(2)})
    table = write_table(
        tmp_path / "cases.csv", [{"image_path": "s.tar", "case_id": "c", "site": "cervix"}]
    )
    found = [(row.case_id, row.site) for row in rows(table)]
    assert found == [("c/1", "cervix"), ("c/2", "cervix")]


def test_names_that_no_uri_holds_come_back_as_they_were(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "s.tar", {"a b#&=ü\n.png": picture(1)})
    build_archive(tmp_path / "archive", tar)
    with open_archive(tmp_path / "archive") as archive:
        (image,) = archive.catalog.case_images("s/a b#&=ü\\n")
        assert archive.picture(image).shape == (24, 28, 3)


def test_an_unknown_kind_of_file_is_no_source(tmp_path: Path) -> None:
    (tmp_path / "notes.docx").write_text("…")
    with pytest.raises(InputError, match="tar"):
        sources(tmp_path / "notes.docx")


def test_the_shards_of_clip_retrieval_are_indexed(formats_root: Path, tmp_path: Path) -> None:
    shards = [formats_root / f"clipr_image{n}.tar" for n in (1, 2)]
    report = build_archive(tmp_path / "archive", *shards)
    assert (report.manifest.counts.images, report.manifest.counts.skipped) == (7, 0)


def test_the_sample_of_webdataset_is_indexed(formats_root: Path, tmp_path: Path) -> None:
    report = build_archive(tmp_path / "archive", formats_root / "sample.tgz")
    assert report.manifest.counts.images == 90
    with open_archive(tmp_path / "archive") as archive:
        (image,) = archive.catalog.case_images("sample/10")
        assert image.attributes["cls"] in "0123456789"

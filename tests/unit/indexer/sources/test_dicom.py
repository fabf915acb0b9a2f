from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_archives import build_archive

from coin_retrieval.errors import ImageError
from coin_retrieval.factory import open_archive
from coin_retrieval.images.containers import asked_picture, picture_at
from coin_retrieval.tables.cases import CaseRow
from indexer.rows import SourceRows, read_sources
from indexer.tiling.settings import Tiling

pydicom = pytest.importorskip("pydicom", reason="the extra `dicom` is not installed")

NAME = "Doe^Jane"
MICROSCOPIC = "1.2.840.10008.5.1.4.1.1.77.1.2"


def write_instance(path: Path, pixels: np.ndarray, **values: object) -> Path:
    """An instance of frames [n h w], [n h w 3], one frame a first index."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    found = Dataset()
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found.file_meta.MediaStorageSOPClassUID = MICROSCOPIC
    found.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    found.SOPClassUID = MICROSCOPIC
    found.SOPInstanceUID = found.file_meta.MediaStorageSOPInstanceUID
    found.StudyInstanceUID, found.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    found.PatientName, found.PatientID = NAME, "MRN-77"
    found.NumberOfFrames, found.Rows, found.Columns = pixels.shape[:3]
    found.SamplesPerPixel = 3 if pixels.ndim == 4 else 1
    found.PhotometricInterpretation = "RGB" if pixels.ndim == 4 else "MONOCHROME2"
    if pixels.ndim == 4:
        found.PlanarConfiguration = 0
    bits = 8 * pixels.dtype.itemsize
    found.BitsAllocated = found.BitsStored = bits
    found.HighBit, found.PixelRepresentation = bits - 1, 0
    found.PixelSpacing = [0.0005, 0.0005]
    found.PixelData = pixels.tobytes()
    for name, value in values.items():
        setattr(found, name, value)
    found.save_as(path, enforce_file_format=True)
    return path


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, shape, np.uint8)


def read(*paths: Path, key: bytes | None = None) -> SourceRows:
    return read_sources(paths, archive=Path("archive"), where={}, pseudonym_key=key)


def rows(*paths: Path, key: bytes | None = None) -> list[CaseRow]:
    return [row.row for row in read(*paths, key=key)]


def shown(path: Path, frame: int = 1) -> np.ndarray:
    return picture_at(path, f"frame={frame}").decode()


def test_each_frame_is_a_picture_of_the_study(tmp_path: Path) -> None:
    frames = noise(3, 20, 24, 3)
    path = write_instance(tmp_path / "a.dcm", frames)
    found = rows(path)
    assert [(row.case_id, row.part, row.mpp_um) for row in found] == [
        ("1.2.3", f"frame={n}", 0.5) for n in (1, 2, 3)
    ]
    assert np.array_equal(shown(path, 2), frames[1])


def test_files_without_a_suffix_are_known_by_their_first_bytes(tmp_path: Path) -> None:
    write_instance(tmp_path / "IM0001", noise(1, 20, 24, 3))
    assert [row.part for row in rows(tmp_path)] == ["frame=1"]


def test_no_name_of_a_person_reaches_the_archive(tmp_path: Path) -> None:
    write_instance(tmp_path / "a.dcm", noise(2, 20, 24, 3))
    build_archive(tmp_path / "archive", tmp_path / "a.dcm")
    for file in (tmp_path / "archive").rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            assert b"Jane" not in data
            assert b"MRN-77" not in data


def test_patients_are_kept_as_keyed_hashes_only(tmp_path: Path) -> None:
    path = write_instance(tmp_path / "a.dcm", noise(1, 20, 24, 3), ContainerIdentifier="S21-7")
    assert (rows(path)[0].patient_id, rows(path)[0].slide_id) == ("", "")
    (hashed,) = rows(path, key=b"a key of sixteen")
    assert len(hashed.patient_id) == len(hashed.slide_id) == 24


def test_burned_in_annotations_are_left_out_and_told(root: Path, tmp_path: Path) -> None:
    write_instance(tmp_path / "a.dcm", noise(2, 20, 24, 3, seed=1), BurnedInAnnotation="YES")
    write_instance(tmp_path / "b.dcm", noise(1, 20, 24, 3))
    report = build_archive(root, tmp_path, max_skipped=0)
    assert (report.manifest.counts.images, report.manifest.counts.skipped) == (1, 1)
    (skipped,) = root.glob("versions/*/skipped.jsonl")
    assert "BurnedInAnnotation" in skipped.read_text()


def test_an_object_without_pixels_is_told(tmp_path: Path) -> None:
    write_instance(tmp_path / "a.dcm", noise(1, 20, 24, 3))
    path = write_instance(tmp_path / "report.dcm", noise(1, 20, 24, 3))
    found = pydicom.dcmread(path)
    for name in ("PixelData", "Rows", "Columns", "PhotometricInterpretation"):
        delattr(found, name)
    found.save_as(path)
    read_rows = read(tmp_path)
    assert len(read_rows) == 1
    assert any("without pixels" in note for note in read_rows.notes)


def test_a_cut_off_file_is_skipped_and_told(tmp_path: Path) -> None:
    path = write_instance(tmp_path / "a.dcm", noise(4, 64, 64, 3))
    path.write_bytes(path.read_bytes()[:-20000])
    with pytest.raises(ImageError):
        shown(path, 4)
    assert shown(path, 1).shape == (64, 64, 3)


def test_inverted_grey_is_shown_as_it_is_meant(tmp_path: Path) -> None:
    frames = noise(1, 20, 24)
    path = write_instance(tmp_path / "a.dcm", frames, PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(shown(path)[..., 0], 255 - frames[0])


def test_deep_grey_is_shown_over_its_range(tmp_path: Path) -> None:
    frames = np.linspace(1000, 3000, 480).astype(np.uint16).reshape(1, 20, 24)
    found = shown(write_instance(tmp_path / "a.dcm", frames))
    assert (found.min(), found.max()) == (0, 255)


def test_ybr_becomes_rgb(tmp_path: Path) -> None:
    frames = np.full((1, 8, 8, 3), (76, 85, 255), np.uint8)
    path = write_instance(tmp_path / "a.dcm", frames, PhotometricInterpretation="YBR_FULL")
    assert np.abs(shown(path)[0, 0].astype(int) - (255, 0, 0)).max() <= 2


def test_a_palette_becomes_rgb(tmp_path: Path) -> None:
    values: dict[str, object] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour, table in (("Red", [0, 255]), ("Green", [0, 128]), ("Blue", [0, 7])):
        values[f"{colour}PaletteColorLookupTableDescriptor"] = [2, 0, 8]
        values[f"{colour}PaletteColorLookupTableData"] = bytes(table)
    frames = np.array([[[0, 1]] * 2], np.uint8)
    found = shown(write_instance(tmp_path / "a.dcm", frames, **values))
    assert found[0].tolist() == [[0, 0, 0], [255, 128, 7]]


def test_a_missing_decoder_is_named_with_what_brings_it(
    formats_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pydicom.pixels.decoders import JPEGLSLosslessDecoder

    monkeypatch.setattr(JPEGLSLosslessDecoder, "_available", {})
    with pytest.raises(ImageError, match=r"coin-retrieval\[jpegls\]"):
        shown(formats_root / "sm_image_jpegls.dcm")


def test_without_pydicom_a_dicom_is_told_and_costs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_instance(tmp_path / "a.dcm", noise(1, 20, 24, 3))
    monkeypatch.setitem(sys.modules, "pydicom", None)
    found = read(tmp_path)
    assert any("coin-retrieval[dicom]" in note for note in found.notes)


@pytest.mark.parametrize("name", ["sm_image.dcm", "sm_image_jpegls.dcm"])
def test_slides_of_highdicom_are_indexed_in_tiles(formats_root: Path, name: str) -> None:
    tiling = Tiling(tile_px=10, tile_mpp_um=0.499, min_tissue=0)
    found = read_sources([formats_root / name], archive=Path("x"), where={}, tiling=tiling)
    assert len(found) == 25
    row = next(iter(found)).row
    assert (row.site, row.mpp_um, row.patient_id) == ("Brain", 0.499, "")
    assert picture_at(row.image_path, row.part).decode().shape == (10, 10, 3)


def test_both_transfer_syntaxes_show_the_same_tile(formats_root: Path) -> None:
    part = "xywh=20,20,20,20&size=20,20"
    one, other = (
        picture_at(formats_root / name, part).decode()
        for name in ("sm_image.dcm", "sm_image_jpegls.dcm")
    )
    assert np.array_equal(one, other)


def test_a_label_of_a_slide_is_never_read(formats_root: Path, tmp_path: Path) -> None:
    found = pydicom.dcmread(formats_root / "sm_image.dcm")
    found.save_as(tmp_path / "volume.dcm")
    found.ImageType = ["ORIGINAL", "PRIMARY", "LABEL", "NONE"]
    found.SOPInstanceUID = found.file_meta.MediaStorageSOPInstanceUID = "1.2.3.99"
    found.BurnedInAnnotation = "YES"
    found.save_as(tmp_path / "label.dcm")
    read_rows = read(tmp_path)
    assert {row.row.image_path.name for row in read_rows} == {"volume.dcm"}
    assert any("label image, which is never read" in note for note in read_rows.notes)


def test_instances_of_one_study_may_come_from_two_sources(tmp_path: Path) -> None:
    paths = [
        write_instance(tmp_path / name, noise(1, 20, 24, 3, seed=seed))
        for seed, name in enumerate(("a.dcm", "b.dcm"))
    ]
    assert {row.case_id for row in rows(*paths)} == {"1.2.3"}


def test_a_folder_of_instances_is_one_archive(tmp_path: Path) -> None:
    for number in range(3):
        write_instance(tmp_path / f"{number}.dcm", noise(1, 20, 24, 3, seed=number))
    build_archive(tmp_path / "archive", tmp_path)
    with open_archive(tmp_path / "archive") as archive:
        assert len(archive.catalog.case_images("1.2.3")) == 3


def test_one_frame_may_be_searched_with_and_tells_its_scale(tmp_path: Path) -> None:
    frames = noise(1, 20, 24, 3)
    picture, mpp_um = asked_picture(write_instance(tmp_path / "a.dcm", frames))
    assert np.array_equal(picture, frames[0])
    assert mpp_um == 0.5


@pytest.mark.parametrize(("frames", "said"), [(2, {}), (1, {"BurnedInAnnotation": "YES"})])
def test_several_frames_or_names_in_pixels_are_not_searched_with(
    frames: int, said: dict[str, str], tmp_path: Path
) -> None:
    path = write_instance(tmp_path / "a.dcm", noise(frames, 20, 24, 3), **said)
    with pytest.raises(ImageError, match="export the region"):
        asked_picture(path)

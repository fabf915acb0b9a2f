from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image
from tiny_archives import LABEL, build_archive, write_table
from typer.testing import CliRunner

from coin_retrieval.archive import ArchiveLayout
from coin_retrieval.factory import open_archive
from coin_retrieval.images.containers.parts import part_of, tile_of
from coin_retrieval.named_settings import read_catalog, read_store
from coin_retrieval.tables.cases import CaseRow
from coin_retrieval.testing.histogram_encoder import HistogramEncoder
from coin_retrieval.types import RgbImage
from indexer.building import BuildSettings, build
from indexer.cli import app
from indexer.rows import SourceRows, read_sources
from indexer.tiling.settings import Tiling

openslide = pytest.importorskip("openslide", reason="the extra `slides` is not installed")

SETTINGS = BuildSettings(LABEL, read_store("flat"), 8, 2, read_catalog("sqlite"))
CELL = (1024, 1280)
"""Where the drawn slide's only cells begin, x and y."""


def drawn_slide() -> NDArray[np.uint8]:
    """2048 × 2048: glass with a patch of 256 px that is full of sharp cells."""
    rng = np.random.default_rng(0)
    slide = np.full((2048, 2048, 3), 240, np.uint8)
    patch = rng.integers(60, 220, (32, 32, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    slide[CELL[1] : CELL[1] + 256, CELL[0] : CELL[0] + 256] = patch
    return slide


def write_slide(path: Path, pixels: RgbImage, *, mpp_um: float | None = 0.5) -> Path:
    """A tiled pyramid of three levels, as scanners and libvips write it."""
    with tifffile.TiffWriter(path) as tiff:
        for level in range(3):
            unit = {} if mpp_um is None else {
                "resolution": (1e4 / mpp_um / 2**level,) * 2, "resolutionunit": "CENTIMETER",
            }  # fmt: skip
            tiff.write(
                pixels[:: 2**level, :: 2**level], tile=(256, 256), photometric="rgb",
                compression="zlib", subfiletype=int(level > 0), metadata=None, **unit,
            )  # fmt: skip
    return path


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    return write_slide(tmp_path / "s1.tiff", drawn_slide())


def read(*paths: Path, **tiling: float) -> SourceRows:
    return read_sources(paths, archive=Path("archive"), where={}, tiling=Tiling(**tiling))  # type: ignore[arg-type]


def rows(*paths: Path, **tiling: float) -> list[CaseRow]:
    return [row.row for row in read(*paths, **tiling)]


def corners(found: list[CaseRow]) -> list[tuple[int, int]]:
    tiles = [tile_of(row.part) for row in found]
    return [(tile.region.x_px, tile.region.y_px) for tile in tiles if tile]


def test_only_tiles_with_something_on_them_are_taken(slide: Path) -> None:
    assert corners(rows(slide, tile_px=256, tile_mpp_um=0.5)) == [CELL]


def test_every_tile_is_taken_where_no_tissue_is_asked_for(slide: Path) -> None:
    assert len(rows(slide, tile_px=256, tile_mpp_um=0.5, min_tissue=0)) == 64


def test_a_tile_knows_its_slide_its_scale_and_its_size(slide: Path) -> None:
    (row,) = rows(slide, tile_px=128, tile_mpp_um=1.0)
    assert (row.case_id, row.slide_id, row.mpp_um) == ("s1", "s1", 1.0)
    assert row.part == f"xywh={CELL[0]},{CELL[1]},256,256&size=128,128"


def test_neighbours_share_the_overlap_and_the_last_tile_ends_with_the_slide(slide: Path) -> None:
    found = corners(rows(slide, tile_px=600, tile_mpp_um=0.5, overlap_px=100, min_tissue=0))
    assert sorted({x for x, _ in found}) == [0, 500, 1000, 1448]


def test_a_slide_that_was_scanned_more_coarsely_shows_the_same_field(slide: Path) -> None:
    read_rows = read(slide, tile_px=512, tile_mpp_um=0.25)
    (row,) = [row.row for row in read_rows]
    assert row.part.endswith("256,256&size=256,256")
    assert row.mpp_um == 0.5
    assert any("scanned at 0.5 µm" in note for note in read_rows.notes)


def test_a_slide_without_scale_is_told_and_takes_the_one_given_by_hand(tmp_path: Path) -> None:
    path = write_slide(tmp_path / "s.tiff", drawn_slide(), mpp_um=None)
    found = read(path, tile_px=256)
    assert any("does not say its scale" in note for note in found.notes)
    assert all(row.row.mpp_um is None for row in found)
    by_hand = read(path, tile_px=256, tile_mpp_um=0.5, slide_mpp_um=0.5)
    assert [row.row.mpp_um for row in by_hand] == [0.5]
    assert by_hand.notes == ()


def test_a_manifest_says_what_a_slide_shows(slide: Path) -> None:
    table = write_table(
        slide.parent / "cases.csv",
        [{"image_path": slide.name, "case_id": "c9", "diagnosis": "HSIL", "patient_id": "p"}],
    )
    (row,) = rows(table, tile_px=256, tile_mpp_um=0.5)
    assert (row.case_id, row.slide_id, row.diagnosis) == ("c9", "c9/s1", "HSIL")


def archive_of(slide: Path, root: Path, **tiling: float) -> Path:
    sourced = read(slide, **tiling)
    build(root, sourced, encoder=HistogramEncoder(), settings=SETTINGS, where={})
    return root


def test_a_tile_is_found_again_where_openslide_reads_it(slide: Path, tmp_path: Path) -> None:
    root = archive_of(slide, tmp_path / "archive", tile_px=64, tile_mpp_um=0.5)
    with openslide.OpenSlide(slide) as opened:
        crop = opened.read_region((CELL[0] + 128, CELL[1] + 64), 0, (64, 64)).convert("RGB")
    with open_archive(root) as archive:
        (hits,) = archive.store.search(HistogramEncoder().encode([np.asarray(crop)]), 1)
        image = archive.catalog.images([hits[0].image_id])[hits[0].image_id]
        assert hits[0].similarity > 0.999
        assert part_of(image.uri) == f"xywh={CELL[0] + 128},{CELL[1] + 64},64,64&size=64,64"
        assert np.array_equal(archive.picture(image), np.asarray(crop))


def test_a_second_build_embeds_no_tile_again(slide: Path, tmp_path: Path) -> None:
    for expected in (16, 0):
        report = build(
            tmp_path / "archive",
            read(slide, tile_px=64, tile_mpp_um=0.5),
            encoder=HistogramEncoder(),
            settings=SETTINGS,
            where={},
        )
        assert report.embedded == expected


def test_blank_and_blurred_tiles_are_left_out_and_told(tmp_path: Path) -> None:
    pixels = drawn_slide()
    pixels[CELL[1] + 128 : CELL[1] + 256, CELL[0] : CELL[0] + 256] = 150
    smooth = np.linspace(40, 230, 128).astype(np.uint8)[None, :, None]
    pixels[CELL[1] + 128 : CELL[1] + 256, CELL[0] + 128 : CELL[0] + 256] = smooth
    path = write_slide(tmp_path / "s.tiff", pixels)
    root = archive_of(path, tmp_path / "archive", tile_px=128, tile_mpp_um=0.5)
    lines = (ArchiveLayout(root).published() / "skipped.jsonl").read_text().splitlines()
    reasons = sorted(json.loads(line)["reason"].split(":")[0] for line in lines)
    assert reasons == ["blank", "out of focus"]


def spoil_level(path: Path, level: int) -> None:
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[level]
        spans = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    data = bytearray(path.read_bytes())
    for at, size in spans:
        data[at : at + size] = b"\x00" * size
    path.write_bytes(data)


def test_a_broken_level_costs_no_tile_and_is_told(slide: Path, tmp_path: Path) -> None:
    whole = rows(slide, tile_px=64, tile_mpp_um=1.0)
    spoil_level(slide, 1)
    found = read(slide, tile_px=64, tile_mpp_um=1.0)
    assert [row.row.part for row in found] == [row.part for row in whole]
    assert any("level 1 cannot be decoded" in note for note in found.notes)
    root = archive_of(slide, tmp_path / "archive", tile_px=64, tile_mpp_um=1.0)
    with open_archive(root) as archive:
        assert archive.manifest.counts.images == len(whole)


def test_where_the_finest_level_is_broken_its_tiles_are_skipped_and_told(
    slide: Path, tmp_path: Path
) -> None:
    other = write_slide(tmp_path / "s2.tiff", np.rot90(drawn_slide()).copy())
    spoil_level(slide, 0)
    (tmp_path / "in").mkdir()
    for path in (slide, other):
        path.rename(tmp_path / "in" / path.name)
    report = build_archive(tmp_path / "archive", tmp_path / "in", max_skipped=0.9)
    assert report.manifest.counts.images == 1
    assert any("level 0 cannot be decoded" in warning for warning in report.warnings)


def test_a_pyramid_that_is_no_slide_any_more_is_told(tmp_path: Path) -> None:
    write_slide(tmp_path / "a.svs", drawn_slide())
    (tmp_path / "b.svs").write_bytes(b"not a slide")
    assert any("b.svs" in note for note in read(tmp_path, tile_px=256).notes)


def test_a_plain_tiff_stays_one_picture(tmp_path: Path) -> None:
    Image.fromarray(drawn_slide()).save(tmp_path / "plain.tif")
    assert [row.part for row in rows(tmp_path)] == [""]


def test_tiles_are_cut_by_the_command(slide: Path, tmp_path: Path) -> None:
    asked = ["build", str(tmp_path / "archive"), str(slide), "--tile-px", "64", "--tile-overlap"]
    refused = CliRunner().invoke(app, [*asked, "64"])
    assert refused.exit_code != 0


@pytest.mark.parametrize(
    ("name", "size"), [("small.svs", 16), ("boxes_0.dcm", 16), ("sm_image.dcm", 50)]
)
def test_a_tiny_slide_is_one_tile(formats_root: Path, tmp_path: Path, name: str, size: int) -> None:
    report = build_archive(tmp_path / "archive", formats_root / name)
    assert report.manifest.counts.images == 1
    with open_archive(tmp_path / "archive") as archive:
        (image,) = archive.catalog.images(archive.store.ids().tolist()).values()
        assert (image.width_px, image.mpp_um) == (size, 0.499)


def test_real_slides_are_found_again_at_their_place(formats_root: Path, tmp_path: Path) -> None:
    root = archive_of(
        formats_root / "boxes.tiff", tmp_path / "archive", tile_px=25, min_sharpness=0
    )
    with open_archive(root) as archive, openslide.OpenSlide(formats_root / "boxes.tiff") as slide:
        for image in archive.catalog.images(archive.store.ids().tolist()).values():
            tile = tile_of(part_of(image.uri))
            assert tile is not None
            at = tile.region
            crop = slide.read_region((at.x_px, at.y_px), 0, (at.width_px, at.height_px))
            assert np.array_equal(archive.picture(image), np.asarray(crop.convert("RGB")))


def test_a_label_image_is_in_no_tile(tmp_path: Path) -> None:
    # Aperio: the description names the vendor, pages without tiles are thumbnail and label
    pixels = drawn_slide()
    label = np.full((200, 200, 3), (255, 0, 255), np.uint8)
    path = tmp_path / "a.svs"
    text = "Aperio Image Library v12\r\n2048x2048 [0,0 2048x2048] (256x256)|AppMag = 20|MPP = 0.5"
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(pixels, tile=(256, 256), compression="zlib", photometric="rgb",
                   description=text, metadata=None)  # fmt: skip
        for what in ("thumbnail", "label 200x200"):
            tiff.write(label, rowsperstrip=200, photometric="rgb", compression="zlib",
                       description=f"Aperio Image Library\r\n{what}", subfiletype=1,
                       metadata=None)  # fmt: skip
    with openslide.OpenSlide(path) as slide:
        assert "label" in slide.associated_images
    root = archive_of(path, tmp_path / "archive", tile_px=256, tile_mpp_um=0.5, min_tissue=0)
    with open_archive(root) as archive:
        for image in archive.catalog.images(archive.store.ids().tolist()).values():
            assert not (archive.picture(image) == (255, 0, 255)).all(axis=-1).any()

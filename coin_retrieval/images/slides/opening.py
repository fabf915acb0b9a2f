"""Which library opens a slide; of DICOM, which instances it is made of."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from coin_retrieval.errors import ImageError, MissingDependencyError
from coin_retrieval.images.decoding import MAX_PIXELS
from coin_retrieval.images.dicom.header import DicomHeader, is_dicom, read_header
from coin_retrieval.images.slides.base import Slide

SUFFIXES = frozenset({".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide", ".czi"})
"""Of files that are slides, whatever is in them."""
_TIFF = frozenset({".tif", ".tiff"})


def is_slide(path: Path) -> bool:
    """Whether a file that is no DICOM is a slide: by its suffix, or a TIFF with levels or tiles."""
    suffix = path.suffix.lower()
    return suffix in SUFFIXES or (suffix in _TIFF and _is_pyramid(path))


def open_slide(path: Path) -> Slide:
    """A slide, by the file that names it; of DICOM, by any instance of its series.

    Raises:
        ImageError: no library that is installed reads it.
        MissingDependencyError: none is installed.
    """
    if not is_dicom(path):
        from coin_retrieval.images.slides.openslide import OpenSlideSlide

        return OpenSlideSlide(path, [path, *_beside(path)])
    paths = [found for found, _ in levels_of(path)]
    try:
        from coin_retrieval.images.slides.openslide import OpenSlideSlide

        return OpenSlideSlide(paths[0], paths)
    except (ImageError, MissingDependencyError):
        from coin_retrieval.images.slides.wsidicom import WsiDicomSlide

        return WsiDicomSlide(paths)


def levels_of(path: Path) -> list[tuple[Path, DicomHeader]]:
    """The instances of a DICOM slide that lie beside one of them, the finest first.

    Labels, overviews and thumbnails are none of its levels.

    Raises:
        ImageError: no instance of a slide.
        MissingDependencyError: pydicom is not installed.
    """
    series = read_header(path).series
    found = [
        (beside, header)
        for beside, header in headers_in(path.parent).items()
        if header.series == series and header.whole_slide and header.kind == "VOLUME"
    ]
    if not found:
        raise ImageError(f"{path.name} is no level of a slide", expected="an instance with VOLUME")
    return sorted(found, key=lambda level: -level[1].width_px)


def headers_in(folder: Path) -> dict[Path, DicomHeader]:
    """The DICOM instances of a folder that can be read, by name."""
    return _headers_in(folder, folder.stat().st_mtime_ns)


@lru_cache(16)
def _headers_in(folder: Path, _modified_ns: int) -> dict[Path, DicomHeader]:
    """Read once while no file comes or goes."""
    headers: dict[Path, DicomHeader] = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and is_dicom(path):
            try:
                headers[path] = read_header(path)
            except ImageError:
                continue
    return headers


def _beside(path: Path) -> list[Path]:
    """Further files of a slide: MIRAX keeps its pixels in a folder of its name."""
    folder = path.with_suffix("")
    if path.suffix.lower() != ".mrxs" or not folder.is_dir():
        return []
    return sorted(beside for beside in folder.iterdir() if beside.is_file())


def _is_pyramid(path: Path) -> bool:
    try:
        import openslide
    except ImportError:
        return False
    try:
        vendor = openslide.OpenSlide.detect_format(path)
        if vendor != "generic-tiff":
            return vendor is not None
        with openslide.OpenSlide(path) as slide:
            width, height = slide.dimensions
            return bool(slide.level_count > 1 or width * height > MAX_PIXELS)
    except (openslide.OpenSlideError, OSError):
        return False

"""Frames of DICOM instances as pictures, whatever their photometric interpretation."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.errors import ImageError, MissingDependencyError
from coin_retrieval.images.decoding import MAX_PIXELS
from coin_retrieval.types import RgbImage

if TYPE_CHECKING:
    from pydicom import Dataset

_TAGS = (
    "TransferSyntaxUID", "RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth",
    "VOILUTFunction", "VOILUTSequence", "ModalityLUTSequence", "PixelPaddingValue",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData",
)  # fmt: skip


def read_frame(path: Path, number: int) -> RgbImage:
    """A frame, from 1; what is stored in YBR, by palette or in grey becomes RGB of 8 bits.

    Grey values are shown through the instance's own window, or over the range that they have.

    Raises:
        ImageError: no such frame, or no decoder that is installed reads it.
        MissingDependencyError: pydicom is not installed.
    """
    try:
        import pydicom
        from pydicom.errors import InvalidDicomError
        from pydicom.pixels import pixel_array
    except ImportError as error:
        raise MissingDependencyError(
            "DICOM needs pydicom", remedy='pip install "coin-retrieval[dicom]"'
        ) from error
    syntax = ""
    try:
        head = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["Rows", "Columns"])
        syntax = head.file_meta.TransferSyntaxUID.name
        _refuse_large(head, path)
        values = pydicom.Dataset()
        pixels = pixel_array(path, ds_out=values, specific_tags=list(_TAGS), index=number - 1)
        return _to_rgb(pixels, values)
    except ImageError:
        raise
    except (
        InvalidDicomError, OSError, EOFError, AttributeError, KeyError, IndexError, TypeError,
        ValueError, NotImplementedError, RuntimeError, struct.error,
    ) as error:  # fmt: skip
        extra = "jpegls" if "JPEG-LS" in syntax else "dicom"
        lacking = "missing dependencies" in str(error)
        raise ImageError(
            f"frame {number} of {path.name} cannot be decoded "
            f"({'no decoder for it is installed' if lacking else error})",
            value=syntax or None,
            expected="pixels that pydicom reads",
            remedy=f'pip install "coin-retrieval[{extra}]"' if lacking else "export it again",
        ) from error


def _refuse_large(head: Dataset, path: Path) -> None:
    if head.Rows * head.Columns > MAX_PIXELS:
        raise ImageError(
            f"{path.name} has too many pixels",
            value=f"{head.Columns} × {head.Rows}",
            expected=f"at most {MAX_PIXELS:,} pixels",
        )


def _to_rgb(pixels: np.ndarray, values: Dataset) -> RgbImage:
    """[h w] or [h w 3] of any depth to uint8 [h w 3]."""
    from pydicom.pixels import apply_color_lut

    if values.PhotometricInterpretation == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, values)
        bits = 8 * pixels.dtype.itemsize
    else:
        bits = int(values.BitsStored)
    if pixels.ndim == 3:
        deep = pixels[..., :3].astype(np.float32) * (255 / (2**bits - 1))
        rgb: RgbImage = np.clip(np.rint(deep), 0, 255).astype(np.uint8)
        return rgb
    grey = _grey(pixels, values)
    if values.PhotometricInterpretation == "MONOCHROME1":
        grey = 255 - grey
    return np.repeat(grey[..., None], 3, axis=-1)


def _grey(pixels: np.ndarray, values: Dataset) -> NDArray[np.uint8]:
    """uint8 [h w]."""
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    if pixels.dtype == np.uint8 and "WindowCenter" not in values:
        return pixels
    shown: Any = apply_modality_lut(pixels, values)
    windowed = "WindowCenter" in values or "VOILUTSequence" in values
    if windowed:
        shown = apply_voi_lut(shown, values)
    shown = np.asarray(shown, np.float32)
    low, high = float(shown.min()), float(shown.max())
    scale = 255 / (high - low) if high > low else 0.0
    grey: NDArray[np.uint8] = np.rint((shown - low) * scale).astype(np.uint8)
    return grey

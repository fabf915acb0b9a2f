"""What an instance says of itself. Names of people are not even read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coin_retrieval.errors import ImageError, MissingDependencyError

if TYPE_CHECKING:
    from pydicom import Dataset

WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
_PREAMBLE = 128
_MARK = b"DICM"
_READ = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID",
    "ImageType", "BurnedInAnnotation", "PatientID", "ContainerIdentifier", "NumberOfFrames", "Rows",
    "Columns", "TotalPixelMatrixColumns", "TotalPixelMatrixRows", "PixelSpacing",
    "ImagerPixelSpacing", "SharedFunctionalGroupsSequence", "SpecimenDescriptionSequence",
    "AnatomicRegionSequence", "PrimaryAnatomicStructureSequence", "PhotometricInterpretation",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DicomHeader:
    """An instance: which it is, what kind of picture, how large, and from where.

    ``kind`` is the third value of its image type (VOLUME, LABEL, OVERVIEW …), ``width_px`` and
    ``height_px`` those of the whole: of a slide its pixel matrix, else a frame. ``has_pixels`` is
    false of documents, presentation states and the like.
    """

    sop_class: str
    instance: str
    study: str
    series: str
    kind: str
    frames: int
    width_px: int
    height_px: int
    has_pixels: bool
    burned_in: bool
    mpp_um: float | None
    site: str
    patient_id: str
    container_id: str

    @property
    def whole_slide(self) -> bool:
        """Whether it is (a level of) a whole slide."""
        return self.sop_class == WHOLE_SLIDE


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM files do."""
    try:
        with path.open("rb") as file:
            return file.read(_PREAMBLE + len(_MARK))[_PREAMBLE:] == _MARK
    except OSError:
        return False


def read_header(path: Path) -> DicomHeader:
    """The header of an instance.

    Raises:
        ImageError: it cannot be read.
        MissingDependencyError: pydicom is not installed.
    """
    try:
        import pydicom
        from pydicom.errors import InvalidDicomError
    except ImportError as error:
        raise MissingDependencyError(
            "DICOM needs pydicom", remedy='pip install "coin-retrieval[dicom]"'
        ) from error
    try:
        found = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_READ))
        return _header(found)
    except (
        InvalidDicomError, OSError, EOFError, AttributeError, KeyError, TypeError, ValueError,
        NotImplementedError,
    ) as error:  # fmt: skip
        raise ImageError(
            f"{path.name} is no DICOM instance that can be read ({error})",
            expected="a whole DICOM file (PS3.10)",
        ) from error


def _header(found: Dataset) -> DicomHeader:
    kinds = list(found.get("ImageType") or [])
    return DicomHeader(
        sop_class=str(found.SOPClassUID),
        instance=str(found.SOPInstanceUID),
        study=str(found.get("StudyInstanceUID") or ""),
        series=str(found.get("SeriesInstanceUID") or ""),
        kind=str(kinds[2]) if len(kinds) > 2 else "",
        frames=int(found.get("NumberOfFrames") or 1),
        width_px=int(found.get("TotalPixelMatrixColumns") or found.get("Columns") or 0),
        height_px=int(found.get("TotalPixelMatrixRows") or found.get("Rows") or 0),
        has_pixels="PhotometricInterpretation" in found and "Rows" in found,
        burned_in=str(found.get("BurnedInAnnotation") or "").strip().upper() == "YES",
        mpp_um=_mpp_um(found),
        site=_site(found),
        patient_id=str(found.get("PatientID") or ""),
        container_id=str(found.get("ContainerIdentifier") or ""),
    )


def _mpp_um(found: Dataset) -> float | None:
    """Micrometres a pixel, the mean of both directions."""
    groups = found.get("SharedFunctionalGroupsSequence") or [{}]
    measures = groups[0].get("PixelMeasuresSequence") or [{}]
    spacing = (
        measures[0].get("PixelSpacing")
        or found.get("PixelSpacing")
        or found.get("ImagerPixelSpacing")
    )
    values = [float(value) for value in spacing or ()]
    if len(values) != 2 or min(values) <= 0:
        return None
    return 1000 * sum(values) / 2


def _site(found: Dataset) -> str:
    """Where the specimen is from, in the words of its code."""
    specimens: list[Any] = list(found.get("SpecimenDescriptionSequence") or [])
    for part in (*specimens, found):
        for name in ("PrimaryAnatomicStructureSequence", "AnatomicRegionSequence"):
            for code in part.get(name) or []:
                if meaning := str(code.get("CodeMeaning") or ""):
                    return meaning
    return ""

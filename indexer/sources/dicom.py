"""DICOM instances as rows: frames, or the tiles of a slide that a series is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from coin_retrieval.images.containers.parts import named
from coin_retrieval.images.dicom.header import DicomHeader, read_header
from coin_retrieval.images.slides.opening import levels_of
from coin_retrieval.tables.cases import CaseRow
from indexer.sources.slide import SlideRows

STUDY, SERIES, INSTANCE, CLASS = (
    "dicom_study", "dicom_series", "dicom_instance", "dicom_class",
)  # fmt: skip


class DicomRows:
    """Rows of DICOM files.

    Args:
        keyed: whether patients and containers are hashed under a key; else they are not kept.
    """

    def __init__(self, slides: SlideRows, *, keyed: bool) -> None:
        self._slides = slides
        self._keyed = keyed

    def rows(self, row: CaseRow, notes: list[str], *, named_by_file: bool) -> Iterator[CaseRow]:
        """One row a frame; of a slide, one a tile, under its finest instance alone.

        Args:
            named_by_file: whether ``case_id`` is only a file's name: the study is the case then.

        Raises:
            ImageError: it cannot be read.
            MissingDependencyError: pydicom is not installed.
        """
        header = read_header(row.image_path)
        row = self._known(row, header, named_by_file=named_by_file)
        if not header.has_pixels:
            notes.append(f"{row.image_path} is a DICOM object without pixels")
        elif header.whole_slide and header.kind != "VOLUME":
            kind = header.kind.lower() or "unnamed"
            notes.append(f"{row.image_path} is a slide's {kind} image, which is never read")
        elif header.whole_slide:
            yield from self._slide(row, notes)
        elif header.burned_in:
            yield _burned_in(row)
        else:
            for number in range(1, header.frames + 1):
                yield replace(row, part=named(frame=number), mpp_um=row.mpp_um or header.mpp_um)

    def _slide(self, row: CaseRow, notes: list[str]) -> Iterator[CaseRow]:
        levels = levels_of(row.image_path)
        if levels[0][0] != row.image_path:
            return
        if any(level.burned_in for _, level in levels):
            yield _burned_in(row)
        else:
            yield from self._slides.rows(row, notes)

    def _known(self, row: CaseRow, header: DicomHeader, *, named_by_file: bool) -> CaseRow:
        facts: dict[str, str] = {
            STUDY: header.study, SERIES: header.series, INSTANCE: header.instance,
            CLASS: header.sop_class,
        }  # fmt: skip
        patient, container = (header.patient_id, header.container_id) if self._keyed else ("", "")
        return replace(
            row,
            case_id=header.study if named_by_file and header.study else row.case_id,
            site=row.site or header.site,
            patient_id=row.patient_id or patient,
            slide_id=row.slide_id or container or (header.series if header.whole_slide else ""),
            attributes={name: value for name, value in facts.items() if value}
            | dict(row.attributes),
        )


def _burned_in(row: CaseRow) -> CaseRow:
    return replace(row, left_out="its BurnedInAnnotation is YES: a name may be part of the pixels")

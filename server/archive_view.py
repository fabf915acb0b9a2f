"""What the archive holds, counted once a version: an opened archive never changes."""

from __future__ import annotations

import threading

from coin_retrieval.archive import Archive
from coin_retrieval.catalog.base import Catalog
from coin_retrieval.limits import MAX_NUCLEI
from coin_retrieval.presenting.views import (
    ArchiveView,
    EncoderView,
    FieldView,
    LayoutsView,
    ValueView,
)
from coin_retrieval.search.making import PictureMaker
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.tables.cases import IDENTITIES

VALUES_SHOWN = 100
_NAMES = frozenset({"case_id", *IDENTITIES})
"""Fields that name one thing each: searchable, but no list to choose from."""


class ArchiveSummary:
    """The view of a retriever's archive; counting all values takes a while on a large one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: Archive | None = None
        self._view: ArchiveView | None = None

    def view(self, retriever: Retriever) -> ArchiveView:
        """What the archive holds and can be asked."""
        with self._lock:
            if self._view is None or self._of is not retriever.archive:
                self._of, self._view = retriever.archive, _view(retriever)
            return self._view


def _view(retriever: Retriever) -> ArchiveView:
    manifest = retriever.archive.manifest
    catalog = retriever.archive.catalog
    cases, images = catalog.counts()
    return ArchiveView(
        version=retriever.archive.version,
        created_at=manifest.created_at.isoformat(),
        images=images,
        cases=cases,
        demonstration=manifest.demonstration,
        encoder=EncoderView(
            name=manifest.encoder.name,
            revision=manifest.encoder.revision,
            dim=manifest.encoder.dim,
            weights=manifest.encoder.weights,
        ),
        generator=retriever.generator_name,
        varies=retriever.planner.varies,
        layouts=_layouts(retriever.maker),
        translator=retriever.maker.translator.name if retriever.maker.translator else None,
        modes=[mode.value for mode in retriever.planner.modes],
        prototypes=retriever.planner.prototypes,
        calibrated=retriever.planner.calibration is not None,
        fields=[_field(catalog, name, cases) for name in catalog.fields()],
    )


def _layouts(maker: PictureMaker) -> LayoutsView | None:
    if maker.layouts is None:
        return None
    config = maker.layouts.config
    return LayoutsView(
        model=maker.layouts.name,
        kinds=list(config.kinds),
        side_px=config.side_px,
        mpp_um=config.mpp_um,
        most=MAX_NUCLEI,
    )


def _field(catalog: Catalog, name: str, cases: int) -> FieldView:
    if name == "case_id":
        return FieldView(name=name, distinct=cases, values=[])
    values = catalog.values(name)
    shown = [] if name in _NAMES else list(values.items())[:VALUES_SHOWN]
    return FieldView(
        name=name,
        distinct=len(values),
        values=[ValueView(value=value, images=count) for value, count in shown],
    )

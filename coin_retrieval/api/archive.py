"""An archive to search from Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from coin_retrieval.api.arguments import (
    AnyPath,
    QueryOptions,
    encoder_settings,
    generator_settings,
    listener,
    plain,
    prototype_dir,
    where_of,
    whole,
)
from coin_retrieval.api.measuring import Measured, Queries, calibration_markdown, reports_of
from coin_retrieval.api.result import Result
from coin_retrieval.factory import make_retriever, open_archive
from coin_retrieval.files import Closing, as_path
from coin_retrieval.images.containers import asked_picture
from coin_retrieval.images.decoding import ImageLike, as_rgb
from coin_retrieval.search.query import Query

if TYPE_CHECKING:
    from coin_retrieval.config import EncoderSettings, GeneratorSettings
    from coin_retrieval.progress import Progress
    from coin_retrieval.search.plan import SearchPlan
    from coin_retrieval.search.retriever import Retriever
    from coin_retrieval.types import RgbImage


def open(  # noqa: A001  it stands for its module, as in gzip and PIL.Image
    path: AnyPath,
    *,
    encoder: str | EncoderSettings | None = None,
    generator: str | GeneratorSettings | None = "starter",
    cache: AnyPath | None = None,
) -> SearchableArchive:
    """Open an archive that ``coin-index build`` or :func:`indexer.build` made.

    No environment variable is read: those are the command lines'.

    Args:
        path: the archive's folder.
        encoder: ``None`` takes the one that built the archive; no other space is accepted.
        generator: what draws prototypes, by its short name; ``None`` searches by text and picture
            only.
        cache: where prototypes are kept; ``None`` is where the command line keeps them.

    Raises:
        NotFoundError: no archive there.
        ArchiveError: it cannot be opened, or was built with another encoder.
        SettingsError, ModelError: an encoder or generator that cannot be used.
        InputError: an argument of another type.
    """
    root = as_path(path).expanduser()
    draws = None if generator is None else generator_settings(generator)
    embeds = None if encoder is None else encoder_settings(encoder)
    cache_dir = prototype_dir(cache)
    opened = open_archive(root)
    try:
        return SearchableArchive(
            make_retriever(opened, cache_dir=cache_dir, encoder=embeds, generator=draws)
        )
    except BaseException:
        opened.close()
        raise


class SearchableArchive(Closing):
    """An opened archive with the models that search it. Safe for several threads."""

    def __init__(self, retriever: Retriever) -> None:
        self.retriever = retriever

    def search(
        self,
        report: str | Query = "",
        *,
        image: ImageLike | None = None,
        on: Progress | None = None,
        **options: Unpack[QueryOptions],
    ) -> Result:
        """The nearest cases of a report, of a picture, or of both.

        Args:
            report: a report in plain words, or a whole :class:`Query`.
            image: a picture to search with: a path, a file's bytes, a Pillow image or an array.
            on: told of every step as (stage, done, of).
            options: fields of :class:`Query`: ``k``, ``where``, ``mode``, ``seed`` …

        Raises:
            InputError: something that cannot be used; the message says what to do.
            UnsupportedError: a mode that this archive or set-up lacks.
            NotFoundError: a marked case that the archive does not have.
            GenerationError: a prototype came out blank or non-finite.
        """
        told = listener(on)
        query, picture = self._asked(report, image, options)
        return Result(self.retriever.search(query, picture, on=told), self.retriever.archive)

    def plan(
        self,
        report: str | Query = "",
        *,
        image: ImageLike | None = None,
        **options: Unpack[QueryOptions],
    ) -> SearchPlan:
        """Every decision of such a search, before anything is drawn. Raises as :meth:`search`."""
        return self.retriever.plan(*self._asked(report, image, options))

    def run(self, plan: SearchPlan, *, on: Progress | None = None) -> Result:
        """The search that was planned. Raises as :meth:`search`."""
        return Result(self.retriever.run(plan, on=listener(on)), self.retriever.archive)

    def evaluate(
        self,
        queries: Queries = None,
        *,
        by: str = "finding",
        where: Mapping[str, str | Iterable[str]] | None = None,
        k: int = 10,
        prototypes: int | None = None,
        seed: int = 0,
        on: Progress | None = None,
    ) -> Measured:
        """How good every query mode is on labelled reports, with 95 % intervals.

        Args:
            queries: a CSV or (report, label) pairs; ``None`` takes the held-out wordings.
            by: the label: ``finding`` or ``diagnosis``.
            where: only these pictures are searched.
            k: places that count.

        Raises:
            InputError: no such label, or no report that can be answered here.
        """
        from coin_retrieval.evaluation.retrieval.modes import evaluate
        from coin_retrieval.evaluation.retrieval.table import to_markdown

        asked, told = reports_of(queries, by=by), listener(on)
        figures = evaluate(
            self.retriever, asked, by=by, where=where_of(where), k=whole(k, what="k"),
            prototypes=prototypes, seed=whole(seed, what="the seed"), on=told,
        )  # fmt: skip
        return Measured(figures, to_markdown(figures))

    def calibrate(
        self,
        queries: Queries = None,
        *,
        by: str = "finding",
        where: Mapping[str, str | Iterable[str]] | None = None,
        folds: int = 5,
        prototypes: int = 8,
        seed: int = 0,
        keep: bool = True,
        on: Progress | None = None,
    ) -> Measured:
        """Try every way of searching on labelled reports; keep the best in the archive.

        Searches use it once the archive is opened again. Arguments as of :meth:`evaluate`.

        Args:
            folds: of the cross-validation that the figures rest on.
            prototypes: pictures drawn a report; up to 1, 2, 4 and 8 are tried.
            keep: ``False`` measures only.

        Raises:
            InputError: no such label, or too few independent reports.
            ArchiveError: it may not be written.
        """
        from coin_retrieval.archive.amend import put_calibration
        from coin_retrieval.calibrating import calibrate

        asked, told, archive = reports_of(queries, by=by), listener(on), self.retriever.archive
        chosen, figures = calibrate(
            self.retriever, asked, by=by, where=where_of(where), folds=whole(folds, what="folds"),
            prototypes=whole(prototypes, what="prototypes"), seed=whole(seed, what="the seed"),
            on=told,
        )  # fmt: skip
        if keep:
            put_calibration(
                archive.root, chosen, encoder=archive.manifest.encoder, recall=figures.recall
            )
        return Measured(figures, calibration_markdown(figures, kept=keep))

    def values(self, field: str) -> dict[str, int]:
        """The values of a field that ``where`` can name, and how many images have each.

        Raises:
            FilterError: no such field.
        """
        return dict(self.retriever.archive.catalog.values(field))

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that ``where`` can name."""
        return tuple(self.retriever.archive.catalog.fields())

    def close(self) -> None:
        """Release files and connections."""
        self.retriever.archive.close()

    def __repr__(self) -> str:
        archive = self.retriever.archive
        cases, images = archive.catalog.counts()
        drawn = self.retriever.generator_name
        return (
            f"<archive {archive.root.name!r}, version {archive.version}: {images:,} images of "
            f"{cases:,} cases, {archive.manifest.encoder}, "
            f"{f'prototypes by {drawn}' if drawn else 'nothing is drawn'}>"
        )

    @staticmethod
    def _asked(
        report: str | Query, image: ImageLike | None, options: QueryOptions
    ) -> tuple[Query, RgbImage | None]:
        asked = report.model_dump() if isinstance(report, Query) else {"report": report}
        query = Query.of(**asked | plain(options))
        if isinstance(image, str | PathLike):
            picture, mpp_um = asked_picture(Path(image))
            return query.at_scale(mpp_um), picture
        return query, None if image is None else as_rgb(image)

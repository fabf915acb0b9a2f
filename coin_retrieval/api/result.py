"""What a search from Python gives: it shows itself in a notebook, and goes on to other forms."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from coin_retrieval.api.arguments import AnyPath
from coin_retrieval.api.explanation import Explanation
from coin_retrieval.api.page import data_uri, render
from coin_retrieval.errors import MissingDependencyError
from coin_retrieval.files import as_path
from coin_retrieval.images.decoding import as_rgb, load_image
from coin_retrieval.presenting.answer import CaseAnswer, SearchAnswer
from coin_retrieval.presenting.answering import to_answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from coin_retrieval.archive import Archive
    from coin_retrieval.prototypes.prototype import Prototype
    from coin_retrieval.search.judging.rivals import Rival
    from coin_retrieval.search.judging.support import Support
    from coin_retrieval.search.plan import SearchPlan
    from coin_retrieval.search.result import SearchResult
    from coin_retrieval.types import CaseMatch

_COLUMNS = ("case_id", "similarity", "diagnosis", "finding", "site", "specimen", "stain")


class Case:
    """One case of a result: ``match`` is all that was found of it, best picture first."""

    def __init__(self, match: CaseMatch, answer: CaseAnswer, archive: Archive) -> None:
        self.match = match
        self._answer = answer
        self._archive = archive

    @property
    def case_id(self) -> str:
        """Its pseudonym."""
        return self.match.case.case_id

    @property
    def diagnosis(self) -> str:
        """Of its best-matching picture; empty if there is none."""
        return self._answer.diagnosis

    @property
    def similarity(self) -> float:
        """Cosine similarity in [-1, 1] of its best-matching picture."""
        return self.match.similarity

    @property
    def thumbnail(self) -> Image.Image:
        """Its best-matching picture, at most 256 px a side.

        Raises:
            ImageError: the archive's thumbnail has gone.
        """
        path = self._archive.thumbnail_path(self.match.matches[0].image)
        return Image.fromarray(load_image(path))

    def explain(self) -> Explanation:
        """Why it was found: what each part of the query says of its best-matching picture."""
        return Explanation(self._answer)

    def to_dict(self) -> dict[str, Any]:
        """As ``coin search --json`` has it."""
        return self._answer.model_dump(mode="json")

    def __repr__(self) -> str:
        words = self.diagnosis or "no diagnosis given"
        return f"<case {self.case_id}: {words}, similarity {self.similarity:.3f}>"


class Result:
    """The nearest cases, best first, and what stood for the question.

    ``found`` is the library's own record of the search, ``plan`` included.
    """

    def __init__(self, found: SearchResult, archive: Archive) -> None:
        self.found = found
        self._archive = archive

    @cached_property
    def answer(self) -> SearchAnswer:
        """What ``coin search --json`` prints, typed."""
        return to_answer(self.found)

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """The cases, best first."""
        pairs = zip(self.found.cases, self.answer.cases, strict=True)
        return tuple(Case(match, answer, self._archive) for match, answer in pairs)

    @cached_property
    def own(self) -> tuple[Case, ...]:
        """The query's own cases, liked ones and those that hold the very picture: no evidence."""
        pairs = zip(self.found.own, self.answer.own, strict=True)
        return tuple(Case(match, own.case, self._archive) for match, own in pairs)

    @property
    def prototypes(self) -> Sequence[Prototype]:
        """The synthetic pictures that stood for the report: never a patient's cells."""
        return self.found.prototypes

    @property
    def variations(self) -> list[Image.Image]:
        """Synthetic pictures, drawn from the one that was searched with: kept nowhere else."""
        return [Image.fromarray(sample.image) for sample in self.found.variations]

    @property
    def support(self) -> Support | None:
        """What the nearest cases' diagnoses amount to; ``None`` if no case was found."""
        return self.found.support

    @property
    def rivals(self) -> Sequence[Rival]:
        """The leading diagnosis and what else it might be; empty unless ``rivals=True`` asked."""
        return self.found.rivals

    @property
    def plan(self) -> SearchPlan:
        """Every decision that was made before the search."""
        return self.found.plan

    def to_dict(self) -> dict[str, Any]:
        """As ``coin search --json`` prints it."""
        return self.answer.model_dump(mode="json")

    def to_pandas(self) -> pd.DataFrame:
        """One row a case, best first.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingDependencyError(
                "a table needs pandas", remedy="pip install 'coin-retrieval[notebook]'"
            ) from error
        cases = self.answer.cases
        table = pd.DataFrame(
            [{field: getattr(case, field) for field in _COLUMNS} for case in cases],
            columns=_COLUMNS,
            index=pd.RangeIndex(1, len(cases) + 1, name="rank"),
        )
        return table.assign(
            origin=[case.images[0].origin for case in cases],
            images=[len(case.images) for case in cases],
            near_duplicates=[len(case.near_duplicates) for case in cases],
            uri=[case.images[0].uri for case in cases],
        )

    def sheet(self) -> Image.Image:
        """The contact sheet: question, prototypes (marked) and cases on one page.

        Raises:
            ImageError: a thumbnail or a prototype cannot be read.
        """
        from coin_retrieval.presenting.saving import pictures_here
        from coin_retrieval.presenting.sheet import draw_sheet

        pictures = pictures_here(self.found, self._archive)
        demonstration = self._archive.manifest.demonstration
        return Image.fromarray(draw_sheet(self.answer, pictures, demonstration=demonstration))

    def save(self, directory: AnyPath) -> Path:
        """Write ``sheet.png``, ``answer.json`` and ``prototypes/``; returns the sheet's path.

        Raises:
            InputError: the directory cannot be written.
            ImageError: a thumbnail or a prototype cannot be read.
        """
        from coin_retrieval.presenting.saving import pictures_here, save_search

        place = as_path(directory).expanduser()
        _, sheet = save_search(
            place,
            self.answer,
            pictures_here(self.found, self._archive),
            demonstration=self._archive.manifest.demonstration,
        )
        return sheet

    def __len__(self) -> int:
        return len(self.found.cases)

    def __repr__(self) -> str:
        # without the report: a repr ends in logs
        drawn = len(self.prototypes)
        lines = [
            f"<{len(self)} cases, mode {self.found.mode}, {drawn} synthetic prototypes>",
            *(f"{rank:>3}  {case!r}" for rank, case in enumerate(self.cases, start=1)),
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return render(
            "result.html",
            answer=self.answer,
            demonstration=self._archive.manifest.demonstration,
            query_picture=None if self.plan.image is None else data_uri(self.plan.image),
            prototype_pictures=[data_uri(as_rgb(one.path)) for one in self.prototypes],
            case_pictures=[data_uri(as_rgb(case.thumbnail)) for case in self.cases],
        )

"""From a plan to what the store is asked: words drawn, judged, embedded, fused, moved by marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from coin_retrieval.archive import Archive
from coin_retrieval.errors import CacheError, GenerationError, UndrawableError
from coin_retrieval.progress import Progress
from coin_retrieval.ranking.fusion import Feedback, FusedQuery, fuse, mean_direction
from coin_retrieval.ranking.parts import Explanation, Ingredient, ingredients_of
from coin_retrieval.ranking.whitening import Whitening, whitening_of_store
from coin_retrieval.search.gating import DrawingGate
from coin_retrieval.search.plan import SearchPlan, WordsPlan
from coin_retrieval.search.planning import Planner
from coin_retrieval.search.query_embedder import EmbeddedWords, QueryEmbedder
from coin_retrieval.timing import Stopwatch
from coin_retrieval.types import Embeddings, Sample, SearchMode

_NO_WORDS = EmbeddedWords(None, None, ())
NONE_PASSED = "no drawing shows what the report says: searched by the text alone"


@dataclass(frozen=True)
class Asked:
    """The query as the store is asked it, and what it was made of.

    ``plan`` is the one that was run: without drawings, where none could be used, as ``refused``
    says. ``image`` float32 [1 dim] is the picture that the query brought, or what was marked in its
    place; ``variations`` were drawn from it.
    """

    plan: SearchPlan
    words: EmbeddedWords
    refused: tuple[str, ...]
    image: Embeddings | None
    variations: tuple[Sample, ...]
    fused: FusedQuery
    ingredients: tuple[Ingredient, ...]
    space: Whitening | None

    @cached_property
    def explanation(self) -> Explanation:
        """Takes the scores of this query apart."""
        return Explanation(self.fused, self.ingredients, space=self.space)


class Asker:
    """Makes queries for one archive. Safe for several threads."""

    def __init__(self, archive: Archive, planner: Planner, embedder: QueryEmbedder) -> None:
        self._archive = archive
        self._planner = planner
        self._embedder = embedder
        self._gate = DrawingGate(archive, embedder)
        self._space = lru_cache(maxsize=4)(
            lambda strength: whitening_of_store(archive.store, strength=strength)
        )

    def embed(self, plan: WordsPlan | None, watch: Stopwatch, on: Progress) -> EmbeddedWords:
        """The words with the drawings that passed the gate; the text in their place if none did.

        Raises:
            GenerationError: a prototype came out blank or non-finite.
        """
        if plan is None:
            return _NO_WORDS
        words = self._gate.passed(plan, self._embedder.words(plan, watch, on), watch, on)
        if words.pictures is not None or words.text is not None:
            return words
        return replace(words, text=self._embedder.text(plan.searched, watch))

    def ask(self, plan: SearchPlan, watch: Stopwatch, on: Progress) -> Asked:
        """The vectors to search with; cases that the reader liked may stand alone as a picture.

        Raises:
            NotFoundError: a marked case that the archive does not have.
            GenerationError: a prototype came out blank or non-finite, and there is no text.
        """
        with watch.stage("catalog"):
            feedback = Feedback(self._marked(plan.query.liked), self._marked(plan.query.disliked))
        plan, words, refused = self._words(plan, watch, on)
        image: Embeddings | None = None
        looked: Embeddings | None = None
        variations: tuple[Sample, ...] = ()
        if plan.image is not None:
            with watch.stage("encode"):
                shown = plan.scale.shown(plan.image) if plan.scale else plan.image
                image = looked = self._embedder.images([shown])
            if plan.variations:
                variations, varied = self._embedder.variations(plan.variations, watch, on)
                looked = np.concatenate([image, varied])
        elif feedback.liked is not None and plan.words is None:
            image = looked = mean_direction(feedback.liked)
        if plan.unlike is not None:
            unlike = self._embedder.words(plan.unlike, watch, on)
            avoided = fuse(plan.fusion, text=unlike.text, prototypes=unlike.pictures)
            feedback = replace(feedback, unlike=avoided.direction)
        # a picture is at home in the space as it is, and finds itself with similarity 1
        space = None if plan.words is None else self._space(plan.fusion.whitening)
        fused = fuse(
            plan.fusion,
            text=words.text,
            prototypes=words.pictures,
            image=looked,
            feedback=feedback,
            space=space,
        )
        made_of = ingredients_of(
            plan.fusion,
            text=words.text,
            prototypes=words.pictures,
            seeds=[prototype.provenance.seed for prototype in words.counted],
            image=looked if plan.image is not None else None,
            variations=[str(sample.provenance.seed) for sample in variations],
            feedback=feedback,
            liked=plan.query.liked,
            disliked=plan.query.disliked,
        )
        return Asked(plan, words, refused, image, variations, fused, tuple(made_of), space)

    def _words(
        self, plan: SearchPlan, watch: Stopwatch, on: Progress
    ) -> tuple[SearchPlan, EmbeddedWords, tuple[str, ...]]:
        """The report's vectors; where it cannot be drawn, the plan without drawings, and why."""
        try:
            words = self.embed(plan.words, watch, on)
        except (GenerationError, CacheError) as error:
            unknown = isinstance(error, UndrawableError) and self._planner.reads_text
            if plan.mode is not SearchMode.FUSED and not unknown:
                raise
            by_text = self._planner.without_drawings(plan)
            notice = f"nothing could be drawn ({error.problem}): searched by the text alone"
            return (*self._words(by_text, watch, on)[:2], (notice,))
        if words.pictures is not None or plan.words is None or plan.words.drawing is None:
            return plan, words, ()
        # a drawing that shows something else finds something else: the words are all there is
        return self._planner.without_drawings(plan), words, (NONE_PASSED,)

    def _marked(self, case_ids: Sequence[str]) -> Embeddings | None:
        """A row for each marked case, the mean of its images' vectors: float32 [cases dim].

        Raises:
            NotFoundError: no such case.
        """
        if not case_ids:
            return None
        catalog, store = self._archive.catalog, self._archive.store
        of_cases = [[image.image_id for image in catalog.case_images(c)] for c in case_ids]
        return np.concatenate(
            [mean_direction(store.vectors(np.array(ids, np.int64))) for ids in of_cases]
        )

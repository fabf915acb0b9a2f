"""Layouts of nuclei to pictures with their labels: the joint model as a prototyper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.encoding.sentences import DIM, SentenceEncoder
from coin_retrieval.errors import GenerationError
from coin_retrieval.metrics.instances import (
    InstanceMap,
    NuclearMeasures,
    Points,
    centroid_f1,
    centroids,
    decode,
    matched,
    measure,
)
from coin_retrieval.nets.joint.network import CONFIG, WEIGHTS, JointConfig, read_config
from coin_retrieval.nets.model_card import model_name
from coin_retrieval.nets.pretrained import digest_files, safetensors_keys
from coin_retrieval.progress import Progress, silent
from coin_retrieval.prototypes.base import STAGE, Prototyper
from coin_retrieval.prototypes.layouts import checked
from coin_retrieval.prototypes.made import LayoutMeasures, MadePicture
from coin_retrieval.types import (
    LayoutSource,
    Provenance,
    RgbImage,
    Sample,
    Source,
    content_digest,
)

if TYPE_CHECKING:
    from torch import Tensor

    from coin_retrieval.nets.joint.network import JointNet

OBEYED_PX = 6.0


@dataclass(frozen=True)
class Pair:
    """A drawn picture, what each of its pixels is, and its nuclei."""

    plan: Provenance
    image: RgbImage
    labels: NDArray[np.uint8]
    instances: InstanceMap
    measures: NuclearMeasures

    @property
    def obedience(self) -> float:
        """F1 of its nuclei's centres against the asked ones, within 6 px."""
        return centroid_f1(centroids(self.instances), self._asked, within_px=OBEYED_PX)

    def made(self) -> MadePicture:
        """The picture to search with, and what it shows beside what was asked."""
        placed = matched(centroids(self.instances), self._asked, within_px=OBEYED_PX)
        seen = LayoutMeasures(self.measures, len(self._asked), placed, self.obedience)
        return MadePicture(Sample(self.image, self.plan), seen)

    @property
    def _asked(self) -> Points:
        assert isinstance(self.plan.source, LayoutSource)  # noqa: S101  what it was drawn from
        side = (self.plan.width_px, self.plan.height_px)
        points: Points = np.array(
            [[x * side[0], y * side[1]] for x, y, _ in self.plan.source.points], np.float64
        )
        return points


class JointGenerator(Prototyper):
    """Draws from layouts with a model that ``coin train joint`` trained.

    Args:
        directory: the model's.
        steps, guidance: ``None`` takes what its configuration recommends.

    Raises:
        WeightsError: no such model, or files that do not fit.
    """

    sources = (LayoutSource,)

    def __init__(
        self, directory: Path, *, steps: int | None = None, guidance: float | None = None
    ) -> None:
        self._directory = directory
        self.config: JointConfig = read_config(directory)
        safetensors_keys(directory / WEIGHTS)
        self.name = model_name(directory)
        self._steps = steps or self.config.steps
        self._guidance = self.config.guidance if guidance is None else guidance
        files = {name: directory / name for name in (CONFIG, WEIGHTS)}
        self._weights = digest_files(files)
        self.identity = content_digest(
            {"weights": self._weights, "steps": self._steps, "guidance": self._guidance}
        )
        self.batch_size = 8
        self._sentences = SentenceEncoder()

    def load(self) -> None:
        """Load the network now; see :meth:`.Prototyper.load`.

        Raises:
            MissingDependencyError: scipy is not installed.
        """
        # what is missing is missed now, not by the first who asks
        decode(np.zeros((1, 1)), np.zeros((1, 1)))
        _ = self._network

    @cached_property
    def _network(self) -> JointNet:
        from coin_retrieval.nets.compute import pick_device
        from coin_retrieval.nets.joint.network import JointNet

        return JointNet.load(self._directory).to(pick_device())

    def pairs(
        self, plans: Sequence[Provenance], on_step: Callable[[int], None] = lambda step: None
    ) -> list[Pair]:
        """Pictures with labels and instances, of plans that are alike but for source and seed.

        Raises:
            GenerationError: non-finite values.
            MissingDependencyError: scipy is not installed.
        """
        import torch

        from coin_retrieval.nets.joint.network import layout_map
        from coin_retrieval.nets.joint.sampling import sample

        layouts = [plan.source for plan in plans if isinstance(plan.source, LayoutSource)]
        config, network = self.config, self._network
        maps = [
            layout_map(
                [(x, y, config.kinds.index(kind)) for x, y, kind in one.points],
                len(config.kinds),
                config.side_px,
            )
            for one in layouts
        ]
        device = next(network.parameters()).device
        prompts = as_prompts(self._sentences, [one.text for one in layouts])
        found = sample(
            network,
            torch.stack(maps).to(device),
            prompts.to(device),
            [plan.seed for plan in plans],
            steps=plans[0].steps,
            guidance=plans[0].guidance,
            on_step=on_step,
        )
        pictures = found.pictures.movedim(1, -1).cpu().numpy()
        if not np.isfinite(pictures).all():
            raise GenerationError(
                "the generator's numbers overflowed",
                value="non-finite pixels",
                expected="finite pixels",
                remedy="check the weights",
            )
        images = ((pictures + 1) * 127.5).round().astype(np.uint8)
        labels = found.labels.cpu().numpy().astype(np.uint8)
        distances = (found.distances.cpu().numpy() + 1) / 2
        pairs = []
        for plan, image, label, distance in zip(plans, images, labels, distances, strict=True):
            nuclei = decode(label, distance, single_cell=config.single_cell)
            measures = measure(nuclei, label, mpp_um=config.mpp_um)
            pairs.append(Pair(plan, image, label, nuclei, measures))
        return pairs

    def best(
        self, source: LayoutSource, *, n: int = 4, seed: int = 0, on: Progress = silent
    ) -> Pair:
        """Of ``n`` drawings the one whose nuclei lie most as they were asked.

        Args:
            on: told of every step of stage ``drawing``; what it raises stops the drawing there.

        Raises:
            InputError: as :meth:`.Prototyper.plan` does.
            GenerationError: non-finite values.
        """
        plans = self.plan(source, n=n, seed=seed)
        pairs = self.pairs(plans, lambda step: on(STAGE, step, plans[0].steps))
        return max(pairs, key=lambda pair: pair.obedience)

    def _plan(self, source: Source) -> Provenance:
        assert isinstance(source, LayoutSource)  # noqa: S101  the role refuses others
        return Provenance(
            generator=self.name,
            weights=self._weights,
            source=checked(source, self.config.kinds),
            seed=0,
            steps=self._steps,
            guidance=self._guidance,
            width_px=self.config.side_px,
            height_px=self.config.side_px,
        )

    def _draw(self, plans: Sequence[Provenance], on_step: Callable[[int], None]) -> list[RgbImage]:
        def told(step: int) -> None:
            if step < plans[0].steps:
                on_step(step)

        return [pair.image for pair in self.pairs(plans, told)]


def as_prompts(encoder: SentenceEncoder, texts: Sequence[str]) -> Tensor:
    """Sentence vectors [n 1 dim] whose entries have unit scale; of no words, zeros."""
    import torch

    rows: Tensor = torch.from_numpy(encoder.embed(list(texts))) * DIM**0.5
    rows[torch.tensor([not text.strip() for text in texts])] = 0.0
    return rows.unsqueeze(1)

"""Train the starter's encoder: a small image tower beside the frozen sentence tower.

Contrastive with several positives a batch: every report of the same finding is a positive of every
picture of it (Khosla et al. 2020, arXiv 2004.11362, equation 2), across and within modalities.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from open_clip import CustomTextCLIP
from pydantic import BaseModel, ConfigDict, Field
from safetensors.torch import save_file
from torch import Tensor, nn

from coin_retrieval.nets.text_adapter import FOLDER as TEXT_ADAPTER
from coin_retrieval.starter import minilm
from coin_retrieval.tables.cases import CaseRow
from coin_retrieval.training.encoder.depthwise import quicken
from coin_retrieval.training.encoder.imagenet import freeze_stages, start_from_imagenet
from coin_retrieval.training.encoder.losses import multi_positive
from coin_retrieval.training.encoder.text_head import TextHeadRecipe
from coin_retrieval.training.loop import LoopSettings, Task, device
from coin_retrieval.training.pictures.augment import AugmentSettings, augment
from coin_retrieval.training.pictures.data import PackedCases
from coin_retrieval.training.pictures.sampling import balanced_weights
from coin_retrieval.training.texts import CaptionPool
from coin_retrieval.training.warm_start import take_over


class ClipRecipe(BaseModel):
    """The encoder's shape and training; one YAML file.

    Attributes:
        small_px: the side of the pictures in the first ``small_share`` of the training, which
            costs half there and loses nothing (Howard's progressive resizing; Touvron et al. 2019,
            arXiv 1906.06423).
        jitter: moves each report's sentence embedding by so much noise, as unheard wordings do.
        imagenet: begin with the published weights of the vision model.
        trunk_rate: the trunk's share of the learning rate.
        frozen_stages: that the trunk keeps: edges and colours are everywhere the same, and
            learning them anew would cost half of the time.
        start_from: a safetensors file whose fitting weights are taken over.
        gently: sources whose pictures are augmented without changing size or paleness, for there
            these are the finding.
        close_up: sources whose pictures have one small cell in the middle; crops of them go down
            to ``closest_crop`` of the area, as other laboratories crop.
        calm_share: of the pictures that are shown nearly as they are, so that travelling costs
            nothing at home.
        drawn_share: of the pictures that are replaced by drawn ones of the same finding.
        text_head: that part is taught again when the pictures' embeddings stand still.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    loop: LoopSettings
    side_px: int = 144
    image_px: int = 96
    small_px: int | None = Field(default=None, gt=0)
    small_share: float = Field(default=0.5, ge=0, le=1)
    batch: int = 128
    vision_model: str = "resnet10t"
    dim: int = 256
    captions_per_row: int = Field(default=3, gt=0)
    balance: float = Field(default=0.5, ge=0, le=1)
    image_weight: float = Field(default=0.5, ge=0)
    jitter: float = Field(default=0.3, ge=0)
    imagenet: bool = False
    trunk_rate: float = Field(default=1.0, gt=0, le=1)
    frozen_stages: int = Field(default=0, ge=0)
    start_from: Path | None = None
    gently: tuple[str, ...] = ("Chula RBC-12 (MIT)",)
    close_up: tuple[str, ...] = ("PBC",)
    closest_crop: float = Field(default=0.16, gt=0)
    calm_share: float = Field(default=0.0, ge=0, le=1)
    drawn_share: float = Field(default=0.25, ge=0, le=1)
    augment: AugmentSettings = AugmentSettings()
    text_head: TextHeadRecipe | None = None


class ClipTask(Task):
    """Symmetric multi-positive contrast of pictures with reports, and of pictures with pictures.

    For a share of the pictures one is shown that a generator drew of the same finding (``drawn``),
    so that a prototype and the real pictures of what it stands for meet in the space.
    """

    def __init__(
        self,
        cases: PackedCases,
        captions: CaptionPool,
        recipe: ClipRecipe,
        *,
        drawn: PackedCases | None = None,
    ) -> None:
        self._cases, self._captions, self._recipe = cases, captions, recipe
        self._shown_px = recipe.image_px
        self._drawn = drawn
        self._drawn_by_finding = _by_finding(drawn.rows) if drawn is not None else {}
        self._weights = balanced_weights(cases.rows, power=recipe.balance)
        sources = [row.attributes.get("source") for row in cases.rows]
        self._which = np.array(
            [2 * (source in recipe.close_up) or int(source in recipe.gently) for source in sources]
        )
        usual = recipe.augment
        manners = (usual, usual.gentle(), usual.close_up(recipe.closest_crop))
        self._manners = (*manners, *(manner.calm() for manner in manners))
        findings = sorted({row.finding for row in cases.rows})
        self._labels = torch.tensor([findings.index(row.finding) for row in cases.rows])
        self.module: nn.Module = build_clip(recipe)
        quicken(self.module.visual)
        if recipe.imagenet:
            start_from_imagenet(self.module.visual.trunk, recipe.vision_model)
        if recipe.start_from is not None:
            take_over(self.module, recipe.start_from)
        freeze_stages(self.module.visual.trunk, recipe.frozen_stages)

    def begin(self, done: float) -> None:
        """Small pictures first, and what is frozen stays so; see :class:`.Task`."""
        recipe = self._recipe
        small = recipe.small_px is not None and done < recipe.small_share
        self._shown_px = recipe.small_px if small and recipe.small_px else recipe.image_px
        freeze_stages(self.module.visual.trunk, recipe.frozen_stages)  # type: ignore[union-attr,arg-type]

    def rates(self) -> list[tuple[list[nn.Parameter], float]]:
        """The trunk's parameters and the others; see :class:`.Task`."""
        trunk = list(self.module.visual.trunk.parameters())  # type: ignore[union-attr]
        known = {id(parameter) for parameter in trunk}
        learning = [p for p in self.module.parameters() if p.requires_grad]
        return [
            ([p for p in learning if id(p) in known], self._recipe.trunk_rate),
            ([p for p in learning if id(p) not in known], 1.0),
        ]

    def loss(self, random: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch; see :class:`.Task`."""
        recipe, model = self._recipe, self.module
        rows = random.choice(len(self._weights), size=recipe.batch, p=self._weights)
        seen = self.vary(self._pictures(rows, random), rows, random)
        image = F.normalize(model.visual(seen.to(device())), dim=-1).float()  # type: ignore[operator]
        pooled = self._captions.draw(rows, random, jitter=recipe.jitter).to(device())
        text = F.normalize(model.text.proj(pooled), dim=-1).float()  # type: ignore[union-attr,operator]
        labels = self._labels[torch.from_numpy(rows)].to(device())
        same = labels[:, None] == labels[None, :]
        scale = model.logit_scale.exp().clamp(max=100)  # type: ignore[operator]
        across = scale * image @ text.T
        caption = 0.5 * (multi_positive(across, same) + multi_positive(across.T, same))
        itself = torch.eye(len(rows), dtype=torch.bool, device=labels.device)
        picture = multi_positive((10.0 * image @ image.T).masked_fill(itself, -1e4), same & ~itself)
        hits = same.gather(1, across.argmax(1, keepdim=True)).float().mean()
        figures = {"caption": caption.item(), "picture": picture.item(), "hit": hits.item()}
        return caption + recipe.image_weight * picture, figures

    def vary(self, pictures: Tensor, rows: np.ndarray, random: np.random.Generator) -> Tensor:
        """Pictures of these rows as the training shows them."""
        calm = random.random(len(rows)) < self._recipe.calm_share
        which = self._which[rows] + calm * (len(self._manners) // 2)
        return augment(pictures, self._shown_px, self._manners, random, which=which)

    def plain(self, pictures: Tensor, rows: np.ndarray) -> Tensor:
        """Pictures as the finished encoder sees them."""
        del rows
        side_px = self._recipe.image_px
        seen = F.interpolate(pictures, (side_px, side_px), mode="bicubic", antialias=True)
        return seen.clamp(-1, 1)

    def _pictures(self, rows: np.ndarray, random: np.random.Generator) -> Tensor:
        real = self._cases.batch(rows)
        if self._drawn is None:
            return real
        for place in np.flatnonzero(random.random(len(rows)) < self._recipe.drawn_share):
            choices = self._drawn_by_finding.get(self._cases.rows[rows[place]].finding)
            if choices is not None:
                real[place] = self._drawn.batch(random.choice(choices, 1))[0]
        return real


def _by_finding(rows: Sequence[CaseRow]) -> dict[str, np.ndarray]:
    findings = np.array([row.finding for row in rows])
    return {str(finding): np.flatnonzero(findings == finding) for finding in np.unique(findings)}


def clip_config(recipe: ClipRecipe) -> dict[str, object]:
    """open_clip's own configuration file; ``minilm`` names the frozen tower's package."""
    return {
        "model_cfg": {
            "embed_dim": recipe.dim,
            "vision_cfg": {
                "image_size": recipe.image_px,
                "timm_model_name": recipe.vision_model,
                "timm_model_pretrained": False,
                "timm_pool": "avg",
                "timm_proj": "linear",
            },
            "text_cfg": {
                "hf_model_name": "minilm",
                "hf_tokenizer_name": "minilm",
                "hf_model_pretrained": False,
                "hf_proj_type": "mlp",
                "hf_pooler_type": "mean_pooler",
                "context_length": minilm.MAX_TOKENS,
            },
            "custom_text": True,
        },
        "preprocess_cfg": {
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "interpolation": "bicubic",
            "resize_mode": "squash",
        },
    }


def build_clip(recipe: ClipRecipe) -> CustomTextCLIP:
    """The untrained model with its frozen text tower in place."""
    config = clip_config(recipe)["model_cfg"]
    assert isinstance(config, dict)  # noqa: S101  the literal above
    text = {
        **config["text_cfg"],
        "hf_model_name": str(minilm.directory()),
        "hf_model_pretrained": True,
    }
    text["hf_tokenizer_name"] = text["hf_model_name"]
    model = CustomTextCLIP(
        embed_dim=config["embed_dim"], vision_cfg=config["vision_cfg"], text_cfg=text
    )
    model.text.transformer.requires_grad_(False)
    return model


def save_clip(
    model: nn.Module, recipe: ClipRecipe, directory: Path, *, adapter: Path | None = None
) -> None:
    """Write an open_clip directory, float16; the frozen tower stays in its package."""
    directory.mkdir(parents=True, exist_ok=True)
    kept = {
        key: value.half().contiguous().cpu() if value.is_floating_point() else value.cpu()
        for key, value in model.state_dict().items()
        if not key.startswith("text.transformer.")
    }
    save_file(kept, directory / "open_clip_model.safetensors")
    (directory / "open_clip_config.json").write_text(
        json.dumps(clip_config(recipe), indent=2) + "\n"
    )
    if adapter is not None:
        shutil.copytree(adapter, directory / TEXT_ADAPTER, dirs_exist_ok=True)

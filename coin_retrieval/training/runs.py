"""Whole training runs: workshop and recipe in, finished model directory out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from diffusers import AutoencoderTiny
from safetensors.torch import load_file, save, save_file
from torch import Tensor, nn

from coin_retrieval.errors import SettingsError
from coin_retrieval.nets.reader import ConceptReader
from coin_retrieval.training.encoder.clip import ClipRecipe, ClipTask, save_clip
from coin_retrieval.training.encoder.text_head import TextHeadTask, embed_views
from coin_retrieval.training.generator.autoencoder import (
    AutoencoderRecipe,
    AutoencoderTask,
    encode_all,
    reconstruction_psnr,
    standardise_latents,
)
from coin_retrieval.training.generator.decoder import DecoderRecipe, DecoderTask
from coin_retrieval.training.generator.diffusion import DiffusionRecipe, DiffusionTask
from coin_retrieval.training.generator.distillation import (
    DistillationRecipe,
    DistillationTask,
    load_unet,
)
from coin_retrieval.training.generator.matching import MatchingRecipe, MatchingTask
from coin_retrieval.training.generator.perception import SqueezeFeatures, TrunkFeatures
from coin_retrieval.training.generator.saving import save_generator
from coin_retrieval.training.loop import device, fit
from coin_retrieval.training.pictures.data import PackedCases, load_cases
from coin_retrieval.training.reader import (
    Embed,
    ReaderRecipe,
    ReaderTask,
    ReadReports,
    held_out_accuracy,
    held_out_scope,
    known_from,
    reports_to_read,
    unread,
)
from coin_retrieval.training.run_folder import Workshop, finished, run_once
from coin_retrieval.training.texts import caption_pool, embed_texts
from coin_retrieval.training.tower import TowerRecipe, TowerTask, save_adapter
from coin_retrieval.types import content_digest
from coin_retrieval.wordings.concepts import Concepts, concepts_of


def train_autoencoder(
    shop: Workshop, recipe: AutoencoderRecipe, *, perception: Path | None = None
) -> Path:
    """Train the autoencoder; ``perception`` as in :func:`train_decoder`; returns its directory."""
    held_out = shop.cases("val", recipe.side_px)
    features = SqueezeFeatures(perception) if perception is not None else None
    cases = shop.cases("train", recipe.side_px)
    task = AutoencoderTask(cases, held_out, recipe, perception=features)

    def keep(module: nn.Module, directory: Path) -> dict[str, float]:
        standardise_latents(module, shop.cases("train", recipe.side_px), count=512)
        module.save_pretrained(directory)  # type: ignore[operator]
        return {"val_psnr_db": reconstruction_psnr(module, held_out)}

    return run_once(
        shop, "autoencoder", keep, lambda out: fit(task, recipe.loop, out, name="autoencoder")
    )


def train_decoder(
    shop: Workshop,
    recipe: DecoderRecipe,
    *,
    perception: Path | None = None,
    encoder: Path | None = None,
) -> Path:
    """Teach the finished autoencoder's decoder to draw grain; returns the new autoencoder's.

    Its latents stay as they are, so a generator trained before or after fits. ``perception`` is
    the safetensors file of a SqueezeNet 1.1, ``encoder`` an open_clip directory; what the recipe
    gives no weight is not looked at.

    Raises:
        SettingsError: an ``encoder_weight`` and no encoder.
    """
    autoencoder = _autoencoder(finished(shop, "autoencoder"))
    held_out = shop.cases("val", recipe.side_px)
    features = SqueezeFeatures(perception) if perception is not None else None
    cases = shop.cases("train", recipe.side_px)
    eyes: list[tuple[TrunkFeatures, float]] = []
    if recipe.imagenet_weight:
        eyes.append((TrunkFeatures.of_imagenet(), recipe.imagenet_weight))
    if recipe.encoder_weight:
        if encoder is None:
            raise SettingsError(
                "no encoder to see with",
                value=f"encoder_weight {recipe.encoder_weight}",
                expected="an open_clip directory (--encoder)",
                remedy="name it, or leave encoder_weight out of the recipe",
            )
        eyes.append((TrunkFeatures.of_encoder(encoder), recipe.encoder_weight))
    task = DecoderTask(cases, autoencoder, recipe, perception=features, eyes=eyes)

    def keep(module: nn.Module, directory: Path) -> dict[str, float]:
        autoencoder.decoder = module["decoder"]  # type: ignore[index]
        autoencoder.save_pretrained(directory)
        return {"val_psnr_db": reconstruction_psnr(autoencoder, held_out)}

    return run_once(shop, "decoder", keep, lambda out: fit(task, recipe.loop, out, name="decoder"))


def train_tower(shop: Workshop, recipe: TowerRecipe) -> Path:
    """Adapt the text tower to reports; returns the adapter's directory.

    What is trained in the workshop afterwards (reader, encoder, generator) reads with it.
    """
    task = TowerTask(*_reports(shop, recipe, embed=unread), recipe)

    def keep(module: nn.Module, directory: Path) -> dict[str, float]:
        save_adapter(module, directory)
        return {}

    return run_once(shop, "tower", keep, lambda out: fit(task, recipe.loop, out, name="tower"))


def train_encoder(
    shop: Workshop, recipe: ClipRecipe, *, drawn: Path | None = None, head_only: bool = False
) -> Path:
    """Train the encoder; ``drawn`` is a manifest of pictures that a generator drew of findings.

    With ``head_only`` the image tower stays as ``start_from`` has it, and only the text head is
    taught, as after new wordings.
    """
    cases = shop.cases("train", recipe.side_px)
    adapter = _adapter(shop)
    captions = caption_pool(
        cases.rows, size=recipe.captions_per_row, seed=0, cache=shop.cache, adapter=adapter
    )
    prototypes = None
    if drawn is not None:
        prototypes = load_cases([drawn], side_px=recipe.side_px, split="train", cache=shop.cache)
    task = ClipTask(cases, captions, recipe, drawn=prototypes)

    def keep(module: nn.Module, directory: Path) -> dict[str, float]:
        save_clip(module, recipe, directory, adapter=adapter)
        return {}

    def train(out: Path) -> nn.Module:
        model = (
            task.module.to(device()) if head_only else fit(task, recipe.loop, out, name="encoder")
        )
        if recipe.text_head is not None:
            random = np.random.default_rng(recipe.loop.seed)
            varied = partial(task.vary, random=random)
            shown = [task.plain, *[varied] * recipe.text_head.views]
            images = embed_views(model.eval().visual, cases, shown, batch=recipe.batch)  # type: ignore[arg-type]
            apart = out if head_only else out / "text_head"
            head = TextHeadTask(cases, captions, images, model.text.proj, recipe.text_head)  # type: ignore[union-attr,arg-type]
            model.text.proj = fit(head, recipe.text_head.loop, apart, name="text head")  # type: ignore[union-attr]
        return model

    return run_once(shop, "encoder", keep, train)


def train_reader(shop: Workshop, recipe: ReaderRecipe) -> Path:
    """Teach the generator's reader what reports state; returns its directory."""
    out = shop.out / "reader"
    if (out / "model").exists():
        return out / "model"
    adapter = _adapter(shop)
    embed = partial(embed_texts, adapter=adapter)
    reports, concepts = _reports(shop, recipe, embed=embed)
    task = ReaderTask(reports, concepts, recipe)

    def keep(module: nn.Module, directory: Path) -> dict[str, float]:
        assert isinstance(module, ConceptReader)  # noqa: S101  what the task trains
        if module.config.scoped:
            least = known_from(module, concepts, embed, kept_share=recipe.kept_share)
            module.config = module.config.model_copy(update={"known_from": least})
        module.save(directory)
        figures = {"held_out_accuracy": held_out_accuracy(module, concepts, embed)}
        return figures | (held_out_scope(module, concepts, embed) if module.config.scoped else {})

    return run_once(shop, "reader", keep, lambda out: fit(task, recipe.loop, out, name="reader"))


def train_generator(shop: Workshop, recipe: DiffusionRecipe) -> Path:
    """Train the U-Net behind a finished autoencoder; returns the whole pipeline's directory."""
    finished(shop, "reader")
    autoencoder = _latest_autoencoder(shop)
    task, latents = _generator_task(shop, recipe, autoencoder)
    keep = partial(
        _keep_generator, shop, autoencoder, latents, steps=recipe.steps, guidance=recipe.guidance
    )
    return run_once(
        shop, "generator", keep, lambda out: fit(task, recipe.loop, out, name="generator")
    )


def distil_generator(shop: Workshop, recipe: DistillationRecipe, source: DiffusionRecipe) -> Path:
    """Teach the trained generator to draw in few steps; returns the new pipeline's directory.

    ``source`` is the recipe that the generator was trained with.
    """
    finished(shop, "reader")
    teacher = load_unet(finished(shop, "generator"))
    autoencoder = _latest_autoencoder(shop)
    drawing, latents = _generator_task(shop, source, autoencoder)
    task = DistillationTask(drawing, teacher, recipe)
    keep = partial(_keep_generator, shop, autoencoder, latents, steps=recipe.steps, guidance=1.0)
    return run_once(
        shop, "distilled", keep, lambda out: fit(task, recipe.loop, out, name="distilled")
    )


def match_generator(
    shop: Workshop, recipe: MatchingRecipe, source: DiffusionRecipe, *, eyes: Sequence[nn.Module]
) -> Path:
    """Teach the distilled generator by its whole drawings; returns the new pipeline's directory.

    ``source`` is as in :func:`distil_generator`, ``eyes`` as :func:`.eyes_of` gives them.
    """
    student = load_unet(finished(shop, "distilled"))
    autoencoder = _latest_autoencoder(shop)
    drawing, latents = _generator_task(shop, source, autoencoder)
    cases = shop.cases("train", source.side_px)
    task = MatchingTask(drawing, student, cases, recipe, eyes=eyes)
    keep = partial(
        _keep_generator,
        shop,
        autoencoder,
        latents,
        steps=recipe.steps,
        guidance=1.0,
        noise_offset=recipe.noise_offset,
    )
    return run_once(shop, "matched", keep, lambda out: fit(task, recipe.loop, out, name="matched"))


def _keep_generator(
    shop: Workshop,
    autoencoder: AutoencoderTiny,
    latents: Tensor,
    unet: nn.Module,
    directory: Path,
    *,
    steps: int,
    guidance: float,
    noise_offset: float = 0.0,
) -> dict[str, float]:
    """Write the pipeline with this workshop's reader; there are no figures of it yet."""
    save_generator(
        unet,
        autoencoder,
        latents=latents,
        reader=finished(shop, "reader"),
        text_adapter=_adapter(shop),
        steps=steps,
        guidance=guidance,
        noise_offset=noise_offset,
        directory=directory,
    )
    return {}


def _adapter(shop: Workshop) -> Path | None:
    """The adapter of the text tower that was trained here, if one was."""
    adapter = shop.out / "tower" / "model"
    return adapter if adapter.exists() else None


def _reports(shop: Workshop, recipe: ReaderRecipe, *, embed: Embed) -> tuple[ReadReports, Concepts]:
    rows = shop.cases("train", 128).rows
    concepts = concepts_of(rows)
    reports = reports_to_read(
        rows,
        concepts,
        composed=recipe.composed,
        elsewhere=recipe.elsewhere,
        seed=recipe.loop.seed,
        embed=embed,
    )
    return reports, concepts


def _generator_task(
    shop: Workshop, recipe: DiffusionRecipe, autoencoder: AutoencoderTiny
) -> tuple[DiffusionTask, Tensor]:
    cases = shop.cases("train", recipe.side_px)
    latents = _latents(shop, autoencoder, cases, recipe.orientations)
    concepts = concepts_of(cases.rows)
    return DiffusionTask(cases, latents, concepts, recipe, autoencoder=autoencoder), latents


def _latents(
    shop: Workshop,
    autoencoder: AutoencoderTiny,
    cases: PackedCases,
    orientations: tuple[int, ...],
) -> Tensor:
    """Every picture's latents, encoded once: they depend on the encoder alone."""
    key = content_digest(
        {
            "encoder": hashlib.sha256(_bytes(autoencoder.encoder)).hexdigest(),
            "pictures": [str(row.image_path) for row in cases.rows],
            "shape": list(cases.pixels.shape),
            "orientations": list(orientations),
        }
    )
    file = shop.cache / f"latents-{key[:16]}.safetensors"
    if not file.exists():
        save_file({"latents": encode_all(autoencoder, cases, orientations=orientations)}, file)
    return load_file(file)["latents"]


def _bytes(module: nn.Module) -> bytes:
    return save({name: value.contiguous() for name, value in module.state_dict().items()})


def _latest_autoencoder(shop: Workshop) -> AutoencoderTiny:
    """With the decoder that draws grain, if it is finished."""
    taught = shop.out / "decoder" / "model"
    return _autoencoder(taught if taught.exists() else finished(shop, "autoencoder"))


def _autoencoder(directory: Path) -> AutoencoderTiny:
    model = AutoencoderTiny.from_pretrained(directory, local_files_only=True)
    return model.to(device()).eval()

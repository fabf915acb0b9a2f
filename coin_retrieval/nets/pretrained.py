"""What every loader of pretrained weights needs: their digest, silence, and no unasked download."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import constants, snapshot_download
from safetensors import SafetensorError, safe_open

from coin_retrieval.errors import WeightsError
from coin_retrieval.files import digest_file
from coin_retrieval.known_models import model_of_repository
from coin_retrieval.nets.imports import uncollected_imports
from coin_retrieval.types import content_digest

if TYPE_CHECKING:
    from torch import Tensor

_MAX_LISTED = 8
_ONE_LOAD = threading.RLock()


def digest_files(files: Mapping[str, Path]) -> str:
    """SHA-256 (hex) over files' names and bytes: the same for the same content anywhere on disk."""
    return content_digest({name: digest_file(path) for name, path in files.items()})


def safetensors_keys(path: Path) -> set[str]:
    """Names of a safetensors file's tensors, from its header alone.

    Raises:
        WeightsError: no such file, another format (pickles are refused: they can run code), or a
            damaged file.
    """
    if path.suffix != ".safetensors":
        raise WeightsError(
            "weights in an unsafe format",
            value=str(path),
            expected="a .safetensors file",
            remedy="convert them on a machine you trust with safetensors.torch.save_file",
        )
    if not path.is_file():
        raise WeightsError(
            "weights are missing",
            value=str(path),
            expected="an existing file",
            remedy="check the path",
        )
    try:
        with safe_open(path, framework="np") as file:
            return set(file.keys())
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"weights cannot be read ({error})",
            value=str(path),
            expected="a whole safetensors file",
            remedy="copy the file again",
        ) from error


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file.

    Raises:
        WeightsError: as :func:`safetensors_keys`.
    """
    from safetensors.torch import load_file

    safetensors_keys(path)
    tensors: dict[str, Tensor] = load_file(path)
    return tensors


def refuse_mismatch(
    what: str, *, missing: Iterable[str] = (), unexpected: Iterable[str] = ()
) -> None:
    """Loading is strict: any key without its counterpart is an error that lists them.

    Raises:
        WeightsError: there is such a key.
    """
    parts = [
        f"{len(keys)} {kind}: {', '.join(keys[:_MAX_LISTED])}{' …' * (len(keys) > _MAX_LISTED)}"
        for kind, keys in (("missing", sorted(missing)), ("unexpected", sorted(unexpected)))
        if keys
    ]
    if parts:
        raise WeightsError(
            f"weights do not fit {what}",
            value="; ".join(parts),
            expected="exactly the model's own keys",
            remedy="use the weights of this very architecture and configuration",
        )


def hub_snapshot(repository: str, *, patterns: list[str], allow_download: bool) -> Path:
    """The local directory of a hub repository's files, from the cache unless downloads are allowed.

    Raises:
        WeightsError: not in the cache and not allowed, or the download failed.
    """
    try:
        return Path(
            snapshot_download(
                repository, allow_patterns=patterns, local_files_only=not allow_download
            )
        )
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"{repository} is not on this machine ({type(error).__name__})",
            value=repository,
            expected="a model in the local hub cache" if not allow_download else "a reachable hub",
            remedy=remedy_of(repository),
        ) from error


def remedy_of(repository: str, *, lora: str | None = None) -> str:
    """How to get a repository's files, by its own card if it is one that the program knows.

    Args:
        lora: what is drawn with on top of it: whoever lacks both has to ask for it first.
    """
    known = model_of_repository(lora or repository)
    usual = (
        "allow the download (allow_download: true), or copy the model here and give its directory"
    )
    return usual if known is None else known.how_to_get


@contextmanager
def loading(*, allow_download: bool = False) -> Iterator[None]:
    """Within it, vendors load without chatter, and from this machine only unless allowed.

    Both are settings of the whole process: one load at a time, or they would be restored wrongly.
    """
    with ExitStack() as stack:
        stack.enter_context(_ONE_LOAD)
        stack.enter_context(_quiet())
        # transformers and diffusers import most of themselves when a model is loaded
        stack.enter_context(uncollected_imports())
        if not allow_download:
            stack.enter_context(_offline())
        yield


@contextmanager
def _offline() -> Iterator[None]:
    # every hub client asks this one flag; some libraries offer no argument for it
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


@contextmanager
def _quiet() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("transformers", "diffusers", "timm")]
    levels = [logger.level for logger in loggers]
    # only libraries that are loaded already can talk; importing one here would be the slow part
    modules = [sys.modules.get(f"{name}.utils.logging") for name in ("transformers", "diffusers")]
    bars = [module for module in modules if module and module.is_progress_bar_enabled()]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    for module in bars:
        module.disable_progress_bar()
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        for module in bars:
            module.enable_progress_bar()

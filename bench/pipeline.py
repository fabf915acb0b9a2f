"""What a picture costs beside the network, and how much of the network's rate is left.

    OMP_NUM_THREADS=1 python bench/pipeline.py MANIFEST FOLDER [--encoder starter] [--rows 1000]
    … --encoder ViT-B-32 --rows 128 [--clip-retrieval]
    … --encoder stub --rows 5000 50000

``starter`` is the program's own encoder, ``ViT-B-32`` open_clip's with random weights in float32,
``stub`` gives any row at once, for memory. An archive is built of the manifest's first rows (or, of
more than it has, of copies that differ in a comment). ``network`` is the processor time of the
network's forward pass alone, ``beside`` all else of the build but start-up, loading, and what is
measured of an archive at its end. With --clip-retrieval the same pictures pass the same network
through that program's reader, mapper and writer (two workers of its own); it must be installed.
Figures are processor seconds: of the process, and of the processes that it starts.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import os
import resource
import shutil
import sys
import time
import types
from pathlib import Path
from typing import Any

from measuring import in_fresh_process, watching_s

_BATCH, _WARM = 32, 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--encoder", default="starter")
    parser.add_argument("--rows", type=int, nargs="+", default=[1000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--clip-retrieval", action="store_true")
    options = parser.parse_args()
    print(f"{'encoder':<12}{'rows':>8}{'network ms':>12}{'beside ms':>11}{'rate':>7}{'MB':>7}")
    for count in options.rows:
        folder = options.folder / str(count)
        if not folder.is_dir():
            _write_pictures(options.manifest, folder, count)
            _write_pictures(options.manifest, folder / "warm", _WARM)
        ways = [_ours, _clip_retrievals] if options.clip_retrieval else [_ours]
        for way in ways:
            cost = in_fresh_process(way, folder, options.encoder, options.workers)
            network, beside = (
                1000 * cost["answer"][name] / count for name in ("network", "beside")
            )
            name = options.encoder if way is _ours else "its reader"
            print(
                f"{name:<12}{count:>8,}{network:>12.2f}{beside:>11.2f}"
                f"{network / (network + beside):>7.2f}{cost['mb']:>7.0f}",
                flush=True,
            )


def _write_pictures(manifest: Path, folder: Path, count: int) -> None:
    """JPEG files, each of other bytes."""
    with manifest.open(newline="") as file:
        paths = [manifest.parent / row["image_path"] for row in csv.DictReader(file)]
    (folder / "pictures").mkdir(parents=True)
    for number in range(count):
        data = paths[number % len(paths)].read_bytes()
        comment = b"\xff\xfe\x00\x0a" + f"{number:08d}".encode()
        (folder / "pictures" / f"{number:08d}.jpg").write_bytes(data[:2] + comment + data[2:])


class _Meter:
    """Processor time of the calls of what it wraps, in the thread that calls."""

    def __init__(self) -> None:
        self.spent_s = 0.0

    def wrap(self, call: Any) -> Any:
        def metered(*arguments: Any, **options: Any) -> Any:
            began = time.thread_time()
            try:
                return call(*arguments, **options)
            finally:
                self.spent_s += time.thread_time() - began

        return metered


def _cpu_s() -> float:
    """Of this process, without looking at its memory, and of those that it waited for."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both) - watching_s()


def _ours(folder: Path, name: str, workers: int) -> dict[str, float]:
    from tiny_archives import LABEL

    from coin_retrieval.named_settings import read_store
    from indexer.building import BuildSettings, build
    from indexer.rows import read_sources
    from indexer.versions import version

    network, measuring = _Meter(), _Meter()
    encoder = _encoder(name, network)
    version.measures = measuring.wrap(version.measures)
    settings = BuildSettings(LABEL, read_store("flat"), _BATCH, workers)
    # the first build loads what the program loads only when it is used
    for source in (folder / "warm", folder):
        root = source / "archive"
        shutil.rmtree(root, ignore_errors=True)
        network.spent_s = measuring.spent_s = 0
        began = _cpu_s()
        rows = read_sources([source / "pictures"], archive=root, where={})
        build(root, rows, encoder=encoder, settings=settings, where={})
    spent = _cpu_s() - began - measuring.spent_s
    return {"network": network.spent_s, "beside": spent - network.spent_s}


def _clip_retrievals(folder: Path, name: str, workers: int) -> dict[str, float]:
    """As its own worker puts its parts together."""
    network = _Meter()
    model, transform = _random_model(name)
    model.encode_image = network.wrap(model.encode_image)
    # its data set is no class that can be sent to another process
    multiprocessing.set_start_method("fork", force=True)
    import all_clip

    all_clip.load_clip = lambda **_: (model, None, None)
    # its front door and its mapper import servers and text encoders that take no part
    _stand_in("sentence_transformers").SentenceTransformer = None
    (package,) = _found("clip_retrieval")
    _stand_in("clip_retrieval").__path__ = [package]
    _stand_in("clip_retrieval.clip_inference").__path__ = [f"{package}/clip_inference"]
    from clip_retrieval.clip_inference.mapper import ClipMapper
    from clip_retrieval.clip_inference.reader import FilesReader
    from clip_retrieval.clip_inference.runner import Runner
    from clip_retrieval.clip_inference.writer import NumpyWriter

    kinds = {"enable_text": False, "enable_image": True, "enable_metadata": False}
    out = str(folder / "clip-retrieval")
    sources = iter((folder / "warm" / "pictures", folder / "pictures"))
    runner = Runner(
        lambda sampler: FilesReader(
            sampler, transform, None, next(sources), _BATCH, workers, **kinds
        ),
        lambda: ClipMapper(
            use_mclip=False, clip_model=name, use_jit=False, mclip_model="", **kinds
        ),
        lambda part: NumpyWriter(part, out, output_partition_count=1, **kinds),
        lambda _: _Silent(),
        1,
    )
    runner(0)
    network.spent_s = 0
    began = _cpu_s()
    runner(0)
    spent = _cpu_s() - began
    return {"network": network.spent_s, "beside": spent - network.spent_s}


class _Silent:
    def start(self) -> None: ...

    def end(self) -> None: ...

    def __call__(self, stats: object) -> None: ...


def _stand_in(name: str) -> Any:
    sys.modules[name] = types.ModuleType(name)
    return sys.modules[name]


def _found(package: str) -> list[str]:
    from importlib.util import find_spec

    spec = find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        sys.exit(f"{package} is not installed")
    return list(spec.submodule_search_locations)


def _encoder(name: str, network: _Meter) -> Any:
    import numpy as np
    import torch
    from growth import stub_encoder

    from coin_retrieval.encoding.base import Encoder
    from coin_retrieval.encoding.preprocessing import BatchPreprocessing
    from coin_retrieval.factory import make_encoder, starter_encoder_settings
    from coin_retrieval.types import EncoderSpec

    torch.set_num_threads(1)
    if name == "stub":
        return stub_encoder()
    if name == "starter":
        encoder: Any = make_encoder(starter_encoder_settings())
        encoder.load()
        encoder.encode([np.zeros((224, 224, 3), np.uint8)])
        model = encoder._network.model
        model.encode_image = network.wrap(model.encode_image)
        return encoder
    model, transform = _random_model(name)
    forward = network.wrap(model.encode_image)

    class Random(Encoder):
        """Some space."""

        spec = EncoderSpec(
            name=name, revision="1", dim=model.visual.output_dim, preprocessing="-", weights="-"
        )

        def __init__(self) -> None:
            self._preprocess = BatchPreprocessing(transform)

        def _embed(self, images: Any) -> Any:
            with torch.inference_mode():
                return forward(self._preprocess(images)).numpy()

    return Random()


def _random_model(name: str) -> tuple[Any, Any]:
    import open_clip
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, _, transform = open_clip.create_model_and_transforms(name)
    model = model.eval().requires_grad_(False)
    model.encode_image(torch.zeros(2, 3, 224, 224))
    return model, transform


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()

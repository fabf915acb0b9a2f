"""How many pictures a second an encoder embeds, stage by stage, and how far that is from the floor.

    python bench/encode.py ARCHIVE [--pictures 256] [--batch 64] [--threads N] [--json]

Takes the archive's own pictures and encoder. Stages: read (file to bytes), decode (bytes to
pixels), shape (resize and normalise), network. ``all`` is read to embedding, one after the other.
The floor is what the network's multiplications would take at the speed of a large matrix product in
the same number format; its multiplications are counted by torch's FlopCounterMode.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from coin_retrieval.console.session import share_processors

share_processors()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from measuring import clocks, machine, parser, show, since  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from coin_retrieval.archive import Archive  # noqa: E402
from coin_retrieval.factory import make_encoder, open_archive  # noqa: E402
from coin_retrieval.images import decode_image, read_bytes  # noqa: E402
from coin_retrieval.types import ImageId, RgbImage  # noqa: E402

_SIDE = 1536


def paths(archive: Archive, count: int) -> list[Path]:
    """Pictures spread over the whole archive."""
    ids = np.sort(archive.store.ids())
    some = ids[:: max(1, len(ids) // count)][:count]
    records = archive.catalog.images(ImageId(i) for i in some.tolist())
    return [archive.image_path(record) for record in records.values()]


def best(work: Callable[[], Any], repeats: int = 3) -> dict[str, float]:
    """The fastest of a few runs, by processor time: others on the machine only ever slow it."""
    taken = []
    for _ in range(repeats):
        start = clocks()
        work()
        taken.append(since(start))
    return min(taken, key=lambda one: one["cpu_s"])


def peak_flops(dtype: torch.dtype) -> float:
    """Floating-point operations a second of processor time in a large matrix product."""
    left, right = torch.randn(_SIDE, _SIDE).to(dtype), torch.randn(_SIDE, _SIDE).to(dtype)
    with torch.inference_mode():
        left @ right
        taken = best(lambda: left @ right, repeats=5)
    return 2 * _SIDE**3 / taken["cpu_s"]


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--pictures", type=int, default=256)
    options.add_argument("--batch", type=int, default=64)
    options.add_argument("--threads", type=int, help="default: torch's own choice")
    asked = options.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    archive = open_archive(Path(asked.archive))
    encoder: Any = make_encoder(archive.manifest.encoder_settings)
    files = paths(archive, asked.pictures)
    data = [read_bytes(file) for file in files]
    images: list[RgbImage] = [decode_image(one) for one in data]
    batches = [images[i : i + asked.batch] for i in range(0, len(images), asked.batch)]
    encoder.encode(batches[0], batch_size=asked.batch)

    def everything() -> None:
        for start in range(0, len(files), asked.batch):
            some = [decode_image(read_bytes(file)) for file in files[start : start + asked.batch]]
            encoder.encode(some, batch_size=asked.batch)

    stages = {
        "read": best(lambda: [read_bytes(file) for file in files]),
        "decode": best(lambda: [decode_image(one) for one in data]),
        "shape": best(lambda: [encoder._preprocess(some) for some in batches]),
        "shape + network": best(lambda: [encoder._embed(some) for some in batches]),
        "all": best(everything),
    }
    stages["network"] = {
        clock: max(stages["shape + network"][clock] - stages["shape"][clock], 1e-9)
        for clock in ("wall_s", "cpu_s")
    }
    with FlopCounterMode(display=False) as counter:
        encoder._embed(images[:1])
    flops = counter.get_total_flops()
    floor_s = flops * len(images) / peak_flops(encoder._dtype)
    rows = {
        name: {
            "a second": round(len(images) / stages[name]["wall_s"]),
            "a processor second": round(len(images) / stages[name]["cpu_s"]),
            "processor ms each": round(1000 * stages[name]["cpu_s"] / len(images), 2),
        }
        for name in ("read", "decode", "shape", "network", "all")
    }
    result = {
        "encoder": str(encoder.spec),
        "dtype": str(encoder._dtype),
        "pictures": len(images),
        "batch": asked.batch,
        "threads": torch.get_num_threads(),
        "mflops_a_picture": round(flops / 1e6),
        "floor_a_processor_second": round(len(images) / floor_s),
        "network_over_floor": round(stages["network"]["cpu_s"] / floor_s, 1),
        "machine": machine(),
        "stages": rows,
    }
    show(result, {"pictures": rows}, as_json=asked.json)


if __name__ == "__main__":
    main()

"""What a change of an archive costs, by the archive's size.

    OMP_NUM_THREADS=1 python bench/growth.py FOLDER --images 10000 100000 1000000

Archives of so many images (256-d, two a case, six filtered fields) are written straight as
segments, without pictures; then one and a thousand real small pictures are added with a stub
encoder, cases are removed, and the archive is opened and searched with filters. Each is a process
of its own: CPU seconds and memory are counted from when everything is imported; memory is the
highest that was allocated (RssAnon), without files mapped into it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measuring import in_fresh_process

DIM = 256
AT_ONCE = 5000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    options = parser.parse_args()
    pictures = options.folder / "pictures"
    in_fresh_process(_write_pictures, pictures)
    print(f"{'images':>10} {'change':<22}{'CPU s':>8}{'MB':>7}{'written MB':>12}")
    for images in options.images:
        root = options.folder / f"archive-{images}"
        shutil.rmtree(root, ignore_errors=True)
        steps: list[tuple[str, Callable[..., Any], tuple[Any, ...]]] = [
            ("write all", _write, (root, images)),
            ("add 1", _add, (root, pictures / "one")),
            ("add 1,000", _add, (root, pictures / "thousand")),
            ("add 1 again", _add, (root, pictures / "two")),
            ("remove 500 cases", _remove, (root, 500)),
            ("open", _open, (root,)),
        ]
        for name, step, arguments in steps:
            before = _bytes(root)
            cost = in_fresh_process(step, *arguments)
            written = max(0, _bytes(root) - before) / 1e6
            print(
                f"{images:>10,} {name:<22}{cost['cpu_s']:>8.2f}{cost['mb']:>7.0f}{written:>12.1f}",
                flush=True,
            )
        for line in in_fresh_process(_search, root)["answer"]:
            print(f"{images:>10,} {line}", flush=True)


def _bytes(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


def _write_pictures(folder: Path) -> None:
    from tiny_archives import write_pictures

    for name, count, seed in (("one", 1, 0), ("two", 1, 7_000), ("thousand", 1000, 10_000)):
        write_pictures(folder / name / name, count, first_seed=seed)


def stub_encoder() -> Any:
    import numpy as np

    from coin_retrieval.encoding.base import Encoder
    from coin_retrieval.types import EncoderSpec

    class Stub(Encoder):
        """Some row for each picture."""

        spec = EncoderSpec(name="stub", revision="1", dim=DIM, preprocessing="-", weights="-")

        def _embed(self, images: Any) -> Any:
            seeds = [zlib.crc32(image.tobytes()) for image in images]
            rows = [np.random.default_rng(seed).standard_normal(DIM) for seed in seeds]
            return np.stack(rows).astype(np.float32)

    return Stub()


def stub_settings() -> Any:
    from tiny_archives import LABEL

    from coin_retrieval.named_settings import read_store
    from indexer.building import BuildSettings

    return BuildSettings(LABEL, read_store("flat"), 32, 2)


def _write(root: Path, images: int) -> None:
    import numpy as np

    from coin_retrieval.archive import ArchiveLayout
    from coin_retrieval.archive.layout import NOTES, SKIPPED
    from coin_retrieval.archive.manifest import Change, Counts
    from coin_retrieval.archive.publish import staging
    from coin_retrieval.types import CaseRecord, FileState, ImageId, ImageRecord
    from indexer.changing import changing, clean_up
    from indexer.embedding.contents import EmbeddedContents
    from indexer.versions.journal import Journal
    from indexer.versions.new_segments import NewSegments
    from indexer.versions.version import VersionContent, publish_version

    settings, encoder = stub_settings(), stub_encoder()
    random = np.random.default_rng(0)
    sites = ("cervix", "urine", "pleura", "blood", "thyroid")

    def record(number: int) -> ImageRecord:
        share = number % 1000
        return ImageRecord(
            ImageId((number * 2_654_435_761) % 2**53),
            f"case-{number // 2:08d}",
            f"file:///share/slides/{number // 200:05d}/{number:08d}.png",
            f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}{number:048x}",
            224,
            224,
            ("LSIL", "HSIL", "NILM", "ASC-US")[number % 4],
            f"finding {number % 50}",
            attributes={
                "half": str(share < 500),
                "tenth": str(share < 100),
                "hundredth": str(share < 10),
                "thousandth": str(share < 1),
            },
            file=FileState("/share/cases.csv", 40_000 + number % 999, 2**60 + number),
        )

    with changing(root, new=True) as layout:
        journal = Journal(layout, encoder.spec)
        contents = EmbeddedContents(journal)
        new = NewSegments(layout, contents, store=settings.store, catalog=settings.catalog)
        with new, contents, staging(layout, "000001") as staged:
            (staged / SKIPPED).touch()
            (staged / NOTES).touch()
            for start in range(0, images, AT_ONCE):
                records = [record(n) for n in range(start, min(start + AT_ONCE, images))]
                names = {image.case_id for image in records}
                cases = {
                    name: CaseRecord(name, sites[int(name[5:]) % 5], "smear", "Pap")
                    for name in names
                }
                rows = random.standard_normal((len(records), DIM), dtype=np.float32)
                rows /= np.linalg.norm(rows, axis=1, keepdims=True)
                new.add(cases, records, rows)
            counts = Counts(
                rows=images,
                images=images,
                cases=-(-images // 2),
                skipped=0,
                duplicates=0,
                repeated=0,
                generated=0,
                translated=0,
            )
            content = VersionContent(
                kept=(),
                new=new.seal(),
                encoder=encoder.spec,
                encoder_settings=settings.encoder,
                store=settings.store,
                catalog=settings.catalog,
                change=Change(command="build", added=images),
                counts=lambda _: counts,
                sources=(),
            )
            publish_version(layout, staged, "000001", content, encoder=None)
        clean_up(ArchiveLayout(root), sweep=False)


def _add(root: Path, source: Path) -> None:
    from indexer.building import add
    from indexer.rows import read_sources

    rows = read_sources([source], archive=root, where={})
    add(root, rows, encoder=stub_encoder(), settings=stub_settings())


def _remove(root: Path, count: int) -> None:
    from indexer.removing import remove

    remove(root, [f"case-{number:08d}" for number in range(count)])


def _open(root: Path) -> None:
    from coin_retrieval.factory import open_archive

    open_archive(root).close()


def _search(root: Path) -> list[str]:
    """Milliseconds of CPU, median of nine, of unfiltered and filtered searches for ten."""
    import numpy as np

    from coin_retrieval.factory import open_archive

    with open_archive(root) as archive:
        store, catalog = archive.store, archive.catalog
        query = store.vectors(store.ids()[:1])
        plain = _median_ms(lambda: store.search(query, 10))
        lines = [f"{'search':<22}{plain:>8.1f} ms"]
        for field in ("half", "tenth", "hundredth", "thousandth"):
            where = {field: ["True"]}
            mask = catalog.mask(where)
            select = _median_ms(lambda where=where: catalog.mask(where))
            filtered = _median_ms(lambda mask=mask: store.search(query, 10, allowed=mask))
            rows = store.search(query, 10, allowed=mask)[0]
            assert len(rows) == min(10, int(np.count_nonzero(mask)))  # noqa: S101
            lines.append(
                f"{'filter: ' + field:<22}{filtered:>8.1f} ms = {filtered / plain:.2f} ×, "
                f"select {select:.1f} ms"
            )
        return lines


def _median_ms(act: Callable[[], Any]) -> float:
    import numpy as np

    times = []
    for _ in range(9):
        started = time.process_time()
        act()
        times.append(1000 * (time.process_time() - started))
    return float(np.median(times))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()

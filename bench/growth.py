"""What a change of an archive costs, by the archive's size.

    OMP_NUM_THREADS=1 python bench/growth.py FOLDER --images 10000 100000 1000000
    … --images 40000 --segment-rows 1000 --only build "build again"

Archives of so many images (256-d, two a case, six filtered fields) are built of rows whose pictures
are nowhere (a made-up hash and vector for each), and built again with nothing new; then one and a
thousand real small pictures are added with a stub encoder, cases are removed, and the archive is
opened and searched with filters. Each is a process of its own: CPU seconds and memory are counted
from when everything is imported; memory is the highest that was allocated (RssAnon), without files
mapped into it. An archive is deleted when it is measured. With ``--segment-rows`` segments are full
earlier: as many of them as a large archive has, at the price of a small one.
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

from coin_retrieval.stores.base import SCANNED_ROWS

DIM = 256
AT_ONCE = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--segment-rows", type=int, default=SCANNED_ROWS)
    parser.add_argument("--only", nargs="+", help="these steps alone")
    options = parser.parse_args()
    pictures = options.folder / "pictures"
    in_fresh_process(_write_pictures, pictures)
    print(f"{'images':>10} {'change':<22}{'CPU s':>8}{'MB':>7}{'written MB':>12}")
    for images in options.images:
        root = options.folder / f"archive-{images}"
        shutil.rmtree(root, ignore_errors=True)
        archive = (root, images, options.segment_rows)
        steps: list[tuple[str, Callable[..., Any], tuple[Any, ...]]] = [
            ("build", _build, archive),
            ("build again", _build, archive),
            ("add 1", _add, (root, pictures / "one")),
            ("add 1,000", _add, (root, pictures / "thousand")),
            ("add 1 again", _add, (root, pictures / "two")),
            ("remove 500 cases", _remove, (root, 500)),
            ("open", _open, (root,)),
        ]
        for name, step, arguments in steps:
            if options.only and name not in options.only:
                continue
            before = _bytes(root)
            cost = in_fresh_process(step, *arguments)
            written = max(0, _bytes(root) - before) / 1e6
            print(
                f"{images:>10,} {name:<22}{cost['cpu_s']:>8.2f}{cost['mb']:>7.0f}{written:>12.1f}",
                flush=True,
            )
        if not options.only:
            for line in in_fresh_process(_search, root)["answer"]:
                print(f"{images:>10,} {line}", flush=True)
        shutil.rmtree(root)


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


class _Slides:
    """A source of so many rows, two a case, whose pictures are nowhere."""

    def __init__(self, images: int) -> None:
        self._images = images

    def rows(self) -> Any:
        from coin_retrieval.tables.cases import CaseRow

        sites = ("cervix", "urine", "pleura", "blood", "thyroid")
        for number in range(self._images):
            share, case = number % 1000, number // 2
            yield CaseRow(
                Path(f"/share/slides/{number // 200:05d}/{number:08d}.png"),
                f"case-{case:08d}",
                sites[case % 5],
                "smear",
                "Pap",
                ("LSIL", "HSIL", "NILM", "ASC-US")[number % 4],
                f"finding {number % 50}",
                attributes={
                    "half": str(share < 500),
                    "tenth": str(share < 100),
                    "hundredth": str(share < 10),
                    "thousandth": str(share < 1),
                },
            )

    def notes(self) -> tuple[str, ...]:
        return ()


class _Embedder:
    """Some row for each picture, by its number, into the journal; what is known is not read."""

    def __init__(self, contents: Any) -> None:
        self.embedded, self.encoding_s = 0, 0.0
        self._contents = contents

    def embed(self, rows: Any) -> Any:
        import numpy as np

        from coin_retrieval.catalog.writing import chunks
        from indexer.embedding.embedding import IndexedRow
        from indexer.embedding.pictures import ReadPicture

        random = np.random.default_rng(0)
        for some in chunks(rows, AT_ONCE):
            read, new = [], []
            for row, known in some:
                if known is None:
                    number = int(row.row.image_path.stem)
                    digest = f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}{number:048x}"
                    new.append(digest)
                    picture = ReadPicture(digest, None, 40_000 + number % 999, 2**60 + number)
                else:
                    file = known.file
                    picture = ReadPicture(
                        known.content_hash, None, file.size_bytes, file.modified_ns
                    )
                read.append(IndexedRow(row, picture))
            if new:
                vectors = random.standard_normal((len(new), DIM), dtype=np.float32)
                vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
                self._contents.journal.write(new, np.full((len(new), 2), 224, np.int32), vectors)
                self.embedded += len(new)
            yield from read


def _build(root: Path, images: int, segment_rows: int) -> None:
    """As the program does, but for reading and embedding pictures."""
    import coin_retrieval.stores.base
    import indexer.run
    from coin_retrieval.archive.manifest import SourceEntry
    from indexer.building import build
    from indexer.cases.drafts import CaseDrafts
    from indexer.rows import SourceRows

    coin_retrieval.stores.base.SCANNED_ROWS = segment_rows
    source, drafts = _Slides(images), CaseDrafts()
    for row in source.rows():
        drafts.take(row, 0, kept=True)
    entry = SourceEntry(path="/share/cases.csv", kind="table", rows=images)
    rows = SourceRows((entry,), drafts, (source,), {})
    indexer.run.make_embedder = lambda _settings, _encoder, _layout, contents: _Embedder(contents)
    build(root, rows, encoder=stub_encoder(), settings=stub_settings(), where={})


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

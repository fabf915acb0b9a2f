"""Manifests that nobody should have to read: an error with a way out, or every row is told."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook
from tiny_archives import build_archive, write_picture

from coin_retrieval.archive.verify import verify
from coin_retrieval.errors import CoinError
from coin_retrieval.factory import open_archive
from indexer.building import BuildReport

ROWS = [
    {"image_path": "good.png", "case_id": "c1", "report": "Koilocytes, dyskeratosis."},
    {"image_path": "good.png", "case_id": "c2", "report": 'Said "benign"; ünïcödé.'},
]
PATHS = {
    "up": "../" * 30 + "etc/passwd", "device": "/dev/zero", "null": "/dev/null", "here": ".",
    "url": "https://example.org/a.png", "long": "x" * 5000 + ".png", "deep": "a/" * 500 + "a.png",
    "nul": "a\0b.png", "newline": "a\nb.png", "wild": "*.png", "home": "~/good.png",
    "variable": "$HOME/good.png", "command": "|ls", "script": "<script>alert(1)</script>",
    "formula": "=cmd|' /C calc'!A0", "windows": "C:\\pictures\\good.png", "dash": "--help",
}  # fmt: skip
CASES = {
    "control": "a\x07b", "tab": "a\tb", "right-to-left": "abc\u202etxt", "surrogate": "a\ud800b",
    "markup": "<b>c</b>", "sql": "c'); DROP TABLE cases;--", "long": "c" * 100_000, "space": "   ",
    "bell": "\x07",
}  # fmt: skip
FIELDS = {
    "mpp_um": ["-1", "0", "nan", "inf", "1e999", "many", "0,25", "1_0", "٣"],
    "origin": ["REAL", "fake", "\ud800"],
    "report": ["\ud800", "\0", "x" * 1_000_000, "<script>", "=1+1", "\u202e", "%s%n"],
    "site": ["\ud800", "\0", "cervix\ncervix", "😀" * 1000],
}


def _csv(rows: list[dict[str, str]]) -> bytes:
    lines = [",".join(rows[0]), *(",".join(_quoted(v) for v in row.values()) for row in rows)]
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass")


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


def _jsonl(rows: list[dict[str, str]]) -> bytes:
    return "\n".join(map(json.dumps, rows)).encode()


def _parquet(rows: list[dict[str, str]]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


def _xlsx(rows: list[dict[str, str]]) -> bytes:
    book, buffer = Workbook(), io.BytesIO()
    book.active.append(list(rows[0]))
    for row in rows:
        book.active.append(list(row.values()))
    book.save(buffer)
    return buffer.getvalue()


def _spoilt(data: bytes) -> Iterator[tuple[str, bytes]]:
    """A whole file cut off, bitten, zeroed, doubled."""
    for share in (0, 0.02, 0.3, 0.5, 0.8, 0.97):
        yield f"cut-{share}", data[: int(share * len(data))]
    for seed in range(5):
        place = (seed * 7919 + 13) % len(data)
        yield f"bitten-{seed}", data[:place] + bytes([data[place] ^ 0x5A]) + data[place + 1 :]
    for start in (0, 5, len(data) // 2):
        yield f"zeros-{start}", data[:start] + bytes(40) + data[start + 40 :]
    yield "doubled", data + data


def _hostile() -> Iterator[tuple[str, bytes]]:
    for suffix, write in (("csv", _csv), ("jsonl", _jsonl), ("parquet", _parquet), ("xlsx", _xlsx)):
        for name, data in _spoilt(write(ROWS)):
            yield f"{name}.{suffix}", data
        for other, foreign in (("text", b"Dear colleague,"), ("zip", b"PK\3\4" + bytes(80))):
            yield f"{other}.{suffix}", foreign
    for write, suffix in ((_csv, "csv"), (_jsonl, "jsonl")):
        for name, value in PATHS.items():
            yield f"path-{name}.{suffix}", write([*ROWS, {**ROWS[0], "image_path": value}])
        for name, value in CASES.items():
            yield f"case-{name}.{suffix}", write([*ROWS, {**ROWS[0], "case_id": value}])
        for field, values in FIELDS.items():
            for number, value in enumerate(values):
                rows = [{**row, field: value} for row in ROWS]
                yield f"{field}-{number}.{suffix}", write(rows)
    text = "image_path,case_id,report\ngood.png,c1,"
    odd = {
        "open-quote": text + '"never closed\ngood.png,c2,x\n',
        "comma": text + "one, two\n",
        "doubled": "image_path,case_id,case_id\ngood.png,c1,c2\n",
        "nameless": "image_path,case_id,\ngood.png,c1,x\n",
        "no-rows": "image_path,case_id\n",
        "blank": "\n\n\n",
        "bars": "image_path|case_id\ngood.png|c1|c2\n",
        "lacking": "image,case\ngood.png,c1\n",
        "short": "image_path,case_id\ngood.png\n",
        "returns": text.replace("\n", "\r") + "x\r",
    }
    for name, content in odd.items():
        yield f"{name}.csv", content.encode()
        yield f"{name}-utf-16.csv", content.encode("utf-16")
        yield f"{name}-utf-16-unmarked.csv", content.encode("utf-16-le")
    for name, line in {
        "nested": '{"image_path":' + "[" * 100_000,
        "array": '["good.png", "c1"]',
        "scalar": "1",
        "object": '{"image_path": {"a": 1}, "case_id": [1]}',
        "twice": '{"image_path": "good.png", "image_path": "b.png", "case_id": "c"}',
        "number": '{"image_path": "good.png", "case_id": 1e400}',
        "digits": '{"image_path": "good.png", "case_id": ' + "9" * 5000 + "}",
    }.items():
        yield f"{name}.jsonl", line.encode()


def _built(folder: Path, name: str) -> tuple[BuildReport | None, str]:
    try:
        return build_archive(folder / "archive", folder / name, drop=True, max_skipped=1), ""
    except CoinError as error:
        return None, str(error) if error.expected or error.remedy else ""


def test_every_hostile_manifest_is_refused_in_words_or_each_of_its_rows_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_picture(tmp_path / "good.png", seed=1)
    hostile = dict(_hostile())
    assert len(hostile) >= 200
    read = 0
    for name, data in hostile.items():
        (tmp_path / name).write_bytes(data)
        report, error = _built(tmp_path, name)
        if report is None:
            assert error
            assert " at 0x" not in error, name
            continue
        read += 1
        counts = report.manifest.counts
        lines = (report.folder / "skipped.jsonl").read_text().splitlines()
        assert counts.rows == counts.images + counts.skipped + counts.duplicates, name
        assert counts.skipped == len(lines), name
        if read % 25 == 0:
            with open_archive(tmp_path / "archive") as archive:
                assert verify(archive) == []
        shutil.rmtree(tmp_path / "archive")
    assert 20 < read < len(hostile) - 50

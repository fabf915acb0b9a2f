"""WebDataset shards: consecutive members of a tar with one key are a sample.

The key is a member's path up to the first dot of its name, and what follows is its kind, as in the
library of that name (webdataset/tariterators.py).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any

from coin_retrieval.errors import ImageError
from coin_retrieval.images import decoding as images
from coin_retrieval.images.containers.opening import container_at
from coin_retrieval.images.containers.parts import named
from coin_retrieval.images.containers.tar import Member, TarContainer
from coin_retrieval.tables.cases import CaseRow
from indexer.sources.filling import filled
from indexer.sources.readable import readable

_NAME = re.compile(r"^((?:.*/|)[^./][^./]*)\.([^/]+)$", re.DOTALL)
_META = re.compile(r"__[^/]*__($|/)")
_TEXTS = frozenset({"json", "txt", "text", "cls", "cls2"})
_TEXT_BYTES = 1 << 20


def webdataset_rows(row: CaseRow, notes: list[str]) -> Iterator[CaseRow]:
    """One row a picture of a tar; its case is the sample, unless its JSON names one.

    ``txt`` is the report, ``json`` says what columns of a manifest say, ``cls`` is an attribute.

    Args:
        row: what is known of all of them; its ``image_path`` is the tar.
        notes: what is odd is added to them.

    Raises:
        ImageError: the tar cannot be opened.
    """
    tar = container_at(row.image_path, named(member=""))
    assert isinstance(tar, TarContainer)  # noqa: S101
    others: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    broken: list[str] = []
    samples, pictures, seen, doubled = 0, 0, set(), 0
    for key, members in groupby(tar.members, key=lambda member: _split(member.name)[0]):
        if not key:
            others.update(PurePosixPath(member.name).suffix or "no suffix" for member in members)
            continue
        sample = {_split(member.name)[1]: member for member in members}
        doubled += key in seen
        seen.add(key)
        samples += 1
        kinds.update(sample.keys() & _TEXTS)
        shown = _pictures(sample)
        others.update(f".{kind}" for kind in sample.keys() - _TEXTS - shown.keys())
        pictures += bool(shown)
        if not shown:
            continue
        known = filled(
            replace(row, case_id=f"{row.case_id}/{readable(key)}"), _said(tar, sample, broken)
        )
        for member in shown.values():
            yield replace(known, part=named(member=member.name))
    name = str(row.image_path)
    if tar.fault:
        notes.append(f"{name}: {tar.fault}; what comes before is indexed")
    if samples > pictures:
        notes.append(f"{name}: {samples - pictures:,} of {samples:,} samples have no picture")
    for kind, count in sorted(kinds.items()):
        if count < samples:
            notes.append(f"{name}: {samples - count:,} of {samples:,} samples have no .{kind}")
    if broken:
        notes.append(f"{name}: {len(broken):,} members cannot be read, the first: {broken[0]}")
    if doubled:
        notes.append(f"{name}: {doubled:,} samples repeat the key of an earlier one")
    if tar.odd:
        notes.append(f"{name}: {tar.odd:,} links or devices are left out")
    if others:
        shown_kinds = ", ".join(f"{count:,} {kind}" for kind, count in others.most_common(5))
        notes.append(f"{name} has members that this program does not read: {shown_kinds}")


def _split(name: str) -> tuple[str, str]:
    """Key and kind of a member; empty where it is of no sample."""
    match = None if _META.search(name) else _NAME.match(name)
    return ("", "") if match is None else (match[1], match[2].lower())


def _pictures(sample: Mapping[str, Member]) -> dict[str, Member]:
    """A sample's pictures; one that has a plain kind has masks and the like in the others."""
    found = {kind: m for kind, m in sample.items() if f".{_last(kind)}" in images.SUFFIXES}
    return {kind: m for kind, m in found.items() if "." not in kind} or found


def _last(kind: str) -> str:
    return kind.rpartition(".")[2]


def _said(tar: TarContainer, sample: Mapping[str, Member], broken: list[str]) -> dict[str, Any]:
    """What a sample's texts say of it, by the names of a manifest's columns."""
    said: dict[str, Any] = {}
    for kind in sorted(sample.keys() & _TEXTS):
        member = sample[kind]
        try:
            if member.size_bytes > _TEXT_BYTES:
                raise ValueError(f"{member.size_bytes:,} bytes")
            text = tar.read(member).decode("utf-8")
            if kind == "json":
                found = json.loads(text)
                if not isinstance(found, dict):
                    raise ValueError("no object")
                said = found | said
            elif kind.startswith("cls"):
                said[kind] = text.strip()
            else:
                said["report"] = text.strip()
        except (ImageError, ValueError) as error:
            broken.append(f"{member.name} ({error})")
    return said

"""Every report that the program knows, and what it is of: what a new report is compared with.

Their vectors in the frozen sentence space lie beside the starter's weights, so that neither an
archive's build nor a search embeds them (``make sentences`` does, whenever the wordings change).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.errors import WeightsError
from coin_retrieval.files import read_yaml
from coin_retrieval.starter import SENTENCES
from coin_retrieval.types import Embeddings
from coin_retrieval.wordings.captions import (
    WORDINGS,
    composed_parts,
    load_lexicon,
    reports_from_elsewhere_by_group,
    whole_reports,
)

COMPOSED = 24
"""Composed reports a finding: no report is compared with them, thresholds are set on them."""

_SHRINKAGE = 0.2
_COMPARED = b"contrasts, half of likenesses"
"""How reports are scored (``search/judging``): thresholds on other scores mean nothing."""

_WORD = re.compile(r"[^\W\d_]{2,}")


class KnownReport(NamedTuple):
    """``entity`` is what it is of, ``site`` where that is seen (empty: not told).

    With ``composed`` ones no report is compared: thresholds are set on them.
    """

    entity: str
    site: str
    text: str
    composed: bool = False


@dataclass(frozen=True)
class KnownSentences:
    """Known reports as rows of a matrix.

    ``vectors`` float32 [n 384]; ``whitening`` float32 [384 384] and ``mean`` [384] lead into the
    space in which the reports of one entity lie alike in every direction. ``digest`` is of texts
    and of how they are compared.
    """

    reports: tuple[KnownReport, ...]
    vectors: Embeddings
    mean: NDArray[np.float32]
    whitening: NDArray[np.float32]
    digest: str

    def whitened(self, vectors: Embeddings) -> Embeddings:
        """Rows [n 384] in the space of entities, L2 norm 1."""
        rows = (vectors - self.mean) @ self.whitening
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)

    @cached_property
    def whitened_vectors(self) -> Embeddings:
        """The reports' own."""
        return self.whitened(self.vectors)

    @cached_property
    def entities(self) -> NDArray[np.str_]:
        """Of each row."""
        return np.array([report.entity for report in self.reports])

    @cached_property
    def sites(self) -> NDArray[np.str_]:
        """Of each row."""
        return np.array([report.site for report in self.reports])

    @cached_property
    def composed(self) -> NDArray[np.bool_]:
        """Of each row: whether it was composed, and is compared with nothing."""
        return np.array([report.composed for report in self.reports])

    @cached_property
    def words(self) -> NDArray[np.object_]:
        """Of each row: the set of its words."""
        return object_array([words_of(report.text) for report in self.reports])


def words_of(text: str) -> frozenset[str]:
    """The words of a report, whatever their case; no numbers."""
    return frozenset(_WORD.findall(text.casefold()))


def object_array(items: Sequence[object]) -> NDArray[np.object_]:
    """One row an item."""
    found = np.empty(len(items), object)
    found[:] = items
    return found


@cache
def background_reports() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Site → entity → reports of what cytology sees, beyond the findings of the lexicon."""
    raw = read_yaml(WORDINGS / "background.yaml")
    return {site: {e: tuple(texts) for e, texts in of.items()} for site, of in raw.items()}


@cache
def known_reports() -> tuple[KnownReport, ...]:
    """All of them, in a fixed order."""
    sites = {finding: words.site for finding, words in load_lexicon().findings.items()}
    found = [
        KnownReport(finding, site, text)
        for finding, site in sites.items()
        for text in whole_reports()[finding]
    ]
    found += [
        KnownReport(f"elsewhere: {group}", "", text)
        for group, texts in reports_from_elsewhere_by_group().items()
        for text in texts
    ]
    found += [
        KnownReport(entity, site, text)
        for site, entities in background_reports().items()
        for entity, texts in entities.items()
        for text in texts
    ]
    found += [
        KnownReport(finding, site, text, composed=True)
        for finding, site in sites.items()
        for text in composed_parts(finding, COMPOSED)
    ]
    return tuple(found)


@cache
def known_digest(path: Path = SENTENCES) -> str:
    """See :class:`KnownSentences`, without loading them; empty where they cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return _digest(file.metadata()["reports"])
    except (OSError, SafetensorError, LookupError, TypeError):
        return ""


@cache
def known_sentences(path: Path = SENTENCES) -> KnownSentences:
    """The known reports and their vectors, as they were embedded.

    Raises:
        WeightsError: the file is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            written = file.metadata()["reports"]
            rows, mean, whitening = (file.get_tensor(n) for n in ("vectors", "mean", "whitening"))
        reports = tuple(KnownReport(*report) for report in json.loads(written))
    except (OSError, SafetensorError, LookupError, TypeError, ValueError) as error:
        raise WeightsError(
            f"the known reports' sentences cannot be read ({error})",
            value=str(path),
            expected="the file that comes with coin-retrieval",
            remedy="reinstall coin-retrieval, or run make sentences",
        ) from error
    vectors = rows.astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return KnownSentences(
        reports,
        vectors,
        mean.astype(np.float32),
        whitening.astype(np.float32),
        digest=_digest(written),
    )


def _digest(written: str) -> str:
    return sha256(_COMPARED + written.encode()).hexdigest()


def write_sentences(vectors: Embeddings, path: Path = SENTENCES) -> None:
    """Keep the known reports' vectors float32 [n 384], one byte an entry, and what whitens them."""
    from safetensors.numpy import save_file

    reports = known_reports()
    entities = np.array([report.entity for report in reports if not report.composed])
    mean, whitening = _within(vectors[: len(entities)], entities)
    scaled = vectors * (127 / np.abs(vectors).max(axis=1, keepdims=True))
    tensors = {
        "vectors": np.rint(scaled).astype(np.int8),
        "mean": mean.astype(np.float16),
        "whitening": whitening.astype(np.float16),
    }
    save_file(tensors, path, metadata={"reports": json.dumps(reports)})


def _within(
    vectors: Embeddings, entities: NDArray[np.str_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean, and the whitening of the covariance within entities, shrunk towards a sphere."""
    rows = vectors.astype(np.float64)
    centred = rows.copy()
    for entity in np.unique(entities):
        own = entities == entity
        centred[own] -= rows[own].mean(axis=0)
    covariance = centred.T @ centred / len(centred)
    covariance *= 1 - _SHRINKAGE
    covariance += _SHRINKAGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    values, directions = np.linalg.eigh(covariance)
    whitening = (directions / np.sqrt(values)) @ directions.T
    return rows.mean(axis=0), whitening / np.abs(whitening).max()

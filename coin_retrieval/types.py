"""The nouns of the project: array aliases and frozen records. No library loads, not even numpy."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NewType, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ImageId = NewType("ImageId", int)
"""Stable for ever; the catalog's key and the store's key are this same number.

Below 2**53, so that a JSON reader which keeps numbers as doubles keeps it exactly.
"""

RgbImage: TypeAlias = "NDArray[np.uint8]"
"""uint8 [height width 3], sRGB."""

Embeddings: TypeAlias = "NDArray[np.float32]"
"""float32 [n dim], rows of L2 norm 1."""

Features: TypeAlias = "NDArray[np.float32]"
"""float32 [n dim], raw: not normalised (Fréchet distances need the raw kind)."""

ImageIds: TypeAlias = "NDArray[np.int64]"
"""int64 [n]."""

RowMask: TypeAlias = "NDArray[np.bool_]"
"""bool [n]: which rows of a store or a catalog, in the order in which they were written."""


Dtype: TypeAlias = Literal["auto", "float32", "bfloat16", "float16"]
"""``auto``: bfloat16 where the hardware computes it, float16 on other GPUs, else float32."""


class Origin(StrEnum):
    """Where a picture comes from. Only ``REAL`` pictures are patients' cells."""

    REAL = "real"
    GENERATED = "generated"
    TRANSLATED = "translated"


class SearchMode(StrEnum):
    """How a report becomes a query vector."""

    FUSED = "fused"
    PROTOTYPE = "prototype"
    TEXT = "text"
    IMAGE = "image"


def content_digest(payload: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of a mapping's canonical JSON."""
    canonical = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """The identity of an embedding space; an archive refuses any other.

    ``preprocessing`` and ``weights`` are SHA-256 digests: the same model behind another resize is
    another space.
    """

    name: str
    revision: str
    dim: int
    preprocessing: str
    weights: str

    def __str__(self) -> str:
        return f"{self.name} ({self.dim}-d, weights {self.weights[:12]})"


@dataclass(frozen=True, slots=True)
class DiagnosisCode:
    """A category of a reporting system, e.g. ``("Bethesda cervix", "2014", "LSIL")``."""

    system: str
    edition: str
    code: str


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """One pseudonymous case: what its images have in common.

    ``patient_id`` is whose case it is, where that is known: a patient may have several.
    """

    case_id: str
    site: str = ""
    specimen: str = ""
    stain: str = ""
    report: str = ""
    codes: tuple[DiagnosisCode, ...] = ()
    patient_id: str = ""


@dataclass(frozen=True, slots=True)
class FileState:
    """A picture's file as it was indexed: from which source, its size and its time of change.

    While size and time are the same, so are the bytes. All of it may be unknown.
    """

    source: str = ""
    size_bytes: int = -1
    modified_ns: int = -1


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image of a case. Diagnosis and finding belong to the image, not to the case.

    ``mpp_um`` is micrometres a pixel, if known; so is ``slide_id``. ``attributes`` are further
    columns of the manifest.
    """

    image_id: ImageId
    case_id: str
    uri: str
    content_hash: str
    width_px: int
    height_px: int
    diagnosis: str = ""
    finding: str = ""
    mpp_um: float | None = None
    origin: Origin = Origin.REAL
    attributes: Mapping[str, str] = field(default_factory=dict)
    file: FileState = FileState()
    slide_id: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a clinician wrote, and what could be read from it."""

    text: str
    findings: str = ""
    conclusion: str = ""
    site: str = ""
    codes: tuple[DiagnosisCode, ...] = ()
    procedure: str = ""


@dataclass(frozen=True)
class ReportSource:
    """The text of a report, as a prototype is drawn from it."""

    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}

    text: str
    kind: Literal["report"] = "report"


@dataclass(frozen=True)
class LayoutSource:
    """Where nuclei are to lie, and words for the rest.

    ``points`` are each nucleus's x and y, as shares of the picture's sides in [0, 1), and its kind.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}

    points: tuple[tuple[float, float, str], ...]
    text: str = ""
    kind: Literal["layout"] = "layout"


@dataclass(frozen=True)
class PictureSource:
    """A picture that is to be translated, by the SHA-256 (hex) of its pixels.

    Who made it with :meth:`of` has the picture with it; what is read from a file's metadata has
    not, so that no patient's picture lies in the metadata of another.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}

    digest: str
    kind: Literal["picture"] = "picture"

    @classmethod
    def of(cls, image: RgbImage) -> PictureSource:
        """The source of this picture, uint8 [h w 3]."""
        digest = hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()
        source = cls(digest)
        object.__setattr__(source, "_image", image)
        return source

    @property
    def image(self) -> RgbImage | None:
        """The picture, where it is at hand."""
        return getattr(self, "_image", None)


Source: TypeAlias = ReportSource | LayoutSource | PictureSource
"""What a prototype was made from; ``kind`` tells the kinds apart."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a synthetic picture was made; its digest names the picture in caches and URLs.

    ``generator`` is a name for people and ``weights`` a digest over everything that shapes the
    picture besides the fields here (weights, LoRA, scheduler, dtype). ``dropped_text`` is the end
    of a report that was longer than could be read.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}

    generator: str
    weights: str
    source: Source
    seed: int
    steps: int
    guidance: float
    width_px: int
    height_px: int
    dropped_text: str = ""

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready copy."""
        return asdict(self)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over all fields."""
        return content_digest(self.as_dict())


@dataclass(frozen=True, slots=True)
class Sample:
    """A synthetic picture and how it was made."""

    image: RgbImage
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Location:
    """Where a sealed store or catalog lies: files of its version's folder, or else a collection.

    ``files`` are paths relative to the folder; ``collection`` is what a server calls it. Those of
    ``parsed`` are read by a library that trusts them, so that their digest is checked first.
    """

    files: tuple[str, ...] = ()
    collection: str | None = None
    parsed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """An image id and its cosine similarity in [-1, 1]; higher is closer, whatever the store."""

    image_id: ImageId
    similarity: float


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of a query says of one picture.

    ``kind`` is text, prototype (``label``: its seed), image, variation (its seed), liked, disliked
    (the case), unlike, or archive (what whitening takes off for all pictures). ``cosine`` is the
    picture's own cosine similarity to that part as the encoder gave it, ``corrected`` the same
    after the corrections. ``share`` is its summand of the picture's score. ``rank``, from 1, is
    where that part alone would find the picture; ``None`` if that was not asked, or lies deeper
    than was looked.
    """

    kind: str
    label: str
    cosine: float
    corrected: float
    share: float
    rank: int | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A hit with its record, and why: ``score`` is what it was ranked by, the sum of its parts."""

    image: ImageRecord
    similarity: float
    score: float | None = None
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseMatch:
    """The matches of one case, best first; ``similarity`` is the best one's.

    ``near_duplicates`` are pictures of other cases that repeat one of these. ``standing`` is the
    share of the archive's own neighbours that are less alike, ``None`` where nobody measured it.
    """

    case: CaseRecord
    similarity: float
    matches: tuple[Match, ...]
    near_duplicates: tuple[Match, ...] = ()
    standing: float | None = None

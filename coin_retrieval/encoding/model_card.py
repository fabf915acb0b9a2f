"""What a model directory says about itself in ``coin.json``."""

from __future__ import annotations

import json
from pathlib import Path

from coin_retrieval.errors import WeightsError

FILE = "coin.json"


def model_name(directory: Path) -> str:
    """The name in ``coin.json``, else the directory's own: never a path, which differs by machine.

    Raises:
        WeightsError: the file is there but says no name.
    """
    path = directory / FILE
    if not path.is_file():
        return directory.resolve().name
    try:
        return str(json.loads(path.read_text("utf-8"))["name"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{path} cannot be read ({error})",
            expected='JSON with a "name"',
            remedy="correct or remove it",
        ) from error

"""What a manifest calls its columns, as people say it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml

from coin_retrieval.errors import InputError

_FORM = 'NAME=COLUMN, such as diagnosis="Final Dx", or a .yaml or .json file of such pairs'


def parse_columns(pairs: Iterable[str]) -> dict[str, str]:
    """The columns of manifests by our names for them.

    Raises:
        InputError: not a pair, not a file of pairs, or a name twice.
    """
    columns: dict[str, str] = {}
    for text in pairs:
        name, separator, column = text.partition("=")
        is_file = not separator and Path(text).suffix in (".yaml", ".yml", ".json")
        if not is_file and not (separator and name.strip() and column.strip()):
            raise InputError("not a mapping of a column", value=text, expected=_FORM)
        found = _of_file(Path(text)) if is_file else {name.strip(): column.strip()}
        if doubled := columns.keys() & found.keys():
            raise InputError(
                "a column is mapped twice", value=sorted(doubled), expected="each name once"
            )
        columns |= found
    return columns


def _of_file(path: Path) -> dict[str, str]:
    try:
        # JSON is YAML
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(
            f"the mapping cannot be read ({error})", value=str(path), expected=_FORM
        ) from error
    if not isinstance(content, dict) or not all(
        isinstance(part, str) for pair in content.items() for part in pair
    ):
        raise InputError("not a mapping of columns", value=str(path), expected=_FORM)
    return dict(content)

"""From an archive's address to its layout."""

from __future__ import annotations

from pathlib import Path

from coin_retrieval.archive.layout import ArchiveLayout
from coin_retrieval.errors import MissingDependencyError

ADDRESS = "archive.yaml"
"""In a folder: a mirror of the archive that the file says is on servers."""


def open_layout(address: Path) -> ArchiveLayout:
    """The layout of an archive that is a folder, or that a YAML file says is on servers.

    Raises:
        SettingsError: a file that is no address.
        ArchiveServerError: a server is away.
        ArchiveSchemaError: a newer program has changed the archive.
        MissingDependencyError: what servers need is not installed.
    """
    file = address if address.suffix in (".yaml", ".yml") else address / ADDRESS
    if not file.is_file():
        return ArchiveLayout(address)
    try:
        from coin_retrieval.archive.remote.address import open_remote
    except ImportError as error:
        raise MissingDependencyError(
            f"archives on servers need more ({error})", remedy="pip install coin-retrieval[servers]"
        ) from error
    return open_remote(file)

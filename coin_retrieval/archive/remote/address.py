"""An archive's address: a folder, or a YAML file that names the servers it lies on.

Of an archive on servers there is a mirror on the local disk: what its versions say of themselves,
as in an archive that is a folder, so that everything else reads it as one. It can be deleted; the
work of a build that was stopped is in it.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import ValidationError

from coin_retrieval.archive.layout import MANIFEST, ArchiveLayout
from coin_retrieval.archive.opening import ADDRESS
from coin_retrieval.archive.remote.files import ContentFiles
from coin_retrieval.archive.remote.versions import VersionRegistry
from coin_retrieval.config import ArchiveAddress, MilvusStoreSettings, PostgresCatalogSettings
from coin_retrieval.errors import SettingsError
from coin_retrieval.files import replace_file

_MIRRORED = "mirrored.json"


@dataclass(frozen=True, slots=True)
class Remote:
    """The servers of an archive, and the file that names them."""

    file: Path
    address: ArchiveAddress
    versions: VersionRegistry
    files: ContentFiles

    @property
    def store(self) -> MilvusStoreSettings:
        """Where its vectors are."""
        named = {"name": self.address.name, "owner": self.versions.identity}
        return self.address.store.model_copy(update=named)

    @property
    def catalog(self) -> PostgresCatalogSettings:
        """Where its records are."""
        return _catalog(self.address)

    def pull(self, layout: ArchiveLayout) -> None:
        """Bring the mirror to what is published."""
        current, digests = self.versions.published()
        path = layout.root / _MIRRORED
        mirrored = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        wanted = {f"{version}/{name}": sha256 for (version, name), sha256 in digests.items()}
        gone = {name.split("/")[0] for name in mirrored} - {version for version, _ in digests}
        for version in gone:
            shutil.rmtree(layout.version(version), ignore_errors=True)
        if gone:
            # what was purged is not to stay behind here
            shutil.rmtree(layout.thumbnails, ignore_errors=True)
        for (version, name), sha256 in digests.items():
            target = layout.version(version) / name
            if mirrored.get(f"{version}/{name}") == sha256 and target.is_file():
                continue
            data = self.versions.read(version, name)
            if data is not None:
                replace_file(target, self._located(data) if name == MANIFEST else data)
        if mirrored != wanted:
            replace_file(path, json.dumps(wanted))
        if current is not None and layout.current_name() != current:
            replace_file(layout.current, f"{current}\n")

    def _located(self, manifest: bytes) -> bytes:
        """Servers may have moved since: the address knows."""
        payload = json.loads(manifest)
        parts = {"store": self.store, "catalog": self.catalog}
        for name, settings in parts.items():
            payload[name] |= settings.model_dump(mode="json")
        return json.dumps(payload, indent=2).encode()


def open_remote(file: Path) -> ArchiveLayout:
    """The mirror, as it is now, of the archive whose address a file holds.

    Raises as :func:`coin_retrieval.archive.opening.open_layout` does.
    """
    content = file.read_bytes()
    wanted = read_address(file)
    remote = Remote(
        file,
        wanted,
        VersionRegistry(_catalog(wanted)),
        ContentFiles(wanted.files, wanted.files_options),
    )
    scratch = wanted.scratch or Path(tempfile.gettempdir()) / "coin-archives"
    layout = ArchiveLayout(scratch.expanduser() / wanted.name, remote)
    copy = layout.root / ADDRESS
    if copy != file and (not copy.is_file() or copy.read_bytes() != content):
        (layout.root / _MIRRORED).unlink(missing_ok=True)
        replace_file(copy, content)
    remote.pull(layout)
    return layout


def read_address(file: Path) -> ArchiveAddress:
    """What a YAML file says of where an archive lies.

    Raises:
        SettingsError: it cannot be read, or says something else.
    """
    try:
        return ArchiveAddress.model_validate(yaml.safe_load(file.read_text("utf-8")))
    except (OSError, ValueError, yaml.YAMLError, ValidationError) as error:
        raise SettingsError(
            f"not an archive's address ({' '.join(str(error).split())[:300]})",
            value=str(file),
            expected="name, catalog: {url: …}, store: {uri: …}, files: a folder or a URL",
            remedy="see Operating an archive, On servers",
        ) from error


def _catalog(address: ArchiveAddress) -> PostgresCatalogSettings:
    return address.catalog.model_copy(update={"name": address.name})

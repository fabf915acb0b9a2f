"""What the environment says: the only place of ``coin`` that reads it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar, overload

from platformdirs import user_cache_path
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from coin_retrieval.errors import SettingsError
from coin_retrieval.limits import DEFAULT_CACHE_BYTES


def default_cache_dir() -> Path:
    """Where this platform keeps what can be made again; XDG_CACHE_HOME wins everywhere."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # platformdirs asks for it on Linux only, and takes a relative path, which is invalid by XDG
    if named.is_absolute():
        return named / "coin-retrieval"
    usual = user_cache_path("coin-retrieval", appauthor=False)
    return usual if usual.is_absolute() else Path.home() / ".cache" / "coin-retrieval"


class CoinEnvironment(BaseSettings):
    """COIN_ENCODER, COIN_GENERATOR, COIN_CACHE_DIR and so on; options win over them."""

    model_config = SettingsConfigDict(env_prefix="COIN_", env_ignore_empty=True, frozen=True)

    encoder: str | None = None
    generator: str = "starter"
    cache_dir: Path = Field(default_factory=default_cache_dir)
    cache_bytes: int = Field(default=DEFAULT_CACHE_BYTES, ge=1024**2)
    pseudonym_key: SecretStr | None = None

    @property
    def prototype_dir(self) -> Path:
        """Where prototypes are kept."""
        return self.cache_dir.expanduser() / "prototypes"

    @property
    def feature_dir(self) -> Path:
        """Where ``coin evaluate`` keeps the features of pictures."""
        return self.cache_dir.expanduser() / "features"


Environment = TypeVar("Environment", bound=CoinEnvironment)


@overload
def read_environment() -> CoinEnvironment: ...
@overload
def read_environment(kind: type[Environment]) -> Environment: ...
def read_environment(kind: type[CoinEnvironment] = CoinEnvironment) -> CoinEnvironment:
    """The environment's settings; ``kind`` may add variables of its own.

    Raises:
        SettingsError: a variable that cannot be read.
    """
    try:
        return kind()
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(
            f"the environment variable COIN_{str(first['loc'][0]).upper()} cannot be used",
            value=str(first["input"]),
            expected=first["msg"],
        ) from error

"""What an operator says about who may ask."""

from __future__ import annotations

from pathlib import Path

from pydantic import AnyHttpUrl, Field, SecretStr, model_validator

from coin_retrieval.config import Settings


class AccessSettings(Settings):
    """Accounts of one server; with neither keys nor an issuer it has none."""

    keys: Path | None = Field(
        default=None, description="API keys of those who may ask: coin-serve keys add."
    )
    oidc_issuer: AnyHttpUrl | None = Field(
        default=None, description="An OpenID Connect provider whose tokens are believed."
    )
    oidc_audience: str = Field(
        default="", description="The audience of access tokens for this server."
    )
    oidc_client: str = Field(
        default="", description="Client id of the page's login at the provider."
    )
    oidc_secret: SecretStr | None = Field(default=None, description="of a confidential client")
    oidc_roles: str = Field(default="roles", description="the claim that lists roles")
    oidc_scope: str = "openid profile"
    oidc_cooldown_s: float = Field(
        default=30, ge=0, description="between two looks for a key that is not known"
    )
    clock_skew_s: int = Field(default=60, ge=0, le=300)
    session_idle_s: int = Field(default=3600, ge=60)
    session_s: int = Field(default=12 * 3600, ge=60)
    requests_per_minute: int = Field(default=3000, ge=1, description="of one principal")
    questions_per_minute: int = Field(default=60, ge=1, description="searches and drawings")
    logins_per_minute: int = Field(default=10, ge=1, description="of one address that fails")

    @property
    def asked(self) -> bool:
        """Whether there are accounts."""
        return self.keys is not None or self.oidc_issuer is not None

    @model_validator(mode="after")
    def _audience_of_issuer(self) -> AccessSettings:
        if self.oidc_issuer is not None and not (self.oidc_audience or self.oidc_client):
            raise ValueError("oidc_issuer needs oidc_audience, oidc_client or both")
        return self

"""The section [console]: where the centre's own staff open the console."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from adapter.settings.client import must_be_safe
from adapter.settings.secrets import SecretRef
from adapter.texts import say

__all__ = ["ConsoleSettings", "OidcSettings"]


class OidcSettings(BaseModel):
    """The section [console.oidc]: the centre's own sign-in, an OpenID Connect provider."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: Annotated[str, AfterValidator(must_be_safe)]
    client_id: str = Field(min_length=1)
    client_secret: SecretRef


class ConsoleSettings(BaseModel):
    """Where `adapter console` listens, and under which address browsers see it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(8090, ge=1, le=65535)
    url: str | None = Field(None, pattern=r"^https?://[^/\s]+/?$")  # None: only on this machine
    oidc: OidcSettings | None = None

    @model_validator(mode="after")
    def _provider_knows_the_way_back(self) -> Self:
        if self.oidc is not None and self.url is None:
            raise ValueError(say("settings.oidc_needs_url"))
        return self

"""How a hospital's own client shows who it is when it calls our endpoint, besides a token that we made."""

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from adapter.settings.secrets import SecretRef
from adapter.texts import say

__all__ = ["ClientRegistration", "OutsideIssuer", "ProxySettings", "is_safe_url", "must_be_safe"]

_LOOPBACK = re.compile(r"http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/|$)")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def is_safe_url(value: str) -> bool:
    """HTTPS, or this machine: elsewhere whoever is on the way could hand us keys of their own."""
    return bool(re.fullmatch(r"https://\S+", value) or _LOOPBACK.match(value))


def must_be_safe(value: str) -> str:
    """The same as a validator of settings. Raises ValueError."""
    if not is_safe_url(value):
        raise ValueError(say("settings.not_https", value=value))
    return value


def _is_fingerprint(value: str) -> str:
    plain = value.lower().replace(":", "")
    if not _FINGERPRINT.fullmatch(plain):
        raise ValueError(say("settings.bad_fingerprint", value=value))
    return plain


class OutsideIssuer(BaseModel):
    """A server that the hospital has its tokens from (OpenID Connect discovery): which of its clients is this
    hospital, and what its tokens must be meant for.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[str, AfterValidator(must_be_safe)]
    client_id: str = Field(min_length=1)
    audience: str = Field(min_length=1)


class ClientRegistration(BaseModel):
    """The section [hospitals.NAME.client]."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    jwks_file: Path | None = None  # its public keys, relative to the settings file
    jwks_url: Annotated[str, AfterValidator(must_be_safe)] | None = None
    scopes: str = "system/*.cruds"  # the most that it is given
    issuer: OutsideIssuer | None = None
    certificates: tuple[Annotated[str, AfterValidator(_is_fingerprint)], ...] = ()  # SHA-256, hexadecimal

    @model_validator(mode="after")
    def _keys_in_one_place(self) -> Self:
        if self.jwks_file is not None and self.jwks_url is not None:
            raise ValueError(say("settings.two_key_sets"))
        return self


class ProxySettings(BaseModel):
    """The section [proxy]: who ends TLS in front of us and asks clients for certificates."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret: SecretRef  # that it shows with each request: nobody else is believed
    secret_header: str = Field("X-Proxy-Secret", pattern=r"^[A-Za-z0-9-]+$")
    certificate_header: str = Field("Client-Cert", pattern=r"^[A-Za-z0-9-]+$")  # RFC 9440

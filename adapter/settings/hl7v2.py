"""Hospitals that send HL7 v2: where they are listened to (MLLP), and how one's messages are read."""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from adapter.texts import say

__all__ = ["Hl7v2Settings", "MllpSettings"]


def _is_network(value: str) -> str:
    try:
        return str(ip_network(value, strict=False))
    except ValueError as error:
        raise ValueError(say("settings.bad_network", value=value)) from error


class MllpSettings(BaseModel):
    """The section [mllp]: `adapter serve` listens for HL7 v2 where it is there. Files are PEM, relative to
    the settings file; `client_ca` has whoever may have issued the senders' certificates.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(2575, ge=1, le=65535)
    certificate: Path | None = None  # None: without TLS
    key: Path | None = None  # None: the certificate's file holds it
    client_ca: Path | None = None
    max_bytes: int = Field(5_000_000, ge=1_000)  # of one message
    connections: int = Field(20, ge=1, le=200)  # at once
    idle_seconds: float = Field(600, ge=1)  # until a connection that says nothing is closed

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if self.certificate is None and (self.key is not None or self.client_ca is not None):
            raise ValueError(say("settings.mllp_no_certificate"))
        return self


class Hl7v2Settings(BaseModel):
    """The section [hospitals.NAME.hl7v2]. Over MLLP a hospital is who sends from one of its `addresses`, or
    shows one of its certificates ([hospitals.NAME.client]); `port`, `application` (MSH-3) and `facility`
    (MSH-4) narrow that where they are given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    addresses: tuple[Annotated[str, AfterValidator(_is_network)], ...] = ()
    port: int | None = Field(None, ge=1, le=65535)  # of its own; None: that of [mllp]
    application: str = ""
    facility: str = ""
    charset: Literal["utf-8", "iso-8859-1", "tcvn3", "vni"] = "utf-8"  # where a message does not say
    system: str = Field("", pattern=r"^\S*$")  # below which its own numbers stand; empty: its base_url
    authorities: dict[str, str] = Field(default_factory=dict)  # PID-3.4 -> identifier system

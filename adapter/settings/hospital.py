"""A hospital's server in the settings: where it is, how it is logged in to, when and how much it is sent."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from adapter import service_hours
from adapter.errors import SettingsError
from adapter.settings.client import ClientRegistration
from adapter.settings.clocks import ReferralClocks
from adapter.settings.hl7v2 import Hl7v2Settings
from adapter.settings.national_xml import NationalXmlSettings
from adapter.settings.pdf import PdfFolderSettings
from adapter.settings.poll import PollSettings
from adapter.settings.schedule import is_cron, is_cron_or_never
from adapter.settings.secrets import SecretRef
from adapter.settings.webhook import WebhookSettings
from adapter.texts import say

__all__ = ["BasicLogin", "ClientCertificate", "ClientCredentials", "HospitalLogin", "HospitalSettings"]

# A host with or without a port, which is asked by https; another way must be written out.
_HOST = re.compile(
    r"(https?://)?([A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]{0,4})?"
)
_SLOWEST = 0.05  # requests a second


def _is_rate(value: float) -> float:
    """No limit, or one that a lease outlasts: a shipment is held while its request waits."""
    if 0 < value < _SLOWEST:
        raise ValueError(say("settings.slow_rate", value=f"{value:g}", slowest=f"{_SLOWEST:g}"))
    return value


def _is_window(value: str) -> str:
    try:
        service_hours.parse_window(value)
    except ValueError as error:
        raise ValueError(say("settings.bad_window", value=value)) from error
    return value


def _is_closure(value: str) -> str:
    try:
        service_hours.parse_closure(value)
    except ValueError as error:
        raise ValueError(say("settings.bad_closure", value=value)) from error
    return value


def _is_host(value: str) -> str:
    if _HOST.fullmatch(value) is None:
        raise ValueError(say("settings.bad_host", value=value))
    return value


class BasicLogin(BaseModel):
    """HTTP Basic authentication (RFC 7617)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user: str = Field(min_length=1, pattern=r"^[^:]+$")
    password: SecretRef


class ClientCredentials(BaseModel):
    """OAuth 2.0 client credentials (RFC 6749 §4.4): a token from `token_url`, renewed before it ends."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token_url: str = Field(pattern=r"^https?://\S+$")
    client_id: str = Field(min_length=1)
    client_secret: SecretRef
    scope: str = ""
    method: Literal["basic", "post"] = "basic"  # how the client shows its secret (client_secret_basic, _post)


class ClientCertificate(BaseModel):
    """A certificate that the server asks for in TLS: PEM files, relative to the settings file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Path
    key: Path | None = None  # None: the certificate's file holds it
    password: SecretRef | None = None  # of the key


class HospitalLogin(BaseModel):
    """How a hospital is logged in to, as its section [hospitals.NAME.auth] says; a certificate goes with any
    of the others.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    basic: BasicLogin | None = None
    oauth2: ClientCredentials | None = None
    certificate: ClientCertificate | None = None


class HospitalSettings(BaseModel):
    """A destination, as its section [hospitals.NAME] says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""  # filled from the section's name
    display: str
    level: Literal["provincial", "central"]
    base_url: str | None = Field(None, pattern=r"^https?://\S+$")  # None: it has its page alone
    base_urls: tuple[
        Annotated[str, Field(pattern=r"^https?://\S+$")], ...
    ] = ()  # what it calls that server too
    token: SecretRef | None = None  # of a bearer token
    auth: HospitalLogin = HospitalLogin()
    client: ClientRegistration = ClientRegistration()
    ca_file: Path | None = None  # PEM: authorities trusted besides the usual ones, for this hospital alone
    facility_code: str = Field("", pattern=r"^([0-9A-Z]{5})?$")  # empty: only the name is sent
    schedule: Annotated[str, AfterValidator(is_cron)] = "*/30 * * * *"  # cron, Asia/Ho_Chi_Minh
    doctor_schedule: Annotated[str, AfterValidator(is_cron_or_never)] = "30 2 * * 0"  # cron; "": never
    timeout_seconds: float = Field(30, gt=0, le=600)
    concurrency: int = Field(2, ge=1, le=16)  # shipments in flight at most
    requests_per_second: Annotated[float, AfterValidator(_is_rate)] = Field(
        0, ge=0, le=10_000
    )  # over all workers; 0: no limit
    received_per_second: float = Field(200, ge=0, le=10_000)  # of its requests to the endpoint; 0: no limit
    received_at_once: int = Field(32, ge=1, le=200)  # of its requests to the endpoint
    windows: tuple[Annotated[str, AfterValidator(_is_window)], ...] = ()  # "22:00-05:00"; none: all day
    maintenance: tuple[Annotated[str, AfterValidator(_is_closure)], ...] = ()  # days, or moments
    max_entries: int = Field(100, ge=1, le=500)
    max_bytes: int = Field(1_000_000, ge=10_000)
    retract: Literal["delete", "entered-in-error"] = "delete"  # what should no longer be there
    max_age_days: float = Field(
        30, ge=0, le=36_500
    )  # what is older and never arrived goes only when told to; 0: all goes
    salvage: bool = False  # of a broken Bundle from there the sound resources are taken
    referential_integrity: bool = False  # what it refers to here must be there
    subscription_hosts: tuple[
        Annotated[str, AfterValidator(_is_host)], ...
    ] = ()  # where it may be told of its referrals; none: nowhere
    merged: Literal["retract", "link"] = "retract"  # the Patient of somebody who was merged into another
    telephone: str = Field("", max_length=100)  # whom to call about a referral; shown, never sent
    clocks: ReferralClocks = ReferralClocks()  # until when it is to answer
    hl7v2: Hl7v2Settings = Hl7v2Settings()  # how its HL7 v2 messages come, and are read
    webhook: WebhookSettings | None = None  # how its own JSON comes
    national_xml: NationalXmlSettings = NationalXmlSettings()  # how the insurer's XML comes, and is read
    pdf: PdfFolderSettings = PdfFolderSettings()  # the folder that it drops PDFs into
    poll: PollSettings | None = None  # what is read at its server, which cannot send
    systems: dict[str, str] = Field(default_factory=dict)  # identifier systems by name: citizen_id, …

    @model_validator(mode="after")
    def _one_way_to_log_in(self) -> Self:
        ways = [self.token, self.auth.basic, self.auth.oauth2]
        if sum(way is not None for way in ways) > 1:
            raise ValueError(say("settings.several_logins"))
        return self

    @model_validator(mode="after")
    def _says_nothing_of_no_server(self) -> Self:
        of_a_server = {
            "base_urls",
            "token",
            "auth",
            "ca_file",
            "subscription_hosts",
            "poll",
        } & self.model_fields_set
        if self.base_url is None and of_a_server:
            raise ValueError(say("settings.no_base_url", name=min(of_a_server)))
        return self

    @property
    def server_url(self) -> str:
        """The address of its server. Raises SettingsError where it has none."""
        if self.base_url is None:
            raise SettingsError("settings.no_server", name=self.name)
        return self.base_url

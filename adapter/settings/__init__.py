"""Settings. In: one TOML file, overridden by environment variables (ADAPTER_…), secrets by reference.
Out: frozen values, or every wrong entry on a line of its own.

A secret is written as `env:NAME` or `file:PATH`, never as itself; a value that is neither is
refused, so that a token cannot end up in a file that is copied around.
"""

import os
import re
from collections.abc import Iterable
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import SettingsError as BadVariable

from adapter.errors import SettingsError
from adapter.invalid_entries import describe_invalid_entry
from adapter.settings.client import ProxySettings
from adapter.settings.console import ConsoleSettings
from adapter.settings.hl7v2 import MllpSettings
from adapter.settings.hospital import HospitalSettings
from adapter.settings.pdf import PdfSettings
from adapter.settings.schedule import is_cron
from adapter.settings.secrets import SecretRef, read_secret
from adapter.texts import say

__all__ = [
    "DEFAULT_FILE",
    "AlarmSettings",
    "CentreSettings",
    "HospitalSettings",
    "MailSettings",
    "SecretRef",
    "Settings",
    "SourceSettings",
    "is_valid_name",
    "load_settings",
    "read_secret",
]

DEFAULT_FILE = Path("adapter.toml")


def is_valid_name(value: str) -> bool:
    """Whether a hospital or a source may be called this: it stands in URLs, file names and records."""
    return re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", value) is not None


def _must_be_names(names: Iterable[str]) -> None:
    wrong = [name for name in names if not is_valid_name(name)]
    if wrong:
        raise ValueError(say("settings.bad_name", names=", ".join(map(repr, wrong))))


_Tier = Annotated[str, Field(pattern=r"^T[1-5]$")]


class CentreSettings(BaseModel):
    """The health-care centre itself, as hospitals see it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = "Trung tâm Bảo vệ, chăm sóc sức khỏe cán bộ"
    facility_code: str = Field("", pattern=r"^([0-9A-Z]{5})?$")  # empty: only the name is sent
    address: str = ""
    phone: str = Field("", pattern=r"^(0\d{9,10})?$")
    identifier_system: str = Field("https://cadre-health.example/fhir/sid/record", pattern=r"^\S+$")
    # After how many months the next check-up of a tier is due; of one that is not named, after 12.
    checkup_months: dict[_Tier, Annotated[int, Field(ge=1, le=60)]] = Field(default_factory=lambda: {"T1": 6})


class SourceSettings(BaseModel):
    """What records are read from besides workbooks, as its section [sources.NAME] says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Path  # a source file (YAML), a check-up form (XML) or a folder of them
    schedule: Annotated[str, AfterValidator(is_cron)] = "15 * * * *"  # cron, Asia/Ho_Chi_Minh


def _is_address(value: str) -> str:
    if not value.startswith(("http://", "https://", "env:", "file:")):
        raise ValueError(say("settings.is_webhook"))
    return value


class MailSettings(BaseModel):
    """How alarms are sent by e-mail, as the section [alarm.mail] says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str
    port: int = Field(587, ge=1, le=65535)
    starttls: bool = True
    user: str = ""  # empty: without logging in
    password: SecretRef | None = None
    sender: str = Field(pattern=r"^\S+@\S+$")
    to: tuple[Annotated[str, Field(pattern=r"^\S+@\S+$")], ...] = Field(min_length=1)


_DAYS, _HOURS, _MINUTES = 36_500, 876_000, 52_560_000  # a century: what is longer than time itself is a slip


class AlarmSettings(BaseModel):
    """From when on a person must know, and how he is told, as the section [alarm] says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unreachable_minutes: float = Field(60, gt=0, le=_MINUTES)
    unknown_minutes: float = Field(60, gt=0, le=_MINUTES)
    referral_hours: float = Field(4, gt=0, le=_HOURS)  # that a referral is not at the hospital
    retract_hours: float = Field(24, gt=0, le=_HOURS)
    unmatched_hours: float = Field(24, gt=0, le=_HOURS)
    unseen_hours: float = Field(24, gt=0, le=_HOURS)  # that no doctor has seen an abnormal result
    paused_hours: float = Field(24, gt=0, le=_HOURS)
    idle_minutes: float = Field(120, gt=0, le=_MINUTES)  # that something is due and nobody works
    certificate_days: float = Field(21, ge=0, le=_DAYS)
    token_days: float = Field(7, ge=0, le=_DAYS)
    disk_free_mb: float = Field(1000, ge=0)
    repeat_hours: float = Field(24, gt=0, le=_HOURS)
    webhook: Annotated[str, AfterValidator(_is_address)] | None = None
    webhook_token: SecretRef | None = None
    mail: MailSettings | None = None

    @property
    def unseen_time(self) -> timedelta:
        """How long an abnormal result may wait for a doctor."""
        return timedelta(hours=self.unseen_hours)


class Settings(BaseSettings):
    """All settings. Each can be overridden by ADAPTER_<NAME>, sections by ADAPTER_<SECTION>__<NAME>."""

    model_config = SettingsConfigDict(
        env_prefix="ADAPTER_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    lang: Literal["vi", "en"] = "en"
    database_url: str = "sqlite:///data/adapter.db"
    mappings: Path | None = None  # None: the mappings shipped with the adapter
    identity_key: SecretRef = "file:data/identity.key"
    audit_key: SecretRef | None = None  # of the audit's hashes; None: made of the identity key
    max_deletions_percent: float = Field(3.0, ge=0, le=100)
    max_resend_percent: float = Field(1.0, ge=0, le=100)
    max_disclosure_percent: float = Field(3.0, ge=0, le=100)  # of the people at a hospital
    lease_seconds: int = Field(120, ge=10)
    patience_seconds: float = Field(60, ge=0)  # how long one sync waits for a hospital that backs off
    listen_host: str = "127.0.0.1"
    listen_port: int = Field(8080, ge=1, le=65535)
    public_url: str | None = None  # base of /fhir as hospitals see it; None: from the request
    max_body_bytes: int = Field(5_000_000, ge=1_000)
    max_body_depth: int = Field(40, ge=5, le=200)
    max_memory_mb: int = Field(1000, ge=200)  # that the endpoint's process may have before it is started anew
    refused_days: int = Field(30, ge=1, le=3_650)  # how long what was refused for its content is kept
    refused_max_bytes: int = Field(500_000_000, ge=0)  # kept of all hospitals; 0: nothing is kept
    refused_hospital_max_bytes: int = Field(100_000_000, ge=0)  # kept of one
    allow_root: bool = False  # whether services may run as root
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_json: bool = False
    receipts_days: int = Field(1825, ge=30, le=36_500)  # how long what was retracted is remembered
    imports_days: int = Field(730, ge=1, le=36_500)  # how long what imports changed is remembered
    centre: CentreSettings = CentreSettings()
    alarm: AlarmSettings = AlarmSettings()
    proxy: ProxySettings | None = None
    mllp: MllpSettings | None = None
    pdf: PdfSettings = PdfSettings()
    console: ConsoleSettings = ConsoleSettings()
    hospitals: dict[str, HospitalSettings] = Field(default_factory=dict)
    sources: dict[str, SourceSettings] = Field(default_factory=dict)

    _folder: Path = Path()
    _file: Path = DEFAULT_FILE

    @field_validator("hospitals", mode="after")
    @classmethod
    def _name_them(cls, value: dict[str, HospitalSettings]) -> dict[str, HospitalSettings]:
        _must_be_names(value)
        return {name: hospital.model_copy(update={"name": name}) for name, hospital in value.items()}

    @field_validator("sources", mode="after")
    @classmethod
    def _have_names(cls, value: dict[str, SourceSettings]) -> dict[str, SourceSettings]:
        _must_be_names(value)
        return value

    @model_validator(mode="after")
    def _page_has_an_address(self) -> Self:
        on_page = [name for name, hospital in self.hospitals.items() if hospital.base_url is None]
        if on_page and self.public_url is None:
            raise ValueError(say("settings.no_page", names=", ".join(on_page)))
        return self

    @model_validator(mode="after")
    def _a_webhook_key_is_one_hospitals(self) -> Self:
        named = [name for one in self.hospitals.values() if one.webhook for name in one.webhook.keys]
        if twice := sorted({name for name in named if named.count(name) > 1}):
            raise ValueError(say("settings.webhook_key_twice", names=", ".join(twice)))
        return self

    @property
    def folder(self) -> Path:
        """Where the settings file is; relative paths start there."""
        return self._folder

    @property
    def file(self) -> Path:
        """The settings file that was looked for, absolute; it need not be there."""
        return self._file.absolute()

    def require_chosen_database(self) -> None:
        """Raises SettingsError where neither a file nor a variable says which database is meant: the default
        would be an empty one in whatever folder a command was started in.
        """
        if "database_url" not in self.model_fields_set and not self._file.is_file():
            raise SettingsError("settings.none_here", path=str(self.file))

    @cached_property
    def resolved_database_url(self) -> str:
        """The database's URL with a relative SQLite path made absolute against `folder`."""
        prefix = "sqlite:///"
        if self.database_url.startswith(prefix) and not self.database_url.startswith(prefix + "/"):
            return prefix + str((self.folder / self.database_url.removeprefix(prefix)).absolute())
        return self.database_url

    @property
    def database_file(self) -> Path | None:
        """The file of a SQLite database; None for another."""
        prefix, url = "sqlite:///", self.resolved_database_url
        return Path(url.removeprefix(prefix)).expanduser() if url.startswith(prefix) else None

    @property
    def data_folder(self) -> Path:
        """Folder of locks and rejects: beside a SQLite database, or `data/` beside the settings."""
        file = self.database_file
        return file.parent if file else (self.folder / "data").absolute()

    @property
    def mappings_folder(self) -> Path:
        """The folder of mapping files in use."""
        if self.mappings is not None:
            return (self.folder / self.mappings).absolute()
        return Path(__file__).parent.parent.parent / "mappings"

    def with_server(self, names: Iterable[str]) -> list[str]:
        """Those of these hospitals that have a FHIR server, and not their page alone."""
        return [name for name in names if self.hospital(name).base_url is not None]

    def hospital(self, name: str) -> HospitalSettings:
        """The hospital of that name. Raises SettingsError that lists those there are."""
        try:
            return self.hospitals[name]
        except KeyError:
            known = ", ".join(sorted(self.hospitals)) or "-"
            raise SettingsError("settings.no_hospital", name=name, known=known) from None

    def secret(self, reference: str) -> SecretStr:
        """The secret behind a reference, files relative to the settings file."""
        return read_secret(reference, folder=self.folder)


def load_settings(path: Path | None = None) -> Settings:
    """Read the settings: `path`, else $ADAPTER_CONFIG, else ./adapter.toml; defaults if there is none.

    Raises SettingsError that names the file, each wrong entry and what is expected.
    """
    named = path or (Path(os.environ["ADAPTER_CONFIG"]) if os.environ.get("ADAPTER_CONFIG") else None)
    file = named or DEFAULT_FILE
    if named is not None and not file.is_file():
        raise SettingsError("settings.no_file", path=str(file))

    class _Loaded(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (env_settings, TomlConfigSettingsSource(settings_cls, toml_file=file))

    try:
        settings = _Loaded()
    except ValidationError as error:
        raise _refused(file, error) from error
    except BadVariable as error:  # one that should hold JSON
        raise SettingsError("settings.invalid_variable", problem=str(error)) from error
    except ValueError as error:  # TOML that does not parse
        raise SettingsError("settings.not_toml", path=str(file), problem=str(error)) from error
    settings._file = file.absolute()
    settings._folder = settings._file.parent
    return settings


def _refused(file: Path, error: ValidationError) -> SettingsError:
    """Every wrong entry on a line of its own, named as it is written: in the file, or as a variable."""
    set_ = {name.upper() for name in os.environ}
    lines = []
    in_file = False
    for item in error.errors():
        parts = [str(part) for part in item["loc"]]
        names = ("ADAPTER_" + "__".join(parts[:length]).upper() for length in range(len(parts), 0, -1))
        variable = next((name for name in names if name in set_), None)
        in_file = in_file or variable is None
        lines.append(f"  {variable or '.'.join(parts)}: {describe_invalid_entry(item)}")
    text = "settings.invalid" if in_file else "settings.invalid_environment"
    return SettingsError(text, path=str(file), problems="\n".join(lines))

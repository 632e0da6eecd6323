"""The adapter, opened from its settings: the stores, and what is loaded when it is first needed."""

import re
import threading
from collections.abc import Mapping
from functools import cached_property
from hashlib import blake2b
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sqlalchemy import Engine

from adapter.database import migrate, open_database
from adapter.disclosure.files import load_policy
from adapter.disclosure.guard import Guard
from adapter.disclosure.policy import Policy, Rules
from adapter.errors import MappingError, SettingsError
from adapter.fhir.identity import Identities
from adapter.inbox.store import InboxStore
from adapter.ledger.store import LedgerStore
from adapter.mapping.version import overlay_files, version_of
from adapter.records.model import MAPPED_TYPES, Centre
from adapter.records.store import RecordStore
from adapter.settings import Hospital, Settings
from adapter.texts import say

if TYPE_CHECKING:
    from adapter.mapping.engine import Engine as MappingEngine
    from adapter.mapping.engine import ResourceMap
    from adapter.mapping.loader import Mappings

__all__ = ["Adapter", "Outlet", "load_mappings", "policy_warnings"]

# Raised when code outside mappings and policy changes what a record becomes, so that all is planned anew.
_POLICY_FILE = "disclosure.yaml"
_PLAN_FORMAT = "3"


class Outlet:
    """All that decides what one hospital should hold. `version` changes when any of it does, and is
    known without loading any mapping: a sync with nothing new needs no more.
    """

    def __init__(self, adapter: "Adapter", name: str) -> None:
        self._adapter = adapter
        self.hospital: Hospital = adapter.settings.hospital(name)
        self.system = adapter.settings.centre.identifier_system
        self.version = self._version()

    def _version(self) -> str:
        folder, centre = self._adapter.settings.mappings_folder, self._adapter.settings.centre
        policy = folder / _POLICY_FILE
        parts = (
            _PLAN_FORMAT,
            version_of(folder, self.hospital.name),
            policy.read_bytes().hex() if policy.is_file() else "",
            centre.model_dump_json(),
            self.hospital.model_dump_json(include={"display", "facility_code", "level", "systems"}),
            self.identify("", "", ""),  # another key makes everything another thing
        )
        return blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()

    def identify(self, resource_type: str, kind: str, key: str) -> str:
        """The identity of a record's resource at this hospital."""
        return self._adapter.identities.of(self.hospital.name, resource_type, kind, key)

    @cached_property
    def rules(self) -> Rules:
        """The policy as it stands for this hospital."""
        return self._adapter.policy.rules(self.hospital.name, self.hospital.level)

    @cached_property
    def guard(self) -> Guard:
        """Reads every text that goes out."""
        return Guard(self.rules.phrases)

    @property
    def plain(self) -> re.Pattern[str] | None:
        """Values in words that go under a pseudonym too."""
        return self._adapter.policy.plain

    @property
    def mapping_version(self) -> str:
        """The version of the mappings that make this hospital's resources."""
        return self._adapter.mappings.version_for(self.hospital.name)

    @property
    def centre(self) -> Centre:
        """The centre itself, as the settings have it."""
        centre = self._adapter.settings.centre
        return Centre(
            key=Centre.kind,
            name=centre.name,
            facility_code=centre.facility_code or None,
            address=centre.address or None,
            phone=centre.phone or None,
        )

    @cached_property
    def maps(self) -> tuple["ResourceMap", ...]:
        """The mappings as they stand for this hospital, in dependency order."""
        return self._adapter.mappings.maps_for(self.hospital.name)

    @cached_property
    def ranks(self) -> Mapping[str, int]:
        """Resource type -> its place in dependency order."""
        return {resource_type: rank for rank, resource_type in enumerate(self._adapter.mappings.types)}

    @cached_property
    def engine(self) -> "MappingEngine":
        """Maps records for this hospital."""
        from adapter.mapping.engine import HospitalContext

        hospital, centre = self.hospital, self._adapter.settings.centre
        context = HospitalContext(
            name=hospital.name,
            display=hospital.display,
            facility_code=hospital.facility_code,
            systems=hospital.systems,
            centre_name=centre.name,
            centre_facility_code=centre.facility_code,
            identifier_system=centre.identifier_system,
            identify=self.identify,
        )
        return self._adapter.mappings.engine(context)


def load_mappings(settings: Settings) -> "Mappings":
    """The mappings in use, checked. Raises MappingError with every mistake, the policy's too."""
    from adapter.mapping.loader import Mappings

    policy = load_policy(settings.mappings_folder / _POLICY_FILE)
    never = frozenset(policy.never.fields)
    fields = {kind: frozenset(type_.model_fields) - never | {"cadre"} for kind, type_ in MAPPED_TYPES.items()}
    mappings = Mappings.load(settings.mappings_folder, fields)
    tables = mappings.codes.tables
    measures, services = (
        tables[name].concepts if name in tables else {} for name in ("measures", "services")
    )
    problems = (*policy.unknown_codes(measures, services), *policy.misspelled(settings.hospitals))
    if problems:
        raise MappingError("disclosure.invalid", problems, path=_POLICY_FILE)
    return mappings


def policy_warnings(settings: Settings) -> tuple[str, ...]:
    """What in the policy and the overlays is not wrong, but perhaps not meant: one line each."""
    from adapter.mapping.names import nearest

    folder, known = settings.mappings_folder, settings.hospitals
    strangers = load_policy(folder / _POLICY_FILE).strangers(known)
    overlaid = [path.stem for path in overlay_files(folder) if path.stem not in known]
    return (
        *(say("disclosure.stranger", name=name) for name in strangers),
        *(say("mapping.stranger", name=name, nearest=nearest(name, known)) for name in overlaid),
    )


class Adapter:
    """Everything opened from the settings. Use it in a `with`, or close it."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.settings = settings
        self.engine = engine
        self.records = RecordStore(engine)
        self.ledger = LedgerStore(engine)
        self.inbox = InboxStore(engine)
        self._loading = threading.Lock()
        self._mappings: Mappings | None = None

    @classmethod
    def open(cls, settings: Settings) -> "Adapter":
        """Open the database and bring its schema to the newest version."""
        engine = open_database(settings.resolved_database_url)
        migrate(engine)
        return cls(settings, engine)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all database connections."""
        self.engine.dispose()

    @cached_property
    def identities(self) -> Identities:
        """The maker of identities. Raises SettingsError when the key is missing or too short."""
        secret = self.settings.secret(self.settings.identity_key).get_secret_value().encode()
        try:
            return Identities(secret)
        except ValueError as error:
            raise SettingsError("settings.short_key", reference=self.settings.identity_key) from error

    @property
    def mappings(self) -> "Mappings":
        """The mappings in use; loaded once, by whichever hospital's thread needs them first."""
        with self._loading:
            if self._mappings is None:
                self._mappings = load_mappings(self.settings)
            return self._mappings

    @cached_property
    def policy(self) -> Policy:
        """The disclosure policy in use."""
        return load_policy(self.settings.mappings_folder / _POLICY_FILE)

    def subject(self, cadre: str) -> str:
        """A person's opaque name in the audit."""
        return self.identities.of("", "audit", "cadre", cadre)

    def outlet(self, name: str) -> Outlet:
        """All that decides what the hospital `name` should hold."""
        return Outlet(self, name)

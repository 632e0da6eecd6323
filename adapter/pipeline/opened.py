"""The adapter, opened from its settings: the stores, and what is loaded when it is first needed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sqlalchemy import Engine

from adapter.database import migrate, open_database
from adapter.disclosure.files import load_policy
from adapter.disclosure.policy import Policy, Rules
from adapter.disclosure.pseudonym import Guard
from adapter.errors import SettingsError
from adapter.fhir.identity import Identities
from adapter.inbox.store import InboxStore
from adapter.ledger.store import LedgerStore
from adapter.records.model import RECORD_TYPES
from adapter.records.store import RecordStore
from adapter.settings import Hospital, Settings

if TYPE_CHECKING:
    from adapter.mapping.engine import Engine as MappingEngine
    from adapter.mapping.loader import Mappings

__all__ = ["Adapter", "Outlet", "load_mappings"]

# Raised when code outside mappings and policy changes what a record becomes, so that all is planned anew.
_PLAN_FORMAT = "1"


@dataclass(frozen=True)
class Outlet:
    """All that decides what one hospital should hold. `version` changes when any of it does."""

    hospital: Hospital
    rules: Rules
    guard: Guard
    engine: "MappingEngine"
    mapping_version: str
    version: str
    types: Mapping[str, tuple[str, ...]]  # record kind -> the resources that mappings make of it
    identify: Callable[[str, str, str], str]
    ranks: Mapping[str, int]
    system: str


def load_mappings(settings: Settings) -> "Mappings":
    """The mappings in use, checked. Raises MappingError with every mistake, the policy's too."""
    from adapter.mapping.loader import Mappings

    policy, _ = load_policy(settings.mappings_folder / "disclosure.yaml")
    never = frozenset(policy.never.fields)
    fields = {kind: frozenset(type_.model_fields) - never | {"cadre"} for kind, type_ in RECORD_TYPES.items()}
    return Mappings.load(settings.mappings_folder, fields)


class Adapter:
    """Everything opened from the settings. Use it in a `with`, or close it."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.settings = settings
        self.engine = engine
        self.records = RecordStore(engine)
        self.ledger = LedgerStore(engine)
        self.inbox = InboxStore(engine)

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

    @cached_property
    def mappings(self) -> "Mappings":
        """The mappings in use."""
        return load_mappings(self.settings)

    @cached_property
    def _policy(self) -> tuple[Policy, str]:
        return load_policy(self.settings.mappings_folder / "disclosure.yaml")

    def subject(self, cadre: str) -> str:
        """A person's opaque name in the audit."""
        return self.identities.of("", "audit", "cadre", cadre)

    def outlet(self, name: str) -> Outlet:
        """All that decides what the hospital `name` should hold."""
        from adapter.mapping.engine import HospitalContext

        hospital, centre = self.settings.hospital(name), self.settings.centre
        policy, policy_digest = self._policy
        identities = self.identities

        def identify(resource_type: str, kind: str, key: str) -> str:
            return identities.of(name, resource_type, kind, key)

        context = HospitalContext(
            name=name,
            display=hospital.display,
            facility_code=hospital.facility_code,
            systems=hospital.systems,
            centre_name=centre.name,
            centre_facility_code=centre.facility_code,
            identifier_system=centre.identifier_system,
            identify=identify,
        )
        mappings = self.mappings
        parts = (
            _PLAN_FORMAT,
            mappings.version,
            policy_digest,
            centre.model_dump_json(),
            hospital.model_dump_json(include={"display", "facility_code", "level", "systems"}),
            identities.of(name, "", "", ""),  # another key makes everything another thing
        )
        return Outlet(
            hospital=hospital,
            rules=policy.rules(name, hospital.level),
            guard=Guard(policy),
            engine=mappings.engine(context),
            mapping_version=mappings.version,
            version=blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest(),
            types=mappings.types_of,
            identify=identify,
            ranks={resource_type: rank for rank, resource_type in enumerate(mappings.types)},
            system=centre.identifier_system,
        )

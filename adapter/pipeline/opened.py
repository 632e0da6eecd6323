"""The adapter, opened from its settings: the stores, and what is loaded when it is first needed."""

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sqlalchemy import Engine

from adapter.database import migrate, open_database
from adapter.errors import PolicyError, SettingsError
from adapter.fhir.identity import Identities
from adapter.hours import Hours
from adapter.ledger.card import UNKNOWN, Card
from adapter.ledger.cards import CardStore
from adapter.ledger.editions import EditionStore
from adapter.ledger.pace import Limits
from adapter.ledger.presence import Presence
from adapter.ledger.store import LedgerStore
from adapter.mapping.version import POLICY_FILE, overlay_files
from adapter.pipeline.editions import Edition, Library
from adapter.settings import Hospital, Settings
from adapter.texts import say

if TYPE_CHECKING:  # a command imports what it needs, and `status` needs little
    from adapter.delivery.client import HospitalClient
    from adapter.disclosure.guard import Guard
    from adapter.disclosure.policy import Policy, Rules
    from adapter.inbox.store import InboxStore
    from adapter.ledger.alarms import AlarmStore
    from adapter.ledger.model import Desired
    from adapter.ledger.parking import ParkedStore
    from adapter.ledger.past import PastStore
    from adapter.ledger.waiting import WaitingStore
    from adapter.mapping.engine import Engine as MappingEngine
    from adapter.mapping.engine import ResourceMap
    from adapter.mapping.loader import Mappings
    from adapter.mapping.terminology import Codes
    from adapter.records.model import Centre
    from adapter.records.store import RecordStore

__all__ = ["Adapter", "Outlet", "limits", "load_mappings", "policy_warnings"]

# Raised when code outside mappings and policy changes what a record becomes, so that all is planned anew.
_PLAN_FORMAT = "4"


class Outlet:
    """All that decides what one hospital should hold. `version` changes when any of it does, and is
    known without loading any mapping: a sync with nothing new needs no more. `edition` is its mapping.
    """

    def __init__(self, adapter: "Adapter", name: str, edition: Edition) -> None:
        self._adapter = adapter
        self.edition = edition
        self.hospital: Hospital = adapter.settings.hospital(name)
        self.system = adapter.settings.centre.identifier_system
        self.version = self._version()

    def _version(self) -> str:
        parts = (
            _PLAN_FORMAT,
            self.edition.version,
            self._adapter.library.policy_digest(),
            self._adapter.settings.centre.model_dump_json(),
            self.hospital.model_dump_json(include={"display", "facility_code", "level", "systems", "merged"}),
            self.identify("", "", ""),  # another key makes everything another thing
        )
        return blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()

    def identify(self, resource_type: str, kind: str, key: str) -> str:
        """The identity of a record's resource at this hospital."""
        return self._adapter.identities.of(self.hospital.name, resource_type, kind, key)

    @cached_property
    def card(self) -> Card:
        """What its server was measured to do; nothing, when it never was."""
        return self._adapter.card(self.hospital.name)

    @cached_property
    def policy(self) -> "Policy":
        """The disclosure policy."""
        return self._adapter.policy

    @cached_property
    def mappings(self) -> "Mappings":
        """The mappings of this edition, checked. Raises MappingError."""
        return self._adapter.library.mappings(self.edition)

    @cached_property
    def rules(self) -> "Rules":
        """The policy as it stands for this hospital."""
        return self.policy.rules(self.hospital.name, self.hospital.level)

    @cached_property
    def guard(self) -> "Guard":
        """Reads every text that goes out."""
        from adapter.disclosure.guard import Guard

        return Guard(self.rules.phrases)

    @property
    def plain(self) -> re.Pattern[str] | None:
        """Values in words that go under a pseudonym too."""
        return self.policy.plain

    @property
    def mapping_version(self) -> str:
        """The version of the mappings that make the resources."""
        return self.edition.version

    @property
    def centre(self) -> "Centre":
        """The centre itself, as the settings have it."""
        from adapter.records.model import Centre

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
        return self.mappings.maps_for(self.hospital.name)

    def file_of(self, wish: "Desired") -> str:
        """The mapping file that makes a resource."""
        listed = [map_ for map_ in self.maps if (map_.type, map_.kind) == (wish.type, wish.kind)]
        made = (
            map_.file
            for map_ in listed
            if self.identify(wish.type, map_.identity_kind, wish.key) == wish.identity
        )
        return listed[0].file if len(listed) == 1 else next(made, "")

    @cached_property
    def ranks(self) -> Mapping[str, int]:
        """Resource type -> its place in dependency order."""
        return {resource_type: rank for rank, resource_type in enumerate(self.mappings.types)}

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
        return self.mappings.engine(context)


def limits(hospital: Hospital) -> Limits:
    """What the settings say of a hospital's pace."""
    hours = Hours.of(hospital.windows, hospital.maintenance)
    return Limits(hospital.concurrency, hospital.requests_per_second, hours)


def load_mappings(settings: Settings, folder: Path | None = None) -> "Mappings":
    """The mappings of the settings, or an edition of them in `folder`, checked, with the policy as it is
    now. Raises MappingError with every mistake, PolicyError with the policy's.
    """
    from adapter.disclosure.files import load_policy
    from adapter.mapping.loader import Mappings
    from adapter.records.model import MAPPED_TYPES

    policy = load_policy(settings.mappings_folder / POLICY_FILE)
    never = frozenset(policy.never.fields)
    fields = {kind: frozenset(type_.model_fields) - never | {"cadre"} for kind, type_ in MAPPED_TYPES.items()}
    mappings = Mappings.load(folder or settings.mappings_folder, fields)
    problems = (*_unknown_codes(policy, mappings, settings), *policy.misspelled(settings.hospitals))
    if problems:
        raise PolicyError("disclosure.invalid", problems, path=POLICY_FILE)
    return mappings


def _unknown_codes(policy: "Policy", mappings: "Mappings", settings: Settings) -> tuple[str, ...]:
    """Codes that the policy names and no table has: neither this edition's nor the folder's, since the
    policy may already name what a mapping that waits to be accepted brings.
    """
    from adapter.mapping.tables import load_codes

    def codes_of(name: str, *editions: "Codes") -> frozenset[str]:
        return frozenset(code for one in editions if name in one.tables for code in one.tables[name].concepts)

    def unknown(*editions: "Codes") -> tuple[str, ...]:
        return policy.unknown_codes(codes_of("measures", *editions), codes_of("services", *editions))

    if not unknown(mappings.codes):
        return ()
    return unknown(mappings.codes, load_codes(settings.mappings_folder / "codes", []))


def policy_warnings(settings: Settings) -> tuple[str, ...]:
    """What in the policy and the overlays is not wrong, but perhaps not meant: one line each."""
    from adapter.disclosure.files import load_policy
    from adapter.mapping.names import nearest

    folder, known = settings.mappings_folder, settings.hospitals
    strangers = load_policy(folder / POLICY_FILE).strangers(known)
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
        self.ledger = LedgerStore(engine, {one.name: limits(one) for one in settings.hospitals.values()})
        self.cards = CardStore(engine)
        self.editions = EditionStore(engine)
        self._work = threading.Lock()
        self._at_work = 0
        self._presence: Presence
        self.library = Library(
            settings.mappings_folder, self.editions, lambda folder: load_mappings(settings, folder)
        )

    @classmethod
    def open(cls, settings: Settings) -> "Adapter":
        """Open the database and bring its schema to the newest version. Raises SchemaNewer."""
        engine = open_database(settings.resolved_database_url)
        try:
            migrate(engine)
        except BaseException:
            engine.dispose()
            raise
        return cls(settings, engine)

    @cached_property
    def records(self) -> "RecordStore":
        """The centre's records."""
        from adapter.records.store import RecordStore

        return RecordStore(self.engine)

    @cached_property
    def inbox(self) -> "InboxStore":
        """What hospitals sent."""
        from adapter.inbox.store import InboxStore

        return InboxStore(self.engine)

    @cached_property
    def past(self) -> "PastStore":
        """Histories and receipts."""
        from adapter.ledger.past import PastStore

        return PastStore(self.engine)

    @cached_property
    def parked(self) -> "ParkedStore":
        """What waits for a person."""
        from adapter.ledger.parking import ParkedStore

        return ParkedStore(self.engine)

    @cached_property
    def waiting(self) -> "WaitingStore":
        """What waits for long."""
        from adapter.ledger.waiting import WaitingStore

        return WaitingStore(self.engine)

    @cached_property
    def alarms(self) -> "AlarmStore":
        """What was told."""
        from adapter.ledger.alarms import AlarmStore

        return AlarmStore(self.engine)

    @contextmanager
    def at_work(self, clock: Callable[[], datetime], stop: threading.Event) -> Iterator[Presence]:
        """Be one of the workers, for all that claims shipments or takes turns. Several threads may be at it
        at once. `stop` is set when a newer adapter takes the database over; at the end SchemaNewer is
        raised then.
        """
        with self._work:
            if not self._at_work:
                ledger, folder = self.ledger, self.settings.data_folder / "workers"
                presence = Presence(ledger.worker, ledger.workers, ledger.turns, folder, clock)
                self._presence = presence.__enter__()
            self._at_work += 1
            presence = self._presence
        try:
            with presence.stops(stop):
                yield presence
        finally:
            with self._work:
                self._at_work -= 1
                if not self._at_work:
                    presence.__exit__(None, None, None)
        presence.check()

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
        """The mappings of the folder as it is now. Raises MappingError."""
        return self.library.mappings(self.library.working(""))

    @property
    def policy(self) -> "Policy":
        """The disclosure policy in use. Raises PolicyError."""
        return self.library.policy()

    def subject(self, cadre: str) -> str:
        """A person's opaque name in the audit."""
        return self.identities.of("", "audit", "cadre", cadre)

    def client(self, name: str) -> "HospitalClient":
        """Talks to the hospital `name`; close it. Raises SettingsError when its token is missing."""
        from adapter.delivery.client import HospitalClient
        from adapter.delivery.gate import HospitalGate

        hospital = self.settings.hospital(name)
        token = self.settings.secret(hospital.token).get_secret_value() if hospital.token else None
        gate = HospitalGate(self.ledger.hospitals, name)
        return HospitalClient(hospital.base_url, token=token, timeout=hospital.timeout_seconds, gate=gate)

    def card(self, name: str) -> Card:
        """What the hospital's server was measured to do; UNKNOWN when it never was."""
        stored = self.cards.get(name)
        return stored.card if stored else UNKNOWN

    def outlet(self, name: str) -> Outlet:
        """All that decides what the hospital `name` should hold: with the mapping in force there, before
        its first sync with that of the folder.
        """
        return Outlet(self, name, self.edition(name))

    def edition(self, name: str) -> Edition:
        """The mapping in force at the hospital `name`, before its first sync that of the folder."""
        return self.library.in_force(name) or self.library.working(name)

    def working(self, name: str) -> Outlet:
        """What the hospital `name` should hold by the mapping in the folder. Raises MappingError when
        that cannot be read.
        """
        return Outlet(self, name, self.library.working(name))

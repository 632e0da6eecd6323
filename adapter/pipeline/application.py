"""The adapter, opened from its settings: the stores, and what is loaded when it is first needed."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from adapter import audit
from adapter.database import migrate, open_database, read_transaction
from adapter.errors import SettingsError
from adapter.fhir.identity import MIN_KEY_BYTES, IdentityFactory, is_weak_key
from adapter.ledger.active_mappings import ActiveMappingStore
from adapter.ledger.disclosures import DisclosureStore
from adapter.ledger.identity_key import has_lines, key_in_use, with_former_keys
from adapter.ledger.server_cards.card import UNMEASURED, ServerCard
from adapter.ledger.server_cards.identity import server_address
from adapter.ledger.server_cards.store import ServerCardStore
from adapter.ledger.store import LedgerStore
from adapter.ledger.workers.heartbeat import Heartbeat
from adapter.pipeline.destination import Destination, pace_limits
from adapter.pipeline.mapping_editions import MappingEdition, MappingLibrary
from adapter.pipeline.mapping_loading import load_mappings
from adapter.pipeline.remembered_head import AuditKey, RememberedHead
from adapter.settings import Settings

if TYPE_CHECKING:  # a command imports what it needs, and `adapter status` needs little
    from adapter.delivery.http.client import HospitalClient
    from adapter.disclosure.policy import Policy
    from adapter.inbox.acknowledgements.store import AcknowledgementStore
    from adapter.inbox.polling.store import PollStore
    from adapter.inbox.quarantine.store import QuarantineStore
    from adapter.inbox.store import InboxStore
    from adapter.ledger.history.record_history import RecordHistoryStore
    from adapter.ledger.monitoring.alarms import AlarmStore
    from adapter.ledger.monitoring.overdue import OverdueStore
    from adapter.ledger.parking import ParkedStore
    from adapter.mapping.loader import Mappings
    from adapter.pipeline.waiting_referrals import WaitingReferrals
    from adapter.records.held_rows import HeldRowStore
    from adapter.records.importing.drafts import ImportDraftStore
    from adapter.records.people_index import PeopleIndex
    from adapter.records.store import RecordStore
    from adapter.subscriptions.store import SubscriptionStore

__all__ = ["Adapter", "audit_subject", "read_identity_key"]

_T = TypeVar("_T")


def read_identity_key(settings: Settings, reference: str) -> IdentityFactory:
    """What makes identities with the key that is referred to. Raises SettingsError when it is missing or too
    short.
    """
    try:
        return IdentityFactory(settings.secret(reference).get_secret_value().encode())
    except ValueError as error:
        raise SettingsError("settings.short_key", reference=reference) from error


def audit_subject(identities: IdentityFactory, cadre: str) -> str:
    """A person's opaque name in the audit, by this key."""
    return identities.of("", "audit", "cadre", cadre)


class Adapter:
    """Everything opened from the settings. Use it in a `with`, or close it."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.settings = settings
        self.engine = engine
        key = AuditKey(settings)
        audit.use_key(engine, key)
        self.remembered_head = RememberedHead(engine, settings.data_folder, key)
        self.ledger = LedgerStore(engine, {one.name: pace_limits(one) for one in settings.hospitals.values()})
        self.addresses = {one.name: server_address(one.base_url) for one in settings.hospitals.values()}
        self.cards = ServerCardStore(engine, self.addresses)
        self.editions = ActiveMappingStore(engine)
        self.disclosures = DisclosureStore(engine)
        self._answers: dict[str, tuple[object, Any]] = {}
        self._work = threading.Lock()
        self._at_work = 0
        self._presence: Heartbeat
        self.library = MappingLibrary(
            settings.mappings_folder, self.editions, lambda folder: load_mappings(settings, folder)
        )

    @classmethod
    def open(cls, settings: Settings) -> "Adapter":
        """Open the database and bring its schema to the newest version. Raises SchemaNewer, and SettingsError
        where nothing says which database is meant.
        """
        settings.require_chosen_database()
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
    def people_index(self) -> "PeopleIndex":
        """Who is meant by a part of a name or of a number."""
        from adapter.records.people_index import PeopleIndex

        return PeopleIndex(self.records)

    @cached_property
    def waiting_referrals(self) -> "WaitingReferrals":
        """Which referrals are late."""
        from adapter.pipeline.waiting_referrals import WaitingReferrals

        limits = {one.name: one.clocks.limits for one in self.settings.hospitals.values()}
        return WaitingReferrals(self.records, self.overdue, limits)

    def remembered(self, asked: str, made_of: object, make: Callable[[], _T]) -> _T:
        """What `make` gives, made anew only where `made_of` is another than it was the last time that this
        was asked. It wants to be all that the answer is made from, and not who asks.
        """
        known = self._answers.get(asked)
        if known is None or known[0] != made_of:
            known = self._answers[asked] = (made_of, make())
        found: _T = known[1]
        return found

    @cached_property
    def held_rows(self) -> "HeldRowStore":
        """Rows of imports that wait for a person."""
        from adapter.records.held_rows import HeldRowStore

        return HeldRowStore(self.engine)

    @cached_property
    def import_drafts(self) -> "ImportDraftStore":
        """Uploaded workbooks until they are imported or thrown away."""
        from adapter.records.importing.drafts import ImportDraftStore

        return ImportDraftStore(self.engine)

    @cached_property
    def inbox(self) -> "InboxStore":
        """What hospitals sent."""
        from adapter.inbox.store import InboxStore

        return InboxStore(self.engine)

    @cached_property
    def acknowledgements(self) -> "AcknowledgementStore":
        """The HL7 v2 messages that were taken in."""
        from adapter.inbox.acknowledgements.store import AcknowledgementStore

        return AcknowledgementStore(self.engine)

    @cached_property
    def polls(self) -> "PollStore":
        """How far hospitals' servers were read."""
        from adapter.inbox.polling.store import PollStore

        return PollStore(self.engine)

    @cached_property
    def quarantine(self) -> "QuarantineStore":
        """What the endpoint refused for its content."""
        from adapter.inbox.quarantine.store import QuarantineStore

        return QuarantineStore(self.engine)

    @cached_property
    def subscriptions(self) -> "SubscriptionStore":
        """What hospitals subscribed to."""
        from adapter.subscriptions.store import SubscriptionStore

        return SubscriptionStore(self.engine)

    @cached_property
    def record_history(self) -> "RecordHistoryStore":
        """Histories and receipts."""
        from adapter.ledger.history.record_history import RecordHistoryStore

        return RecordHistoryStore(self.engine)

    @cached_property
    def parked_store(self) -> "ParkedStore":
        """What waits for a person."""
        from adapter.ledger.parking import ParkedStore

        return ParkedStore(self.engine)

    @cached_property
    def overdue(self) -> "OverdueStore":
        """What waits for long."""
        from adapter.ledger.monitoring.overdue import OverdueStore

        return OverdueStore(self.engine)

    @cached_property
    def alarm_store(self) -> "AlarmStore":
        """What was told."""
        from adapter.ledger.monitoring.alarms import AlarmStore

        return AlarmStore(self.engine)

    @contextmanager
    def as_worker(self, clock: Callable[[], datetime], stop: threading.Event) -> Iterator[Heartbeat]:
        """Be one of the workers, for all that claims shipments or takes turns. Several threads may be at it
        at once. `stop` is set when a newer adapter takes the database over; at the end SchemaNewer is
        raised then.
        """
        with self._work:
            if not self._at_work:
                ledger, folder = self.ledger, self.settings.data_folder / "workers"
                presence = Heartbeat(ledger.worker_id, ledger.workers, ledger.named_locks, folder, clock)
                self._presence = presence.__enter__()
            self._at_work += 1
            presence = self._presence
        try:
            with presence.stop_when_outdated(stop):
                yield presence
        finally:
            with self._work:
                self._at_work -= 1
                if not self._at_work:
                    presence.__exit__(None, None, None)
        presence.check_schema()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all database connections, and write down how far the audit has come where it has."""
        if audit.has_appended(self.engine):
            with suppress(OSError, SQLAlchemyError):  # it is written down the next time
                self.remembered_head.remember()
        self.engine.dispose()

    @cached_property
    def identities(self) -> IdentityFactory:
        """The maker of identities. Raises SettingsError when the key is missing or too short, is not the one
        that the database is under, or is guessable and nothing was made with it yet: of one that is in use
        there is a problem, until it is changed.
        """
        made = read_identity_key(self.settings, self.settings.identity_key)
        with read_transaction(self.engine) as connection:
            if self.has_weak_key and not has_lines(connection):
                raise SettingsError("settings.weak_key", reference=self.settings.identity_key)
            self._require(connection, made)
            return with_former_keys(connection, made)

    @property
    def has_weak_key(self) -> bool:
        """Whether the identity key is guessable. Raises SettingsError when it is missing."""
        secret = self.settings.secret(self.settings.identity_key).get_secret_value().encode()
        return len(secret) >= MIN_KEY_BYTES and is_weak_key(secret)

    def require_its_key(self, connection: Connection) -> None:
        """Raises SettingsError where the identity key was changed since this process read it."""
        self._require(connection, self.identities)

    def _require(self, connection: Connection, identities: IdentityFactory) -> None:
        if key_in_use(connection) not in (None, identities.mark):
            raise SettingsError("settings.changed_key", reference=self.settings.identity_key)

    @property
    def mappings(self) -> "Mappings":
        """The mappings of the folder as it is now. Raises MappingError."""
        return self.library.mappings(self.library.folder_edition(""))

    @property
    def policy(self) -> "Policy":
        """The disclosure policy in use. Raises PolicyError."""
        return self.library.policy()

    def audit_subject(self, cadre: str) -> str:
        """A person's opaque name in the audit."""
        return audit_subject(self.identities, cadre)

    def audit_subjects(self, cadre: str) -> tuple[str, ...]:
        """The same, and those that rows from before a change of the identity key have."""
        return tuple(audit_subject(one, cadre) for one in (self.identities, *self.identities.formers))

    def client(self, name: str) -> "HospitalClient":
        """Talks to the hospital `name`; close it. Raises SettingsError when a secret or file is missing."""
        from adapter.delivery.http.rate_limit import HospitalRateLimiter
        from adapter.delivery.http.traffic_meter import TrafficMeter
        from adapter.pipeline.hospital_client import hospital_client

        gate = HospitalRateLimiter(self.ledger.hospitals, name)
        return hospital_client(self.settings, name, gate, TrafficMeter(self.ledger.traffic, name))

    def card(self, name: str) -> ServerCard:
        """What the hospital's server was measured to do; UNKNOWN when it never was."""
        stored = self.cards.get(name)
        return stored.card if stored else UNMEASURED

    def destination(self, name: str) -> Destination:
        """All that decides what the hospital `name` should hold: with the mapping in force there, before
        its first sync with that of the folder.
        """
        return self._destination(name, self.mapping_edition(name))

    def mapping_edition(self, name: str) -> MappingEdition:
        """The mapping in force at the hospital `name`, before its first sync that of the folder."""
        return self.library.active_edition(name) or self.library.folder_edition(name)

    def folder_destination(self, name: str) -> Destination:
        """What the hospital `name` should hold by the mapping in the folder. Raises MappingError when
        that cannot be read.
        """
        return self._destination(name, self.library.folder_edition(name))

    def _destination(self, name: str, edition: MappingEdition) -> Destination:
        return Destination(
            self.settings,
            name,
            edition,
            library=self.library,
            identities=self.identities,
            card_of=self.card,
        )

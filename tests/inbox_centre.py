"""A centre of two people, its inbox and records: real stores, the ledger's look-ups a table."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import Connection, Engine, func, select, text

from adapter.database import read_transaction, write_transaction
from adapter.fhir import codec
from adapter.inbox import discarding, linking, processing
from adapter.inbox.local_writes import AnswerPlan, ResultPlan, StoredResult
from adapter.inbox.matching import KnownCadre, KnownReferral
from adapter.inbox.ordering import server_version
from adapter.inbox.queue import InboxQueue
from adapter.inbox.receive import AcceptedVersion, ReceivedVersion, receive_versions
from adapter.inbox.rulings import ruled_cadres
from adapter.inbox.store import InboxItem, InboxStore
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.tables import entry
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.reception import accepted_version
from adapter.records.change_feed import ChangeFeed
from adapter.records.lookups import cadres_by_identifiers, cadres_by_names
from adapter.records.model import Cadre, Record, Referral, Result, Sex, Tier
from adapter.records.referral_answers import OrderStatement
from adapter.records.serialisation import (
    body_digest,
    identifier_forms,
    name_digest,
    person_identifiers,
    serialise_record,
)
from adapter.records.store import RecordStore
from adapter.records.tables import cadre_identifier, cadre_name, record
from adapter.repository.write_plan import VersionChange

NOW = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)
OURS = "https://cadre-health.example/fhir/sid/record"
PSEUDONYMS = {"CB-1": "BN-00000000A1", "CB-2": "BN-00000000B2"}
CCCD = "http://fhir.ehealth.gov.vn/core/sid/citizen_id"


def receive_version(
    connection: Connection,
    *,
    hospital: str,
    type: str,
    id: str,
    version: int,
    resource: codec.Resource,
    body: bytes,
    now: datetime,
    delivery: str | None = None,
    envelope: codec.Resource | None = None,
) -> ReceivedVersion:
    """Store one version, as `receive_versions`."""
    accepted = AcceptedVersion(type, id, version, resource, body, server_version(id, resource.get("meta")))
    (received,) = receive_versions(
        connection, hospital, [accepted], now=now, delivery=delivery, envelope=envelope
    )
    return received


def receive_changes(connection: Connection, changes: Sequence[VersionChange], *, now: datetime) -> None:
    """The inbox, where a repository tells what it stored."""
    accepted = [accepted_version(one) for one in changes if not one.repeated]
    receive_versions(connection, changes[0].owner, accepted, now=now)


@dataclass
class Directory:
    """The ledger's and the records' look-ups for one hospital."""

    records: RecordStore
    hospital: str = "bv-tinh"
    identifier_system: str = OURS
    number_systems: frozenset[str] = frozenset({CCCD})
    bases: frozenset[str] = frozenset({"https://bv-tinh.example/fhir"})
    referral_identities: dict[str, str] = field(default_factory=lambda: {"idref1": "GT-1", "idref2": "GT-2"})
    remote_referrals: dict[str, str] = field(default_factory=lambda: {"71": "GT-1"})
    remote_cadres: dict[str, str] = field(default_factory=lambda: {"51": "CB-1", "52": "CB-2"})
    cadre_identities: dict[str, str] = field(default_factory=lambda: {"idan": "CB-1", "idbinh": "CB-2"})
    encounters: dict[str, str] = field(default_factory=lambda: {"idvisit": "CB-1", "91": "CB-1"})
    not_held: frozenset[str] = frozenset()  # people who were never sent to this hospital
    own_bases: frozenset[str] = frozenset({"https://adapter.centre.example/fhir"})
    own_observations: frozenset[str] = frozenset({"0f" * 16})

    def referrals_by_identity(self, values: Collection[str]) -> dict[str, KnownReferral]:
        return self._referrals(self.referral_identities, values)

    def referrals_by_remote_id(self, ids: Collection[str]) -> dict[str, KnownReferral]:
        return self._referrals(self.remote_referrals, ids)

    def _referrals(self, keys: dict[str, str], names: Collection[str]) -> dict[str, KnownReferral]:
        found = {name: self.referral(keys[name]) for name in names if name in keys}
        return {name: one for name, one in found.items() if one is not None}

    def cadres_by_identity(self, values: Collection[str]) -> dict[str, str]:
        return _among(self.cadre_identities, values)

    def cadres_by_remote_id(self, ids: Collection[str]) -> dict[str, str]:
        return _among(self.remote_cadres, ids)

    def cadres_by_encounter_identity(self, values: Collection[str]) -> dict[str, str]:
        return _among(self.encounters, values)

    def cadres_by_encounter_id(self, ids: Collection[str]) -> dict[str, str]:
        return _among(self.encounters, ids)

    def cadres_by_identifier(self, values: Collection[str]) -> dict[str, list[str]]:
        with read_transaction(self.records.engine) as connection:
            return cadres_by_identifiers(connection, values)

    def number_forms(self, values: Collection[str]) -> set[str]:
        return identifier_forms(values)

    def cadres_by_name(self, said: Collection[tuple[str, str]]) -> list[str]:
        with read_transaction(self.records.engine) as connection:
            return cadres_by_names(connection, said)

    def rulings(self, subjects: Collection[str]) -> Mapping[str, bool]:
        with read_transaction(self.records.engine) as connection:
            return ruled_cadres(connection, self.hospital, subjects)

    def is_centres_own(self, type: str, values: Collection[str]) -> bool:
        return type == "Observation" and not self.own_observations.isdisjoint(values)

    def referral(self, key: str) -> KnownReferral | None:
        found = self.records.get("referral", key)
        if not isinstance(found, Referral):
            return None
        return KnownReferral(found.key, found.cadre, found.hospital, found.status)

    def cadre(self, key: str) -> KnownCadre | None:
        found = self.records.get("cadre", key)
        if not isinstance(found, Cadre):
            return None
        pseudonym, is_held = PSEUDONYMS.get(found.key), found.key not in self.not_held
        return KnownCadre(
            found.key, found.name, found.birth_date, pseudonym, str(found.sex), f"id{key}", is_held
        )

    def people(self, keys: Collection[str]) -> dict[str, KnownCadre]:
        return {key: one for key in keys if (one := self.cadre(key)) is not None}

    def audit_subject(self, cadre: str) -> str:
        return codec.digest(cadre.encode())


def _among(keys: dict[str, str], names: Collection[str]) -> dict[str, str]:
    return {name: keys[name] for name in names if name in keys}


@dataclass
class Records:
    """The writes, on the real store."""

    store: RecordStore

    def lives(self, cadre: str, *, connection: Connection) -> bool:
        return self.store.lives(cadre, connection=connection)

    def stored_result(self, result_key: str) -> StoredResult | None:
        found = self.store.get("result", result_key)
        return StoredResult(found.cadre, found.status, found.issued_at) if isinstance(found, Result) else None

    def save_result(self, plan: ResultPlan, *, connection: Connection) -> bool:
        result = Result(
            key=plan.key,
            cadre=plan.cadre,
            hospital=plan.hospital,
            referral=plan.referral,
            type=plan.type,
            status=plan.status,
            conclusion=plan.resource.get("conclusion"),
            issued_at=plan.issued_at,
            resource=plan.body,
        )
        return self.store.save_result(result, connection=connection, statements=_statements)

    def advance(self, plan: AnswerPlan, *, connection: Connection) -> bool:
        return self.store.advance(
            plan.referral, plan.saying, plan.by, plan.at, details=plan.details, connection=connection
        )

    def take_back(self, result_key: str, *, connection: Connection) -> bool:
        return self.store.take_back(result_key, connection=connection, statements=_statements)

    def answer_again(self, cadre: str, referral: str, *, connection: Connection) -> None:
        self.store.answer_again(cadre, referral, connection=connection, statements=_statements)


def _statements(connection: Connection, cadres: Collection[str]) -> list[OrderStatement]:
    return [OrderStatement(*one) for one in InboxStore.order_statements(connection, cadres)]


class Centre:
    """A centre of two people with a referral each at bv-tinh, and its inbox."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.store = RecordStore(engine)
        self.records = Records(self.store)
        self.inbox = InboxStore(engine)
        an = Cadre(
            key="CB-1",
            name="Nguyễn Văn An",
            sex=Sex.MALE,
            birth_date=date(1955, 3, 14),
            tier=Tier.T4,
            national_id="024055000111",
        )
        binh = Cadre(
            key="CB-2", name="Trần Thị Bình", sex=Sex.FEMALE, birth_date=date(1960, 7, 1), tier=Tier.T5
        )
        referrals = [
            Referral(
                key=key,
                cadre=cadre,
                hospital="bv-tinh",
                service="WORKUP-CARD",
                ordered_at=NOW - timedelta(30),
            )
            for key, cadre in (("GT-1", "CB-1"), ("GT-2", "CB-2"))
        ]
        self.add(an, binh, *referrals)

    def add(self, *records: Record) -> None:
        put_records(self.engine, records)

    remote_referrals: ClassVar[dict[str, str]] = {}
    cadre_identities: ClassVar[dict[str, str]] = {}
    referral_identities: ClassVar[dict[str, str]] = {}

    def directory(self, hospital: str) -> Directory:
        """With the look-ups of a test beside those of all."""
        found = Directory(self.store, hospital)
        found.remote_referrals |= self.remote_referrals
        found.cadre_identities |= self.cadre_identities
        found.referral_identities |= self.referral_identities
        return found

    def cadre(self, key: str) -> Cadre:
        found = self.store.get("cadre", key)
        assert isinstance(found, Cadre)
        return found

    def replace(self, cadre: Cadre) -> None:
        """The person as she is now."""
        with write_transaction(self.engine) as connection:
            for table in (cadre_identifier, cadre_name):
                connection.execute(table.delete().where(table.c.cadre == cadre.key))
            connection.execute(record.delete().where(record.c.key == cadre.key))
        self.add(cadre)

    def receive(
        self,
        resource: dict[str, Any],
        id_: str = "r1",
        hospital: str = "bv-tinh",
        delivery: str | None = None,
        now: datetime = NOW,
    ) -> int:
        with write_transaction(self.engine) as connection:
            return receive_version(
                connection,
                hospital=hospital,
                type=resource["resourceType"],
                id=id_,
                version=1,
                resource=resource,
                body=codec.dumps(resource),
                now=now,
                delivery=delivery,
            ).item

    def process(
        self,
        *,
        again: bool = False,
        directory_of: Callable[[str], Directory] | None = None,
        records: Records | None = None,
        now: datetime = NOW,
    ) -> dict[str, int]:
        """Match what is due; `again`: as if all that waits were."""
        queue = InboxQueue(self.engine)
        if again:
            with write_transaction(self.engine) as connection:
                queue.wake_all(connection, now)
        look_up, write = directory_of or self.directory, records or self.records
        return dict(processing.process_due(queue, self.inbox, look_up, write, lambda: now))

    def send(self, resource: dict[str, Any], id_: str = "r1", hospital: str = "bv-tinh") -> InboxItem:
        number = self.receive(resource, id_, hospital)
        self.process()
        return self.item(number)

    def item(self, number: int) -> InboxItem:
        item = self.inbox.get(number)
        assert item is not None
        return item

    def link(self, item: int, cadre: str, referral: str | None = None, **more: Any) -> str:
        return linking.link_item(
            self.inbox,
            item,
            cadre,
            referral,
            directory_of=self.directory,
            records=self.records,
            by="bs.hoa",
            now=NOW,
            **more,
        )

    def discard(self, item: int, reason: str = "thử nghiệm") -> None:
        discarding.discard_item(
            self.inbox,
            item,
            reason,
            directory_of=self.directory,
            by="bs.hoa",
            now=NOW,
            unchanged=lambda: None,
        )

    def reopen(self, item: int) -> None:
        discarding.reopen_item(
            self.inbox, item, directory_of=self.directory, by="bs.hoa", now=NOW, unchanged=lambda: None
        )

    def see(self, item: int) -> None:
        linking.mark_seen(self.inbox, item, directory_of=self.directory, by="bs.hoa", now=NOW)

    def count(self, table: str) -> int:
        with self.engine.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(text(table))).scalar_one())

    def unlink(self, item: int) -> tuple[int, ...]:
        return linking.unlink_item(
            self.inbox, item, directory_of=self.directory, records=self.records, by="bs.hoa", now=NOW
        )

    def results(self) -> list[Result]:
        return [found for found in self.store.iterate("result") if isinstance(found, Result)]

    def referral(self, key: str) -> Referral:
        found = self.store.get("referral", key)
        assert isinstance(found, Referral)
        return found


def put_records(engine: Engine, records: Sequence[Record]) -> None:
    with write_transaction(engine) as connection:
        positions = ChangeFeed(connection)
        for one in records:
            connection.execute(
                record.insert().values(
                    kind=one.kind,
                    key=one.key,
                    cadre=one.cadre,  # type: ignore[attr-defined] # every concrete record has it
                    body=serialise_record(one),
                    digest=body_digest(serialise_record(one)),
                    position=positions.next(),
                    deleted=False,
                )
            )
            for number in person_identifiers(one) if isinstance(one, Cadre) else ():
                connection.execute(cadre_identifier.insert().values(value=number, cadre=one.key))
            for name in [name_digest(one)] if isinstance(one, Cadre) else ():
                connection.execute(cadre_name.insert().values(value=name, cadre=one.key))
        positions.close()


def hold_patients(adapter: Adapter, hospital: str, *cadres: str) -> None:
    """The ledger says that this hospital holds these people's Patients."""
    rows = [
        {
            "hospital": hospital,
            "identity": adapter.identities.of(hospital, "Patient", Cadre.kind, cadre),
            "cadre": cadre,
            "type": "Patient",
            "rank": 0,
            "kind": Cadre.kind,
            "key": cadre,
            "state": EntryState.DELIVERED,
            "remote_id": f"held-{number}",
            "mapping_version": "",
            "attempts": 0,
            "changed_at": NOW,
        }
        for number, cadre in enumerate(cadres)
    ]
    with write_transaction(adapter.engine) as connection:
        connection.execute(entry.insert(), rows)

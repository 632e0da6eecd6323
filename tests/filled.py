"""A database that has been in use for long: enough rows that a planner looks things up in an index.

Three hospitals, some hundred people with eight records each, all planned and mostly delivered, a small part
in every other state. Only what the stores look at is in the rows.
"""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from postgres import Postgres
from sqlalchemy import Engine, Table, func, insert, select, text

from adapter import audit, awaited, withheld
from adapter.authorization.access_tokens import access_token, used_assertion
from adapter.authorization.page_access import page_form, page_invitation, page_session
from adapter.authorization.staff_tables import staff_account, staff_code, staff_session
from adapter.database import migrate, open_database, write_transaction
from adapter.hospital_tokens import hospital_token
from adapter.inbox.acknowledgements.tables import acknowledged_message
from adapter.inbox.polling.tables import poll_mark
from adapter.inbox.quarantine.tables import refused_request, refused_volume
from adapter.inbox.tables import inbox_item, inbox_listing, inbox_mark, inbox_position, patient_ruling
from adapter.ledger.entries.row_values import REASON_INVALID
from adapter.ledger.schema import tables as ledger
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.transitions import pack_transition
from adapter.records import tables as records
from adapter.records.model import (
    Cadre,
    Measurement,
    Record,
    Referral,
    Sex,
    Tier,
    Visit,
    VisitKind,
)
from adapter.records.serialisation import serialise_record
from adapter.referrals.lifecycle import ReferralState
from adapter.repository import tables as repository
from adapter.repository.store import CONTENT_INDEX
from adapter.subscriptions.tables import subscription, subscription_event

__all__ = [
    "BV",
    "CHANGES",
    "GROWING",
    "NOW",
    "PEOPLE",
    "SMALL",
    "analyze",
    "cadre",
    "fill",
    "identity",
    "loser",
    "postgresql",
    "sqlite",
    "sqlite_file",
    "survivor",
]

# Hospitals, workers, queries, tokens and mappings are few; all else comes with people and with time.
SMALL = {
    *(records.erased_name, records.erasure),
    *(ledger.hospital, ledger.server_card, ledger.alarm, ledger.worker, ledger.turn, ledger.traffic),
    *(ledger.mapping_snapshot, ledger.mapping_in_force, ledger.policy_in_force, records.feed),
    *(records.source_cursor, audit.audit_head, audit.configuration_digest, hospital_token),
    *(access_token, used_assertion),
    *(page_invitation, page_session, page_form),
    *(staff_account, staff_code, staff_session),
    inbox_position,
    records.import_draft,
    *(records.import_run, records.held_row, ledger.identity_key, ledger.former_identity_key),
    refused_volume,
    subscription,
    poll_mark,
}
GROWING = {
    *(ledger.entry, ledger.shipment, ledger.receipt, ledger.person_disclosure),
    *(acknowledged_message, refused_request, subscription_event),
    *(inbox_item, inbox_mark, inbox_listing, patient_ruling, audit.audit, withheld.disclosure_refusal),
    *(awaited.awaited_name, awaited.awaited_arrival),
    *(records.result_attention, records.result_view),
    *(records.record, records.cadre_identifier, records.cadre_name, records.record_merge, records.import_row),
    records.import_change,
    *(repository.repository_resource, repository.repository_version, repository.repository_index),
    repository.repository_range,
}

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
BV = "bv-1"  # the hospital that is looked at
PEOPLE = 400
_HOSPITALS = {BV: PEOPLE, "bv-2": PEOPLE // 3, "bv-3": PEOPLE // 3}
CHANGES = PEOPLE * 8 + 100  # the newest position in the feed
_MERGED = 2000  # far more than there will be, so that a scan of them is one
_MEASURED = 4
_TYPES = {
    "cadre": "Patient",
    "visit": "Encounter",
    "measurement": "Observation",
    "referral": "ServiceRequest",
}
# One line in each 250 is in each of these; the number is its rest.
_STATES = {
    **dict.fromkeys((1, 2), EntryState.PENDING),
    **{
        3: EntryState.UNKNOWN,
        4: EntryState.PARKED,
        5: EntryState.RETRACTING,
        6: EntryState.RETRACTED,
        7: EntryState.SENDING,
    },
}
_OLD = NOW - timedelta(days=400)

Row = dict[str, Any]


def cadre(number: int) -> str:
    """The key of a person."""
    return f"c{number:04}"


def loser(number: int) -> str:
    """The key of somebody who was merged into the person `survivor`."""
    return f"{survivor(number)}.was{number}"


def survivor(number: int) -> str:
    """Who somebody that was merged is: none of the first hundred people."""
    return cadre(100 + number % 300)


def identity(hospital: str, kind: str, key: str) -> str:
    """The identity of a record's resource."""
    return f"{hospital}.{kind}.{key}"


def sqlite_file(path: Path) -> Path:
    """A full SQLite file, to be copied."""
    engine = open_database(f"sqlite:///{path}")
    migrate(engine)
    fill(engine)
    engine.dispose()  # the last connection checkpoints, so the one file is all there is
    return path


@contextmanager
def sqlite(file: Path) -> Iterator[Engine]:
    """A copy of a full SQLite file, opened."""
    with TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{shutil.copy(file, folder)}")
        yield engine
        engine.dispose()


@contextmanager
def postgresql() -> Iterator[Engine]:
    """A full PostgreSQL database; skips where there is no PostgreSQL."""
    postgres = Postgres()  # that of this run, which conftest has begun and ends
    if not postgres.available:
        pytest.skip("PostgreSQL not found")
    name = f"t_{uuid.uuid4().hex}"
    engine = open_database(postgres.create(name))
    try:
        fill(engine)
        yield engine
    finally:
        engine.dispose()
        postgres.drop(name)
        postgres.stop()  # it is another's: only this one's connection ends


def fill(engine: Engine) -> None:
    """Fill all tables that grow."""
    with write_transaction(engine) as connection:
        for table, rows in _rows():
            if engine.dialect.name == "postgresql":  # as many pages as ten times the rows would take
                connection.execute(text(f"ALTER TABLE {table.name} SET (fillfactor = 10)"))
            connection.execute(insert(table), list(rows))
        if engine.dialect.name == "postgresql":  # ids were given by hand
            for table in (inbox_item, refused_request):
                sequence = func.pg_get_serial_sequence(table.name, "id")
                connection.execute(select(func.setval(sequence, 100_000)))


def analyze(engine: Engine) -> None:
    """Let the database know how full the tables are, as autovacuum does and nobody on SQLite."""
    with write_transaction(engine) as connection:
        connection.execute(text("ANALYZE"))


def _rows() -> Iterator[tuple[Table, Iterator[Row]]]:
    people = [list(_records_of(number)) for number in range(PEOPLE)]
    yield ledger.hospital, ({"name": name, **_UNPLANNED} for name in _HOSPITALS)
    yield ledger.entry, _entries(people)
    yield ledger.shipment, _shipments()
    yield ledger.receipt, _receipts()
    yield ledger.person_disclosure, _disclosures()
    yield records.record, _records(people)
    yield records.feed, iter([{"id": 1, "position": CHANGES}])
    yield records.cadre_identifier, ({"value": f"{n:012}", "cadre": cadre(n)} for n in range(PEOPLE))
    yield records.cadre_name, ({"value": f"{n:032}", "cadre": cadre(n)} for n in range(PEOPLE))
    yield records.record_merge, (_merge(number) for number in range(_MERGED))
    yield records.import_change, ({"run": 1, "key": f"old{n}", **_WAS} for n in range(2000))
    yield records.import_row, ({"kind": "visit", "key": f"old{n}", **_MET} for n in range(2000))
    yield inbox_item, _inbox()
    yield refused_request, _refused()
    yield acknowledged_message, _acknowledged()
    yield patient_ruling, (_ruling(n) for n in range(2000))
    yield records.result_attention, (_attention(n) for n in range(4000))
    yield records.result_view, (_view(n) for n in range(2000))
    yield poll_mark, ({"hospital": one, "type": "Task", "watermark": _OLD} for one in _HOSPITALS)
    yield subscription, _subscriptions()
    yield subscription_event, _events()
    yield refused_volume, [{"hospital": one, "bytes": 667 * 1000} for one in _HOSPITALS]
    yield (
        inbox_mark,
        (
            {
                "hospital": list(_HOSPITALS)[n % 3],
                "type": "DiagnosticReport",
                "value": f"{n:032}",
                "lineage": n + 1,
            }
            for n in range(2000)
        ),
    )
    yield (
        inbox_listing,
        (
            {
                "hospital": list(_HOSPITALS)[n % 3],
                "member": f"Observation/o{n}",
                "listed_by": f"DiagnosticReport/i{n}",
            }
            for n in range(2000)
        ),
    )
    yield awaited.awaited_name, ({"value": f"{n:032}", "item": n + 1} for n in range(2000))
    yield awaited.awaited_arrival, ({"value": f"{n:032}"} for n in range(2000))
    yield repository.repository_resource, _resources()
    yield repository.repository_version, _versions()
    yield repository.repository_index, _index()
    yield repository.repository_range, _ranges()
    yield audit.audit, _audit()
    yield audit.audit_head, iter([{"id": 1, "seq": 1000, "hash": "h1000"}])
    yield withheld.disclosure_refusal, _refusals()


_UNPLANNED = {"planned_position": 0, "planned_version": "", "failures": 0}
_WAS: Row = {"kind": "visit", "cadre": "c1", "before": "{}", "was_deleted": False}
_MET = {"row": 2, "sheet": "s", "rejected": False}


# -- records and ledger --------------------------------------------------------------------


def _records_of(number: int) -> Iterator[Record]:
    key = cadre(number)
    yield _person(key)
    yield Visit(key=f"{key}.v", cadre=key, type=VisitKind.CHECKUP, started_at=NOW)
    for place in range(_MEASURED):
        yield Measurement(
            key=f"{key}.m{place}", cadre=key, visit=f"{key}.v", measure=f"TEST-{place}", value="5.3"
        )
    for place in range(2):
        done = ReferralState.COMPLETED if place else ReferralState.RECEIVED
        yield Referral(
            key=f"{key}.r{place}",
            cadre=key,
            hospital=BV,
            service="WORKUP-CARD",
            ordered_at=NOW,
            state=done,
            fulfilled_by=f"{key}.result" if place else None,
        )


def _person(key: str) -> Cadre:
    return Cadre(key=key, name="N", sex=Sex.FEMALE, birth_date=date(1960, 7, 1), tier=Tier.T4)


def _records(people: list[list[Record]]) -> Iterator[Row]:
    losers = [_person(loser(number)) for number in range(100)]
    for position, one in enumerate([record for listed in people for record in listed] + losers, 1):
        owner: str = one.cadre  # type: ignore[attr-defined] # every concrete record has it
        yield {
            "kind": one.kind,
            "key": one.key,
            "cadre": owner,
            "former_cadre": cadre(0) if position % 200 == 9 else None,
            "body": serialise_record(one),
            "digest": "d",
            "source_digest": "d",
            "position": position,
            "deleted": position % 300 == 10,
            "source": "year.xlsx",
            "sheet": "s",
            "row": position,
        }


def _entries(people: list[list[Record]]) -> Iterator[Row]:
    for hospital, count in _HOSPITALS.items():
        listed = [(number, one) for number in range(count) for one in people[number]]
        for place, (number, one) in enumerate(listed):
            yield _entry(hospital, cadre(number), one, _STATES.get(place % 250, EntryState.DELIVERED), place)


def _entry(hospital: str, owner: str, one: Record, state: EntryState, place: int) -> Row:
    waits = state in (EntryState.PENDING, EntryState.PARKED, EntryState.SENDING, EntryState.UNKNOWN)
    leaves = state in (EntryState.RETRACTING, EntryState.RETRACTED)
    return {
        "hospital": hospital,
        "identity": identity(hospital, one.kind, one.key),
        "cadre": owner,
        "type": _TYPES[one.kind],
        "rank": list(_TYPES).index(one.kind),
        "kind": one.kind,
        "key": one.key,
        "state": state,
        "desired_digest": None if leaves else "d",
        "sent_digest": "d",
        "delivered_digest": "d" if state is EntryState.DELIVERED else None,
        "body": b"{}" if waits and place % 200 != 1 else None,
        "mapping_version": "m1",
        "remote_id": f"r{place}",
        "etag": None,
        "attempts": 4 if leaves else 0,
        "reason": (REASON_INVALID if place % 400 == 4 else "refused") if state is EntryState.PARKED else None,
        "changed_at": _OLD if place % 3 else NOW,
        "wished_at": _OLD if place % 3 else NOW,
        "delivered_at": _OLD,
        "history": pack_transition(state, NOW),
    }


def _shipments() -> Iterator[Row]:
    for hospital, count in _HOSPITALS.items():
        for number in range(5 * count):  # most people have nothing that is to be sent
            due = {0: NOW - timedelta(hours=1), 1: NOW + timedelta(minutes=10)}.get(number % 100)
            leased = number % 200 == 7
            yield {
                "hospital": hospital,
                "cadre": cadre(number),
                "due_at": due,
                "attempts": 0,
                "wish": 1,
                "lease_token": f"worker{number}" if leased else None,
                "lease_until": NOW if leased else None,
            }


def _disclosures() -> Iterator[Row]:
    for hospital, count in _HOSPITALS.items():
        for number in range(5 * count):
            aside = number % 100 == 3
            waits = {"aside": aside, "newly": 4 * aside, "withdrawn": 0, "gone": 0}
            yield {"hospital": hospital, "cadre": cadre(number), "exposure": 3, **waits}


def _receipts() -> Iterator[Row]:
    for number in range(2000):
        yield {
            "hospital": list(_HOSPITALS)[number % 3],
            "identity": f"gone{number}",
            "proved_at": _OLD if number % 20 == 0 else NOW,
            "type": "Observation",
            "kind": "measurement",
            "key": f"gone{number}",
            "how": "deleted",
        }


def _merge(number: int) -> Row:
    return {"loser": loser(number), "survivor": survivor(number), "merged_at": NOW, "merged_by": "test"}


# -- what hospitals sent, and what is told -------------------------------------------------


def _inbox() -> Iterator[Row]:
    for number in range(2000):
        state = {1: "new", 2: "unmatched"}.get(number % 100, "applied")
        yield {
            "id": number + 1,
            "hospital": list(_HOSPITALS)[number % 3],
            "type": "DiagnosticReport",
            "resource_id": f"i{number}",
            "version": 1,
            "identity": f"urn:x|{number}" if number % 2 else None,
            "digest": f"d{number}",
            "body": '{"resourceType": "DiagnosticReport", "subject": {"reference": "Patient/p1"}}',
            "received_at": NOW,
            "state": state,
            "reasons": "[]",
            "candidates": "[]",
            "cadre": cadre(number % PEOPLE) if state == "applied" else None,
            "attempts": 0,
            "lineage": number + 1,
            "due_at": {"new": NOW, "unmatched": NOW + timedelta(days=1)}.get(state),
        }


def _subscriptions() -> Iterator[Row]:
    for hospital in _HOSPITALS:
        yield {
            "id": f"s-{hospital}",
            "hospital": hospital,
            "version": 1,
            "updated": _OLD,
            "status": "active",
            "body": b'{"resourceType": "Subscription"}',
            "numbered": 1990,
            "delivered": 1990,
        }


def _events() -> Iterator[Row]:
    """Two thousand of each subscription, of which the last ten have no number yet."""
    for hospital in _HOSPITALS:
        for number in range(1, 2001):
            yield {
                "subscription": f"s-{hospital}",
                "number": number if number <= 1990 else None,
                "interaction": "update",
                "type": "ServiceRequest",
                "remote_id": f"r{number % 300}",
                "at": NOW - timedelta(minutes=2000 - number),
            }


def _ruling(n: int) -> dict[str, object]:
    said = {"is_never": n % 5 == 0, "item": n + 1, "ruled_at": _OLD, "ruled_by": "test"}
    return {"hospital": list(_HOSPITALS)[n % 3], "subject": f"{n:032}", "cadre": cadre(n), **said}


def _attention(n: int) -> Row:
    """One in twenty waits."""
    told = {"digest": "d", "urgency": ("normal", "abnormal", "critical")[n % 3]}
    waits = _OLD + timedelta(minutes=n) if n % 20 == 7 else None
    return {"result": f"result{n}", "hospital": BV, "waits_since": waits, **told}


def _view(n: int) -> Row:
    """One in twenty has something follow."""
    told = {"digest": "d", "stated": "[[],false]", "decision": "recall" if n % 20 == 3 else "nothing"}
    return {"result": f"result{n}", "seen_at": _OLD, "seen_by": "test", "position": n, **told}


def _acknowledged() -> Iterator[Row]:
    for number in range(2000):
        yield {
            "hospital": BV,
            "message": f"{number:032}",
            "digest": "d",
            "answer_id": "a",
            "at": NOW - timedelta(minutes=number),
        }


def _refused() -> Iterator[Row]:
    for number in range(2000):
        yield {
            "id": number + 1,
            "hospital": list(_HOSPITALS)[number % 3],
            "digest": f"d{number}",
            "method": "POST",
            "url": "Observation",
            "conditions": "{}",
            "body": b"{}",
            "status": 400,
            "kind": f"400 value {number % 7}",
            "outcome": "{}",
            "size": 1000,
            "times": 1,
            "first_at": NOW - timedelta(minutes=number),
            "last_at": NOW - timedelta(minutes=number),
        }


def _resources() -> Iterator[Row]:
    for number in range(2000):
        yield {**_resource(number), "version": 2 if number < 500 else 1}


def _versions() -> Iterator[Row]:
    for number in range(500):
        yield {**_resource(number), "version": 1}


def _resource(number: int) -> Row:
    return {
        "owner": list(_HOSPITALS)[number % 3],
        "type": "Observation",
        "id": f"o{number:04}",
        "deleted": False,
        "updated": number,
        "content": f"content{number}",
        "body": b"{}",
    }


def _index() -> Iterator[Row]:
    for number in range(2000):
        own = {name: _resource(number)[name] for name in ("owner", "type", "id")}
        yield {**own, "name": "identifier", "value": f"v{number}", "system": "urn:x"}
        yield {**own, "name": "subject", "value": f"Patient/p{number // 30}", "system": ""}
        yield {**own, "name": "code", "value": f"c{number % 50}", "system": "http://loinc.org"}
        yield {**own, "name": CONTENT_INDEX, "value": f"content{number}", "system": ""}


def _ranges() -> Iterator[Row]:
    beside = {"system": "http://unitsofmeasure.org", "code": "mmol/L", "unit": "mmol/L"}
    for number in range(2000):
        own = {name: _resource(number)[name] for name in ("owner", "type", "id")}
        for place, name in enumerate(("effective", "valueQuantity", "component.code$valueQuantity")):
            key = "8480-6" if "$" in name else ""
            span = {"low": float(number), "high": float(number)}
            yield {**own, "name": name, **span, "number": place, "key": key, **beside}


def _audit() -> Iterator[Row]:
    for number in range(1, 1001):
        yield {
            "seq": number,
            "at": NOW,
            "actor": "test",
            "action": "disclosure.refused",
            "subject": f"s{number % PEOPLE}",
            "details": "{}",
            "previous": f"h{number - 1}",
            "hash": f"h{number}",
        }


def _refusals() -> Iterator[Row]:
    for number in range(PEOPLE):
        for hospital in _HOSPITALS:
            for kind in ("measurement", "referral"):
                yield {
                    "hospital": hospital,
                    "subject": f"s{number}",
                    "kind": kind,
                    "reason": "tier",
                    "count": 3,
                    "since": NOW,
                }

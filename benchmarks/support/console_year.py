"""A centre as its staff find it one morning: the sample year, what a hospital holds of it, referrals half of
which are at their end, results that nobody has seen and results that found nobody.

For 934 people: 67,000 records (200 home visits, 115 trips, 300 referrals), 120 unseen and 60 unmatched
results; of more people as many more.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from support.centre import Centre

sys.path.append(str(Path(__file__).parents[2] / "tests"))

from inbox_centre import receive_version

from adapter.authorization.staff_accounts import add_account, read_account
from adapter.authorization.staff_roles import StaffRole
from adapter.authorization.staff_sessions import open_session
from adapter.bulk_insert import insert_rows
from adapter.database import read_transaction, write_transaction
from adapter.fhir import codec
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.tables import entry
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.records.change_feed import newest_position
from adapter.records.model import Cadre, Referral
from adapter.records.serialisation import body_digest, parse_record, person_identifiers, serialise_record
from adapter.records.synthetic import write_workbook
from adapter.records.tables import cadre_identifier, feed, record
from adapter.referrals.lifecycle import ReferralState
from adapter.settings import load_settings

__all__ = ["UNREACHABLE", "fill", "filled_centre", "open_centre", "signed_in"]

UNREACHABLE = "http://127.0.0.1:9/fhir"
_HOSPITAL = "bv-tinh"
_YEAR = 934  # people of the year that the counts below are of
_UNSEEN, _UNMATCHED = 120, 60
_LATE = 10  # of the unseen: since before yesterday; with as many people as in _YEAR
_TYPES = {
    "cadre": "Patient",
    "visit": "Encounter",
    "measurement": "Observation",
    "diagnosis": "Condition",
    "immunization": "Immunization",
    "procedure": "Procedure",
    "referral": "ServiceRequest",
}
_OVER = (ReferralState.COMPLETED, ReferralState.DECLINED, ReferralState.CANCELLED)
_OPEN = (
    ReferralState.RECEIVED,
    ReferralState.ACCEPTED,
    ReferralState.SCHEDULED,
    ReferralState.NO_SHOW,
    ReferralState.VISIT_DONE,
)


def filled_centre(folder: Path, people: int, hospitals: Mapping[str, Mapping[str, Any]]) -> Centre:
    """A centre in `folder` with the year of so many people imported, and nothing else."""
    centre = Centre(folder, hospitals)
    write_workbook(folder / "year.xlsx", cadres=min(people, _YEAR))
    centre.run("import", str(folder / "year.xlsx"), "--json")
    return centre


def open_centre(centre: Centre) -> Adapter:
    """The adapter of a centre, in this process."""
    return Adapter.open(load_settings(centre.folder / "adapter.toml"))


def signed_in(adapter: Adapter) -> str:
    """The cookie's value of a doctor's new session; the account is made if need be."""
    now = datetime.now(UTC)
    with write_transaction(adapter.engine) as connection:
        account = read_account(connection, "bs")
        if account is None:
            roles = (StaffRole.DOCTOR, StaffRole.CLERK)
            add_account(connection, "bs", "BS Mẫu", roles, now, by="bench")
            account = read_account(connection, "bs")
        assert account is not None
        return open_session(connection, account, now, is_whole=True).token


def fill(adapter: Adapter, people: int) -> None:
    """What has become of the year of so many people: a hospital holds it, and answers."""
    now = datetime.now(UTC)
    _copy_year(adapter, max(1, round(people / _YEAR)))
    _hold_all(adapter, now)
    with read_transaction(adapter.engine) as connection:
        of_kind = select(record.c.key).where(record.c.kind == Referral.kind).order_by(record.c.key)
        keys = list(connection.execute(of_kind).scalars())
    with write_transaction(adapter.engine) as connection:
        for number, key in enumerate(keys):
            adapter.records.amend_referral(key, partial(_answered, number, now), connection=connection)
    results = list(enumerate(_results(adapter, keys, people)))
    for age, which in ((timedelta(days=3), True), (timedelta(hours=5), False)):
        chosen = [one for one in results if (one[0] % _UNSEEN < _LATE) is which]
        _receive(adapter, chosen, now - age)
        process_inbox(adapter, lambda at=now - age: at)  # type: ignore[misc]


def _receive(adapter: Adapter, results: Sequence[tuple[int, codec.Resource]], at: datetime) -> None:
    with write_transaction(adapter.engine) as connection:
        for number, resource in results:
            receive_version(
                connection,
                hospital=_HOSPITAL,
                type="Observation",
                id=f"r{number}",
                version=1,
                resource=resource,
                body=codec.dumps(resource),
                now=at,
            )


def _copy_year(adapter: Adapter, times: int) -> None:
    """So many more years of as many people each; and every referral once more, under a key of its own."""
    with read_transaction(adapter.engine) as connection:
        rows = connection.execute(select(record).order_by(record.c.kind, record.c.key)).mappings().all()
    with write_transaction(adapter.engine) as connection:
        position = newest_position(connection)
        for number in range(times):
            made = []
            for row in rows:
                if number == 0 and row["kind"] != Referral.kind:
                    continue
                copied = _copied(parse_record(row["kind"], row["body"]), number)
                position += 1
                body = serialise_record(copied)
                more = {"key": copied.key, "cadre": copied.cadre, "body": body, "digest": body_digest(body)}
                made.append({**row, **more, "position": position})
                if isinstance(copied, Cadre):
                    insert_rows(
                        connection,
                        cadre_identifier,
                        [{"value": one, "cadre": copied.key} for one in person_identifiers(copied)],
                    )
            insert_rows(connection, record, made)
        connection.execute(update(feed).values(position=position))


def _copied(one: Any, number: int) -> Any:
    """A record of the copy of that number; of number 0 it is of the same person."""
    said = {"key": f"{one.key}-{number}"}
    if number:
        for name in ("cadre", "visit"):
            if name != one.kind and getattr(one, name, None) is not None:
                said[name] = f"{getattr(one, name)}-{number}"
    if isinstance(one, Cadre):
        said |= {"national_id": f"{number}{one.national_id[1:]}" if one.national_id else None}
        said |= {"old_national_id": None, "insurance": ()}
    return one.model_copy(update=said)


def _answered(number: int, now: datetime, one: Referral) -> Referral:
    """Of ten referrals six are over, three are under way, and one is late."""
    place = number % 10
    if place < 6:
        at, state = now - timedelta(days=20), _OVER[number % len(_OVER)]
        seen = {"acknowledged_at": at, "acknowledged_by": "bench"}
    else:
        at, state = now - timedelta(days=200 if place == 9 else 0), _OPEN[number // 10 % len(_OPEN)]
        seen = {}
    ordered = (at if place >= 6 else now - timedelta(days=30)).date()
    said: dict[str, Any] = {"hospital": _HOSPITAL, "status": "active", "ordered_at": ordered, "state": state}
    if state is not ReferralState.RECEIVED:
        said["fulfilled_at"] = at
    return one.model_copy(update=said | seen)


def _results(adapter: Adapter, referrals: list[str], people: int) -> Iterator[codec.Resource]:
    """Abnormal values: of the referrals one each, and of nobody who is known."""
    system = adapter.settings.centre.identifier_system
    times = max(1, people // _YEAR)
    for number in range(_UNSEEN * times):
        order = adapter.identities.of(
            _HOSPITAL, "ServiceRequest", Referral.kind, referrals[number % len(referrals)]
        )
        yield _observation(number, {"basedOn": [{"identifier": {"system": system, "value": order}}]})
    for number in range(_UNMATCHED * times):
        patient = {"resourceType": "Patient", "id": "p", "name": [{"text": "TRAN VAN BINH"}]}
        stranger = {"contained": [patient], "subject": {"reference": "#p"}}
        yield _observation(_UNSEEN * times + number, stranger)


def _observation(number: int, more: Mapping[str, Any]) -> codec.Resource:
    amount = {"system": "http://unitsofmeasure.org", "code": "mmol/L", "unit": "mmol/L"}
    return {
        "resourceType": "Observation",
        "id": f"r{number}",
        "identifier": [{"system": "https://bv-tinh.example/fhir/sid/result", "value": f"S{number}"}],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}], "text": "Kali"},
        "issued": "2026-03-04T08:15:00+07:00",
        "valueQuantity": {"value": 6.4 + number % 5 / 10, **amount},
        "referenceRange": [{"low": {"value": 3.5, **amount}, "high": {"value": 5.1, **amount}}],
        "interpretation": [{"coding": [{"code": "H"}]}],
        **more,
    }


def _hold_all(adapter: Adapter, now: datetime) -> None:
    """The ledger says that the hospital has all of it."""
    last = ("", "")
    columns = (record.c.kind, record.c.key, record.c.cadre)
    while True:
        with write_transaction(adapter.engine) as connection:
            behind = (record.c.kind, record.c.key)
            query = select(*columns).where(
                (behind[0] > last[0]) | ((behind[0] == last[0]) & (behind[1] > last[1]))
            )
            rows = connection.execute(query.order_by(*behind).limit(5_000)).all()
            if not rows:
                return
            last = rows[-1][0], rows[-1][1]
            insert_rows(connection, entry, [_held(adapter, *row, now) for row in rows])


def _held(adapter: Adapter, kind: str, key: str, cadre: str, now: datetime) -> dict[str, Any]:
    type_ = _TYPES.get(kind, "Basic")
    at = now - timedelta(days=190)
    identity = adapter.identities.of(_HOSPITAL, type_, kind, key)
    return {
        "hospital": _HOSPITAL,
        "identity": identity,
        "cadre": cadre,
        "type": type_,
        "rank": 0,
        "kind": kind,
        "key": key,
        "state": EntryState.DELIVERED,
        "desired_digest": identity[:32],
        "delivered_digest": identity[:32],
        "mapping_version": "",
        "remote_id": identity[:40],
        "attempts": 0,
        "lookups": 0,
        "changed_at": at,
        "delivered_at": at,
    }

"""A small centre for the console: people, referrals, results that came and that wait, and staff of each role.

All people are invented. Days are said from TODAY, which is the day that the tests run on.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from inbox_centre import put_records
from page_centre import plan
from sqlalchemy import select, update

from adapter.audit import audit
from adapter.authorization.staff_accounts import StaffAccount, add_account, read_account, set_language
from adapter.authorization.staff_roles import StaffRole
from adapter.authorization.staff_sessions import open_session
from adapter.database import read_transaction, write_transaction
from adapter.hospital_tokens import issue_token
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.tables import entry
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.records.model import Cadre, Measurement, Record, Referral, Sex, Tier, Visit, VisitKind
from adapter.testing import Centre, serving
from adapter.web.console.app import COOKIE, console_app
from adapter.web.endpoint import adapter_endpoint

__all__ = ["HOME", "OTHER", "PEOPLE", "TODAY", "Console", "console_on", "fill_centre", "now"]

HOME, OTHER = "bv-tinh", "bv-trung-uong"
CCCD = "http://fhir.ehealth.gov.vn/core/sid/citizen_id"
HOSPITALS: Mapping[str, Mapping[str, Any]] = {
    HOME: {
        "base_url": "http://10.0.0.7:8080/fhir",
        "display": "Bệnh viện Đa khoa tỉnh",
        "level": "provincial",
        "telephone": "0204 3854 000",
        "systems": {"citizen_id": CCCD},
    },
    OTHER: {"base_url": "http://10.0.0.8:8080/fhir", "display": "Bệnh viện Hữu nghị", "level": "central"},
}
TODAY = datetime.now(UTC).date()
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"


def _person(number: int, name: str, born: date, sex: Sex, tier: Tier) -> Cadre:
    return Cadre(
        key=f"CB-{number}",
        name=name,
        sex=sex,
        birth_date=born,
        tier=tier,
        national_id=f"0240{born.year % 100:02d}{number:06d}",
    )


DUC = _person(1, "Đỗ Văn Đức", date(1960, 3, 12), Sex.MALE, Tier.T4)
HOA = _person(2, "Lê Thị Hoa", date(1969, 5, 6), Sex.FEMALE, Tier.T5)
HOA_TOO = _person(3, "Lê Thị Hoa", date(1971, 9, 2), Sex.FEMALE, Tier.T4)
SECRET = _person(4, "Phùng Quang Bí", date(1958, 1, 20), Sex.MALE, Tier.T1)
AN = _person(5, "Nguyễn Văn Ân", date(1962, 11, 30), Sex.MALE, Tier.T3)
PEOPLE = (DUC, HOA, HOA_TOO, SECRET, AN)
"""SECRET is of tier T1: he exists only for who `sees_t1`. Two are called Lê Thị Hoa."""


def now() -> datetime:
    """The clock of all of it."""
    return datetime.now(UTC)


def _visits() -> Iterator[Record]:
    """A check-up a year of each, with the same measures: creatinine rises for DUC."""
    for person in PEOPLE:
        for year in range(3):
            key = f"LK-{person.key[3:]}-{year}"
            at = datetime.combine(TODAY, datetime.min.time(), UTC) - timedelta(days=30 + 365 * year, hours=-2)
            yield Visit(
                key=key,
                cadre=person.key,
                type=VisitKind.CHECKUP,
                started_at=at,
                ended_at=at + timedelta(hours=2),
            )
            values = (
                (
                    "BIO-CREA",
                    str(128 - 15 * year) if person is DUC else "80",
                    "µmol/L",
                    "H" if person is DUC and not year else None,
                ),
                ("VS-BP", f"{150 - 5 * year}/90", "mmHg", None),
                ("BIO-UREA", "5.1", "mmol/L", None),
            )
            for place, (measure, value, unit, flag) in enumerate(values):
                yield Measurement(
                    key=f"CS-{person.key[3:]}-{year}-{place}",
                    cadre=person.key,
                    visit=key,
                    measure=measure,
                    value=value,
                    unit=unit,
                    flag=flag,
                )


def _referral(key: str, person: Cadre, days_ago: int, **more: Any) -> Referral:
    ordered = TODAY - timedelta(days=days_ago)
    return Referral(
        key=key,
        cadre=person.key,
        visit=f"LK-{person.key[3:]}-0",
        hospital=HOME,
        service="WORKUP-CARD",
        reason="Đau ngực khi gắng sức",
        icd10="I20.9",
        ordered_at=ordered,
        due_on=ordered + timedelta(days=14),
        supporting=("BIO-CREA", "VS-BP"),
        **more,
    )


REFERRALS = (
    _referral("GT-1", DUC, 40),  # long overdue, nothing was heard
    _referral("GT-2", HOA, 6),  # its result came
    _referral("GT-3", SECRET, 40),
    _referral("GT-4", AN, 2),
)


def observation(
    number: str, value: float, *, name: str = "Kali", loinc: str = "2823-3", unit: str = "mmol/L", **more: Any
) -> dict[str, Any]:
    """A laboratory value as the hospital sends it; above its range."""
    amount = {"system": UCUM, "code": unit, "unit": unit}
    return {
        "resourceType": "Observation",
        "identifier": [{"system": "https://bv-tinh.example/fhir/sid/result", "value": number}],
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": loinc}], "text": name},
        "issued": now().isoformat(timespec="seconds"),
        "valueQuantity": {"value": value, **amount},
        "referenceRange": [{"low": {"value": 3.5, **amount}, "high": {"value": 5.1, **amount}}],
        "interpretation": [{"coding": [{"code": "HH" if value > 6 else "N"}]}],
        **more,
    }


def report(number: str, status: str = "final", **more: Any) -> dict[str, Any]:
    """A report of an examination as the hospital sends it."""
    return {
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": "https://bv-tinh.example/fhir/sid/report", "value": number}],
        "status": status,
        "code": {"text": "Siêu âm tim"},
        "issued": now().isoformat(timespec="seconds"),
        "conclusion": "Hở van hai lá nhẹ, chức năng thất trái bình thường",
        **more,
    }


def fill_centre(adapter: Adapter) -> None:
    """The people, what they were sent for, what came back, and accounts of each role."""
    put_records(adapter.engine, [*PEOPLE, *_visits(), *REFERRALS])
    plan(adapter)
    _deliver(adapter)
    _receive(adapter)
    process_inbox(adapter, now)
    with write_transaction(adapter.engine) as connection:
        for role in StaffRole:
            add_account(connection, role, _DISPLAYS[role], (role,), now(), by="test")
        both = (StaffRole.DOCTOR,)
        add_account(connection, "chief", "BS CKII Trần Thị Mai", both, now(), by="test", sees_t1=True)


_DISPLAYS = {
    StaffRole.CLERK: "Nguyễn Thị Thư",
    StaffRole.NURSE: "Vũ Thị Dưỡng",
    StaffRole.DOCTOR: "BS Hoàng Văn Lâm",
    StaffRole.IT: "Đinh Văn Kỹ",
    StaffRole.HEAD: "BS Bùi Văn Trưởng",
    StaffRole.AUDITOR: "Ngô Thị Kiểm",
}


def _deliver(adapter: Adapter) -> None:
    """HOME took all that was planned for it, but for what AN was sent for."""
    with write_transaction(adapter.engine) as connection:
        taken = (entry.c.hospital == HOME, entry.c.cadre != AN.key)
        there = {"state": EntryState.DELIVERED, "delivered_digest": entry.c.desired_digest}
        since = now() - timedelta(days=38)
        connection.execute(update(entry).where(*taken).values(delivered_at=since, **there))


def _receive(adapter: Adapter) -> None:
    token = issue_token(adapter.engine, HOME, now(), by="test")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json"}
    of_hoa = adapter.destination(HOME).identify("ServiceRequest", Referral.kind, "GT-2")
    system = adapter.settings.centre.identifier_system
    ours = {"basedOn": [{"identifier": {"system": system, "value": of_hoa}}]}
    stranger = {"resourceType": "Patient", "name": [{"text": "LE THI HOA"}], "birthDate": "1969"}
    contained = {"contained": [{**stranger, "id": "p"}], "subject": {"reference": "#p"}}
    with serving(adapter_endpoint(adapter)) as base, httpx.Client(base_url=base, headers=headers) as client:
        for body in (
            report("R1", **ours),
            observation("S1", 7.1, **ours),
            observation("S2", 6.4, **contained),  # whose it is, nobody can tell
            report("R2", "preliminary", **contained),
        ):
            answer = client.post(f"/fhir/{body['resourceType']}", content=json.dumps(body))
            assert answer.status_code == 201, answer.text
        assert client.post("/fhir/Observation", content=json.dumps({"resourceType": "Observation"})).is_error


@dataclass
class Console:
    """A console that answers at `base`."""

    base: str
    adapter: Adapter
    clients: list[httpx.Client] = field(default_factory=list)

    def account(self, name: str) -> StaffAccount:
        """Of a role's name, or "chief", a doctor who sees T1."""
        with write_transaction(self.adapter.engine) as connection:
            found = read_account(connection, name)
        assert found is not None
        return found

    def cookie(self, name: str, language: str = "vi") -> str:
        """The cookie's value of a new session."""
        set_language(self.adapter.engine, name, language)
        account = self.account(name)
        with write_transaction(self.adapter.engine) as connection:
            return open_session(connection, account, now(), is_whole=True).token

    def client(self, name: str | None = None, language: str = "vi") -> httpx.Client:
        """Somebody with a browser without scripts, who is signed in; None: nobody is."""
        made = httpx.Client(base_url=self.base, headers={"Origin": self.base}, timeout=30)
        if name:
            made.cookies.set(COOKIE, self.cookie(name, language), domain="127.0.0.1")
        self.clients.append(made)
        return made

    def audit(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Who did what, with its details, in order."""
        rows = select(audit.c.actor, audit.c.action, audit.c.details).order_by(audit.c.seq)
        with read_transaction(self.adapter.engine) as connection:
            return [(row.actor, row.action, json.loads(row.details)) for row in connection.execute(rows)]


@contextmanager
def console_on(centre: Centre) -> Iterator[Console]:
    """The console of a centre, over real HTTP."""
    with centre.open() as adapter, serving(console_app(adapter, now)) as base:
        console = Console(base, adapter)
        try:
            yield console
        finally:
            for one in console.clients:
                one.close()


def small_centre(folder: Path) -> Centre:
    """The settings of it, without data."""
    return Centre(folder, hospitals=HOSPITALS, settings={"public_url": "http://centre.example/fhir"})

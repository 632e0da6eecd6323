"""A centre with referrals to hospitals that answer on their page, and a clerk with a browser."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from html import unescape
from pathlib import Path
from typing import Any

import httpx
from inbox_centre import put_records
from pdf_files import result_pdf
from sqlalchemy import func, select

from adapter.authorization import page_access
from adapter.database import read_transaction
from adapter.operations.hospital_page import InviteHospital, MadeInvitation
from adapter.operations.operation import OperationContext
from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound.planning import update_ledger
from adapter.records.model import Cadre, Measurement, Record, Referral, Sex, Tier, Visit, VisitKind
from adapter.referrals.lifecycle import ReferralState
from adapter.testing import Centre, serving
from adapter.web.endpoint import adapter_endpoint
from adapter.web.hospital_page.routes import hospital_page_routes

PUBLIC = "http://centre.example/fhir"
HOME = "bv-tinh"
OTHER = "bv-khac"
PDF = result_pdf("Result")
DUC = Cadre(
    key="CB-1",
    name="Đỗ Văn Đức",
    sex=Sex.MALE,
    birth_date=date(1960, 3, 12),
    tier=Tier.T4,
    national_id="024060012345",
)
_HIDDEN = re.compile(r'<input type="hidden" name="([a-z]+)" value="([^"]*)">')


def referral(key: str, hospital: str = HOME, **more: Any) -> Referral:
    """An order of a cardiologist's opinion, with two values of the visit."""
    return Referral(
        key=key,
        cadre=DUC.key,
        visit="LK-1",
        hospital=hospital,
        service="WORKUP-CARD",
        reason="Đau ngực khi gắng sức",
        icd10="I20.9",
        ordered_at=date(2026, 11, 2),
        due_on=date(2026, 12, 15),
        supporting=("BIO-CREA", "VS-BP"),
        **more,
    )


def records(*referrals: Referral, tier: Tier = Tier.T4) -> list[Record]:
    """Of the one person, with these referrals."""
    visit = Visit(
        key="LK-1",
        cadre=DUC.key,
        type=VisitKind.CHECKUP,
        started_at=datetime(2026, 11, 2, 1, 0, tzinfo=UTC),
        ended_at=datetime(2026, 11, 2, 3, 0, tzinfo=UTC),
    )
    values = (
        ("BIO-CREA", "104", "µmol/L", "H"),
        ("VS-BP", "150/95", "mmHg", None),
        ("BIO-UREA", "7.1", "mmol/L", None),
    )
    measured = [
        Measurement(
            key=f"CS-{n}", cadre=DUC.key, visit=visit.key, measure=code, value=value, unit=unit, flag=flag
        )
        for n, (code, value, unit, flag) in enumerate(values)
    ]
    return [DUC.model_copy(update={"tier": tier}), visit, *measured, *referrals]


def plan(adapter: Adapter) -> None:
    """As a sync does that reaches no hospital."""
    for name in adapter.settings.hospitals:
        update_ledger(adapter, adapter.destination(name), datetime.now(UTC), lambda *_: None, accept=True)


def page_centre(
    folder: Path, database_url: str, *referrals: Referral, public: str = PUBLIC, tier: Tier = Tier.T4
) -> Centre:
    """The centre, its referrals planned for their hospitals."""
    hospitals = {
        name: {"base_url": f"http://10.0.0.{place}:8080/fhir", "display": f"Bệnh viện {name}"}
        for place, name in enumerate((HOME, OTHER), 7)
    }
    centre = Centre(folder, hospitals=hospitals, database_url=database_url, settings={"public_url": public})
    with centre.open() as adapter:
        put_records(adapter.engine, records(*referrals, tier=tier))
        plan(adapter)
    return centre


def stand(adapter: Adapter, key: str, state: ReferralState) -> None:
    """The referral stands there, and the hospitals' plans know of it."""
    change: dict[str, Any] = {"state": state, "fulfilled_at": datetime.now(UTC)}
    if state is ReferralState.CANCELLATION_ASKED:
        change |= {"cancel_asked_at": datetime.now(UTC), "cancel_needs_answer": True}
    adapter.records.amend_referral(key, lambda one: one.model_copy(update=change))


def state_of(adapter: Adapter, key: str) -> ReferralState:
    """Where a referral stands."""
    found = adapter.records.get("referral", key)
    assert isinstance(found, Referral)
    return found.state


def invited(adapter: Adapter, hospital: str = HOME) -> MadeInvitation:
    """An invitation of that hospital."""
    return InviteHospital(hospital).perform(OperationContext(adapter, "test", lambda: datetime.now(UTC)))


@dataclass
class Clerk:
    """A browser without scripts: follows links, fills in the forms that a page has."""

    browser: httpx.Client
    adapter: Adapter
    hospital: str = HOME

    def sign_in(self) -> httpx.Response:
        """Invited, and with the right code in."""
        made = invited(self.adapter, self.hospital)
        path = "/page/in/" + made.link.rpartition("/")[2]
        assert self.browser.get(path).status_code == 200
        return self.browser.post(path, data={"code": made.code})

    def address(self, key: str) -> str:
        """Of a referral, by its record's key."""
        destination = self.adapter.destination(self.hospital)
        return f"/page/referrals/{destination.identify('ServiceRequest', Referral.kind, key)}"

    def page(self, key: str) -> str:
        """A referral's page."""
        answer = self.browser.get(self.address(key))
        assert answer.status_code == 200, answer.text
        return unescape(answer.text)

    def hidden(self, key: str) -> dict[str, str]:
        """What stands in its forms unseen."""
        return dict(_HIDDEN.findall(self.browser.get(self.address(key)).text))

    def send(
        self, key: str, action: str, fields: Mapping[str, str] | None = None, *, pdf: bytes | None = None
    ) -> httpx.Response:
        """Open the page, fill a form in and send it; the answer before it is followed."""
        return self.post(key, action, {**self.hidden(key), **(fields or {})}, pdf=pdf)

    def post(
        self, key: str, action: str, fields: Mapping[str, str], *, pdf: bytes | None = None
    ) -> httpx.Response:
        """Send exactly this."""
        url = f"{self.address(key)}/{action}"
        if action == "findings":
            file = ("", b"") if pdf is None else ("Nguyễn Văn A.pdf", pdf)
            return self.browser.post(
                url, data=dict(fields), files={"pdf": (*file, "application/pdf")}, follow_redirects=False
            )
        return self.browser.post(url, data=dict(fields), follow_redirects=False)


@contextmanager
def at_the_page(adapter: Adapter, hospital: str = HOME) -> Iterator[Clerk]:
    """A clerk who is signed in, over real HTTP."""
    with (
        serving(adapter_endpoint(adapter, pages=hospital_page_routes)) as base,
        httpx.Client(base_url=base, follow_redirects=True, timeout=30) as browser,
    ):
        clerk = Clerk(browser, adapter, hospital)
        assert clerk.sign_in().status_code == 200
        yield clerk


def sessions_of(adapter: Adapter) -> int:
    """How many sessions there are."""
    with read_transaction(adapter.engine) as connection:
        return int(
            connection.execute(select(func.count()).select_from(page_access.page_session)).scalar_one()
        )

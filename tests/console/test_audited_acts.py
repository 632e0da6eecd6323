"""Who did what, on what was seen: by a table of all that is posted. What is not in the table fails."""

import re
from typing import Any

import pytest
from console_centre import CCCD, DUC, HOA, HOME, OTHER, Console, now
from console_crawl import route_of
from console_forms import audit_rows, book, form_on, over, park, start, upload
from inbox_centre import receive_version

from adapter.database import write_transaction
from adapter.fhir import codec
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.records.model import Referral
from adapter.referrals.reasons import REASON_SYSTEM
from adapter.web.console.routes import ROUTES

# What each act leaves, and where it is tried: below, or in another module.
ACTS = {
    "/results/{result}/acknowledge": ("result.acknowledged", "results"),
    "/results/{result}/withdraw": ("result.unacknowledged", "results"),
    "/results/{result}/close": ("result.task-closed", "results"),
    "/inbox/{item}/link": ("inbox.linked", "inbox"),
    "/inbox/{item}/unlink": ("inbox.unlinked", "inbox"),
    "/inbox/{item}/never": ("inbox.ruled_out", "inbox"),
    "/inbox/{item}/allow": ("inbox.unruled_out", "inbox"),
    "/inbox/{item}/discard": ("inbox.discarded", "inbox"),
    "/inbox/{item}/reopen": ("inbox.reopened", "inbox"),
    "/inbox/{item}/seen": ("inbox.seen", "inbox"),
    "/referrals/{referral}/called": ("referral.called", "referrals"),
    "/referrals/{referral}/again": ("parked.released", "referrals"),
    "/referrals/{referral}/answer": ("referral.answered", "referrals"),
    "/referrals/{referral}/cancel": ("referral.cancelled", "referrals"),
    "/refused": ("parked.released", "parked"),
    "/parked": ("parked.released", "parked"),
    "/turned-away/{request}/retry": ("inbox.refused_retried", "turned away"),
    "/turned-away/{request}/discard": ("inbox.refused_discarded", "turned away"),
    "/import": ("import.uploaded", "imports"),
    "/import/{draft}/start": ("import.done", "imports"),
    "/import/{draft}/drop": ("import.upload_dropped", "imports"),
    "/held/{row}": ("import.dropped", "imports"),
    "/hospitals/{hospital}/switch": ("hospital.paused", "hospitals"),
    "/hospitals/{hospital}/breaker": ("hospital.reset", "hospitals"),
    "/hospitals/{hospital}/mapping": ("mapping.in-force", "hospitals"),
    "/year/export": ("report.exported", "year"),
    "/accounts": ("staff.added", "accounts"),
    "/accounts/{account}": ("staff.changed", "accounts"),
    "/accounts/{account}/code": ("staff.reset", "accounts"),
    "/accounts/{account}/shut": ("staff.disabled", "accounts"),
    "/accounts/{account}/open": ("staff.disabled", "accounts"),  # its details say: not any more
}
OF_PEOPLE = ("result.", "inbox.", "referral.")  # whose rows say about whom
OF_AN_ITEM = {  # which is nobody's yet
    *("inbox.discarded", "inbox.reopened", "inbox.seen"),
    *("inbox.refused_retried", "inbox.refused_discarded"),
}
LEADS_BACK = {"/year/export"}  # to the page, which says that the figures are others
NO_VERSION = {"/import", "/import/{draft}/drop", "/accounts"}  # nothing is there yet, or nothing is lost
ELSEWHERE = {  # of one's own account: test_accounts, test_signing_in; and what only looks: test_audited_looks
    *("/sign-in", "/second-factor", "/code", "/sign-out", "/language", "/account/outside"),
    *("/account/outside/end", "/account/password", "/account/second-factor", "/account/second-factor/off"),
    *("/inbox/{item}/find", "/import/{draft}/look", "/audit/verify", "/people", "/trace", "/audit"),
}


def test_each_form_is_in_the_table() -> None:
    posts = {one.path for one in ROUTES if one.method == "POST"}
    assert posts == ACTS.keys() | ELSEWHERE


class Acting:
    """Acts on the pages of a console, and remembers which."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.done: set[str] = set()

    def __call__(self, who: str, page: str, end: str, /, **fields: str) -> None:
        """Send the form of a page whose address ends so: with what was seen long ago it is refused and leaves
        no row, with what is seen now it leaves one.
        """
        client = self.console.client(who)
        address, hidden = form_on(client, page, end)
        route = route_of(address, "POST")
        assert route is not None
        action, _ = ACTS[route.path]
        versions = {one: "0" * 24 for one in ("version", "seen") if one in hidden}
        assert bool(versions) is (route.path not in NO_VERSION)
        before = len(audit_rows(self.console))
        if versions:
            assert client.post(address, data={**hidden, **fields, **versions}).status_code == (
                303 if route.path in LEADS_BACK else 409
            )
            assert action not in [one["action"] for one in audit_rows(self.console)[before:]]
            address, hidden = form_on(client, page, end)
        answer = client.post(address, data={**hidden, **fields})
        assert answer.status_code in (200, 303), answer.text
        [row] = [one for one in audit_rows(self.console)[before:] if one["action"] == action]
        assert row["actor"] == f"staff:{who}"
        is_of_somebody = action.startswith(OF_PEOPLE) and action not in OF_AN_ITEM
        assert row["subject"] or not is_of_somebody, "about whom"
        self.done.add(route.path)

    def tried(self, area: str) -> None:
        """All acts of the area were."""
        assert self.done == {path for path, (_, place) in ACTS.items() if place == area}


@pytest.fixture
def act(console: Console) -> Acting:
    return Acting(console)


def link_on(console: Console, name: str, page: str, start: str) -> str:
    return re.findall(rf'href="({start}[^"?]+)', console.client(name).get(page).text)[0]


def test_acts_on_results(console: Console, act: Acting) -> None:
    page = link_on(console, "doctor", "/results", "/results/")
    act("doctor", page, "/acknowledge", decision="recall")
    act("doctor", page, "/close", reason="đã gọi điện")
    act("doctor", page, "/withdraw")
    act.tried("results")


def test_acts_on_what_waits(console: Console, act: Acting) -> None:
    page = link_on(console, "nurse", "/inbox", "/inbox/")
    act("nurse", page, "/never")
    act("nurse", page, "/allow")
    act("nurse", page, "/link", despite="yes")
    act("nurse", page, "/unlink")
    act("nurse", page, "/discard", reason="gửi nhầm")
    act("nurse", page, "/reopen")
    older(console)
    act("nurse", link_on(console, "nurse", "/inbox?state=ignored", "/inbox/"), "/seen")
    act.tried("inbox")


def older(console: Console) -> None:
    """A result comes, and then what was preliminary of it."""
    subject = {"identifier": {"system": CCCD, "value": HOA.national_id}}
    said = {"resourceType": "Observation", "code": {"text": "Natri"}, "subject": subject}
    number = [{"system": "urn:lab", "value": "NA-1"}]
    for id_, status in (("na-1", "final"), ("na-2", "preliminary")):
        meta = {"versionId": "1"}
        receive(console, {**said, "id": id_, "status": status, "identifier": number, "meta": meta})


def receive(console: Console, resource: dict[str, Any]) -> None:
    with write_transaction(console.adapter.engine) as connection:
        receive_version(
            connection,
            hospital=HOME,
            type=resource["resourceType"],
            id=resource["id"],
            version=1,
            resource=resource,
            body=codec.dumps(resource),
            now=now(),
        )
    process_inbox(console.adapter, now)


def referral_of(console: Console, name: str) -> str:
    client = console.client("clerk")
    links = re.findall(r'href="(/referrals/[^"?]+)"', client.get("/referrals").text)
    return next(one for one in dict.fromkeys(links) if name in client.get(one).text)


def test_acts_on_referrals(console: Console, act: Acting) -> None:
    page = referral_of(console, DUC.name)
    act("clerk", page, "/called")
    park(console, "GT-1")
    act("clerk", page, "/again")
    system = console.adapter.settings.centre.identifier_system
    order = console.adapter.destination(HOME).identify("ServiceRequest", Referral.kind, "GT-1")
    coding = [{"system": REASON_SYSTEM, "code": "awaiting-information"}]
    asks = {
        "resourceType": "Task",
        "id": "q",
        "status": "on-hold",
        "intent": "order",
        "meta": {"versionId": "1"},
    }
    focus = {"type": "ServiceRequest", "identifier": {"system": system, "value": order}}
    receive(
        console, {**asks, "focus": focus, "statusReason": {"coding": coding, "text": "Có dùng thuốc gì?"}}
    )
    act("clerk", page, "/answer", answer="Không dùng thuốc nào")
    act("clerk", page, "/cancel", reason="đã khỏi")
    act.tried("referrals")


def test_acts_on_what_hospitals_refuse(console: Console, act: Acting) -> None:
    park(console, "CS-1-0-0")
    act("clerk", "/refused", "/refused")
    park(console, "CS-1-0-0")
    act("it", "/parked", "/parked")
    act.tried("parked")


def test_acts_on_what_was_turned_away(console: Console, act: Acting) -> None:
    act("clerk", link_on(console, "clerk", "/turned-away", "/turned-away/"), "/retry")
    act("it", link_on(console, "it", "/turned-away", "/turned-away/"), "/discard")
    act.tried("turned away")


def test_acts_on_workbooks(console: Console, act: Acting) -> None:
    clerk, before = console.client("clerk"), len(audit_rows(console))
    place = upload(clerk, book([["CB-90", "Trần Văn Thử", "Nam", "12/03/1960", "T5", ""]], "1,65"))
    clerk.post(f"{place}/start", data={"seen": "0" * 24})
    over(clerk, place)
    assert "import.done" not in [one["action"] for one in audit_rows(console)[before:]]
    place = upload(clerk, book([["CB-90", "Trần Văn Thử", "Nam", "12/03/1960", "T5", ""]], "1,65"))
    start(clerk, place)
    act("clerk", "/held", "/held/", decision="drop", reason="đo lại")
    gone = upload(clerk, book([["CB-92", "Trần Văn Bỏ", "Nam", "12/03/1961", "T5", ""]], ""))
    act("clerk", gone, "/drop")
    left = audit_rows(console)[before:]
    assert ("staff:clerk", "import.uploaded") in [(one["actor"], one["action"]) for one in left]
    [done] = [one for one in left if one["action"] == "import.done"]
    assert '"by":"staff:clerk"' in done["details"].replace(" ", "")
    act.done |= {"/import", "/import/{draft}/start"}
    act.tried("imports")


def test_acts_on_hospitals(console: Console, act: Acting) -> None:
    act("it", f"/hospitals/{HOME}", "/switch", mode="paused", note="đổi máy")
    console.adapter.ledger.hospitals.record_failure(OTHER, "unreachable", now=now())
    act("it", f"/hospitals/{OTHER}", "/breaker")
    act("it", f"/hospitals/{OTHER}/mapping", "/mapping")
    act.tried("hospitals")


def test_acts_on_the_year(console: Console, act: Acting) -> None:
    act("head", "/year", "/export", format="csv")
    act.tried("year")


def test_acts_on_accounts(console: Console, act: Acting) -> None:
    fields = {"name": "moi", "display": "Lý Thị Mới", "role-nurse": "yes"}
    act("head", "/accounts", "/accounts", **fields)
    page = "/accounts/moi"
    act("head", page, "/moi", **{"role-nurse": "yes", "role-clerk": "yes"})
    for end in ("/code", "/shut", "/open"):
        act("head", page, end)
    act.tried("accounts")

"""IT's day at the console (story 6): hospitals, what is parked, a record's way, services and the audit."""

import re
from collections.abc import Callable

import pytest
from console_browser import SIZES, ConsoleWindow
from console_centre import HOME, OTHER, Console, now
from console_traffic import SAID, put_traffic
from sqlalchemy import update

from adapter.database import write_transaction
from adapter.ledger.hospitals.circuit_breaker import BreakerState, HospitalMode
from adapter.ledger.schema import tables
from adapter.ledger.schema.states import EntryState
from adapter.web.console.hospital_pages import ROUTES as HOSPITALS
from adapter.web.console.operating_pages import ROUTES as OPERATING

Open = Callable[..., ConsoleWindow]


@pytest.fixture(scope="module")
def busy(console: Console) -> Console:
    """The same with traffic, and with values that the hospital refused."""
    put_traffic(console.adapter)
    return console


WORDS = {
    "vi": {
        "hospitals": "Bệnh viện",
        "why": "Lý do (cho đồng nghiệp)",
        "pause": "Tạm dừng",
        "paused": "đã được tạm dừng",
        "resume": "Cho chạy lại",
        "parked": "Bị từ chối",
        "again": "Gửi lại",
        "going": "Đang gửi lại 1 mục",
        "trace": "Lần theo hồ sơ",
        "key": "Mã hồ sơ",
        "go": "Lần theo",
        "audit": "Nhật ký",
        "verify": "Kiểm tra nhật ký",
        "holds": "Nhật ký nguyên vẹn",
    },
    "en": {
        "hospitals": "Hospitals",
        "why": "Why (for colleagues)",
        "pause": "Pause",
        "paused": "is paused",
        "resume": "Serve it again",
        "parked": "Refused and held",
        "again": "Send again",
        "going": "1 are being sent again",
        "trace": "Trace a record",
        "key": "Key of the record",
        "go": "Trace",
        "audit": "Audit",
        "verify": "Check that nothing was changed",
        "holds": "The audit holds",
    },
}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size[0]))
@pytest.mark.parametrize("language", WORDS)
def test_it_stops_a_hospital_finds_a_refused_cell_and_verifies_the_audit(
    busy: Console, window: Open, language: str, size: tuple[int, int]
) -> None:
    words = WORDS[language]
    entry = tables.entry
    with write_transaction(busy.adapter.engine) as connection:
        connection.execute(
            update(entry)
            .where(entry.c.hospital == HOME, entry.c.key == "CS-1-0-0")
            .values(state=EntryState.PARKED, reason="refused", detail=SAID, changed_at=now())
        )
        connection.execute(
            update(entry)
            .where(entry.c.hospital == HOME, entry.c.key == "CS-4-0-0")
            .values(state=EntryState.DELIVERED)
        )
    one = window("it", language=language, size=size)
    one.open("/hospitals")
    one.press("Bệnh viện Đa khoa tỉnh")
    assert one.page.query_selector_all("svg[role=img]")
    one.write(words["why"], "đổi máy chủ")
    one.press(words["pause"])
    assert words["paused"] in one.text
    assert "đổi máy chủ" in one.text
    row = busy.adapter.ledger.hospitals.row(HOME)
    assert (row.mode, row.mode_by) == (HospitalMode.PAUSED, "staff:it")
    one.press(words["resume"])
    assert busy.adapter.ledger.hospitals.row(HOME).mode == HospitalMode.RUNNING

    one.press(words["parked"])
    assert SAID in one.text  # as words, not as markup
    assert "104" not in one.path
    assert "128" in one.text or "µmol/L" in one.text
    one.press(words["again"])
    assert words["going"] in one.text

    one.press(words["trace"])
    one.write(words["key"], "CS-1-0-0")
    one.press(words["go"])
    assert "observation.yaml:" in one.text
    assert "valueQuantity.value" in one.text
    assert "CS-1-0-0" not in one.path
    assert "CS-1-0-0" not in one.page.title()

    one.press(words["audit"])
    assert "hospital.paused" in one.text
    one.press(words["verify"])
    assert words["holds"] in one.text


def test_what_the_adapter_says_is_said_in_the_readers_language(busy: Console) -> None:
    assert "máy chủ của họ chưa được đo" in busy.client("it", "vi").get("/state").text
    assert "its server was never measured" in busy.client("it", "en").get("/state").text


def test_a_breaker_is_closed_and_a_mapping_accepted(busy: Console) -> None:
    adapter, it = busy.adapter, busy.client("it", "vi")
    adapter.ledger.hospitals.record_failure(OTHER, "unreachable", now=now())
    page = it.get(f"/hospitals/{OTHER}").text
    assert "không kết nối được" in page
    [seen] = re.findall(rf'/{OTHER}/breaker".*?name="seen" value="(\w+)"', page, re.DOTALL)
    assert it.post(f"/hospitals/{OTHER}/breaker", data={"seen": "0" * 24}).status_code == 409
    assert (
        it.post(f"/hospitals/{OTHER}/breaker", data={"seen": seen}).headers["Location"]
        == f"/hospitals/{OTHER}"
    )
    assert adapter.ledger.hospitals.row(OTHER).breaker == BreakerState.CLOSED
    page = it.get(f"/hospitals/{OTHER}/mapping").text
    assert adapter.library.folder_version(OTHER)[:12] in page
    assert adapter.editions.active(OTHER) is None
    [seen] = re.findall(r'name="seen" value="(\w+)"', page)
    assert it.post(f"/hospitals/{OTHER}/mapping", data={"seen": "0" * 24}).status_code == 409
    done = it.post(f"/hospitals/{OTHER}/mapping", data={"seen": seen})
    assert done.headers["Location"] == f"/hospitals/{OTHER}"
    in_force = adapter.editions.active(OTHER)
    assert in_force is not None
    assert in_force.version == adapter.library.folder_version(OTHER)
    assert ("staff:it", "mapping.in-force") in [one[:2] for one in busy.audit()]


def test_who_is_t1_is_traced_for_nobody_who_may_not_know_of_him(busy: Console) -> None:
    entry = tables.entry
    with write_transaction(busy.adapter.engine) as connection:
        connection.execute(
            update(entry)
            .where(entry.c.key == "CS-4-0-0")
            .values(state=EntryState.PARKED, reason="refused", detail="of SECRET", changed_at=now())
        )
    it = busy.client("it")
    unknown = it.post("/trace", data={"key": "CS-9-9-9", "hospital": HOME}).text
    secret = it.post("/trace", data={"key": "CS-4-0-0", "hospital": HOME}).text
    assert secret.replace("CS-4-0-0", "CS-9-9-9") == unknown
    assert "of SECRET" not in it.get("/parked").text
    reads = [
        details for actor, action, details in busy.audit() if actor == "staff:it" and action == "record.read"
    ]
    known = it.post("/trace", data={"key": "CS-1-0-0", "hospital": HOME}).text
    assert "observation.yaml" in known
    after = [
        details for actor, action, details in busy.audit() if actor == "staff:it" and action == "record.read"
    ]
    assert len(after) == len(reads) + 1
    assert after[-1] == {"command": "console trace", "why": "correction"}
    it.post("/trace", data={"key": "CS-1-0-0", "hospital": HOME, "why": "question"})
    assert busy.audit()[-1][2]["why"] == "question"


def test_the_switch_is_not_moved_over_what_somebody_else_did(busy: Console) -> None:
    it = busy.client("it")
    form = {"mode": "paused", "seen": "of long ago", "note": ""}
    assert it.post(f"/hospitals/{OTHER}/switch", data=form).status_code == 409
    assert busy.adapter.ledger.hospitals.row(OTHER).mode == HospitalMode.RUNNING
    assert it.post(f"/hospitals/{OTHER}/switch", data={"mode": "exploded", "seen": ""}).status_code == 404
    assert it.get("/hospitals/nobody").status_code == 404
    assert it.post("/parked", data={"hospital": "nobody", "reason": "refused"}).status_code == 404


@pytest.mark.parametrize("name", ["clerk", "nurse", "doctor", "it", "head", "auditor"])
def test_only_who_may_opens_and_does_it(busy: Console, name: str) -> None:
    account, client = busy.account(name), busy.client(name)
    for route in (*HOSPITALS, *OPERATING):
        if route.method == "GET":
            path = route.path.replace("{hospital}", HOME)
            may = route.permission in account.permissions
            assert client.get(path).status_code == (200 if may else 403), path
        elif route.permission not in account.permissions:
            path = route.path.replace("{hospital}", HOME)
            assert client.post(path, data={"mode": "paused", "seen": ""}).status_code == 403, path


def test_the_audit_is_searched_by_who_what_and_whom(busy: Console) -> None:
    busy.client("it").post("/trace", data={"key": "CS-1-0-0", "hospital": HOME})
    auditor = busy.client("auditor")
    found = auditor.post("/audit", data={"who": "staff:it", "action": "record", "person": "CB-1"}).text
    assert "record.read" in found
    assert "staff:auditor" not in found
    nobody = auditor.post("/audit", data={"who": "staff:nobody"}).text
    assert "Không có dòng nào như vậy" in nobody
    assert auditor.post("/audit", data={"since": "no day", "before": "x"}).status_code == 200

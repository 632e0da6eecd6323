"""A clerk's morning: one page of today's work, each line with what helps; and the pages behind its lines."""

from collections.abc import Callable

import pytest
from console_browser import DESK, PHONE, ConsoleWindow
from console_centre import AN, HOME, Console, now
from sqlalchemy import select, update

from adapter.database import write_transaction
from adapter.ledger.hospitals.circuit_breaker import HospitalMode
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.tables import entry
from adapter.texts import say_in

Open = Callable[..., ConsoleWindow]
EVERYWHERE = pytest.mark.parametrize(
    ("language", "size"), [("vi", DESK), ("vi", PHONE), ("en", DESK), ("en", PHONE)]
)


@EVERYWHERE
def test_what_is_overdue_is_called_about_and_that_is_noted(
    window: Open, console: Console, language: str, size: tuple[int, int]
) -> None:
    one = window("clerk", language=language, size=size)
    one.open("/day")
    late = say_in(language, "day.not-accepted", hospital="Bệnh viện Đa khoa tỉnh", count=1)
    assert late in one.text
    assert say_in(language, "console_day.call", telephone="0204 3854 000") in one.text
    one.check()
    one.press(say_in(language, "day.act_resend"))
    assert "late=1" in one.path
    assert "Phùng Quang Bí" not in one.text
    one.check()
    one.press("Đỗ Văn Đức")
    one.check()
    before = console.audit().count(("staff:clerk", "referral.called", {}))
    one.press(say_in(language, "console_referrals.note_call"))
    assert say_in(language, "console_referrals.call_noted") in one.text
    assert say_in(language, "referral.col_called") in one.text
    assert console.audit().count(("staff:clerk", "referral.called", {})) == before + 1


def test_every_page_behind_the_day_is_sound_and_an_empty_one_says_that_all_is_well(window: Open) -> None:
    one = window("clerk", size=PHONE)
    for path, words in (
        ("/refused", "Không có mục nào bị bệnh viện từ chối."),
        ("/held", "Không có dòng nào chờ xem lại."),
        ("/doubles", "Không có số nào đứng tên hai người."),
        ("/inbox?state=linked", "Chưa có kết quả nào do người ghép."),
        ("/inbox?state=ignored", "Không có kết quả nào bị bỏ."),
    ):
        one.open(path)
        assert words in one.text
        one.check()


@EVERYWHERE
def test_what_waits_in_time_is_said_and_why_a_referral_did_not_arrive(
    window: Open, console: Console, language: str, size: tuple[int, int]
) -> None:
    one = window("clerk", language=language, size=size)
    one.open("/day")
    assert say_in(language, "day.none") not in one.text
    one.press(say_in(language, "day.in_time_at-hospitals", count=1))
    assert "waits=hospital" in one.path
    one.check()
    one.press("Nguyễn Văn Ân")
    assert say_in(language, "console_referrals.why") in one.text
    assert say_in(language, "console_referrals.why_waiting") in one.text
    one.check()
    console.adapter.ledger.hospitals.set_mode(HOME, HospitalMode.PAUSED, by="it", note="", now=now())
    try:
        one.open(one.path)
        stopped = say_in(language, "console_referrals.served_paused")
        words = say_in(
            language, "console_referrals.not_served", hospital="Bệnh viện Đa khoa tỉnh", why=stopped
        )
        assert words in one.text
    finally:
        console.adapter.ledger.hospitals.set_mode(HOME, HospitalMode.RUNNING, by="it", note="", now=now())


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_referral_that_the_hospital_refused_says_why_and_leads_to_the_cell(
    console: Console, language: str
) -> None:
    refused = {"state": EntryState.PARKED, "reason": "missing-reference"}
    mine = (entry.c.hospital == HOME, entry.c.cadre == AN.key, entry.c.type == "ServiceRequest")
    with write_transaction(console.adapter.engine) as connection:
        before = connection.execute(select(entry.c.state).where(*mine)).scalar_one()
        connection.execute(update(entry).where(*mine).values(refused))
    try:
        clerk = console.client("clerk", language)
        listed = clerk.get("/referrals?waits=hospital").text
        shown = next(page for one in _links(listed) if "Nguyễn Văn Ân" in (page := clerk.get(one).text))
        why = say_in(language, "reason.missing-reference")
        assert say_in(language, "console_referrals.why_parked", why=why) in shown
        assert 'href="/refused"' in shown
    finally:
        with write_transaction(console.adapter.engine) as connection:
            back = {"state": before, "reason": None}
            connection.execute(update(entry).where(*mine).values(back))


def test_a_referral_of_somebody_of_t1_is_there_for_who_may_know_of_him_alone(console: Console) -> None:
    chief, clerk = console.client("chief"), console.client("clerk")
    listed = chief.get("/referrals").text
    assert "Phùng Quang Bí" in listed
    hidden = next(one for one in _links(listed) if "Phùng Quang Bí" in chief.get(one).text)
    unknown = f"/referrals/{'A' * len(hidden.rpartition('/')[2])}"
    assert clerk.get(hidden).status_code == clerk.get(unknown).status_code == 404
    assert clerk.post(f"{hidden}/called", data={"version": ""}).status_code == 404
    assert "Phùng Quang Bí" not in clerk.get("/referrals?closed=1").text


def test_what_was_typed_stays_when_a_referral_has_changed_meanwhile(console: Console) -> None:
    clerk, nurse = console.client("clerk"), console.client("nurse")
    page = next(iter(_links(clerk.get("/referrals?late=1").text)))
    seen = _version(clerk.get(page).text)
    assert nurse.post(f"{page}/called", data={"version": _version(nurse.get(page).text)}).status_code == 303
    second = clerk.post(f"{page}/called", data={"version": seen})
    assert second.status_code == 409
    assert say_in("vi", "console_referrals.changed") in second.text
    assert "nurse" in second.text  # who has called


def _links(text: str) -> list[str]:
    return ["/referrals/" + part.split('"')[0] for part in text.split('href="/referrals/')[1:]]


def _version(text: str) -> str:
    return text.split('name="version" value="')[1].split('"', maxsplit=1)[0]

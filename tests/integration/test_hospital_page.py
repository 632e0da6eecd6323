"""A hospital without a server answers its referrals in a browser, over real HTTP."""

import random
import re
import resource
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import httpx
import page_centre
import pytest
from page_centre import HOME, OTHER, PDF, Clerk, at_the_page, invited, referral, state_of
from sqlalchemy import select, update

from adapter import audit
from adapter.authorization import page_access
from adapter.database import read_transaction, write_transaction
from adapter.fhir.codec import dumps, loads
from adapter.hospital_tokens import issue_token
from adapter.operations.operation import OperationContext
from adapter.operations.referrals import AnswerReferral
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.records.model import Referral, Result, Tier
from adapter.referrals.lifecycle import (
    BUSINESS_STATUS_SYSTEM,
    TRANSITIONS,
    ReferralEvent,
    ReferralState,
    business_status,
)
from adapter.referrals.reasons import ReferralReason
from adapter.referrals.sayings import task_status
from adapter.testing import serving
from adapter.web.endpoint import adapter_endpoint
from adapter.web.hospital_page.routes import hospital_page_routes

S, E = ReferralState, ReferralEvent
COMING = (datetime.now(UTC) + timedelta(days=36)).date()  # a day for an appointment
OF_HOSPITALS = {one: after for one, after in TRANSITIONS.items() if one[1] not in (E.SEND, E.ASK_TO_CANCEL)}
# For each event the forms that mean it, each with what is written in it.
FORMS: dict[ReferralEvent, list[tuple[str, dict[str, str]]]] = {
    E.ACCEPT: [("accept", {"number": "BV-77"})],
    E.DECLINE: [("decline", {"reason": "hết giường"})],
    E.SCHEDULE: [("schedule", {"day": COMING.isoformat(), "time": "08:30"})],
    E.NO_SHOW: [("no-show", {})],
    E.CANCEL_APPOINTMENT: [("cancel-appointment", {"reason": "máy hỏng"})],
    E.INTERIM_NOTE: [("visit-done", {}), ("findings", {"conclusion": "còn chờ", "extent": "some"})],
    E.OUTCOME: [("finish", {}), ("findings", {"measure-1": "Creatinin", "value-1": "98", "extent": "all"})],
    E.CONFIRM_CANCELLATION: [("confirm-cancellation", {})],
}
EVERY_FORM = [
    (f"GT-{place}", state, event, form)
    for place, (state, event, form) in enumerate(
        (state, event, form) for state, event in OF_HOSPITALS for form in FORMS[event]
    )
]


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def adapter(tmp_path: Path, database_url: str) -> Iterator[Adapter]:
    """Two referrals to the hospital, one to another."""
    referrals = (referral("GT-1"), referral("GT-2"), referral("GT-9", OTHER))
    with page_centre.page_centre(tmp_path, database_url, *referrals).open() as adapter:
        yield adapter


@pytest.fixture
def clerk(adapter: Adapter) -> Iterator[Clerk]:
    with at_the_page(adapter) as clerk:
        yield clerk


def actions(adapter: Adapter) -> list[str]:
    with read_transaction(adapter.engine) as connection:
        return list(connection.execute(select(audit.audit.c.action).order_by(audit.audit.c.seq)).scalars())


def rest_task(adapter: Adapter, clerk: Clerk, key: str, after: ReferralState) -> None:
    """The same said by a client of the endpoint."""
    identity = clerk.address(key).rpartition("/")[2]
    order = {"identifier": {"system": adapter.settings.centre.identifier_system, "value": identity}}
    coding = {"system": BUSINESS_STATUS_SYSTEM, "code": business_status(after)}
    task = {
        "resourceType": "Task",
        "status": task_status(after),
        "intent": "order",
        "businessStatus": {"coding": [coding]},
        "focus": {**order, "type": "ServiceRequest"},
        "identifier": [{"system": "urn:his:task", "value": key}],
    }
    token = issue_token(adapter.engine, HOME, now(), by="test")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json"}
    assert clerk.browser.post("/fhir/Task", content=dumps(task), headers=headers).status_code == 201
    process_inbox(adapter, now)


def test_each_transition_leads_where_it_leads_by_a_task_at_the_endpoint(
    tmp_path: Path, database_url: str
) -> None:
    keys = [key for key, *_ in EVERY_FORM]
    referrals = [referral(name) for key in keys for name in (key, f"{key}-R")]
    with (
        page_centre.page_centre(tmp_path, database_url, *referrals).open() as adapter,
        at_the_page(adapter) as clerk,
    ):
        for key, state, event, (action, fields) in EVERY_FORM:
            for name in (key, f"{key}-R"):
                page_centre.stand(adapter, name, state)
            page_centre.plan(adapter)
            answer = clerk.send(key, action, fields)
            assert (answer.status_code, answer.headers["location"][-7:]) == (303, "?done=1"), (key, action)
            rest_task(adapter, clerk, f"{key}-R", OF_HOSPITALS[state, event])
            states = {state_of(adapter, name) for name in (key, f"{key}-R")}
            assert states == {OF_HOSPITALS[state, event]}, (state, action)
        assert adapter.inbox.counts()["unmatched"] == 0


def test_only_what_the_table_has_is_offered_and_anything_else_is_refused(clerk: Clerk) -> None:
    page = clerk.page("GT-1")
    assert ("/accept" in page, "/decline" in page, "/findings" in page, "/finish" in page) == (
        True, True, False, False,
    )  # fmt: skip
    refused = clerk.send("GT-1", "finish")
    assert (refused.status_code, "chưa lưu" in refused.text) == (409, True)
    assert state_of(clerk.adapter, "GT-1") is S.RECEIVED


def test_a_referral_from_the_list_to_its_end(clerk: Clerk, adapter: Adapter) -> None:
    listed = clerk.browser.get("/page").text
    assert listed.count("/page/referrals/") == 2
    page = clerk.page("GT-1")
    for shown in (
        "Khám chuyên khoa tim mạch",
        "Đỗ Văn Đức",
        "12/03/1960",
        "104 µmol/L",
        "I20.9",
        "15/12/2026",
    ):
        assert shown in page, shown
    assert "7.1" not in page, "the referral does not name it"
    clerk.send("GT-1", "accept", {"number": "BV-77"})
    clerk.send("GT-1", "schedule", {"day": COMING.isoformat(), "time": "08:30"})
    page = clerk.page("GT-1")
    assert f"08:30 {COMING:%d/%m/%Y}" in page
    fields = {
        "measure-1": "Creatinin (µmol/L)",
        "value-1": "98,5",
        "measure-2": "Huyết áp",
        "value-2": "130/85",
        "conclusion": "Ổn định",
        "extent": "all",
    }
    assert clerk.send("GT-1", "findings", fields, pdf=PDF).status_code == 303
    found = adapter.records.get("referral", "GT-1")
    assert isinstance(found, Referral)
    assert (found.state, found.hospital_number) == (S.COMPLETED, "BV-77")
    results = [one for one in adapter.records.iterate("result") if isinstance(one, Result)]
    assert {one.referral for one in results} == {"GT-1"}
    values = " ".join(one.value or "" for one in results)
    assert "98.5 µmol/L" in values
    assert "130 mmHg" in values
    [report] = [loads(one.resource.encode()) for one in results if one.type == "DiagnosticReport"]
    assert (report["conclusion"], len(report["result"]), len(report["presentedForm"])) == ("Ổn định", 2, 1)
    page = clerk.page("GT-1")
    assert page.index("đã nhận") < page.index("đã hẹn lịch") < page.rindex("đã xong")
    assert clerk.browser.get("/page").text.count("/page/referrals/") == 1
    assert clerk.browser.get("/page?closed=1").text.count("/page/referrals/") == 1


def test_what_was_sent_is_corrected_and_taken_back(clerk: Clerk, adapter: Adapter) -> None:
    clerk.send("GT-1", "accept")
    assert "/correct" not in clerk.page("GT-1")
    values = {"measure-1": "Creatinin", "value-1": "98,5", "measure-2": "BIO-GLU", "value-2": "7,8"}
    clerk.send("GT-1", "findings", {**values, "conclusion": "Ổn định", "extent": "all"})
    page = clerk.page("GT-1")
    assert ("/correct" in page, "/findings" in page, 'value="98.5"' in page) == (True, False, True)
    ids = dict(re.findall(r'name="(id-\d)" value="([^"]+)"', page))
    written = {"value-1": "89,5", "unit-1": "µmol/L", "value-2": "7.8", "unit-2": "mmol/L", "unit-3": ""}
    form = {**ids, **written, "withdrawn-2": "1", "value-3": "Ổn định"}
    answer = clerk.send("GT-1", "correct", form)
    assert (answer.status_code, answer.headers["location"][-7:]) == (303, "?done=1"), answer.text
    kept = {(one.status, one.value) for one in adapter.records.iterate("result") if isinstance(one, Result)}
    assert {("corrected", "89.5 µmol/L"), ("entered-in-error", "7.8 mmol/L")} <= kept
    assert state_of(adapter, "GT-1") is S.COMPLETED
    page = clerk.page("GT-1")
    assert ('value="89.5"' in page, 'value="7.8"' in page) == (True, False)
    assert clerk.send("GT-2", "correct", form).status_code == 409, "nothing was sent of it"


def test_a_correction_does_not_undo_that_of_another_clerk(clerk: Clerk, adapter: Adapter) -> None:
    clerk.send("GT-1", "accept")
    values = {"measure-1": "Creatinin", "value-1": "98,5", "measure-2": "BIO-GLU", "value-2": "7,8"}
    clerk.send("GT-1", "findings", {**values, "conclusion": "Ổn định", "extent": "all"})
    shown = dict(re.findall(r'name="((?:id|value|unit)-\d)"[^>]* value="([^"]*)"', clerk.page("GT-1")))
    form = {**clerk.hidden("GT-1"), **shown, "value-3": "Ổn định"}
    assert clerk.post("GT-1", "correct", {**form, "value-1": "89,5"}).status_code == 303
    stale = clerk.post("GT-1", "correct", {**form, "value-2": "8,7"})
    assert (stale.status_code, "kết quả đã thay đổi trong lúc đó" in unescape(stale.text)) == (422, True)
    page = unescape(stale.text)
    assert ('value="89.5"' in page, 'value="98.5"' in page) == (True, False), "as it is now"
    kept = [one for one in adapter.records.iterate("result") if isinstance(one, Result)]
    assert {one.value for one in kept if one.type == "Observation"} == {"89.5 µmol/L", "7.8 mmol/L"}


def test_a_question_reaches_the_centre_and_its_answer_the_page(clerk: Clerk, adapter: Adapter) -> None:
    assert clerk.send("GT-1", "ask", {"reason": "Có dùng thuốc chống đông không?"}).status_code == 303
    found = adapter.records.get("referral", "GT-1")
    assert isinstance(found, Referral)
    assert (found.state, found.question) == (S.RECEIVED, "Có dùng thuốc chống đông không?")
    context = OperationContext(adapter, "cli:an", now)
    AnswerReferral("GT-1", "Có, warfarin").perform(context)
    assert "warfarin" not in clerk.page("GT-1"), "it is not planned yet"
    page_centre.plan(adapter)
    page = clerk.page("GT-1")
    assert ("Trung tâm trả lời" in page, "Có, warfarin" in page) == (True, True)
    assert "warfarin" not in clerk.page("GT-2")


def test_what_policy_keeps_back_of_an_answer_keeps_back_nothing_else(clerk: Clerk, adapter: Adapter) -> None:
    clerk.send("GT-1", "ask", {"reason": "Tiền sử?"})
    AnswerReferral("GT-1", "Trầm cảm năm 2019").perform(OperationContext(adapter, "cli:an", now))
    page_centre.plan(adapter)
    page = clerk.page("GT-1")
    assert ("Trầm cảm" in page, "Đỗ Văn Đức" in page, "/accept" in page) == (False, True, True)


def test_who_declines_says_why_and_to_whom_it_was_passed_on(clerk: Clerk, adapter: Adapter) -> None:
    form = {"why": "referred-onward", "onward": "Bệnh viện Bạch Mai"}
    assert clerk.send("GT-1", "decline", {"why": "referred-onward"}).status_code == 422
    assert clerk.send("GT-1", "decline", form).status_code == 303
    found = adapter.records.get("referral", "GT-1")
    assert isinstance(found, Referral)
    assert (found.state, found.reason_code, found.onward) == (
        S.DECLINED, ReferralReason.REFERRED_ONWARD, "Bệnh viện Bạch Mai",
    )  # fmt: skip
    page = clerk.page("GT-1")
    assert ("đã chuyển tiếp" in page, "Bệnh viện Bạch Mai" in page) == (True, True)


def test_what_is_wrong_is_said_and_what_was_written_stays(clerk: Clerk) -> None:
    clerk.send("GT-1", "accept")
    fields = {"measure-1": "Creatinin", "value-1": "0,9", "conclusion": "Đau", "extent": "all"}
    refused = clerk.send("GT-1", "findings", fields, pdf=b"MZ")
    assert refused.status_code == 422
    for text in ('value="0,9"', ">Đau</textarea>", "không phải PDF", "dòng 1"):
        assert text in refused.text, text
    assert state_of(clerk.adapter, "GT-1") is S.ACCEPTED


def test_a_form_that_is_sent_twice_is_one_action_and_changed_it_is_another(clerk: Clerk) -> None:
    clerk.send("GT-1", "accept")
    hidden = clerk.hidden("GT-1")
    fields = {**hidden, "conclusion": "lần một", "extent": "some"}
    answers = [clerk.post("GT-1", "findings", fields).status_code for _ in range(3)]
    answers.append(clerk.post("GT-1", "findings", {**fields, "conclusion": "lần hai"}).status_code)
    assert answers == [303] * 4
    said = [one.conclusion for one in clerk.adapter.records.iterate("result") if isinstance(one, Result)]
    assert sorted(filter(None, said)) == ["lần hai", "lần một"]
    assert actions(clerk.adapter).count("page.answered") == 3


def test_a_form_without_the_sessions_key_is_refused(clerk: Clerk) -> None:
    hidden = clerk.hidden("GT-1")
    for key in ("", "0" * 64, "é"):
        assert clerk.post("GT-1", "accept", {**hidden, "key": key}).status_code == 403
    assert clerk.browser.post("/page/out", data={"key": "x"}).status_code == 403
    assert state_of(clerk.adapter, "GT-1") is S.RECEIVED


def test_another_hospitals_referral_is_not_there(clerk: Clerk, adapter: Adapter) -> None:
    foreign = Clerk(clerk.browser, adapter, OTHER)
    hidden = clerk.hidden("GT-1")
    for url in (foreign.address("GT-9"), "/page/referrals/" + "0" * 32, "/page/referrals/GT-1", "/page/x"):
        assert clerk.browser.get(url).status_code == 404
        assert clerk.browser.post(url + "/accept", data=hidden).status_code == 404
    assert clerk.browser.post(clerk.address("GT-1") + "/delete", data=hidden).status_code == 404
    assert state_of(adapter, "GT-9") is S.RECEIVED


def test_what_is_not_planned_for_the_hospital_is_not_shown(clerk: Clerk, adapter: Adapter) -> None:
    def rename(one: Referral) -> Referral:
        return one.model_copy(update={"reason": "Chưa được phép gửi"})

    adapter.records.amend_referral("GT-1", rename)
    page = clerk.page("GT-1")
    assert "Chưa được phép gửi" not in page
    assert "Trung tâm đang sửa phiếu này" in page
    page_centre.plan(adapter)
    assert "Chưa được phép gửi" in clerk.page("GT-1")
    page_centre.put_records(adapter.engine, [referral("GT-3")])
    assert clerk.browser.get("/page").text.count("/page/referrals/") == 2
    page_centre.plan(adapter)
    assert clerk.browser.get("/page").text.count("/page/referrals/") == 3


@pytest.mark.parametrize("tier", [Tier.T1, Tier.T2])
def test_a_person_is_shown_as_far_as_policy_lets_the_hospital_know(
    tmp_path: Path, database_url: str, tier: Tier
) -> None:
    with (
        page_centre.page_centre(tmp_path, database_url, referral("GT-1"), tier=tier).open() as adapter,
        at_the_page(adapter) as clerk,
    ):
        listed = clerk.browser.get("/page").text
        if tier is Tier.T1:
            assert "/page/referrals/" not in listed
            assert clerk.browser.get(clerk.address("GT-1")).status_code == 404
            return
        page = clerk.page("GT-1")
        assert page.count("BN-") == 1
        for secret in ("Đỗ Văn Đức", "12/03", "024060012345", "Đau ngực"):
            assert secret not in page + listed, secret
        clerk.send("GT-1", "accept")
        fields = {"measure-1": "Creatinin", "value-1": "98", "extent": "all"}
        assert clerk.send("GT-1", "findings", fields).status_code == 303
        assert state_of(adapter, "GT-1") is S.COMPLETED, "what names a pseudonym comes back to the person"


def test_the_pages_let_nothing_in_and_name_nobody_in_an_address(clerk: Clerk) -> None:
    answer = clerk.browser.get(clerk.address("GT-1"))
    policies = answer.headers.get_list("content-security-policy")
    assert len(policies) == 1
    assert "default-src 'none'; style-src 'self'; form-action 'self'" in policies[0]
    assert (answer.headers["cache-control"], answer.headers["x-frame-options"]) == ("no-store", "DENY")
    assert "<script" not in answer.text
    style = clerk.browser.get("/page/style.css")
    assert (style.status_code, style.headers["content-type"]) == (200, "text/css; charset=utf-8")
    plain = clerk.browser.get("/fhir/metadata").headers["content-security-policy"]
    assert plain == "default-src 'none'; frame-ancestors 'none'"


def test_a_session_has_its_language(clerk: Clerk) -> None:
    assert "Nhận phiếu" in clerk.page("GT-1")
    clerk.browser.get("/page?lang=en")
    assert "Accept" in clerk.page("GT-1")
    assert 'lang="en"' in clerk.browser.get("/page?lang=fr").text


# -- signing in ----------------------------------------------------------------------------


@pytest.fixture
def stranger(adapter: Adapter) -> Iterator[httpx.Client]:
    with (
        serving(adapter_endpoint(adapter, pages=hospital_page_routes)) as base,
        httpx.Client(base_url=base, follow_redirects=True) as browser,
    ):
        yield browser


def path_of(link: str) -> str:
    return "/page/in/" + link.rpartition("/")[2]


def test_without_a_session_nothing_is_shown(stranger: httpx.Client, adapter: Adapter) -> None:
    foreign = Clerk(stranger, adapter)
    for url in ("/page", foreign.address("GT-1"), "/page?closed=1"):
        answer = stranger.get(url)
        assert (answer.status_code, "Đỗ Văn Đức" in answer.text) == (401, False)
    stranger.cookies.set("hospital-page", "x" * 43)
    assert stranger.post(foreign.address("GT-1") + "/accept", data={"key": ""}).status_code == 401


def test_wrong_used_revoked_and_expired_are_answered_alike(stranger: httpx.Client, adapter: Adapter) -> None:
    made = {name: invited(adapter) for name in ("wrong", "used", "expired", "revoked")}
    assert stranger.post(path_of(made["used"].link), data={"code": made["used"].code}).status_code == 200
    stranger.cookies.clear()
    link = page_access._hash(made["expired"].link.rpartition("/")[2])
    with write_transaction(adapter.engine) as connection:
        connection.execute(
            update(page_access.page_invitation)
            .where(page_access.page_invitation.c.link == link)
            .values(expires_at=now() - timedelta(seconds=1))
        )
    wrong = f"{(int(made['wrong'].code) + 1) % 10**8:08}"
    tries = [(path_of(made["wrong"].link), wrong), ("/page/in/" + "A" * 43, made["wrong"].code)]
    tries += [(path_of(made[name].link), made[name].code) for name in ("used", "expired")]
    page_access.revoke_page_access(adapter.engine, HOME, now(), by="test")
    tries.append((path_of(made["revoked"].link), made["revoked"].code))
    answers, seconds = set(), []
    for path, code in tries:
        began = time.monotonic()
        answer = stranger.post(path, data={"code": code})
        seconds.append(time.monotonic() - began)
        answers.add((answer.status_code, answer.text.replace(path, "")))
        assert not answer.cookies
    assert len(answers) == 1
    assert min(seconds) >= 0.4
    assert max(seconds) < 2


def test_five_wrong_codes_end_an_invitation_and_make_the_address_wait(
    stranger: httpx.Client, adapter: Adapter
) -> None:
    made = invited(adapter)
    wrong = f"{(int(made.code) + 1) % 10**8:08}"
    statuses = [stranger.post(path_of(made.link), data={"code": wrong}).status_code for _ in range(6)]
    assert statuses == [403] * 5 + [429]
    assert stranger.post(path_of(made.link), data={"code": made.code}).status_code == 429
    assert actions(adapter).count("page.code-refused") == 5
    again = invited(adapter)
    assert stranger.post(path_of(again.link), data={"code": again.code}).status_code == 200
    assert page_centre.sessions_of(adapter) == 1


def test_a_session_ends_after_a_while_and_when_it_is_told_to(adapter: Adapter) -> None:
    made = invited(adapter)
    token = made.link.rpartition("/")[2]
    begun = now()
    session = page_access.open_session(adapter.engine, token, made.code, "vi", begun)
    assert session is not None
    at, used = begun, []
    for minutes in (29, 29, 31):
        at += timedelta(minutes=minutes)
        used.append(page_access.session_of(adapter.engine, session.token, at) is not None)
    assert used == [True, True, False]
    made = invited(adapter)
    session = page_access.open_session(adapter.engine, made.link.rpartition("/")[2], made.code, "vi", begun)
    assert session is not None
    held = [begun + timedelta(minutes=20 * step) for step in range(1, 25)]
    used = [page_access.session_of(adapter.engine, session.token, one) is not None for one in held]
    assert used == [True] * 23 + [False], "eight hours at most"


def test_signing_out_and_revoking(clerk: Clerk, adapter: Adapter) -> None:
    cookie = clerk.browser.cookies["hospital-page"]
    key = clerk.hidden("GT-1")["key"]
    assert clerk.browser.post("/page/out", data={"key": key}).status_code == 200
    clerk.browser.cookies.set("hospital-page", cookie)
    assert clerk.browser.get("/page").status_code == 401
    clerk.browser.cookies.clear()
    clerk.sign_in()
    assert clerk.browser.get("/page").status_code == 200
    page_access.revoke_page_access(adapter.engine, HOME, now(), by="test")
    assert clerk.browser.get("/page").status_code == 401
    kept = actions(adapter)
    for action in (
        "page.invited",
        "page.signed-in",
        "page.listed",
        "page.read",
        "page.signed-out",
        "page.revoked",
    ):
        assert action in kept, action


def test_the_cookie_is_for_the_pages_alone(tmp_path: Path, database_url: str) -> None:
    public = "https://centre.example/adapter/fhir"
    with page_centre.page_centre(tmp_path, database_url, public=public).open() as adapter:
        made = invited(adapter)
        assert made.link.startswith("https://centre.example/adapter/page/in/")
        with (
            serving(adapter_endpoint(adapter, pages=hospital_page_routes)) as base,
            httpx.Client(base_url=base) as browser,
        ):
            answer = browser.post(path_of(made.link), data={"code": f" {made.code[:4]} {made.code[4:]}"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/adapter/page")
        cookie = answer.headers["set-cookie"].lower()
        for part in ("httponly", "samesite=strict", "secure", "path=/adapter/page"):
            assert part in cookie, part


# -- what is no form -----------------------------------------------------------------------


def test_200_damaged_forms_are_refused_and_nothing_is_lost(clerk: Clerk, adapter: Adapter) -> None:
    clerk.send("GT-1", "accept")
    chance = random.Random(16)  # noqa: S311 - damage, no secret
    hidden, url = clerk.hidden("GT-1"), clerk.address("GT-1")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    statuses = Counter[int]()
    for place in range(200):
        action, kind, body = strange_form(chance, hidden, damages=place % 3 > 0)
        for _ in range(5):
            answer = clerk.browser.post(f"{url}/{action}", content=body, headers={"Content-Type": kind})
            statuses[answer.status_code] += 1
            if answer.status_code != 429:
                break
            time.sleep(1)  # more than its share
        assert answer.status_code != 429
    assert {400, 403, 404, 409, 413, 422} <= statuses.keys()
    assert [one for one in statuses if not 400 <= one < 500] == []
    assert (statuses[429] < 100, statuses[422] > 10) == (True, True), statuses
    assert state_of(adapter, "GT-1") is S.ACCEPTED
    assert adapter.inbox.counts()["applied"] == 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def strange_form(chance: random.Random, hidden: dict[str, str], *, damages: bool) -> tuple[str, str, bytes]:
    """An action, a content type and a body: fields that are none, or bytes that are damaged."""
    action = chance.choice(
        ("schedule", "schedule", "findings", "findings", "decline", "finish", "no-show", "x")
    )
    words = ("", "mai", "2026-02-31", "9" * 300, "<b>", "'; --", "Creatinin", "\u202e", "0,9", "25:00")
    names = (
        "day",
        "time",
        "measure-1",
        "value-1",
        "unit-2",
        "value-30",
        "examined",
        "extent",
        "conclusion-x",
    )
    fields = {**hidden, **{name: chance.choice(words) for name in names}, "extent": "none"}
    fields |= {"reason": "x" * 501, "conclusion": "x" * chance.choice((1, 1, 1, 15_000, 250_000))}
    if action == "finish":
        fields["key"] = "0" * 64
    file = {"pdf": ("a", chance.randbytes(300))} if chance.random() < 0.5 else None
    made = httpx.Request("POST", "http://x/", data=fields, files=file)
    body, kind = made.read(), made.headers["content-type"]
    if damages:
        damaged = bytearray(body)
        for _ in range(chance.randrange(1, 8)):
            spot = chance.randrange(len(damaged))
            damaged[spot : spot + chance.randrange(40)] = chance.randbytes(chance.randrange(40))
        body = bytes(damaged)
        kind = chance.choice((kind, kind, kind, "text/plain", "multipart/form-data"))
    return action, kind, body


def test_a_pdf_of_10_mb_arrives_whole_and_a_larger_one_does_not(clerk: Clerk, adapter: Adapter) -> None:
    clerk.send("GT-1", "accept")
    fields = {"extent": "some"}
    large = PDF + bytes(10_000_000 - len(PDF))
    assert clerk.send("GT-1", "findings", fields, pdf=large + b"x").status_code == 422
    assert clerk.send("GT-1", "findings", fields, pdf=large + bytes(2_000_000)).status_code == 413
    assert clerk.send("GT-1", "findings", fields, pdf=large).status_code == 303
    [result] = [one for one in adapter.records.iterate("result") if isinstance(one, Result)]
    assert result.content is not None
    [attachment] = result.content.attachments
    assert attachment.size == 10_000_000


def test_what_a_clerk_writes_is_words_on_the_page(clerk: Clerk) -> None:
    tag = "<b onclick=alert(1)>&\"'</b>"
    clerk.send("GT-1", "accept", {"number": tag})
    plain = clerk.browser.get(clerk.address("GT-1")).text
    assert tag not in plain
    assert "&lt;b onclick=alert(1)&gt;" in plain
    refused = clerk.send("GT-1", "findings", {"measure-1": tag, "value-1": tag})
    assert (refused.status_code, tag in refused.text, "&lt;b onclick" in refused.text) == (422, False, True)


def test_the_command_shows_link_and_code_once(tmp_path: Path) -> None:
    centre = page_centre.page_centre(tmp_path, f"sqlite:///{tmp_path / 'adapter.db'}")
    said = centre.run_json("hospital", "invite", HOME, "--valid-hours", "2")
    assert said["link"].startswith("http://centre.example/page/in/")
    assert (len(said["code"]), said["code"].isdigit()) == (8, True)
    assert said["code"] not in centre.run("audit", "show")
    shown = centre.run("--lang", "vi", "hospital", "invite", HOME)
    assert "Đường dẫn: http://centre.example/page/in/" in shown
    assert centre.run_json("hospital", "invite", HOME, "--revoke")["invitations"] == 2
    assert centre.attempt("hospital", "invite", "nowhere").returncode == 2
    centre.settings_file.write_text(
        centre.settings_file.read_text("utf-8").replace("public_url", "#public_url"), "utf-8"
    )
    refused = centre.attempt("hospital", "invite", HOME)
    assert (refused.returncode, "public_url" in refused.stderr) == (2, True)

"""What a hospital sent and was refused for what it holds: who keeps the centre going reads why, has it tried
again or throws it away, and never reads of whom it was.
"""

import json
import re
from collections.abc import Callable

import httpx
import pytest
from console_browser import DESK, PHONE, ConsoleWindow
from console_centre import HOME, Console, now

from adapter.hospital_tokens import issue_token
from adapter.inbox.quarantine.store import QuarantinedRequest
from adapter.testing import serving
from adapter.texts import say_in
from adapter.web.endpoint import adapter_endpoint

Open = Callable[..., ConsoleWindow]
HOSPITAL = "Bệnh viện Đa khoa tỉnh"
SECRET_WORDS = "Phan Thị Riêng"


def send(console: Console, **more: object) -> QuarantinedRequest:
    """A value without its code, of somebody whose name must not be read; as the adapter keeps it."""
    token = issue_token(console.adapter.engine, HOME, now(), by="test")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json"}
    body = {"resourceType": "Observation", "note": [{"text": SECRET_WORDS}], **more}
    with serving(adapter_endpoint(console.adapter)) as base:
        answer = httpx.post(f"{base}/fhir/Observation", content=json.dumps(body), headers=headers)
    assert answer.status_code in (400, 422), answer.text
    return next(iter(console.adapter.quarantine.waiting()))


@pytest.mark.parametrize(
    ("role", "language", "size"), [("it", "vi", PHONE), ("clerk", "en", DESK), ("clerk", "vi", PHONE)]
)
def test_it_is_found_read_tried_again_and_thrown_away(
    window: Open, console: Console, role: str, language: str, size: tuple[int, int]
) -> None:
    def words(key: str, **params: object) -> str:
        return say_in(language, f"console_turned_away.{key}", **params)

    sent = send(console, id=f"{role}-{language}")
    one = window(role, language=language, size=size)
    one.open("/parked" if role == "it" else "/day")
    one.page.locator("main a[href='/turned-away']").focus()
    one.page.keyboard.press("Enter")
    one.page.wait_for_url("**/turned-away")
    one.check()
    one.press(say_in(language, "refused.sent_observation"))
    one.check()
    assert (
        words("one_title", sent=say_in(language, "refused.sent_observation"), hospital=HOSPITAL) in one.text
    )
    assert "Observation.code" in one.text
    assert SECRET_WORDS not in one.page.content()
    one.press(words("retry"))
    assert words("again") in one.text
    retried = {"item": sent.id, "digest": sent.digest, "taken": False}
    assert (f"staff:{role}", "inbox.refused_retried", retried) in console.audit()
    one.press(say_in(language, "refused.sent_observation"))
    one.press(words("discard"))
    assert words("discarded") in one.text
    discarded = {"item": sent.id, "digest": sent.digest}
    assert (f"staff:{role}", "inbox.refused_discarded", discarded) in console.audit()
    assert console.adapter.quarantine.get(sent.id) is None


def test_who_looks_is_in_the_audit_and_nobody_decides_on_what_has_come_again_meanwhile(
    console: Console,
) -> None:
    sent = send(console, id="again")
    clerk, it = console.client("clerk"), console.client("it")
    page = re.findall(r'href="(/turned-away/[^"]+)"', clerk.get("/turned-away").text)[0]
    seen = clerk.get(page).text
    assert ("staff:clerk", "inbox.refused_read", {"item": sent.id, "digest": sent.digest}) in console.audit()
    version = re.findall(r'name="version" value="([^"]+)"', seen)[0]
    assert send(console, id="again").times == sent.times + 1
    for act in ("retry", "discard"):
        answer = it.post(f"{page}/{act}", data={"version": version})
        assert answer.status_code == 409
        assert say_in("vi", "console.outdated") in answer.text
    assert it.post(f"{page}/discard").status_code == 409, "and not without having looked"
    fresh = re.findall(r'name="version" value="([^"]+)"', it.get(page).text)[0]
    assert it.post(f"{page}/discard", data={"version": fresh}).status_code == 303
    assert it.get(page).status_code == it.post(f"{page}/retry", data={"version": fresh}).status_code == 404


def test_a_nurse_is_told_whom_to_tell(console: Console) -> None:
    send(console, id="nurse")
    told = console.client("nurse").get("/day").text
    assert say_in("vi", "day.act_tell-it") in told
    assert "/turned-away" not in told

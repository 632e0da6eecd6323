"""Story 4, with the keyboard: a doctor reads a result, says that he has seen it, and what is to follow."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from console_browser import SIZES, ConsoleWindow
from console_centre import HOME, SECRET, Console, now, observation
from inbox_centre import receive_version

from adapter.authorization.opaque_tokens import OpaqueTokens
from adapter.database import write_transaction
from adapter.fhir import codec
from adapter.operations.inbox import LinkItem
from adapter.operations.operation import OperationContext
from adapter.pipeline.inbound.inbox import process_inbox

Open = Callable[..., ConsoleWindow]
CRITICAL = "Kali"


def send(console: Console, sent: dict[str, Any], id_: str, version: int, cadre: str) -> str:
    """A result that a person links to somebody, or a later version of it; its key."""
    resource = {**sent, "id": id_, "meta": {"versionId": str(version)}}
    with write_transaction(console.adapter.engine) as connection:
        item = receive_version(
            connection,
            hospital=HOME,
            type=resource["resourceType"],
            id=id_,
            version=version,
            resource=resource,
            body=codec.dumps(resource),
            now=now(),
        ).item
    process_inbox(console.adapter, now)
    if version == 1:
        LinkItem(item, cadre, despite=True).perform(OperationContext(console.adapter, "test", now))
    found = console.adapter.inbox.get(item)
    assert found is not None
    assert found.result_key is not None
    return found.result_key


WORDS = {
    "vi": ("Mời đến khám lại", "Ghi chú", "Tôi đã xem", "đã xem lúc", "Rút lại", "Chưa ai"),
    "en": ("Ask the person", "Note", "I have seen it", "saw it", "Take it back", "Nobody has"),
}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size[0]))
@pytest.mark.parametrize("language", WORDS)
def test_a_doctor_reads_a_result_and_says_what_is_to_follow(
    window: Open, console: Console, language: str, size: tuple[int, int]
) -> None:
    recall, note, seen, by, back, nobody = WORDS[language]
    one = window("doctor", language=language, size=size)
    one.open("/results")
    one.check()
    one.press(CRITICAL)
    one.check()
    assert "7.1" in one.text
    assert "3.5" in one.text, "its range"
    one.tab_to("Không cần" if language == "vi" else "Nothing")  # the first of the choices
    one.page.keyboard.press("ArrowDown")
    assert one.focus.startswith(recall)
    one.write(note, "kiểm tra lại điện giải")
    one.press(seen)
    one.check()
    assert f"BS Hoàng Văn Lâm {by}" in one.text
    one.open("/results")
    assert "kiểm tra lại điện giải" in one.text, "it is to follow"
    one.check()
    one.press("Mở" if language == "vi" else "Open")
    one.press(back)
    assert nobody in one.text
    acts = [act for who, act, _ in console.audit() if who == "staff:doctor" and act.startswith("result.")]
    assert acts[-2:] == ["result.acknowledged", "result.unacknowledged"]


def test_a_newer_version_is_told_and_what_was_written_is_kept(window: Open, console: Console) -> None:
    first = observation("S9", 6.6)
    key = send(console, first, "s9", 1, "CB-1")
    one = window("doctor")
    token = console_token(console, key)
    one.open(f"/results/{token}")
    send(console, observation("S9", 5.5, status="corrected"), "s9", 2, "CB-1")
    assert one.page.query_selector("input[name=decision]:checked") is None, "nobody decides for the doctor"
    one.tab_to("Không cần")
    one.page.keyboard.press("Space")
    one.write("Ghi chú", "đã gọi điện")
    one.press("Tôi đã xem")
    assert "vừa thay đổi" in one.text
    assert one.page.input_value("textarea") == "đã gọi điện"
    assert "5.5" in one.text
    one.complaints = [said for said in one.complaints if "409" not in said]
    one.press("Tôi đã xem")
    assert "Đã ghi" in one.text
    send(console, observation("S9", 5.9, status="corrected"), "s9", 3, "CB-1")
    one.open("/results?all=1")
    assert "Đã khác so với lúc bác sĩ xem" in one.text
    one.open(f"/results/{token}")
    assert "Lúc đã xem" in one.text
    one.check()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size[0]))
def test_the_earlier_values_of_the_measure_stand_below(
    window: Open, console: Console, size: tuple[int, int]
) -> None:
    creatinine = observation("S7", 140, name="Creatinin", loinc="14682-9", unit="umol/L")
    key = send(console, creatinine, "s7", 1, "CB-1")
    one = window("doctor", size=size, dark=True)
    one.open(f"/results/{console_token(console, key)}")
    curve = one.page.query_selector("svg[role=img]")
    assert curve is not None
    assert "Creatinin" in (curve.get_attribute("aria-label") or "")
    assert len(curve.query_selector_all("circle, polygon")) == 4
    assert curve.query_selector("rect.range"), "the hospital's own range is shaded"
    one.tab_to("Xem dạng bảng")
    one.page.keyboard.press("Enter")
    for value in ("128", "113", "98", "140"):
        assert value in one.text
    assert len(one.page.query_selector_all("tr[aria-current=true]")) == 1, "this result's own value"
    assert not re.search(r"\d{4}-\d\d-\d\d", one.text), "days are written as dd/MM/yyyy"
    one.check()


def test_a_result_leads_to_the_person_it_is_of(window: Open, console: Console) -> None:
    """For who may see people, and the reason goes along."""
    key = send(console, observation("S4", 5.9), "s4", 1, "CB-1")
    one = window("doctor")
    one.open(f"/results/{console_token(console, key)}?why=phone-call")
    assert console.audit()[-1][2] == {"command": "console result", "why": "phone-call"}
    one.press("Đỗ Văn Đức")
    assert one.page.inner_text("h1") == "Đỗ Văn Đức"
    assert console.audit()[-1][2] == {"command": "console person", "why": "phone-call"}
    one.press("Kali")
    assert one.path.partition("?")[0].startswith("/results/")
    assert console.audit()[-1][2] == {"command": "console result", "why": "phone-call"}
    one.open(f"/results/{console_token(console, key)}?why=<b>")
    assert console.audit()[-1][2]["why"] == "result", "a word of the list, and no other"


def test_a_code_alone_says_of_which_system_it_is(console: Console) -> None:
    """On the result's page and on the person's, and in the list."""
    sent = observation("S8", 6.7)
    bare = {"coding": [{"system": "https://bv-tinh.example/codes", "code": "KK-1"}]}
    key = send(console, {**sent, "code": bare}, "s8", 1, "CB-5")
    doctor = console.client("doctor")
    page = doctor.get(f"/results/{console_token(console, key)}").text
    assert "<h1>KK-1 (bv-tinh.example)</h1>" in page
    assert '<th scope="row">KK-1 (bv-tinh.example)</th>' in page
    assert "KK-1 (bv-tinh.example)" in doctor.get("/results").text
    person = page.partition('<dd><a href="')[2].partition('"')[0]
    assert "KK-1 (bv-tinh.example)" in doctor.get(person).text


def test_who_may_only_read_has_no_button_and_is_refused(console: Console) -> None:
    key = send(console, observation("S5", 6.9), "s5", 1, "CB-2")
    address = f"/results/{console_token(console, key)}"
    clerk = console.client("clerk")
    page = clerk.get(address)
    assert page.status_code == 200
    assert "Tôi đã xem" not in page.text
    form = {"decision": "nothing", "version": "x"}
    assert clerk.post(f"{address}/acknowledge", data=form).status_code == 403
    assert console.client("it").get(address).status_code == 403


def test_what_is_of_t1_is_not_there_for_who_may_not_see_it(console: Console) -> None:
    key = send(console, observation("S6", 7.9), "s6", 1, SECRET.key)
    address = f"/results/{console_token(console, key)}"
    doctor, chief = console.client("doctor"), console.client("chief")
    unknown = doctor.get(f"/results/{console_token(console, 'R-nobody')}")
    for path in (address, f"{address}/acknowledge"):
        answer = _ask(doctor, path)
        assert (answer.status_code, _words(answer)) == (404, _words(unknown))
    assert SECRET.name not in doctor.get("/results").text
    assert SECRET.name in chief.get("/results").text
    assert SECRET.name in chief.get(address).text


def _words(answer: httpx.Response) -> str:
    """The page, but for where it was asked, which the button of the other language goes back to."""
    return re.sub(r'name="back" value="[^"]*"', "", answer.text)


def _ask(client: httpx.Client, path: str) -> httpx.Response:
    if path.endswith("acknowledge"):
        return client.post(path, data={"decision": "nothing", "version": ""})
    return client.get(path)


def console_token(console: Console, key: str) -> str:
    """The result's word in an address, as the list gives it."""
    secret = "".join(console.adapter.identities.of("", "console", "secret", part) for part in "12")
    return OpaqueTokens(bytes.fromhex(secret)).hide("result", key)

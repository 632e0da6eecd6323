"""A doctor looks at a person (story 5): whom to find, the loops of referrals, years, values, hospitals."""

import re
from collections.abc import Callable

import pytest
from console_browser import DESK, PHONE, ConsoleWindow
from console_centre import AN, DUC, HOA, SECRET, Console

Open = Callable[..., ConsoleWindow]
WORDS = {
    "vi": {
        "menu": "Cán bộ",
        "who": "Họ tên, năm sinh hoặc số giấy tờ",
        "why": "Lý do xem",
        "find": "Tìm",
        "phone": "Gọi điện",
        "found": "Tìm thấy 1 người",
        "waiting": "chờ từ",
        "nobody": "Không có ai phù hợp",
        "new": "Điểm mới so với lần khám trước",
        "before": "lần trước: 113 µmol/L",
        "next": "Khám định kỳ lần tới",
        "months": "12 tháng một lần",
        "loop": ("Chỉ định", "Gửi", "Bệnh viện nhận", "Hẹn khám", "Khám", "Có kết quả", "Bác sĩ đã xem"),
        "because": "giấy chuyển ngày",
        "to_person": "Về trang của cán bộ",
    },
    "en": {
        "menu": "People",
        "who": "Name, year of birth, or a number",
        "why": "Why you look",
        "find": "Find",
        "phone": "Phone call",
        "found": "Found: 1",
        "waiting": "waiting since",
        "nobody": "Nobody fits",
        "new": "New against the check-up before",
        "before": "before: 113 µmol/L",
        "next": "Next check-up",
        "months": "every 12 months",
        "loop": ("Ordered", "Sent", "Taken on", "Appointment", "Examined", "Result", "Seen by a doctor"),
        "because": "referral of",
        "to_person": "Back to the person",
    },
}


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_doctor_finds_a_person_and_sees_how_it_went(
    console: Console, window: Open, language: str, size: tuple[int, int]
) -> None:
    say = WORDS[language]
    one = window("doctor", language=language, size=size, dark=language == "en")
    one.open("/people")
    for typed in ("do van duc", "Đỗ Văn Đức", "đức 1960", DUC.national_id[-4:] if DUC.national_id else ""):
        one.write(say["who"], typed)
        one.press(say["find"])
        assert say["found"] in one.text, typed
        assert DUC.name in one.text
        one.check()
    one.press(DUC.name)
    one.check()
    text = one.text
    assert all(step in text for step in say["loop"])
    assert (say["waiting"] in text, say["next"] in text, say["months"] in text) == (True, True, True)
    assert (say["new"] in text, say["before"] in text) == (True, True), "creatinine was 113 the year before"
    assert say["because"] in text
    assert DUC.name not in one.page.title()
    [curve] = one.page.query_selector_all("svg[role=img]")
    assert "Creatinin" in (curve.get_attribute("aria-label") or "")
    one.press("Creatinin")
    one.check()
    assert all(value in one.text for value in ("128 µmol/L", "113 µmol/L", "98 µmol/L"))
    one.press(say["to_person"])
    assert DUC.name in one.text
    assert one.complaints == []


def test_a_list_is_by_given_name_and_a_search_stands_in_no_address(console: Console, window: Open) -> None:
    one = window("nurse")
    one.open("/people")
    heads = [each.inner_text() for each in one.page.query_selector_all("tbody th")]
    assert heads == [AN.name, DUC.name, HOA.name, HOA.name]
    one.write(WORDS["vi"]["who"], "lê thị hoa")
    one.press(WORDS["vi"]["find"])
    assert one.path == "/people"
    assert len(one.page.query_selector_all("tbody tr")) == 2
    one.write(WORDS["vi"]["who"], "không ai cả")
    one.press(WORDS["vi"]["find"])
    assert WORDS["vi"]["nobody"] in one.text


def test_who_is_t1_is_there_for_named_people_alone(console: Console) -> None:
    chief, doctor = console.client("chief", "vi"), console.client("doctor", "vi")
    assert SECRET.name in chief.post("/people", data={"who": "bí"}).text
    assert SECRET.name not in doctor.post("/people", data={"who": "bí"}).text
    listed = chief.get("/people").text
    place = listed.index(SECRET.name)
    address = listed[:place].rpartition('href="')[2].partition('"')[0]
    assert SECRET.name in chief.get(address).text
    hidden, unknown = doctor.get(address), doctor.get("/people/" + "x" * len(address))
    assert (hidden.status_code, unknown.status_code) == (404, 404)
    assert without_tokens(hidden.text) == without_tokens(unknown.text)


def without_tokens(text: str) -> str:
    """A page without the words of the address that it was asked at."""
    return re.sub(r'value="[^"]*"', "", text)


def test_a_look_is_audited_with_who_and_why(console: Console, window: Open) -> None:
    one, say = window("clerk"), WORDS["vi"]
    one.open("/people")
    one.write(say["who"], "ân")
    one.tab_to(say["why"])
    for _ in range(4):
        one.page.keyboard.press("ArrowDown")
    assert one.page.eval_on_selector("#f-why", "one => one.selectedOptions[0].text") == say["phone"]
    one.press(say["find"])
    one.press(AN.name)
    actor, action, details = console.audit()[-1]
    assert (actor, action) == ("staff:clerk", "record.read")
    assert details == {"command": "console person", "why": "phone-call"}
    console.client("clerk").get(one.path.partition("?")[0] + "?why=<b>curious</b>")
    assert console.audit()[-1][2]["why"] == "care", "a word of the list, and no other"


def test_it_sees_nobody(console: Console) -> None:
    for path in ("/people", "/people/x"):
        answer = console.client("it").get(path)
        assert answer.status_code == 403
        assert DUC.name not in answer.text

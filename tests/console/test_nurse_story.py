"""A nurse says whose a result is: what the hospital said beside the people it may be; every link can be taken
back, and of two people at one result the second is told.
"""

from collections.abc import Callable

import pytest
from console_browser import DESK, PHONE, ConsoleWindow
from console_centre import Console

from adapter.texts import say_in

Open = Callable[..., ConsoleWindow]
EVERYWHERE = pytest.mark.parametrize(
    ("language", "size"), [("vi", DESK), ("vi", PHONE), ("en", DESK), ("en", PHONE)]
)


@EVERYWHERE
def test_whom_the_hospital_names_on_the_telephone_is_looked_for_and_linked(
    window: Open, console: Console, language: str, size: tuple[int, int]
) -> None:
    def said(key: str) -> str:
        return say_in(language, f"console_inbox.{key}")

    one = window("nurse", language=language, size=size)
    one.open("/inbox")
    one.press(f"{said('open_unmatched')} Kali")
    one.write(said("find_title"), "nobody of that name")
    one.press(say_in(language, "console_people.find"))
    assert say_in(language, "console_people.nobody") in one.text
    one.write(said("find_title"), "phung quang bi")  # of T1: for her there is no such person
    one.press(say_in(language, "console_people.find"))
    assert "Phùng" not in one.text
    one.write(said("find_title"), "do van duc")
    one.press(say_in(language, "console_people.find"))
    assert "duc" not in one.path
    assert one.text.index("1. Đỗ Văn Đức") < one.text.index("Lê Thị Hoa")
    assert said("found") in one.text
    looked = [details for actor, action, details in console.audit() if action == "people.listed"]
    assert looked[-1]["command"] == "console inbox"
    one.check()
    one.press(f"{said('link')} Đỗ Văn Đức")
    assert say_in(language, "console_inbox.contradicts", what="…").partition("…")[0] in one.text
    assert "--despite" not in one.text
    assert "1. Đỗ Văn Đức" in one.text, "whom it is about stays in sight"
    one.tick(said("despite"))
    one.press(f"{said('link')} Đỗ Văn Đức")
    assert said("linked") in one.text
    assert said("is_theirs") in one.text
    one.press(said("undo"))
    assert said("unlinked") in one.text


@EVERYWHERE
def test_a_result_is_linked_and_taken_back(
    window: Open, console: Console, language: str, size: tuple[int, int]
) -> None:
    def said(key: str) -> str:
        return say_in(language, f"console_inbox.{key}")

    one = window("nurse", language=language, size=size)
    one.open("/day")
    one.press(say_in(language, "day.act_link"))
    one.check()
    one.press(f"{said('open_unmatched')} Kali")
    one.check()
    assert "LE THI HOA" in one.text  # as the hospital wrote
    assert one.text.index("06/05/1969") < one.text.index("02/09/1971")  # born in the year that it says
    assert said("points") in one.text
    first, second = one.text.index("1. Lê Thị Hoa"), one.text.index("2. Lê Thị Hoa")
    assert say_in(language, "likeness.part_birth-date") in one.text[first:second]
    one.press(f"{said('never')} Lê Thị Hoa")
    assert said("never_said") in one.text
    one.press(said("allow"))
    assert said("allowed") in one.text
    one.press(f"{said('link')} Lê Thị Hoa")
    assert said("linked") in one.text
    assert said("is_theirs") in one.text
    one.check()
    one.press(said("undo"))
    assert said("unlinked") in one.text
    done = [action for actor, action, _ in console.audit() if actor == "staff:nurse"]
    acts = [one for one in done if one.startswith("inbox.") and one not in ("inbox.listed", "inbox.read")]
    assert acts[-4:] == ["inbox.ruled_out", "inbox.unruled_out", "inbox.linked", "inbox.unlinked"]


def test_the_second_of_two_people_at_one_result_is_told_and_shown(window: Open, console: Console) -> None:
    slow, quick = window("nurse"), window("doctor")
    for one in (slow, quick):
        one.open("/inbox")
        one.press("Tìm đúng người Kali")
    quick.press("Đúng người này Lê Thị Hoa")
    assert say_in("vi", "console_inbox.linked") in quick.text
    slow.press("Đúng người này Lê Thị Hoa")
    slow.complaints.clear()  # the browser notes the 409
    assert say_in("vi", "console_inbox.somebody_first", who="doctor") in slow.text
    assert say_in("vi", "console_inbox.is_theirs") in slow.text
    quick.press("Rút lại việc ghép")
    linked = [actor for actor, action, _ in console.audit() if action == "inbox.linked"]
    assert linked[-1] == "staff:doctor"


@pytest.mark.parametrize("then", ["never", "link", "allow"])
def test_who_acts_on_what_a_colleague_ruled_out_is_told_too(
    window: Open, console: Console, then: str
) -> None:
    """Never these two: somebody else's word on whom it may be changes what the second one saw."""
    slow, quick = window("nurse"), window("doctor")
    never, link, allow = (say_in("vi", f"console_inbox.{word}") for word in ("never", "link", "allow"))
    for one in (slow, quick):
        one.open("/inbox")
        one.press("Tìm đúng người Kali")
    quick.press(f"{never} Lê Thị Hoa")
    if then == "allow":
        slow.open(slow.path)
        quick.press(allow)
    before = len(console.audit())
    slow.press({"never": f"{never} Lê Thị Hoa", "link": f"{link} Lê Thị Hoa", "allow": allow}[then])
    slow.complaints.clear()  # the browser notes the 409
    assert say_in("vi", "console_inbox.never_first") in slow.text
    assert "matching" not in slow.text, "is nobody who decided"
    slow.check()
    done = [action for actor, action, _ in console.audit()[before:] if actor == "staff:nurse"]
    assert set(done) <= {"record.read", "inbox.read"}, "nothing of the second was done"
    if then != "allow":
        assert say_in("vi", "console_inbox.never_title") in slow.text
        quick.press(allow)


def test_what_is_set_aside_needs_a_reason_and_waits_again_when_it_should(
    window: Open, console: Console
) -> None:
    one = window("nurse")
    one.open("/inbox")
    one.press("Tìm đúng người Siêu âm tim")
    one.tab_to("Kết quả này không dùng được")
    one.page.keyboard.press("Enter")
    one.write("Vì sao không dùng", "gửi nhầm trung tâm")
    one.press("Không dùng kết quả này")
    assert say_in("vi", "console_inbox.discarded") in one.text
    one.press("Cho chờ lại")
    assert say_in("vi", "console_inbox.reopened") in one.text


def test_nobody_of_t1_is_proposed_or_linked_by_who_may_not_know_of_them(console: Console) -> None:
    nurse, chief = console.client("nurse"), console.client("chief")
    item = nurse.get("/inbox").text.split('href="/inbox/')[1].split('"')[0]
    assert "Phùng Quang Bí" not in nurse.get(f"/inbox/{item}").text
    secret = console.adapter.records.get("cadre", "CB-4")
    assert secret is not None
    version = nurse.get(f"/inbox/{item}").text.split('name="version" value="')[1].split('"')[0]
    assert chief.get(f"/inbox/{item}").status_code == 200
    sent = {"version": version, "person": "x" * 30}
    assert nurse.post(f"/inbox/{item}/link", data=sent).status_code == 404

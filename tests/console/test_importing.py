"""A clerk imports in a browser, keyboard alone: looks first, says yes, corrects what was rejected."""

from collections.abc import Callable
from io import BytesIO
from itertools import count
from pathlib import Path

import httpx
import pytest
from console_browser import SIZES, ConsoleWindow
from console_centre import Console, now
from console_forms import over
from openpyxl import Workbook, load_workbook

from adapter.records.importing.drafts import DraftState
from adapter.texts import say_in

HEAD = ["Key", "Name", "Sex", "Date of birth", "Tier"]
_NUMBERS = count(7_000)


def workbook(*rows: list[str]) -> bytes:
    book = Workbook()
    assert book.active is not None
    book.active.title = "Cadres"
    for row in (HEAD, *rows):
        book.active.append(row)
    return _saved(book)


def _saved(book: Workbook) -> bytes:
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def drop(one: ConsoleWindow, file: Path) -> None:
    """Choose a file as the browser's own dialogue does, and send it."""
    one.page.set_input_files("#f-file", file)
    one.press(say(one, "upload"))


def say(one: ConsoleWindow, key: str, **params: object) -> str:
    language = one.page.get_attribute("html", "lang")
    return say_in(str(language), f"console_import.{key}", **params)


def settled(one: ConsoleWindow) -> None:
    """The bar is gone: the script has asked until the work was done."""
    one.page.wait_for_selector("progress", state="detached")


def keys(console: Console) -> set[str]:
    return {one.key for one in console.adapter.records.iterate("cadre")}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size[0]))
@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_clerk_looks_imports_and_corrects(
    console: Console,
    window: Callable[..., ConsoleWindow],
    tmp_path: Path,
    language: str,
    size: tuple[int, int],
) -> None:
    good, bad = f"CB-{next(_NUMBERS)}", f"CB-{next(_NUMBERS)}"
    file = tmp_path / "so.xlsx"
    file.write_bytes(
        workbook([good, "Trần Thị Mới", "female", "1955-02-03", "T4"], [bad, "Võ Văn Sai", "male", "?", "T4"])
    )
    one = window("clerk", language=language, size=size)
    one.open("/import")
    one.check()
    drop(one, file)
    settled(one)
    one.check()
    assert say(one, "another_came") not in one.text
    if say(one, "nothing_yet") not in one.text:  # a part of the centre's people: that has to be said
        one.tick(say(one, "option_partial"))
        one.press(say(one, "look_again"))
        settled(one)
    assert say(one, "nothing_yet") in one.text
    assert "Trần Thị Mới" in one.text
    assert good not in keys(console)
    one.press(say(one, "import"))
    settled(one)
    one.check()
    assert good in keys(console)
    assert bad not in keys(console)
    with one.page.expect_download() as started:
        one.tab_to(say(one, "rejects_get"))
        one.page.keyboard.press("Enter")
    book = load_workbook(BytesIO(started.value.path().read_bytes()))
    cell = next(cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value == "?")
    cell.value = "1957"
    file.write_bytes(_saved(book))
    one.press(say(one, "back"))
    drop(one, file)
    settled(one)
    one.press(say(one, "import"))
    settled(one)
    assert bad in keys(console)


def upload(client: httpx.Client, *rows: list[str]) -> str:
    """Without a script; gives where the draft is, when the work is over."""
    answer = client.post("/import", files={"file": ("so.xlsx", workbook(*rows))})
    assert answer.status_code == 303, answer.text
    place = answer.headers["location"]
    over(client, place)
    return str(place)


def seen(text: str) -> str:
    return text.partition('name="seen" value="')[2].partition('"')[0]


def options(client: httpx.Client, place: str) -> str:
    assert client.post(f"{place}/look", data={"partial": "yes"}).status_code == 303
    return over(client, place)


def test_who_comes_second_is_told_and_looks_again(console: Console) -> None:
    first, second = console.client("clerk", "vi"), console.client("clerk", "vi")
    one, two = f"CB-{next(_NUMBERS)}", f"CB-{next(_NUMBERS)}"
    here = upload(first, [one, "Bùi Thị Một", "female", "1950", "T4"])
    there = upload(second, [two, "Bùi Thị Hai", "female", "1951", "T4"])
    version, other = seen(options(first, here)), seen(options(second, there))
    assert version
    assert other
    assert first.post(f"{here}/start", data={"seen": version}).status_code == 303
    over(first, here)
    late = second.post(f"{there}/start", data={"seen": other})
    assert late.status_code == 409
    assert "Có người vừa nhập sổ khác" in late.text
    assert two not in keys(console)
    again = seen(options(second, there))
    second.post(f"{there}/start", data={"seen": again})
    over(second, there)
    assert {one, two} <= keys(console)


def test_a_draft_is_there_for_another_window_and_for_a_console_that_was_killed(console: Console) -> None:
    first, key = console.client("clerk", "vi"), f"CB-{next(_NUMBERS)}"
    here = upload(first, [key, "Bùi Thị Ba", "female", "1952", "T4"])
    second = console.client("clerk", "vi")
    assert here in second.get("/import").text
    [draft] = [one.id for one in console.adapter.import_drafts.all(now())][:1]
    state = console.adapter.import_drafts.get(draft, now())
    assert state is not None
    console.adapter.import_drafts.move(draft, state.state, DraftState.CHECKING)  # its process is gone
    over(second, here)
    version = seen(options(second, here))
    second.post(f"{here}/start", data={"seen": version})
    over(second, here)
    assert key in keys(console)


def test_what_was_thrown_away_is_gone(console: Console) -> None:
    client = console.client("clerk", "vi")
    here = upload(client, [f"CB-{next(_NUMBERS)}", "Bùi Thị Tư", "female", "1953", "T4"])
    assert client.post(f"{here}/drop").headers["location"] == "/import"
    assert client.get(here).status_code in (400, 404)
    assert here not in client.get("/import").text


def test_what_is_no_workbook_is_said_in_words(console: Console) -> None:
    answer = console.client("clerk", "vi").post("/import", files={"file": ("so.xlsx", b"Key;Name")})
    assert answer.status_code == 400
    assert "Đây không phải là sổ Excel" in answer.text

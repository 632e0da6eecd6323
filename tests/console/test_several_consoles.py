"""Two consoles as processes of their own on one PostgreSQL, and one that is killed while it works: who is
signed in at one is at the other, the second of two people is told, and nothing is done halfway.
"""

import random
import re
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from console_centre import HOSPITALS, Console, fill_centre, now
from killing import is_at_work
from openpyxl import Workbook

from adapter.authorization.staff_accounts import reset_account
from adapter.database import write_transaction
from adapter.pipeline.application import Adapter
from adapter.records.importing.drafts import DraftState
from adapter.testing import Centre, free_port, until
from adapter.texts import say_in

SETTINGS = {"public_url": "http://centre.example/fhir"}
PASSWORD = "ba bông hoa cúc vàng"
ROWS = 400
KILLS = 6
_PATIENCE = 60.0  # seconds


@dataclass
class TwoConsoles:
    """The processes `one` and `two`, and the adapter of their centre in this one."""

    centre: Centre
    adapter: Adapter
    consoles: dict[str, Console] = field(default_factory=dict)

    def start(self, name: str) -> Console:
        """Start this one, anew where it was killed; it answers then."""
        known = self.consoles.get(name)
        port = int(known.base.rpartition(":")[2]) if known else free_port()
        base = f"http://127.0.0.1:{port}"
        self.centre.start(name, "console", "--port", str(port))
        assert until(lambda: _answers(base), _PATIENCE), self.centre.log(name).read_text()
        return self.consoles.setdefault(name, Console(base, self.adapter))

    def kill(self, name: str) -> None:
        """With signal 9; what it asked PostgreSQL for last is over then."""
        self.centre.stop(name, signal.SIGKILL)
        assert until(lambda: not is_at_work(self.adapter.engine), _PATIENCE, every=0.01)


def _answers(base: str) -> bool:
    try:
        return httpx.get(f"{base}/sign-in").status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture
def both(postgres_url: str, tmp_path: Path) -> Iterator[TwoConsoles]:
    made = Centre(tmp_path, hospitals=HOSPITALS, database_url=postgres_url, settings=SETTINGS)
    with made as centre, centre.open() as adapter:
        fill_centre(adapter)
        both = TwoConsoles(centre, adapter)
        both.start("one")
        both.start("two")
        yield both
        for console in both.consoles.values():
            for client in console.clients:
                client.close()


def test_who_is_signed_in_at_one_is_at_the_other_until_he_signs_out_at_either(both: TwoConsoles) -> None:
    one, two = both.consoles["one"], both.consoles["two"]
    with write_transaction(both.adapter.engine) as connection:
        code = reset_account(connection, "nurse", now(), by="test")
    here, there = one.client(), two.client()
    form = {"code": code, "name": "nurse", "password": PASSWORD, "again": PASSWORD}
    assert here.post("/code", data=form).headers["location"] == "/"
    there.cookies.update(here.cookies)
    assert there.get("/").headers["location"] == "/day"
    assert there.post("/sign-out").status_code == 303
    assert here.get("/day").headers["location"] == "/sign-in"


def test_an_act_at_one_is_told_and_shown_at_the_other_and_who_is_second_is_told(both: TwoConsoles) -> None:
    nurse, doctor = both.consoles["one"].client("nurse", "vi"), both.consoles["two"].client("doctor", "vi")
    item = re.findall(r'href="(/inbox/[^"]+)"', nurse.get("/inbox").text)[0]
    listening, told = threading.Event(), threading.Event()

    def listen() -> None:
        with doctor.stream("GET", "/events", timeout=_PATIENCE) as answer:
            for line in answer.iter_lines():
                listening.set()
                if line == "data: changed":
                    told.set()
                    return

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    assert listening.wait(_PATIENCE)
    time.sleep(2.5)  # the first mark is known, against which another is a change
    forms = [(one, f"{item}/link", _link(one.get(item).text)) for one in (nurse, doctor)]
    answers: dict[str, httpx.Response] = {}

    def post(client: httpx.Client, path: str, form: dict[str, str]) -> None:
        answers[str(client.base_url)] = client.post(path, data=form)

    both_at_once = [threading.Thread(target=post, args=form) for form in forms]
    for each in both_at_once:
        each.start()
    for each in both_at_once:
        each.join(_PATIENCE)
    assert sorted(one.status_code for one in answers.values()) == [303, 409]
    first = "nurse" if answers[str(nurse.base_url)].status_code == 303 else "doctor"
    late = answers[str((doctor if first == "nurse" else nurse).base_url)].text
    assert say_in("vi", "console_inbox.somebody_first", who=first) in late
    assert say_in("vi", "console_inbox.is_theirs") in late
    assert [who for who, act, _ in both.consoles["one"].audit() if act == "inbox.linked"] == [
        f"staff:{first}"
    ]
    assert told.wait(_PATIENCE)
    for client in (nurse, doctor):
        assert say_in("vi", "console_inbox.is_theirs") in client.get(item).text


def _link(page: str) -> dict[str, str]:
    """What the first button of the page that links would send."""
    form = page.partition("/link")[2].partition("</form>")[0]
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))


def test_an_import_whose_console_is_killed_is_whole_or_absent_and_another_goes_on(both: TwoConsoles) -> None:
    clerk, chance = both.consoles["two"].client("clerk", "vi"), random.Random(7)  # noqa: S311 - no secret
    for attempt in range(2):
        keys = {f"CB-{attempt}{row:04}" for row in range(1_000, 1_000 + ROWS)}
        killed = both.consoles["one"].client("clerk", "vi")
        place = killed.post("/import", files={"file": ("so.xlsx", _workbook(keys))}).headers["location"]
        _over(killed, place)
        killed.post(f"{place}/look", data={"partial": "yes"})
        seen = _seen(_over(killed, place))
        assert seen, "it is looked through, and nothing is imported by that"
        assert not keys & _keys(both.adapter)
        assert killed.post(f"{place}/start", data={"seen": seen}).status_code == 303
        assert until(lambda: _is_begun(both.adapter), _PATIENCE, every=0.01)
        time.sleep(chance.uniform(0, 0.5))
        both.kill("one")
        before = keys & _keys(both.adapter)
        assert before in (set(), keys), f"{len(before)} of {ROWS} are there"
        text = _goes_on(clerk, place)
        done = [say_in("vi", "console_import.done", count=count) for count in (ROWS, 0)]
        assert any(said in text for said in (done if before else done[:1])), "0: it found all of it there"
        assert keys <= _keys(both.adapter)
        assert not list((both.centre.folder / "data").glob(".import-*"))
        both.start("one")


def _is_begun(adapter: Adapter) -> bool:
    newest = adapter.import_drafts.all(now())[0]
    return newest.state in (DraftState.IMPORTING, DraftState.IMPORTED)


def _workbook(keys: set[str]) -> bytes:
    book = Workbook()
    assert book.active is not None
    book.active.title = "Cadres"
    book.active.append(["Key", "Name", "Sex", "Date of birth", "Tier"])
    for number, key in enumerate(sorted(keys)):
        born = f"{1940 + number % 40}-03-{1 + number % 28:02}"
        book.active.append([key, f"Trần Thị {_letters(key)}", "female", born, "T4"])
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def _letters(key: str) -> str:
    """A name for this key: one with digits is refused."""
    return "".join("BCDĐGHKLMN"[int(digit)] for digit in key[3:]).capitalize()


def _over(client: httpx.Client, place: str) -> str:
    """The page of the draft once nobody is at it."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        text = client.get(place).text
        if "<progress" not in text:
            return text
        time.sleep(0.2)
    raise AssertionError("nobody goes on with it")


def _goes_on(client: httpx.Client, place: str) -> str:
    """Do what the page offers until all is imported; the page then. Whoever was killed holds the turn for a
    lease: until then the page says that somebody imports.
    """
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        text = _over(client, place)
        if seen := _seen(text):
            assert client.post(f"{place}/start", data={"seen": seen}).status_code in (303, 409)
        elif f"{place}/look" in text:
            assert client.post(f"{place}/look", data={"partial": "yes"}).status_code == 303
        else:
            return text
        time.sleep(0.5)
    raise AssertionError(f"nothing that is offered leads on\n{text}")


def _seen(text: str) -> str:
    return text.partition('name="seen" value="')[2].partition('"')[0]


def _keys(adapter: Adapter) -> set[str]:
    return {one.key for one in adapter.records.iterate("cadre")}


def test_what_a_doctor_said_is_whole_or_absent_where_the_console_is_killed(both: TwoConsoles) -> None:
    other = both.consoles["two"].client("doctor", "vi")
    place = re.findall(r'href="(/results/[^"]+)"', other.get("/results").text)[0]
    answered, usual = 0, 0.0
    for attempt in range(KILLS + 1):  # the first is not killed before its answer: it says how long one takes
        doctor = both.consoles["one"].client("doctor", "vi")
        page = doctor.get(place).text
        was_seen = _is_acknowledged(page)
        act = "withdraw" if was_seen else "acknowledge"
        form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', _form(page, act)))
        statuses: list[int] = []

        def post(client: httpx.Client, path: str, form: dict[str, str], statuses: list[int]) -> None:
            try:
                statuses.append(client.post(path, data=form).status_code)
            except httpx.HTTPError:
                return

        sent = threading.Thread(target=post, args=(doctor, f"{place}/{act}", form, statuses))
        begun = time.monotonic()
        sent.start()
        if attempt:
            time.sleep(usual * (attempt - 1) / KILLS)
        else:
            sent.join(_PATIENCE)
            usual = time.monotonic() - begun
        both.kill("one")
        sent.join(_PATIENCE)
        is_seen = _is_acknowledged(other.get(place).text)
        done = [
            one
            for who, one, _ in both.consoles["two"].audit()
            if one.startswith("result.") and "acknow" in one
        ]
        assert is_seen == (done.count("result.acknowledged") > done.count("result.unacknowledged"))
        if statuses:
            answered += 1
            assert statuses == [303]
            assert is_seen != was_seen, "it was answered and is not there"
        assert _form(other.get(place).text, "withdraw" if is_seen else "acknowledge"), "one can go on"
        both.start("one")
    assert answered <= KILLS, "none was killed at its work"


def _is_acknowledged(page: str) -> bool:
    return "/withdraw" in page


def _form(page: str, act: str) -> str:
    return page.partition(f'/{act}"')[2].partition("</form>")[0]

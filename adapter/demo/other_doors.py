"""Hospitals without a FHIR server answer too: one has its page alone, one sends HL7 v2.

It follows the year and its check: what comes in here counts in none of the figures before.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import orjson

from adapter.demo.checks import Check
from adapter.demo.hl7v2_system import Hl7v2System
from adapter.demo.page_clerk import PageClerk
from adapter.demo.processes import Commands, until
from adapter.records.sheets.cell_parsers import VIETNAM_OFFSET
from adapter.referrals.lifecycle import ReferralState
from adapter.texts import say, write_line

__all__ = ["MLLP_HOSPITAL", "PAGE_HOSPITAL", "OtherDoors", "settings_of"]

PAGE_HOSPITAL: Final = "bv-huyen"
MLLP_HOSPITAL: Final = "bv-khu-vuc"
_SECTIONS: Final = """
[mllp]
port = {port}

[hospitals.bv-huyen]
display = "Trung tâm Y tế huyện (diễn tập)"
level = "provincial"
[hospitals.bv-khu-vuc]
display = "Bệnh viện Đa khoa khu vực (diễn tập)"
level = "provincial"
[hospitals.bv-khu-vuc.hl7v2]
addresses = ["127.0.0.1"]
"""
_SHEET: Final = "Chuyển khám"
_COLUMNS: Final[tuple[str, ...]] = (
    *("Mã phiếu", "Mã cán bộ", "Bệnh viện", "Loại yêu cầu", "Dịch vụ"),
    *("Lý do", "Mức ưu tiên", "Ngày chỉ định"),
)
_WORKED_UP: Final = "Khám thêm"
_ROUTINE: Final = "Thường"
_ASKED: Final = {
    PAGE_HOSPITAL: ("WORKUP-CARD", "Đau ngực khi gắng sức"),
    MLLP_HOSPITAL: ("WORKUP-GI", "Đau thượng vị kéo dài"),
}
_VALUES_ON_PAGE: Final = (("BIO-CREA", "92"), ("VS-BP", "138/84"))
_VALUES: Final = {PAGE_HOSPITAL: 3, MLLP_HOSPITAL: 2}  # blood pressure is two
_CONCLUSION: Final = "Điện tâm đồ bình thường, theo dõi tăng huyết áp"
_SECONDS: Final = 20.0


def settings_of(port: int) -> str:
    """The sections of both in the settings file; MLLP is listened to on `port`."""
    return _SECTIONS.format(port=port)


@dataclass(frozen=True, slots=True)
class OtherDoors:
    """Both referrals: of two people whom the hospitals may know, `people`; MLLP is listened to on `port`."""

    commands: Commands
    folder: Path
    people: tuple[str, str]
    port: int

    def run(self) -> list[Check]:
        """Order, answer, look: a referral to each hospital ends with its result in the local record."""
        self._order()
        self._answer_on_page()
        acknowledged = self._answer_by_message()
        until(lambda: self._states() == dict.fromkeys(_ASKED, ReferralState.COMPLETED), _SECONDS, every=0.5)
        self.commands.run("referral", "list", *_ASKED)
        states = self._states()
        return [
            Check(say("demo.check_acknowledged"), acknowledged == "AA", acknowledged),
            *(self._check(hospital, states.get(hospital, "")) for hospital in _ASKED),
        ]

    def _key(self, hospital: str) -> str:
        return f"{self._person(hospital)}.{hospital}"

    def _person(self, hospital: str) -> str:
        return self.people[list(_ASKED).index(hospital)]

    def _order(self) -> None:
        """Two referrals more, in a folder of CSVs with that one sheet."""
        sheets = self.folder / "two-referrals"
        sheets.mkdir()
        now = datetime.now(VIETNAM_OFFSET).strftime("%d/%m/%Y %H:%M")
        lines = [_COLUMNS]
        for hospital, (service, reason) in _ASKED.items():
            who = (self._key(hospital), self._person(hospital), hospital)
            lines.append((*who, _WORKED_UP, service, reason, _ROUTINE, now))
        text = "".join(f"{','.join(line)}\n" for line in lines)  # our own words, none with a comma
        (sheets / f"{_SHEET}.csv").write_text(text, "utf-8")
        self.commands.run("import", str(sheets), "--partial")
        self.commands.run("sync", *_ASKED)

    def _answer_on_page(self) -> None:
        invited = orjson.loads(self.commands.read("hospital", "invite", PAGE_HOSPITAL, "--json"))
        clerk = PageClerk(PAGE_HOSPITAL, invited["link"], invited["code"])
        clerk.open_first()
        ahead = datetime.now(VIETNAM_OFFSET).date().isoformat()
        values = {
            f"{name}-{row}": text
            for row, found in enumerate(_VALUES_ON_PAGE, 1)
            for name, text in zip(("measure", "value"), found, strict=True)
        }
        for action, fields in (
            ("accept", {"number": "TTYT-2026-17"}),
            ("schedule", {"day": ahead, "time": "23:30"}),
            ("findings", {**values, "conclusion": _CONCLUSION, "extent": "all"}),
        ):
            clerk.fill_in(action, fields)
            write_line(say("demo.on_page", action=say(f"page.do_{action}"), state=clerk.state))

    def _answer_by_message(self) -> str:
        sheet = self.folder / "sheet.pdf"
        self.commands.run("referral", "sheet", self._key(MLLP_HOSPITAL), "--out", str(sheet))
        system = Hl7v2System(MLLP_HOSPITAL, self.port)
        message = system.report(system.scan(sheet.read_bytes()), datetime.now(VIETNAM_OFFSET))
        acknowledged = system.send(message)
        write_line(say("demo.by_message", bytes=len(message), answer=acknowledged))
        return acknowledged

    def _states(self) -> dict[str, str]:
        """Where the referral to each of them stands."""
        found = orjson.loads(self.commands.read("referral", "list", *_ASKED, "--all", "--json"))
        return {one["hospital"]: one["state"] for one in found["referrals"]}

    def _check(self, hospital: str, state: str) -> Check:
        """Whether the referral is completed, and every value stands in the person's record."""
        shown = orjson.loads(self.commands.read("cadre", "show", self._person(hospital), "--json"))["record"]
        values = sum(one["hospital"] == hospital for series in shown["values"] for one in series["values"])
        wanted = _VALUES[hospital]
        title = say("demo.check_answered", hospital=hospital)
        holds = state == ReferralState.COMPLETED and values == wanted
        return Check(title, holds, say("demo.answered", state=state, values=values, wanted=wanted))

"""What is sent with the console's forms, and what of it is in the audit."""

import re
from html import unescape
from io import BytesIO
from typing import Any

import httpx
from console_centre import HOME, Console, now
from openpyxl import Workbook
from sqlalchemy import update

from adapter.audit import audit
from adapter.database import read_transaction, write_transaction
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.tables import entry

__all__ = ["audit_rows", "book", "form_on", "over", "park", "start", "upload"]


def audit_rows(console: Console) -> list[dict[str, Any]]:
    """The audit, in order."""
    columns = (audit.c.actor, audit.c.action, audit.c.subject, audit.c.hospital, audit.c.details)
    with read_transaction(console.adapter.engine) as connection:
        return [
            dict(one._mapping)
            for one in connection.execute(audit.select().order_by(audit.c.seq).with_only_columns(*columns))
        ]


def park(console: Console, key: str) -> None:
    """The first hospital has refused this record."""
    with write_transaction(console.adapter.engine) as connection:
        refused = {"state": EntryState.PARKED, "reason": "refused", "detail": "no", "changed_at": now()}
        mine = (entry.c.hospital == HOME, entry.c.key == key)
        assert connection.execute(update(entry).where(*mine).values(**refused)).rowcount


def book(people: list[list[str]], height: str) -> bytes:
    """A workbook; a height that hardly can be is held."""
    made = Workbook()
    made.remove(made.active)
    pages = {
        "Cán bộ": [["Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý", "Ngày mất"], *people]
    }
    if height:
        visit = ["V1", people[0][0], "Khám định kỳ", "02/10/2026 08:00", ""]
        pages["Lượt khám"] = [["Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu", "Kết thúc"], visit]
        heads = ["Mã lượt khám", "Mã chỉ số", "Giá trị", "Đơn vị", "Thời điểm lấy", "Cờ"]
        pages["Chỉ số"] = [heads, ["V1", "VS-HEIGHT", height, "cm", "", ""]]
    for name, lines in pages.items():
        page = made.create_sheet(name)
        for line in lines:
            page.append(line)
    out = BytesIO()
    made.save(out)
    return out.getvalue()


def upload(client: httpx.Client, content: bytes) -> str:
    """Where the draft is, when it was looked at as a part of all."""
    answer = client.post("/import", files={"file": ("so.xlsx", content)})
    assert answer.status_code == 303, answer.text
    place = answer.headers["location"]
    over(client, place)
    assert client.post(f"{place}/look", data={"partial": "yes"}).status_code == 303
    over(client, place)
    return str(place)


def over(client: httpx.Client, place: str) -> str:
    """What the page says when the work is over."""
    for _ in range(300):
        text = client.get(place).text
        if "<progress" not in text:
            return text
    raise AssertionError("it does not come to its end")


def start(client: httpx.Client, place: str) -> None:
    """Say yes to what was looked at."""
    address, fields = form_on(client, place, "/start")
    assert client.post(address, data=fields).status_code == 303
    over(client, place)


def form_on(client: httpx.Client, page: str, end: str) -> tuple[str, dict[str, str]]:
    """The first form whose address ends so, or with a token after it, and its fields that are not seen."""
    text = client.get(page).text
    found = re.search(
        rf'<form method="post" action="([^"]*{re.escape(end)}[\w-]*)"[^>]*>(.*?)</form>', text, re.S
    )
    assert found, f"no form {end} at {page}"
    hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', found[2])
    return found[1], {name: unescape(value) for name, value in hidden}

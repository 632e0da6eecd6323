"""The printed sheet of a referral: what the hospital may see, in both languages, and a code that names it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import page_centre
import pypdfium2
import pytest
import zxingcpp
from page_centre import HOME, OTHER, at_the_page, referral
from sqlalchemy import select

from adapter import audit
from adapter.database import read_transaction
from adapter.errors import UsageError
from adapter.operations.operation import OperationContext
from adapter.operations.referral_sheet import PrintReferral
from adapter.pdf.referral_code import referral_identity
from adapter.pipeline.application import Adapter
from adapter.records.model import Referral, Tier


def text_of(data: bytes) -> str:
    """All letters of a PDF, in the order in which they were drawn, lines of a cell as one."""
    with pypdfium2.PdfDocument(data) as document:
        return " ".join(" ".join(page.get_textpage().get_text_bounded() for page in document).split())


def codes_of(data: bytes, dpi: int = 100) -> list[str]:
    """What the codes on its first page say, as a scanner of that resolution sees it."""
    with pypdfium2.PdfDocument(data) as document:
        picture = document[0].render(scale=dpi / 72, grayscale=True).to_pil()
    return [one.text for one in zxingcpp.read_barcodes(picture)]


@pytest.fixture
def adapter(tmp_path: Path, database_url: str) -> Iterator[Adapter]:
    referrals = (referral("GT-1"), referral("GT-9", OTHER))
    with page_centre.page_centre(tmp_path, database_url, *referrals).open() as adapter:
        yield adapter


def printed(adapter: Adapter, key: str = "GT-1", language: str = "vi") -> bytes:
    context = OperationContext(adapter, "test", lambda: datetime.now(UTC))
    return PrintReferral(key, language).perform(context)


def test_a_sheet_says_what_the_hospital_was_sent_and_nothing_else(adapter: Adapter) -> None:
    said = text_of(printed(adapter))
    for words in (
        *("PHIẾU CHUYỂN KHÁM", "Bệnh viện bv-tinh", "Đỗ Văn Đức", "12/03/1960", "nam"),
        *("Đau ngực khi gắng sức", "104", "µmol/L", "150/95", "02/11/2026", "15/12/2026"),
    ):
        assert words.casefold() in said.casefold(), words
    assert "7.1" not in said  # a value that the referral does not need
    assert "GT-1" not in said  # the centre's own key


def test_the_code_says_the_identity_of_the_referral_at_this_hospital_and_no_more(adapter: Adapter) -> None:
    system = adapter.settings.centre.identifier_system
    for key, hospital in (("GT-1", HOME), ("GT-9", OTHER)):
        identity = adapter.destination(hospital).identify("ServiceRequest", Referral.kind, key)
        data = printed(adapter, key)
        assert codes_of(data) == [f"{system}|{identity}"]
        assert referral_identity(codes_of(data)[0], system) == identity
        assert identity in text_of(data).replace(" ", "")


def test_the_same_referral_gives_the_same_bytes(adapter: Adapter) -> None:
    assert printed(adapter) == printed(adapter)
    assert printed(adapter, language="en") != printed(adapter)
    assert "Referral number" in text_of(printed(adapter, language="en"))


def test_of_whom_a_pseudonym_is_sent_the_sheet_has_the_pseudonym(tmp_path: Path, database_url: str) -> None:
    centre = page_centre.page_centre(tmp_path, database_url, referral("GT-1"), tier=Tier.T2)
    with centre.open() as adapter:
        said = text_of(printed(adapter))
    assert "Đức" not in said
    assert "12/03" not in said
    assert "024060012345" not in said
    assert "Đau ngực" not in said
    assert "BN-" in said


def test_a_referral_that_policy_withholds_has_no_sheet(tmp_path: Path, database_url: str) -> None:
    centre = page_centre.page_centre(tmp_path, database_url, referral("GT-1"), tier=Tier.T1)
    with centre.open() as adapter, pytest.raises(UsageError):
        printed(adapter)


def test_who_printed_is_in_the_audit(adapter: Adapter) -> None:
    printed(adapter)
    with read_transaction(adapter.engine) as connection:
        rows = connection.execute(select(audit.audit).where(audit.audit.c.action == "referral.printed")).all()
    assert [(row.actor, row.hospital, row.subject) for row in rows] == [
        ("test", HOME, adapter.audit_subject("CB-1"))
    ]


def test_the_command_writes_a_file_that_others_cannot_read_and_replaces_none(
    tmp_path: Path, database_url: str
) -> None:
    centre = page_centre.page_centre(tmp_path, database_url, referral("GT-1"))
    file = tmp_path / "sheet.pdf"
    words = ("referral", "sheet", "GT-1", "--out", str(file))
    centre.run(*words)
    assert file.read_bytes().startswith(b"%PDF-")
    assert file.stat().st_mode & 0o077 == 0
    again = centre.attempt(*words)
    assert (again.returncode, "sheet.pdf" in again.stderr) == (2, True)


def test_the_page_has_the_sheet_for_whom_it_is_and_for_nobody_else(adapter: Adapter) -> None:
    with at_the_page(adapter) as clerk:
        address = clerk.address("GT-1")
        assert f"{address}/sheet.pdf" in clerk.page("GT-1")
        answer = clerk.browser.get(f"{address}/sheet.pdf")
        assert answer.headers["content-type"] == "application/pdf"
        assert codes_of(answer.content)
        other = adapter.destination(OTHER).identify("ServiceRequest", Referral.kind, "GT-9")
        assert clerk.browser.get(f"/page/referrals/{other}/sheet.pdf").status_code == 404
        clerk.browser.cookies.clear()
        assert clerk.browser.get(f"{address}/sheet.pdf").status_code == 401

"""A clerk who has never seen the page, in a real browser, with a keyboard alone."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from browser import ENTER, PHONE, SPACE, Browser, browsing, missing_browser
from page_centre import invited, page_centre, referral, state_of

from adapter.records.model import Referral, Result
from adapter.referrals.lifecycle import ReferralState
from adapter.testing import serving, until
from adapter.web.endpoint import adapter_endpoint
from adapter.web.hospital_page.routes import hospital_page_routes

MISSING = missing_browser()
WITHIN = 180  # seconds: the clerk's three minutes; a machine types faster, so the steps are counted too
MOST_KEYS = 400


@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
@pytest.mark.parametrize("size", [PHONE, (1280, 900)], ids=["phone", "desk"])
def test_a_referral_is_finished_with_the_keyboard_alone(tmp_path: Path, size: tuple[int, int]) -> None:
    url = f"sqlite:///{tmp_path / 'adapter.db'}"
    centre = page_centre(tmp_path, url, referral("GT-1"), referral("GT-2", priority="urgent"))
    with (
        centre.open() as adapter,
        serving(adapter_endpoint(adapter, pages=hospital_page_routes)) as base,
        browsing(size) as browser,
    ):
        made, began = invited(adapter), time.monotonic()
        browser.open(f"{base}/page/in/{made.link.rpartition('/')[2]}")
        assert browser.focus == "code", "the field of the code has the focus"
        browser.write(made.code)
        browser.press(ENTER)
        arrives(browser, "Phiếu chuyển đang chờ bệnh viện: 2")
        keys = browser.tab_to("mới khẩn")  # the first of the list: the urgent one
        browser.press(ENTER)
        arrives(browser, "Đỗ Văn Đức")

        keys += browser.tab_to("number")
        browser.write("BV-77")
        browser.press(ENTER)
        arrives(browser, "Đã lưu")
        assert state_of(adapter, "GT-2") is ReferralState.ACCEPTED

        keys += browser.tab_to("day")
        browser.write(
            f"{datetime.now(UTC) + timedelta(days=5):%m%d%Y}"
        )  # as this browser's field is laid out
        keys += browser.tab_to("Hẹn lịch khám")
        browser.press(ENTER)
        arrives(browser, "đã hẹn lịch")

        keys += browser.tab_to("measure-1")
        browser.write("Creatinin (µmol/L)")
        keys += browser.tab_to("value-1")
        browser.write("98000")
        keys += browser.tab_to("extent")
        browser.press(SPACE)
        keys += browser.tab_to("Gửi kết quả")
        browser.press(ENTER)
        arrives(browser, "Chưa lưu: đến chỗ cần sửa")
        assert "Giá trị, dòng 1" in browser.focus, "what is wrong has the focus"
        assert is_seen(browser), "and is in the window"
        keys += browser.tab_to("value-1")
        browser.write("98,0")
        keys += browser.tab_to("Gửi kết quả")
        browser.press(ENTER)
        arrives(browser, "đã xong")

        assert (keys < MOST_KEYS, time.monotonic() - began < WITHIN) == (True, True), keys
        assert "98.0 µmol/L" in browser.text
        assert browser.script("return document.documentElement.scrollWidth") <= size[0], "nothing is cut off"
        found = adapter.records.get("referral", "GT-2")
        assert isinstance(found, Referral)
        assert (found.state, found.hospital_number) == (ReferralState.COMPLETED, "BV-77")
        values = {one.value for one in adapter.records.iterate("result") if isinstance(one, Result)}
        assert any("98.0 µmol/L" in (value or "") for value in values)


def arrives(browser: Browser, words: str) -> None:
    """The next page is there."""
    assert until(lambda: words in browser.text, 20), browser.text


def is_seen(browser: Browser) -> bool:
    """Whether what has the focus stands in the window."""
    return bool(
        browser.script(
            "const box = document.activeElement.getBoundingClientRect();"
            "return box.top >= 0 && box.top < window.innerHeight;"
        )
    )

"""The pictures of docs/console.md, of a small centre of invented people; `make screenshots` makes them."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from console_browser import CHROMIUM, DESK, PHONE, ConsoleWindow, opened
from console_centre import AN, DUC, Console, console_on, fill_centre, small_centre
from console_traffic import put_traffic
from openpyxl import Workbook
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

__all__ = ["FOLDER", "PICTURES", "Picture"]

FOLDER = Path(__file__).parents[1] / "docs" / "console"
_HIGHEST = 1_300  # pixels: what is below them shows no more
_COLOURS = 96
_HEAD = ("Key", "Name", "Sex", "Date of birth", "Tier")


@dataclass(frozen=True)
class Picture:
    """A page as the account of this name has it before it, without an account `None`; `lead` goes from where
    it begins to what is shown at `path`, an address with its `{names}`.
    """

    name: str
    account: str | None
    begin: str
    path: str
    lead: Callable[[ConsoleWindow], None] | None = None
    size: tuple[int, int] = DESK


def _to(selector: str) -> Callable[[ConsoleWindow], None]:
    """Follows the first link of these."""

    def lead(one: ConsoleWindow) -> None:
        with one.page.expect_navigation(wait_until="load"):
            one.page.locator(selector).first.click()

    return lead


def _upload(one: ConsoleWindow) -> None:
    """A part of the workbook: somebody new, a name that is written in another way, and a day of birth that is
    none.
    """
    book = Workbook()
    assert book.active is not None
    book.active.title = "Cadres"
    rows = (
        ("CB-6", "Trần Thị Mới", "female", "1955-02-03", "T4"),
        (AN.key, "Nguyễn Văn Ẩn", "male", str(AN.birth_date), AN.tier.value),
        ("CB-7", "Võ Văn Sai", "male", "31/02/1957", "T4"),
    )
    for row in (_HEAD, *rows):
        book.active.append(row)
    content = BytesIO()
    book.save(content)
    file = {"name": "so.xlsx", "mimeType": "application/octet-stream", "buffer": content.getvalue()}
    one.page.set_input_files("#f-file", file)  # type: ignore[arg-type] # Playwright's own type of a plain dict
    submit = "form:has(#f-file) button"
    _to(submit)(one)
    one.page.wait_for_selector("progress", state="detached")
    if one.page.locator("input[name=partial]").count():
        one.page.locator("input[name=partial]").check()
        _to("form[action$='/look'] button")(one)
        one.page.wait_for_selector("progress", state="detached")


def _to_duc(one: ConsoleWindow) -> None:
    _to(f"a:has-text('{DUC.name}')")(one)


_RESULT = _to("a[href^='/results/']")
PICTURES: Sequence[Picture] = (
    Picture("day", "clerk", "/day", "/day"),
    Picture("import", "clerk", "/import", "/import/{draft}", _upload),
    Picture("inbox", "nurse", "/inbox", "/inbox/{item}", _to("a[href^='/inbox/']")),
    Picture("result", "doctor", "/results", "/results/{result}", _RESULT),
    Picture("person", "doctor", "/people", "/people/{person}", _to_duc),
    Picture("hospital", "it", "/hospitals", "/hospitals/{hospital}", _to("a[href^='/hospitals/']")),
    Picture("year", "head", "/year", "/year"),
    Picture("first-day", None, "/code", "/code"),
    Picture("day-phone", "clerk", "/day", "/day", size=PHONE),
    Picture("result-phone", "doctor", "/results", "/results/{result}", _RESULT, PHONE),
)
"""The first page of each of the eight stories, and two of them on a telephone."""


def take(browser: Browser, console: Console, picture: Picture, folder: Path) -> None:
    """Make this one, as a PNG of few colours."""
    with opened(browser, console, picture.account, size=picture.size) as one:
        one.open(picture.begin)
        if picture.lead is not None:
            picture.lead(one)
        one.page.evaluate("document.activeElement && document.activeElement.blur()")
        taken = Image.open(BytesIO(one.page.screenshot(full_page=True))).convert("RGB")
    taken = taken.crop((0, 0, taken.width, min(taken.height, _HIGHEST)))
    taken.quantize(_COLOURS, dither=Image.Dither.NONE).save(folder / f"{picture.name}.png", optimize=True)


def main() -> int:
    """Make all of them."""
    FOLDER.mkdir(exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix="adapter-pictures-"))
    try:
        with small_centre(temporary) as centre:
            with centre.open() as adapter:
                fill_centre(adapter)
                put_traffic(adapter)
            with console_on(centre) as console, sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
                for picture in PICTURES:
                    take(browser, console, picture, FOLDER)
                browser.close()
    finally:
        shutil.rmtree(temporary)
    print(f"{len(PICTURES)} pictures in {FOLDER}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

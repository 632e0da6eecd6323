"""What a screen reader has of a page of the console, beside what the window shows."""

import re
from itertools import pairwise

from console_browser import ConsoleWindow

__all__ = ["hears_what_is_seen"]

_SEEN = """() => {
  const shown = (one) => one.checkVisibility({visibilityProperty: true});
  const words = (one) => (one.innerText || "").trim().replace(/\\s+/g, " ");
  const all = (what) => [...document.querySelectorAll(what)].filter(shown);
  return {
    headings: all("h1, h2, h3").map((one) => [Number(one.tagName[1]), words(one)]),
    buttons: all("button, summary").map(words),
    fields: all("input:not([type=hidden]), select, textarea").length,
    tables: all("table").map((one) => ({
      caption: one.caption ? one.caption.textContent.trim().replace(/\\s+/g, " ") : "",
      heads: [...one.querySelectorAll("thead th")].map((head) => [head.scope, words(head)]),
      rows: [...one.querySelectorAll("tbody tr")].map((row) => [...row.cells].map((cell) => words(cell))),
      named: [...one.querySelectorAll("tbody tr")].every(
        (row) => row.querySelector("th[scope=row]") || row.cells.length === 1),
    })),
  };
}"""


def _plain(text: str) -> str:
    """As both compare: signs before words are for the eye alone."""
    return re.sub(r"[^\w%/:.,]+", " ", text).strip().lower()


def hears_what_is_seen(browser: ConsoleWindow) -> None:
    """The accessibility tree has each heading, button, field and cell that the window shows."""
    heard = browser.page.locator("body").aria_snapshot()
    seen = browser.page.evaluate(_SEEN)
    tree = _plain(heard)
    for level, words in seen["headings"]:
        assert _plain(words) in tree, (browser.path, words)
        assert f"[level={level}]" in heard
    levels = [level for level, _ in seen["headings"]]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels)), levels
    for words in seen["buttons"]:
        assert words, f"a button without words at {browser.path}"
        assert _plain(words) in tree, (browser.path, words)
    fields = re.findall(r"- (?:textbox|searchbox|combobox|checkbox|radio|spinbutton)\b([^\n]*)", heard)
    assert all(re.match(r' "[^"]+"', one) for one in fields), (browser.path, fields)
    for table in seen["tables"]:
        assert table["caption"], f"a table without a caption at {browser.path}"
        assert all(scope == "col" for scope, _ in table["heads"]), table["caption"]
        assert table["named"], f"rows without a head: {table['caption']} at {browser.path}"
        for row in table["rows"]:
            for cell in row:
                assert _plain(cell) in tree, (browser.path, cell)

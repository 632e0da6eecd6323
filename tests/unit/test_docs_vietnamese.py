"""The Vietnamese pages say what the English ones say: section by section, command by command, both ways.

A Vietnamese heading stands below an anchor that bears the English heading's name, so that one link and one
test lead to both. What a page quotes of the adapter's own messages is held to the messages themselves.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from itertools import zip_longest
from pathlib import Path

import pytest

from adapter.records.sheets.layout import SHEETS
from adapter.texts import catalogue

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
VIETNAMESE = sorted(path.name for path in (DOCS / "vi").glob("*.md") if path.name != "README.md")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^(#{2,4}) (.+)$", re.MULTILINE)
_ANCHORED = re.compile(r'^<a id="([^"]+)"></a>\n(#{2,4}) (.+)$', re.MULTILINE)
_SPAN = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\]\(([^)\s]*)\)")
_OTHER_PAGE = re.compile(r"^Bản tiếng Anh: (?:.+\n)+", re.MULTILINE)  # and how to read this one
_TERM = re.compile(r"[a-zà-ỹđ]{3,}(?: |$)", re.IGNORECASE)  # a word of prose, not of code


def slug(title: str) -> str:
    """The name that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower().replace("`", "")).replace(" ", "-")


@dataclass
class Section:
    """What of a section must be the same on both pages."""

    level: int
    text: str
    blocks: list[str] = field(default_factory=list)

    @property
    def prose(self) -> str:
        return _FENCE.sub("", self.text)

    def spans(self) -> Counter[str]:
        return Counter(_plain(span) for span in _SPAN.findall(self.prose))

    def rows(self) -> list[list[str]]:
        """Of each row of the tables the code in its first cell."""
        lines = [line for line in self.prose.splitlines() if line.startswith("|")]
        return [_SPAN.findall(line.split("|")[1]) for line in lines]

    def numbers(self) -> set[str]:
        bare = _LINK.sub("", _SPAN.sub("", self.prose))
        return set(re.findall(r"(?<![\w.])\d[\d,.]*\d|(?<![\w.])\d(?!\w)", bare))

    def marks(self) -> Counter[str]:
        """Steps and points."""
        return Counter(re.findall(r"^(\d+\.|-) ", self.prose, re.MULTILINE))

    def links(self) -> list[str]:
        return sorted(_LINK.findall(self.prose))


def _plain(span: str) -> str:
    """A command without what a person may word: `--note "…"`."""
    return re.sub(r'--note "[^"]*"', '--note "…"', " ".join(span.split()))


def _code(block: str) -> str:
    """A block without its comments, which are prose."""
    lines = [line for line in block.splitlines() if not line.startswith("#")]
    return "\n".join(line.split(" #")[0].rstrip() for line in lines)


def sections(text: str, *, anchored: bool) -> dict[str, Section]:
    """The sections of a page by their English name; what stands above the first one is ""."""
    bare = _FENCE.sub(lambda found: "\n" * found[0].count("\n"), text)
    pattern = _ANCHORED if anchored else _HEADING
    found: dict[str, Section] = {}
    name, level, start = "", 1, 0
    for heading in [*pattern.finditer(bare), None]:
        end = heading.start() if heading else len(bare)
        first, last = bare[:start].count("\n"), bare[:end].count("\n")
        body = "\n".join(text.splitlines()[first : last if heading else None])
        found[name] = Section(level, body, [_code(block) for _, block in _FENCE.findall(body)])
        if heading:
            groups = heading.groups()
            name, level = (groups[0], len(groups[1])) if anchored else (slug(groups[1]), len(groups[0]))
            start = heading.end()
    found[""].text = _OTHER_PAGE.sub("", found[""].text)
    return found


def pages(name: str) -> tuple[dict[str, Section], dict[str, Section]]:
    """(English, Vietnamese)"""
    english = (DOCS / name).read_text("utf-8")
    vietnamese = (DOCS / "vi" / name).read_text("utf-8")
    return sections(english, anchored=False), sections(vietnamese, anchored=True)


def differences(english: dict[str, Section], vietnamese: dict[str, Section]) -> list[str]:
    """Where two pages do not say the same things."""
    if list(english) != list(vietnamese):
        only = set(english) ^ set(vietnamese)
        return [f"sections: {sorted(only) or 'another order'}"]
    wrong = []
    for name, one in english.items():
        other = vietnamese[name]
        pairs = {
            "level": (one.level, other.level),
            "code blocks": (one.blocks, other.blocks),
            "rows": (one.rows(), _as_in_english(one.rows(), other.rows())),
            "steps": (one.marks(), other.marks()),
            "numbers": (one.numbers(), other.numbers()),
            "links": (one.links(), sorted(map(_from_english, other.links()))),
        }
        wrong += [f"{name}: {what}: {a} | {b}" for what, (a, b) in pairs.items() if a != b]
        wrong += [f"{name}: {one}" for one in _spans_differ(one, other)]
    return wrong


def _as_in_english(english: list[list[str]], vietnamese: list[list[str]]) -> list[list[str]]:
    """The rows of a Vietnamese table, with a message that both quote as the English page has it."""
    return [
        one if len(one) == len(other) and all(map(_alike, one, other)) else other
        for one, other in zip_longest(english, vietnamese, fillvalue=[])
    ][: len(vietnamese)]


def _alike(english: str, vietnamese: str) -> bool:
    return _plain(english) == _plain(vietnamese) or same_message(english, vietnamese)


def _from_english(link: str) -> str:
    """A link of a Vietnamese page as the English page in the folder above would write it."""
    return link if link.startswith("#") or "://" in link else link.removeprefix("../")


def _spans_differ(one: Section, other: Section) -> list[str]:
    """Code in one section alone, but for messages that are quoted in each language."""
    english, vietnamese = set(one.spans()), set(other.spans())
    left, right = english - vietnamese, vietnamese - english
    for quote in sorted(left):
        match = next((said for said in sorted(right) if same_message(quote, said)), None)
        if match is not None:
            left, right = left - {quote}, right - {match}
    return [f"`{span}` only in English" for span in left] + [f"`{span}` only in Vietnamese" for span in right]


def same_message(english: str, vietnamese: str) -> bool:
    """Whether these are quotes of the same message of the adapter: every piece between … stands in the same
    texts of both catalogues.
    """
    keys = _saying("en", english)
    return bool(keys) and bool(keys & _saying("vi", vietnamese))


@cache
def _saying(language: str, quote: str) -> frozenset[str]:
    """The texts in which the first piece of `quote` stands, where all its pieces stand in some."""
    pieces = [piece.strip(" ,.:").lower() for piece in re.split(r"…|\d+|'[^']*'", quote)]
    texts = {key: text.lower() for key, text in catalogue(language).items()}
    held = [{key for key, text in texts.items() if piece in text} for piece in pieces if _TERM.search(piece)]
    return frozenset(held[0]) if held and all(held) else frozenset()


@pytest.mark.parametrize("name", VIETNAMESE)
def test_both_languages_have_the_same_sections_commands_steps_and_codes(name: str) -> None:
    english, vietnamese = pages(name)
    assert len(vietnamese) > 3, "no anchored heading was found"
    assert differences(english, vietnamese) == []


def test_what_operating_a_hospital_and_a_clerk_need_is_there_in_vietnamese() -> None:
    assert VIETNAMESE == [
        "console.md",
        "for-clerks.md",
        "for-hospitals.md",
        "hl7v2.md",
        "hospital-page.md",
        "national-xml.md",
        "operating.md",
        "pdf.md",
        "poll.md",
        "webhook.md",
    ]


@pytest.mark.parametrize("name", VIETNAMESE)
def test_every_heading_of_a_vietnamese_page_has_its_anchor(name: str) -> None:
    text = _FENCE.sub("", (DOCS / "vi" / name).read_text("utf-8"))
    assert len(_ANCHORED.findall(text)) == len(_HEADING.findall(text))


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_a_link_to_a_section_leads_to_one(page: Path) -> None:
    broken = []
    for link in _LINK.findall(_FENCE.sub("", page.read_text("utf-8"))):
        file, _, name = link.partition("#")
        target = (page.parent / file) if file else page
        if name and "://" not in link and name not in _anchors(target.resolve()):
            broken.append(link)
    assert broken == []


@cache
def _anchors(page: Path) -> set[str]:
    text = page.read_text("utf-8")
    headings = re.findall(r"^#{1,4} (.+)$", _FENCE.sub("", text), re.MULTILINE)
    return {slug(title) for title in headings} | set(re.findall(r'<a id="([^"]+)">', text))


@pytest.mark.parametrize("name", VIETNAMESE)
def test_a_vietnamese_page_is_vietnamese(name: str) -> None:
    """No line of prose without a letter that only Vietnamese has, beyond names and codes."""
    text = _FENCE.sub("", (DOCS / "vi" / name).read_text("utf-8"))
    bare = [_LINK.sub("", _SPAN.sub("", line)) for line in text.splitlines() if "<a id=" not in line]
    foreign = [
        line
        for line in bare
        if len(re.findall(r"\b[a-z]{3,}\b", line)) > 5 and not re.search(r"[ăâđêôơưà-ỹ]", line)
    ]
    assert foreign == []


def test_the_page_for_clerks_names_every_sheet_and_what_it_must_have() -> None:
    page = (DOCS / "for-clerks.md").read_text("utf-8").split("## The sheets")[1].split("\n## ")[0]
    rows = [re.findall(r"`([^`]+)`", line) for line in page.splitlines() if line.startswith("| `")]
    needed = [[sheet.vi, *(column.vi for column in sheet.columns if column.required)] for sheet in SHEETS]
    assert [[name, *sorted(columns)] for name, *columns in rows] == [
        [name, *sorted(columns)] for name, *columns in needed
    ]


_PAGE = "## One\n\nDo `adapter sync`, code 1.\n\n1. First `--yes`.\n\n| a | b |\n|---|---|\n| `x` | y |\n"
_TRANG = (
    '<a id="one"></a>\n## Một\n\nChạy `adapter sync`, mã 1.\n\n1. Trước hết `--yes`.\n\n'
    "| a | b |\n|---|---|\n| `x` | y |\n"
)


@pytest.mark.parametrize(
    "more",
    [
        "\n## Two\n",
        "\n`adapter plan`\n",
        "\n2. Then\n",
        "\nIt ends with 2.\n",
        "\n`--accept`\n",
        "\n```sh\nadapter sync\n```\n",
        "\n- A point\n",
        "\n[there](#one)\n",
        "\n| c | d |\n|---|---|\n| `z` | y |\n",
    ],
)
def test_what_is_added_to_one_page_alone_is_found(more: str) -> None:
    same = differences(sections(_PAGE, anchored=False), sections(_TRANG, anchored=True))
    assert same == []
    assert differences(sections(_PAGE + more, anchored=False), sections(_TRANG, anchored=True))
    added = more.replace("\n## Two\n", '\n<a id="two"></a>\n## Hai\n')
    assert differences(sections(_PAGE, anchored=False), sections(_TRANG + added, anchored=True))

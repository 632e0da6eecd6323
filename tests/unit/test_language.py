"""Everything that a person sees is in the language that was chosen, and none of it in the other."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapter import texts
from adapter.disclosure.policy import parse_policy
from adapter.errors import PolicyError
from adapter.texts import LANGUAGES, catalogue, set_language

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "adapter"
DOCS = ROOT / "docs"
ENGLISH = re.compile(
    r"\b(the|is|are|was|of|not|and|that|with|which|what|for|must|should|cannot|there|this|or|its)\b"
)
VIETNAMESE = re.compile(r"[ăâđêôơưĂÂĐÊÔƠƯà-ãạ-ỹÀ-Ã]")
# Names that stay what they are in an English sentence: sheets, columns and cells of a clerk's workbook.
NAMES = {"import.no_known_sheet", "import.expect_value_no_truth", "import.expect_boolean"}
NAMES |= {"layout.split_name", "layout.no_visit"}
_NO_PROSE = re.compile(
    r"`[^`]*`|'[^']*'|\"[^\"]*\"|\{[^}]*\}|--[\w-]+|https?:\S+|\([a-z ]+\)"
    r"|docs/security\.md \([^)]*\)|\S*/[\w.#/-]+"  # a page that is English alone, a path
)

SAID = "import command_walk, json, sys; print(json.dumps([*map(command_walk.said, json.loads(sys.argv[1]))]))"


def _walk(language: str, folder: Path) -> dict[str, tuple[int, str]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ADAPTER_")}
    script = ROOT / "tests" / "command_walk.py"
    done = subprocess.run(
        [sys.executable, str(script), language],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return {words: (code, said) for words, (code, said) in json.loads(done.stdout).items()}


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, tuple[int, str]]]:
    return {one: _walk(one, tmp_path_factory.mktemp(one)) for one in LANGUAGES}


def test_help_and_usage_errors_are_there_for_every_command_in_both_languages(
    walked: dict[str, dict[str, tuple[int, str]]],
) -> None:
    english, vietnamese = walked["en"], walked["vi"]
    assert {words: code for words, (code, _) in english.items()} == {
        words: code for words, (code, _) in vietnamese.items()
    }
    assert len(english) > 300
    wrong = []
    for said in walked.values():
        for words, (code, text) in said.items():
            page = words.endswith("--help")
            if code != (0 if page else 2) or (not page and not text.startswith("adapter: ")):
                wrong.append((words, code, text[:100]))
    assert wrong == []


def test_help_and_usage_errors_hold_no_sentence_of_the_other_language(
    walked: dict[str, dict[str, tuple[int, str]]],
) -> None:
    vietnamese = [line for _, text in walked["vi"].values() for line in text.splitlines()]
    foreign = {line for line in vietnamese if ENGLISH.search(_NO_PROSE.sub("", line))}
    assert foreign == set()
    english = [line for _, text in walked["en"].values() for line in text.splitlines()]
    assert {line for line in english if VIETNAMESE.search(line)} == set()


def test_no_line_of_a_help_page_is_the_same_in_both_languages(
    walked: dict[str, dict[str, tuple[int, str]]],
) -> None:
    same = set()
    for words, (_, text) in walked["en"].items():
        lines = {line.strip(" │") for line in text.splitlines()}
        lines &= {line.strip(" │") for line in walked["vi"][words][1].splitlines()}
        same |= {line for line in lines if len(re.findall(r"[A-Za-z]{2,}", _NO_PROSE.sub("", line))) > 3}
    assert same == set()


@pytest.mark.parametrize(
    ("before", "variable", "found"),
    [
        ([], None, "vi"),
        (["--lang", "en"], None, "en"),
        ([], "en", "en"),
        (["--lang=vi"], "en", "vi"),
        (["--config", "other.toml"], None, "en"),
        (["--config=other.toml"], None, "en"),
        (["--lang", "fr"], None, "vi"),
    ],
)
def test_the_settings_choose_the_language_of_help_and_usage_errors_too(
    tmp_path: Path, before: list[str], variable: str | None, found: str
) -> None:
    (tmp_path / "adapter.toml").write_text('lang = "vi"\n[hospitals.b]\nbroken = 1\n', "utf-8")
    (tmp_path / "other.toml").write_text("not TOML", "utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ADAPTER_")}
    if variable:
        environment["ADAPTER_LANG"] = variable
    wrong = json.dumps([[*before, *words] for words in (["status", "--nothing"], ["hospital", "nothing"])])
    done = subprocess.run(
        [sys.executable, "-c", SAID, wrong],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        check=True,
    )
    for code, said in json.loads(done.stdout):
        assert code == 2
        assert bool(VIETNAMESE.search(said)) == (found == "vi"), said


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_holds_the_other_language(language: str) -> None:
    foreign = ENGLISH if language == "vi" else VIETNAMESE
    found = {key for key, text in catalogue(language).items() if foreign.search(_NO_PROSE.sub("", text))}
    assert found - NAMES == set()


def test_a_text_leads_to_a_page_and_a_section_of_its_own_language() -> None:
    wrong = []
    for language in LANGUAGES:
        for key, text in catalogue(language).items():
            for page, section in re.findall(r"(docs/[\w/-]+\.md)(?:#([\w{}-]+))?", text):
                file = ROOT / page
                twin = DOCS / "vi" / file.name
                mine = file.exists() and (language == "en" or file == twin or not twin.exists())
                if not mine or (section and "{" not in section and not _has_section(file, section)):
                    wrong.append((language, key))
            for page, title in re.findall(r"(docs/vi/[\w-]+\.md), mục ([^);:]+)", text):
                if f"# {title.strip()}\n" not in (ROOT / page).read_text("utf-8"):
                    wrong.append((language, key))
    assert wrong == []


def _has_section(page: Path, name: str) -> bool:
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    return name in slugs or f'<a id="{name}">' in page.read_text("utf-8")


# Packages whose words reach a person, and what in them looks like a sentence but is none: (file, words).
SPEAKING = ("cli", "insights", "operations", "report", "duties", "disclosure", "records/importing")
SPEAKING += ("records/layouts", "records/sheets/template.py", "delivery/mail.py", "settings", "pipeline")
_SENTENCE = re.compile(r"[A-Za-z]{2,} (?:[a-z]+ )+[a-z]{2,}")
LOOKED_FOR = "disclosure/identifying_terms.py"  # words that are looked for, without diacritics
NO_SENTENCES = {
    ("cli/foreign_errors.py", "database is locked"),  # what SQLite says
    # what Click says
    ("cli/terminal/command_words.py", "unexpected extra argument(?:s|\\(s\\))? \\((.*)\\)"),
    ("cli/terminal/command_words.py", "does not take"),
    ("records/layouts/wide_sheet.py", "Results by row"),  # the English name of a sheet
    ("records/layouts/wide_sheet.py", "Instead of held visit"),  # and of a column
    ("operations/undo_import.py", "nothing was looked at"),  # slips of ours, which nobody can cause
    ("duties/schedule.py", "a moment needs a time zone"),
}


def _literals(file: Path) -> Iterator[str]:
    """The strings of a module that are neither documentation nor SQL nor a command."""
    tree = ast.parse(file.read_text("utf-8"))
    notes = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in notes:
            text = node.value
            if not re.search(r"\b(SELECT|INSERT|UPDATE|DELETE|FROM)\b|^ ?adapter [a-z]", text):
                yield text


def test_no_sentence_for_a_person_stands_in_the_code() -> None:
    found = set()
    for place in SPEAKING:
        path = PACKAGE / place
        for file in [path] if path.suffix else sorted(path.rglob("*.py")):
            name = str(file.relative_to(PACKAGE))
            found |= {(name, text) for text in _literals(file) if _SENTENCE.search(text)}
    assert {one for one in found if one[0] != LOOKED_FOR} == NO_SENTENCES


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"tiers": {"T0": "full"}},
        {"tiers": {"T9": "hold"}, "never": {"fields": ["x"], "phrases": []}},
        {"tiers": [], "groups": {"hiv": {"icd10": ["nope"], "words": ["("]}}},
        {
            "tiers": {"T0": "refuse"},
            "groups": {"hiv": {"words": [" "]}},
            "hospitals": {"b": {"share": "all"}},
        },
        {"tiers": {"T0": "refuse"}, "hospitals": {"b": {"share": "nothing", "tiers": {"T0": "full"}}}},
        {"tiers": {"T0": "refuse"}, "groups": {}, "never": {"fields": [], "phrases": ["x"]}},
        {"tiers": {"T0": "refuse"}, "free_text": {"T1": "maybe"}, "never": {"fields": 3, "phrases": "x"}},
    ],
)
def test_a_mistake_in_the_policy_is_said_in_the_chosen_language(policy: dict[str, object]) -> None:
    try:
        set_language("vi")
        with pytest.raises(PolicyError) as refused:
            parse_policy(policy, where="disclosure.yaml")
    finally:
        set_language("en")
    said = [re.sub(r"^[\w.]+: [\w.]*: ", "", line) for line in refused.value.problems]
    assert said
    assert [
        line for line in said if ENGLISH.search(_NO_PROSE.sub("", line)) or not VIETNAMESE.search(line)
    ] == []


def test_the_languages_are_those_that_there_are_texts_of() -> None:
    assert {path.name for path in (Path(texts.__file__).parent / "locale").iterdir()} == set(LANGUAGES)

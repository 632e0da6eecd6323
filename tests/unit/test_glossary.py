"""The glossary and the code hold each other: its words are in the code, and the code has no others."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from code_names import all_names, find_name, module_files, rooms

from adapter.inbox.tables import STATES
from adapter.ledger.hospitals.circuit_breaker import BreakerState, HospitalMode
from adapter.ledger.schema.states import EntryState

PAGE = (Path(__file__).parents[2] / "docs" / "glossary.md").read_text("utf-8")
COMMON = "## Used in their common sense\n"
ENDINGS = "## Endings of class names\n"

# A word that names once had -> what is said instead. No module, class or function is called by it again.
RETIRED_WORDS = {
    "wish": "desired",
    "wishes": "desired_state",
    "circle": "related_records",
    "kept": "activation_status",
    "gate": "rate_limit",
    "wire": "connection",
    "bench": "session",
    "standing": "status",
    "whereabouts": "explain",
    "turnedback": "refused",
    "outlet": "destination",
    "tally": "report_builder",
    "foresight": "plan_report",
    "inforce": "activation",
    "trouble": "problem",
    "troubles": "problems",
    "told": "sent",
    "bell": "alarm",
}
# Ordinary words that said nothing as a whole name.
RETIRED_NAMES = {
    "asked": "retry_after",
    "meaning": "findings",
    "opened": "open_adapter",
    "watching": "read_tracker",
    "watch": "liveness",
    "presence": "heartbeat",
    "turns": "named_locks",
    "past": "record_history",
    "moves": "reassignment",
    "opinion": "second_opinion",
    "cli.insight": "status",
    "cli.people": "inbox",
    "cli.start": "setup",
    "cli.exchange": "sync",
}


@dataclass(frozen=True)
class Entry:
    """One paragraph of the page: its words, and what of the code it names."""

    terms: tuple[str, ...]
    references: tuple[str, ...]
    text: str


def _entries() -> list[Entry]:
    found = []
    for paragraph in PAGE.split(ENDINGS)[0].split("\n\n"):
        if match := re.match(r"\*\*([^*]+)\*\*", paragraph):
            references = tuple(re.findall(r"`(adapter(?:\.\w+)*)`", paragraph))
            found.append(Entry(tuple(match[1].split(", ")), references, paragraph))
    return found


ENTRIES = _entries()
TERMS = {term for entry in ENTRIES for term in entry.terms}
COMMON_WORDS = {word.strip() for word in PAGE.split(COMMON)[1].split(",")}


def _words(name: str) -> list[str]:
    """The words of a name, small: `ShipmentStore` and `shipment_store` are shipment and store."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)]


def _says(text: str, term: str) -> bool:
    """Whether each word of a term begins a word of the text, whatever its ending: parked, parking."""
    words = _words(text)
    stems = [word if len(word) < 5 else word[: max(4, len(word) - 3)] for word in _words(term)]
    return all(any(word.startswith(stem) for word in words) for stem in stems)


def _is_explained(word: str) -> bool:
    plain = word.replace("_", " ")
    forms = {plain, plain.removesuffix("s"), re.sub("ies$", "y", plain), plain.replace("checkup", "check-up")}
    return bool(forms & (TERMS | COMMON_WORDS))


def _tables_of(path: Path) -> Iterator[str]:
    """The names of the tables that a module defines; what Alembic makes of them is not asked."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node).startswith("Table("):
            match [ast.unparse(one) for one in node.args[:2]]:
                case [name, "metadata"]:
                    yield ast.literal_eval(name)


def test_no_word_has_two_entries() -> None:
    counted = Counter(term for entry in ENTRIES for term in entry.terms)
    assert ENTRIES
    assert [term for term, count in counted.items() if count > 1] == []
    assert not TERMS & COMMON_WORDS


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.terms[0])
def test_an_entry_is_of_the_code_that_it_names(entry: Entry) -> None:
    assert entry.references, "says nowhere where it is in the code"
    assert [one for one in entry.references if find_name(one) is None] == []
    said = " ".join(f"{one} {found.docstring}" for one in entry.references if (found := find_name(one)))
    assert [term for term in entry.terms if not _says(said, term)] == []


def test_every_room_has_its_entry() -> None:
    names = {room.rpartition(".")[2] for room in rooms()}
    assert sorted(name for name in names if not _is_explained(name)) == []


def test_every_table_is_named_by_an_entry_and_every_named_one_exists() -> None:
    tables = {name for path in module_files().values() for name in _tables_of(path)}
    phrases = re.findall(r"\b[Tt]ables?\s+((?:`[a-z_]+`(?:,\s+)?)+)", PAGE)
    assert tables == {name for phrase in phrases for name in re.findall(r"`([a-z_]+)`", phrase)}


def test_every_state_has_its_entry() -> None:
    states = {*EntryState, *STATES, *HospitalMode, *BreakerState}
    assert {str(state) for state in states} - TERMS == set()


def test_every_ending_of_class_names_that_says_a_role_is_explained() -> None:
    classes = [one for one in all_names().values() if one.kind == "class" and one.is_public]
    counted = Counter(_words(one.dotted.rpartition(".")[2])[-1] for one in classes)
    explained = {word.lower() for word in re.findall(r"^\| `…(\w+)` \|", PAGE.split(ENDINGS)[1], re.M)}
    terms = {word for term in TERMS for word in term.split()}  # a ServerCard is a card
    assert {word for word, count in counted.items() if count > 2} - explained - terms == set()
    assert {word for word in explained if counted[word] < 2} == set()


def test_no_retired_word_comes_back() -> None:
    found = set()
    for one in all_names().values():
        if one.kind in ("constant", "member") or not one.is_public or ".migrations." in one.dotted:
            continue
        name = one.dotted.rpartition(".")[2]
        words = _words(name)
        joined = {first + second for first, second in pairwise(words)}
        whole = {name, f"{one.dotted.split('.')[1]}.{name}" if "." in one.dotted else name}
        if RETIRED_WORDS.keys() & ({*words} | joined) or RETIRED_NAMES.keys() & whole:
            found.add(one.dotted)
    assert found == set(), "retired words: see the tables above for what is said instead"

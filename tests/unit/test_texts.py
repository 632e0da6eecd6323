"""Both languages say the same things about the same things."""

import ast
import re
import tomllib
from pathlib import Path
from string import Formatter
from threading import Thread
from typing import get_args

import pytest

from adapter import texts
from adapter.records.model import RECORD_TYPES, Fulfilment, Sex, VisitKind
from adapter.referrals.lifecycle import ReferralState

LOCALE = Path(texts.__file__).parent / "locale"
AREAS = sorted(path.stem for path in (LOCALE / "en").glob("*.toml"))
SOURCES = sorted(Path(texts.__file__).parent.rglob("*.py"))


def _area(language: str, area: str) -> dict[str, str]:
    return tomllib.loads((LOCALE / language / f"{area}.toml").read_text("utf-8"))


def _parameters(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_both_languages_have_the_same_areas() -> None:
    assert sorted(path.stem for path in (LOCALE / "vi").glob("*.toml")) == AREAS
    assert AREAS


@pytest.mark.parametrize("area", AREAS)
def test_an_area_has_the_same_keys_and_parameters(area: str) -> None:
    english, vietnamese = _area("en", area), _area("vi", area)
    assert list(english) == list(vietnamese)
    differing = [key for key in english if _parameters(english[key]) != _parameters(vietnamese[key])]
    assert differing == []


@pytest.mark.parametrize("area", AREAS)
def test_vietnamese_is_not_a_copy_of_english(area: str) -> None:
    english, vietnamese = _area("en", area), _area("vi", area)
    copied = [
        key
        for key in english
        if english[key] == vietnamese[key] and re.search(r"[a-z]{3,} [a-z]{3,}", english[key])
    ]
    assert copied == []


def _said() -> set[tuple[str, str]]:
    """(module, key) of every text that the code names in full: say("…"), SomeError("…")."""
    said = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                said |= {
                    (path.name, argument.value)
                    for argument in node.args
                    if isinstance(argument, ast.Constant)
                    and isinstance(argument.value, str)
                    and re.fullmatch(r"[a-z]+\.[a-z0-9_-]+", argument.value)
                    and argument.value.split(".")[0] in AREAS
                    and _names_a_text(node)
                }
    return said


def _names_a_text(call: ast.Call) -> bool:
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    return name == "say" or name.endswith("Error") or name in ("ImportRefused", "Busy")


def test_every_text_that_the_code_names_exists() -> None:
    known = texts.catalogue("en")
    said = _said()
    assert said, "the search found no texts at all"
    assert sorted(one for one in said if one[1] not in known) == []


def _codes_of_records() -> set[str]:
    """The sexes, kinds of visits and states that a record may have."""
    fields = [found for made in RECORD_TYPES.values() for found in made.model_fields.items()]
    states = [one.annotation for name, one in fields if name == "status"]
    enums = {code.value for one in (Sex, VisitKind, Fulfilment, ReferralState) for code in one}
    return enums.union(*(get_args(one) for one in states))


def test_what_a_record_may_say_of_itself_has_words_in_both_languages() -> None:
    codes = _codes_of_records()
    assert {"male", "checkup", "on-hold", "in-progress"} <= codes
    for language in texts.LANGUAGES:
        assert sorted(codes - set(_area(language, "code"))) == []
    assert [code for code, words in _area("vi", "code").items() if words == _area("en", "code")[code]] == []


def test_say_fills_parameters_in_the_language_chosen() -> None:
    try:
        texts.set_language("vi")
        assert texts.say("settings.no_file", path="x.toml").startswith("Không có tệp")
        texts.set_language("fr")
        assert texts.current_language() == "en"
    finally:
        texts.set_language("en")


def test_one_reader_is_spoken_to_in_his_own_language_and_nobody_else() -> None:
    texts.set_language("en")
    english = texts.say("day.none")
    with texts.speaking("vi"):
        assert texts.say("day.none") == texts.say_in("vi", "day.none") != english
        assert texts.current_language() == "vi"
        elsewhere = Thread(target=lambda: heard.append(texts.say("day.none")))
        heard: list[str] = []
        elsewhere.start()
        elsewhere.join()
    assert heard == [english]
    assert texts.say("day.none") == english

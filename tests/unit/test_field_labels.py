"""What a person reads for a code of a list is what an import reads back as that code."""

from collections.abc import Iterator

import pytest

from adapter.records.sheets.choices import CHOICE_LISTS
from adapter.records.sheets.field_labels import choice_label, plain_number, problem_words, value_label
from adapter.records.sheets.layout import SHEETS
from adapter.texts import LANGUAGES, set_language


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> Iterator[str]:
    set_language(request.param)
    yield request.param
    set_language("en")


CODES = [
    (sheet.kind, column.field, code)
    for sheet in SHEETS
    for column in sheet.columns
    if column.choice
    for code in CHOICE_LISTS[column.choice].codes
]


@pytest.mark.parametrize(("kind", "field", "code"), CODES)
def test_the_words_of_a_code_are_read_back_as_it(kind: str, field: str, code: str, language: str) -> None:
    column = next(sheet for sheet in SHEETS if sheet.kind == kind).column(field)
    words = choice_label(kind, field, code)
    assert words in CHOICE_LISTS[column.choice or ""].labels(language)
    read = column.parse(words)
    wanted = {"yes": True, "no": False}.get(code, code)
    assert read in (wanted, (wanted,))


@pytest.mark.parametrize(
    ("kind", "field", "value", "vi", "en"),
    [
        ("cadre", "sex", "female", "Nữ", "Female"),
        ("cadre", "consents", "hiv; mental", "HIV; Tâm thần", "HIV; Mental health"),
        ("diagnosis", "is_new", "True", "Có", "Yes"),
        ("diagnosis", "is_new", "False", "Không", "No"),
        ("referral", "state", "visit-done", "đã khám, chờ kết quả", "visit done"),
        ("cadre", "name", "female", "female", "female"),  # no code there
        ("cadre", "birth_date", "1962-05-03", "03/05/1962", "1962-05-03"),
        ("cadre", "birth_date", "1962-05", "05/1962", "1962-05"),
        ("cadre", "birth_date", "1962", "1962", "1962"),
        ("visit", "started_at", "2026-03-25T08:05:00+07:00", "25/03/2026 08:05", None),
        ("measurement", "value", "2026-03-25", "2026-03-25", "2026-03-25"),  # no day there
        ("visit", "advice", "", "", ""),
        ("cadre", "no_such_field", "male", "male", "male"),
    ],
)
def test_a_stored_value_is_shown_in_words(  # noqa: PLR0917 - a row of the table
    kind: str, field: str, value: str, vi: str, en: str | None, language: str
) -> None:
    assert value_label(kind, field, value) == (vi if language == "vi" else en or value)


def test_a_flag_that_contradicts_another_is_said_in_words(language: str) -> None:
    said = problem_words("held_flags", {"measure": "BIO-K", "flag": "L"})
    assert {"vi": "(Thấp)", "en": "(Low)"}[language] in said


@pytest.mark.parametrize(
    ("written", "vi", "en"),
    [
        *(
            ("1.250", "1,25", "1.25"),
            ("250.000", "250", "250"),
            ("1.015", "1,015", "1.015"),
            ("1250", "1250", "1250"),
        ),
        *(("<1.000", "<1", "<1"), ("7.200-8.150", "7,2-8,15", "7.2-8.15"), ("100", "100", "100")),
    ],
)
def test_a_decimal_number_is_not_taken_for_thousands(written: str, vi: str, en: str, language: str) -> None:
    assert plain_number(written) == (vi if language == "vi" else en)
    said = problem_words("held_separator", {"measure": "BIO-FER", "one": written, "two": "1250"})
    assert said.startswith(f"BIO-FER: {plain_number(written)} ")

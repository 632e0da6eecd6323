"""Points of likeness: what speaks for one person, what against, and that the tables are what they say."""

import csv
from pathlib import Path
from random import Random

import pytest
from linkage_people import people, spoilt

from adapter import linkage
from adapter.linkage.birth_dates import DATE_LEVELS, compare_dates
from adapter.linkage.model import LinkageModel, date_comparison, text_comparison
from adapter.linkage.people import likeness, people_model, person_points, prior_bits
from adapter.linkage.placeholders import is_placeholder
from adapter.linkage.spelling import one_slip, similarity
from adapter.linkage.weights import Finding, LevelCounts, TokenFrequencies, WeightTable, total_bits
from adapter.texts import LANGUAGES, catalogue

FOLDER = Path(linkage.__file__).parent


def _bits(said: str, own: str) -> float:
    return total_bits(person_points([said], [], [], name=own, birth_date="", sex=None))


def _levels(said: str, own: str) -> dict[str, str]:
    return {one.part: one.level for one in person_points([said], [], [], name=own, birth_date="", sex=None)}


def test_a_rare_name_says_more_than_a_common_one() -> None:
    common = {one.part: one.bits for one in _points("Nguyễn Văn Anh")}
    rare = {one.part: one.bits for one in _points("Giáp Văn Khiêm")}
    assert rare["family"] > common["family"] + 4
    assert rare["given"] > common["given"] + 4
    assert common["middle-word"] < 3


def _points(name: str) -> tuple[linkage.weights.Point, ...]:
    return person_points([name], [], [], name=name, birth_date="", sex=None)


@pytest.mark.parametrize(
    ("said", "levels"),
    [
        ("NGUYEN DUC HOA", {"family": "same", "middle": "same", "given": "same", "order": "same"}),
        ("Ông Nguyễn Đức Hoà", {"family": "same", "middle": "same", "given": "same", "order": "same"}),
        ("NguyenDuc Hoa", {"family": "same", "middle": "same", "given": "same", "order": "same"}),
        ("Hòa Nguyễn Đức", {"family": "same", "middle": "same", "given": "same", "order": "turned"}),
        ("Hòa Đức Nguyễn", {"family": "same", "middle": "same", "given": "same", "order": "turned"}),
        ("N. Đ. Hòa", {"family": "initial", "middle": "initial", "given": "same", "order": "same"}),
        ("Nguyễn Hòa", {"family": "same", "middle": "missing", "given": "same", "order": "same"}),
        ("Đức Hòa", {"family": "missing", "middle": "same", "given": "same", "order": "same"}),
        ("Nguyễn Đức Hóa", {"family": "same", "middle": "same", "given": "other-marks", "order": "same"}),
        ("Nguyễn Đức Hoan", {"family": "same", "middle": "same", "given": "near", "order": "same"}),
        ("Trần Đức Hòa", {"family": "other", "middle": "same", "given": "same", "order": "same"}),
        ("Nguyễn Văn Hòa", {"family": "same", "middle": "other", "given": "same", "order": "same"}),
    ],
)
def test_names_are_read_in_the_ways_they_are_written(said: str, levels: dict[str, str]) -> None:
    assert _levels(said, "Nguyễn Đức Hòa") == levels


def test_a_title_that_is_a_name_is_read_as_both() -> None:
    assert _levels("Chi Doan Thi Thanh", "Đoàn Thị Thanh Chi")["given"] == "same"
    assert _levels("Chị Đoàn Thị Thanh", "Đoàn Thị Thanh")["given"] == "same"


def test_parts_in_each_others_place_are_another_person() -> None:
    assert _bits("Nguyễn Anh Minh", "Nguyễn Minh Anh") < 0 < _bits("Anh Nguyễn Minh", "Nguyễn Minh Anh")


def test_what_is_no_name_gives_no_points() -> None:
    assert person_points(["…", ""], ["", "19"], ["unknown"], name="An", birth_date="1955", sex="male") == ()
    assert person_points(["An"], [], ["male"], name="?", birth_date="", sex=None) == ()


@pytest.mark.parametrize(
    ("said", "own", "level"),
    [
        ("1955-03-14", "1955-03-14", "same-day"),
        ("1955-03", "1955-03-14", "same-month"),
        ("1955", "1955-03-14", "same-year"),
        ("1955-03-14", "1955", "same-year"),
        ("1955", "1955", "same-year"),
        ("1955-01-01", "1955-03-14", "unknown-day"),
        ("1955-01-01", "1955-03", "unknown-day"),
        ("1955-03-04", "1955-04-03", "turned"),
        ("1955-03-14", "1955-03-15", "slip"),
        ("1955-03-14", "1956-03-14", "slip"),
        ("1955-03-14", "1968-03-14", "other-year"),
        ("1955-03-14", "1955-11-27", "other-month-or-day"),
        ("1956-01-01", "1955-03-14", "near-year"),
        ("1956", "1955-03-14", "near-year"),
        ("1955-03-14", "1981-11-27", "other"),
        ("", "1955", None),
        ("nineteen", "1955", "other"),
    ],
)
def test_dates_agree_as_far_as_they_are_known(said: str, own: str, level: str | None) -> None:
    assert compare_dates(said, own) == level
    assert level is None or level in DATE_LEVELS


def test_likeness_weighs_a_description_against_all_others() -> None:
    an = {"name": "Nguyễn Văn An", "birth_date": "1955-03-14", "sex": "male"}
    whole = person_points(["Nguyen Van An"], ["1955-03-14"], ["male"], **an)
    year = person_points(["Nguyen Van An"], ["1955"], ["male"], **an)
    assert likeness(whole, 934) > 10 > likeness(year, 934) > 0 > likeness(year, 10**9)
    assert prior_bits(1024) == -10
    assert prior_bits(0) == 0


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("000000000000", True),
        ("999 999 999", True),
        ("123456789", True),
        ("012345678901", True),
        ("0987654321", True),
        ("GD4010000000000", True),
        ("GD4010001234567", False),
        ("DN4240123456789", False),  # the social insurance number of somebody from Hà Nội
        ("0123456789", False),
        ("024055000111", False),
        ("2345678901", False),
        ("00000", False),
        ("", False),
        ("ABC", False),
    ],
)
def test_what_only_fills_a_field_is_no_number(number: str, expected: bool) -> None:
    assert is_placeholder(number) is expected


def test_one_slip_and_similarity() -> None:
    assert one_slip("hoang", "haong")
    assert one_slip("hoa", "hoan")
    assert not one_slip("hoa", "huan")
    assert similarity("martha", "marhta") == pytest.approx(0.9611, abs=1e-4)  # Winkler's own example
    assert similarity("dwayne", "duane") == pytest.approx(0.84, abs=1e-2)
    assert similarity("abc", "xyz") == 0
    assert similarity("", "") == 1


def test_the_engine_takes_any_fields() -> None:
    """Nothing of it is about Vietnamese names."""
    levels = {
        ("surname", "same"): LevelCounts(90, 10, by_token=True),
        ("surname", "near"): LevelCounts(6, 10),
        ("surname", "like"): LevelCounts(2, 80),
        ("surname", "other"): LevelCounts(2, 900),
        ("number", "same"): LevelCounts(95, 0),
        ("number", "near"): LevelCounts(4, 1),
        ("number", "other"): LevelCounts(1, 999),
        ("born", "same-day"): LevelCounts(95, 1),
        ("born", "other"): LevelCounts(5, 999),
    }
    frequencies = {"surname": TokenFrequencies.of(["smith"] * 9 + ["zyla"])}
    model = LinkageModel(
        (text_comparison("surname"), text_comparison("number", exact=True), date_comparison("born")),
        WeightTable(levels, frequencies),
    )
    smith = {"surname": "smith", "number": "12345", "born": "1960-02-03"}
    points = {one.part: one for one in model.points(smith, smith)}
    assert points["surname"].token == "smith"
    zyla = model.points({"surname": "zyla"}, {"surname": "zyla"})
    assert total_bits(zyla) > points["surname"].bits + 3
    assert [one.level for one in model.points({"surname": "smyth"}, smith)] == ["like"]
    assert [one.level for one in model.points({"number": "12346"}, smith)] == ["near"]
    with pytest.raises(KeyError):
        model.weights.point(Finding("surname", "unheard-of"))


def test_the_tables_have_all_levels_and_texts() -> None:
    rows = list(csv.DictReader((FOLDER / "weights.csv").read_text("utf-8").splitlines()))
    assert {one["level"] for one in rows if one["part"] == "birth-date"} == set(DATE_LEVELS)
    for language in LANGUAGES:
        texts = catalogue(language)
        missing = [one for one in rows if f"likeness.level_{one['level']}" not in texts]
        assert missing == []
        assert {f"likeness.part_{one['part']}" for one in rows} <= set(texts)
    by_token = {one["part"] for one in rows if one["by_token"] == "yes"}
    assert by_token == {"family", "middle", "given"}
    shares = people_model().weights.frequencies
    assert shares["family"].share("nguyen") == pytest.approx(0.384)
    assert shares["given"].share("anh") > 0.03
    assert shares["given"].share("khiet") < 0.001


def test_spoilt_descriptions_find_their_people_first() -> None:
    """A small one of `benchmarks/matching.py`: with namesakes, twins, fathers and sons among 300 people."""
    first = among_three = count = 0
    for seed in (1, 2):
        everybody, random = people(seed, 300), Random(f"{seed}/test")  # noqa: S311 - the same each time
        for _ in range(150):
            meant = random.choice(everybody)
            said = spoilt(random, meant)
            bits = [
                total_bits(
                    person_points(
                        [said.name],
                        [said.birth_date],
                        [said.sex],
                        name=one.name,
                        birth_date=one.born.isoformat(),
                        sex=one.sex,
                    )
                )
                for one in everybody
            ]
            mine = bits[everybody.index(meant)]
            above = sum(one >= mine for one in bits) - 1
            first, among_three, count = first + (above == 0), among_three + (above < 3), count + 1
    assert first / count >= 0.99
    assert among_three / count >= 0.995

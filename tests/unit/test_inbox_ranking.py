"""Candidates: evidence above all, then likeness; only who is like enough, and never who was ruled out."""

from datetime import date

from adapter.inbox.evidence import Evidence
from adapter.inbox.likeness import likeness_points
from adapter.inbox.matching import Candidate, KnownCadre, LookupResult, NumberMatch, rank_candidates
from adapter.inbox.ranking import rank_everybody
from adapter.linkage.vietnamese_names import read_name

AN = KnownCadre("CB-1", "Nguyễn Văn An", date(1955, 3, 14), sex="male")
ANH = KnownCadre("CB-2", "Nguyễn Văn Anh", date(1955, 3, 14), sex="male")
HOA = KnownCadre("CB-3", "Lê Thị Hoa", date(1961, 2, 3), sex="female")
PEOPLE = (AN, ANH, HOA)
SAID = Evidence("DiagnosticReport", names=("NGUYEN VAN AN",), birth_dates=("1955-03-14",), sexes=("male",))


def _keys(said: Evidence, *known: Candidate, people: int = 934) -> list[str]:
    return [one.candidate.cadre for one in rank_everybody(said, known, PEOPLE, people=people)]


def test_the_likeliest_stands_first_and_evidence_above_likeness() -> None:
    assert _keys(SAID) == ["CB-1", "CB-2"]
    assert _keys(SAID, Candidate("CB-3", None, ("number",))) == ["CB-3", "CB-1", "CB-2"]
    (first, *_) = rank_everybody(SAID, (), PEOPLE, people=934)
    assert first.bits is not None
    assert first.bits > 10
    assert first.candidate.because == ("birth-date", "name")


def test_without_a_name_or_a_whole_date_nobody_is_looked_for() -> None:
    assert _keys(Evidence("DiagnosticReport", sexes=("male",), birth_dates=("1955",))) == []
    assert _keys(Evidence("DiagnosticReport", names=("BN-00000000A1",))) == []
    assert _keys(Evidence("DiagnosticReport")) == []
    assert _keys(Evidence("DiagnosticReport", birth_dates=("1961-02-03",))) == ["CB-3"]
    (known,) = rank_everybody(Evidence("Task"), [Candidate("CB-3", None, ("id",))], PEOPLE, people=3)
    assert (known.points, known.bits) == ((), None)


def test_no_more_than_ten_are_listed_for_likeness_alone() -> None:
    many = [KnownCadre(f"CB-{place}", AN.name, AN.birth_date, sex="male") for place in range(10, 40)]
    assert len(rank_everybody(SAID, (), many, people=934)) == 10


def test_at_reception_who_is_likelier_stands_first_among_those_of_one_evidence() -> None:
    numbers = (NumberMatch("CB-2", trusted=False), NumberMatch("CB-1", trusted=False))
    people = {one.key: one for one in PEOPLE}
    found = LookupResult("bv-tinh", by_number=numbers, people=people)
    assert [one.cadre for one in rank_candidates(SAID, found)] == ["CB-1", "CB-2"]
    ruled_out = LookupResult("bv-tinh", by_number=numbers, people=people, never=frozenset({"CB-1"}))
    assert [one.cadre for one in rank_candidates(SAID, ruled_out)] == ["CB-2"]


def test_what_is_too_long_for_a_name_is_not_compared_nor_remembered() -> None:
    read_name.cache_clear()
    said = Evidence("DiagnosticReport", names=("Nguyễn " * 100_000,), birth_dates=("1" * 1_000_000,))
    assert likeness_points(said, AN.name, AN.birth_date, AN.sex) == ()
    assert read_name.cache_info().currsize == 0

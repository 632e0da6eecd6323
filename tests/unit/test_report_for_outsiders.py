"""What outsiders may not see of a year cannot be worked out: attackers who solve for it get nowhere."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapter.report.figures import ReferralFigures, YearReport
from adapter.report.outsiders import for_outsiders
from adapter.report.suppression import FigureTable, possible_range

SMALL = range(1, 5)
QUICK = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))


def year(**figures: Any) -> YearReport:
    """A report of a year in which nothing happened but what is said."""
    nothing: dict[str, Any] = {
        "year": 2026,
        "as_of": date(2026, 12, 31),
        "for_outsiders": False,
        **dict.fromkeys(("managed_total", "due_total", "examined_total", "abnormal", "worked_up"), 0),
        **dict.fromkeys(("treated", "home_visits", "home_visits_with_samples", "specimens", "trips"), 0),
        "trip_people": 0,
        **{name: {} for name in ("managed", "due", "examined", "visits", "new_diseases", "referrals")},
        "classes": {},
        "classes_before": {},
    }
    return YearReport(**nothing | figures)


def solutions(
    unknowns: Sequence[str], seen: Sequence[tuple[frozenset[str], int]], most: int
) -> Iterator[Mapping[str, int]]:
    """All that an attacker must hold to be possible, by trying."""

    def fits(found: Mapping[str, int]) -> bool:
        return all(
            sum(found.get(one, 0) for one in parts) <= count
            and (not parts <= found.keys() or sum(found[one] for one in parts) == count)
            for parts, count in seen
        )

    def further(found: dict[str, int]) -> Iterator[Mapping[str, int]]:
        if len(found) == len(unknowns):
            yield found
            return
        for count in range(most + 1):
            longer = {**found, unknowns[len(found)]: count}
            if fits(longer):
                yield from further(longer)

    yield from further({})


@QUICK
@given(
    st.lists(st.integers(0, 7), min_size=4, max_size=4),
    st.lists(st.sets(st.integers(0, 3), min_size=1), min_size=1, max_size=4),
    st.sets(st.integers(0, 3), min_size=1),
)
def test_the_attack_finds_what_trying_finds(
    counts: list[int], sums: list[set[int]], wanted: set[int]
) -> None:
    atoms = {str(at): count for at, count in enumerate(counts)}
    names = lambda chosen: frozenset(map(str, chosen))  # noqa: E731 # said three times below
    seen = [(names(one), sum(counts[at] for at in one)) for one in sums]
    seen.append((names(range(4)), sum(counts)))  # so that trying ends
    tried = [sum(found[one] for one in names(wanted)) for found in solutions(list(atoms), seen, sum(counts))]
    least, most = possible_range(atoms, seen, names(wanted))
    assert most is not None
    assert least <= min(tried) <= sum(counts[at] for at in wanted) <= max(tried) <= most
    assert min(tried) - least < 1
    assert most - max(tried) < 1  # between two whole numbers at most


def test_what_nothing_bounds_has_no_most() -> None:
    assert possible_range("ab", [(frozenset("a"), 3)], frozenset("ab")) == (3, None)
    with pytest.raises(ValueError, match="contradict"):
        possible_range("a", [(frozenset("a"), 3), (frozenset("a"), 4)], frozenset("a"))


@QUICK
@given(st.dictionaries(st.text(max_size=3), st.integers(0, 30), max_size=8))
def test_hidden_cells_of_one_row_cannot_be_worked_out(cells: dict[str, int]) -> None:
    shown = for_outsiders(year(classes={"health_class": cells})).classes["health_class"]
    hidden = [name for name, count in shown.items() if count is None]
    assert all(shown[name] == count for name, count in cells.items() if name not in hidden)
    assert all(name in hidden for name, count in cells.items() if 0 < count < 5)
    if hidden and any(count for name, count in cells.items() if name not in hidden):
        assert len(hidden) >= 2
        assert sum(cells[name] for name in hidden) >= 5


TIER = st.tuples(st.integers(0, 9), st.integers(0, 6), st.integers(0, 6))  # examined, missed, gone


def _tiers(counts: Sequence[tuple[int, int, int]], **found: int) -> YearReport:
    rows = {f"T{at}": one for at, one in enumerate(counts, 3)}
    managed = {tier: sum(row) for tier, row in rows.items()}
    due = {tier: row[0] + row[1] for tier, row in rows.items()}
    examined = {tier: row[0] for tier, row in rows.items()}
    return year(
        managed=managed,
        managed_total=sum(managed.values()),
        due=due,
        due_total=sum(due.values()),
        examined=examined,
        examined_total=sum(examined.values()),
        **found,
    )


@QUICK
@given(st.lists(TIER, min_size=1, max_size=2))
def test_neither_row_nor_column_of_the_tiers_gives_a_few_people_back(
    counts: list[tuple[int, int, int]],
) -> None:
    """Only what is printed is used, and every possibility tried."""
    truth, shown = _tiers(counts), for_outsiders(_tiers(counts))
    tiers = list(truth.managed)
    unknowns = [f"{tier}{part}" for tier, part in product(tiers, "emg")]
    sums = {
        (name, tier): frozenset(f"{one}{part}" for one in ([tier] if tier else tiers) for part in parts)
        for name, parts in (("managed", "emg"), ("due", "em"), ("examined", "e"))
        for tier in (*tiers, "")
    }
    printed = {
        (name, tier): getattr(shown, name).get(tier) if tier else getattr(shown, f"{name}_total")
        for name, tier in sums
    }
    seen = [(sums[which], count) for which, count in printed.items() if count is not None]
    most = sum(map(sum, counts)) + 5
    tried = list(solutions(unknowns, [*seen, (frozenset(), 0)], most)) if most < 19 else []
    for parts in (*sums.values(), *(sums["due", tier] - sums["examined", tier] for tier in tiers)):
        true = sum(counts[tiers.index(one[:2])]["emg".index(one[2])] for one in parts)
        if true in SMALL and tried:
            held = [sum(found[one] for one in parts) for found in tried]
            assert max(held) - min(held) >= 5


@QUICK
@given(st.lists(TIER, min_size=1, max_size=5), st.data())
def test_what_was_found_gives_nothing_back_either(counts: list[tuple[int, int, int]], data: Any) -> None:
    examined = sum(one[0] for one in counts)
    abnormal = data.draw(st.integers(0, examined))
    worked, treated = data.draw(st.integers(0, abnormal)), data.draw(st.integers(0, abnormal))
    truth = _tiers(counts, abnormal=abnormal, worked_up=worked, treated=treated)
    shown = for_outsiders(truth)
    for name in ("abnormal", "worked_up", "treated", "examined_total", "due_total", "managed_total"):
        assert getattr(shown, name) in (None, getattr(truth, name))
        assert getattr(shown, name) not in SMALL
    chain = [shown.examined_total, shown.abnormal, shown.worked_up, shown.treated]
    for whole, part in ((0, 1), (1, 2), (1, 3)):
        upper, lower = chain[whole], chain[part]
        if upper is not None and lower is not None:
            assert upper - lower not in SMALL


@QUICK
@given(st.tuples(*[st.integers(0, 8)] * 4), st.data())
def test_referrals_give_no_few_back(counts: tuple[int, int, int, int], data: Any) -> None:
    completed, going, failed, waiting = counts
    overdue = data.draw(st.integers(0, going + waiting))
    truth = ReferralFigures(sum(counts), completed, going, failed, overdue)
    shown = for_outsiders(year(referrals={"central": truth})).referrals["central"]
    parts = (shown.completed, shown.in_progress, shown.failed)
    assert not set(SMALL) & {shown.made, shown.overdue, *parts}
    if shown.made is not None and None not in parts:
        assert shown.made - sum(one or 0 for one in parts) not in SMALL
    if shown.made is not None and parts.count(None) == 1 and not waiting:
        assert shown.made - sum(one or 0 for one in parts) not in SMALL


def test_what_is_printed_twice_is_hidden_twice() -> None:
    visits = {"home": 3, "trip": 2, "checkup": 3, "outpatient": 40}
    report = year(
        home_visits=3, trips=2, trip_people=2, specimens=9, home_visits_with_samples=3, visits=visits
    )
    shown = for_outsiders(
        replace(report, examined_total=3, examined={"T4": 3}, managed={"T4": 3}, due={"T4": 3})
    )
    assert dict(shown.visits) == {"home": None, "trip": None, "checkup": None, "outpatient": 40}
    hidden = (
        shown.home_visits,
        shown.home_visits_with_samples,
        shown.specimens,
        shown.trips,
        shown.trip_people,
    )
    assert hidden == (None,) * 5


def test_rare_diseases_have_no_code() -> None:
    shown = for_outsiders(year(new_diseases={"I10": 12, "E11": 3, "K25": 2, "B20": 1}))
    assert dict(shown.new_diseases) == {"I10": 12, "other": 6}
    assert dict(for_outsiders(year(new_diseases={"B20": 1})).new_diseases) == {"other": None}


def test_a_whole_centre_keeps_most_of_its_figures() -> None:
    """Hiding is for a few cells, and takes no minutes."""
    counts = [(2, 0, 0), (18, 4, 1), (160, 21, 3), (310, 30, 6), (290, 80, 9)]
    shown = for_outsiders(_tiers(counts, abnormal=83, worked_up=61, treated=35))
    assert (shown.abnormal, shown.worked_up, shown.treated) == (83, 61, 35)
    assert (shown.managed_total, shown.due_total, shown.examined_total) == (934, 915, 780)
    figures = [*shown.managed.values(), *shown.due.values(), *shown.examined.values()]
    assert figures.count(None) <= 9


def test_a_table_that_is_all_a_few_people_is_hidden_whole() -> None:
    atoms = {"a": 1, "b": 2}
    figures = {"a": frozenset("a"), "b": frozenset("b"), "both": frozenset("ab")}
    assert FigureTable(atoms, figures).hidden() == set(figures)

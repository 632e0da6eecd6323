"""Whose is it: who is linked wrongly, who is ranked first, and F1 beside Splink on the same pairs.

    PYTHONPATH=.:tests python benchmarks/matching.py [--seeds 20] [--strangers 60000] [--spoilt 4000]
    [--people 934] [--rival PYTHON]

For each seed a centre of so many people, with namesakes, twins, fathers and sons, gets reports of strangers
and of its own people, spoilt (`tests/linkage_people.py`, `tests/linkage_directory.py`), by what
`adapter/inbox` decides. Spoilt descriptions are ranked among everybody by name, date of birth and sex alone.
Then FEBRL 4 and a list of Vietnamese names are linked by our log-odds, with weights estimated without labels,
and by Splink with the same fields and the same blocking; F1 of each at its best threshold. The measures of
success: no wrong link; first 99.5 %, among three 99.9 %; F1 not below Splink's. `make bench-matching` makes
the rival's environment. Half an hour on 2 cores.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from linkage_directory import Directory, about, about_a_stranger, matched
from linkage_people import Person, people, spoilt, stranger
from support.estimation import estimated_levels

from adapter.inbox.matching import CertainMatch
from adapter.linkage.model import Comparison, Description, date_comparison, text_comparison
from adapter.linkage.people import person_points
from adapter.linkage.vietnamese_names import read_name
from adapter.linkage.weights import Finding, TokenFrequencies, WeightTable, total_bits

ROOT = Path(__file__).parents[1]
_RIVAL = Path(__file__).parent / "rivals" / "with_splink.py"
_RIVAL_PYTHON = os.environ.get("BENCH_PYTHON", str(ROOT / ".venv" / "linkage" / "bin" / "python"))
_RANDOM_PAIRS, _TRAINING_PAIRS = 200_000, 60_000
_LISTED = 5_000  # Vietnamese names in each of the two lists

_KINDS: dict[str, Callable[[str], Comparison]] = {
    "name": text_comparison,
    "word": text_comparison,
    "exact": lambda field: text_comparison(field, exact=True),
    "number": lambda field: text_comparison(field, exact=True),
    "date": date_comparison,
}
_FEBRL = {
    **{"given_name": "name", "surname": "name", "date_of_birth": "date", "street_number": "exact"},
    **{"address_1": "word", "suburb": "word", "postcode": "number", "state": "exact"},
}
_FEBRL_BLOCKING = [["surname"], ["given_name"], ["date_of_birth"], ["postcode", "street_number"]]
_VIETNAMESE = {"family": "name", "middle": "name", "given": "name", "born": "date", "sex": "exact"}
_VIETNAMESE_BLOCKING = [["given"], ["born"], ["family", "year"]]


def seed_counts(task: tuple[int, int, int, int]) -> Counter[str]:
    """What is decided in one centre."""
    seed, count, strangers, spoilt_ones = task
    everybody, random = people(seed, count), Random(f"{seed}/matching")  # noqa: S311 - the same for a seed
    directory, found = Directory(everybody), Counter[str]()
    for _ in range(strangers):
        match = matched(about_a_stranger(random, stranger(random, everybody), directory), directory)
        found["strangers"] += 1
        found["strangers linked"] += isinstance(match, CertainMatch)
    for _ in range(spoilt_ones):
        place = random.randrange(count)
        resources, _ = about(random, place, everybody[place])
        match = matched(resources, directory)
        found["spoilt"] += 1
        if isinstance(match, CertainMatch):
            found["linked"] += match.cadre == f"CB-{place}"
            found["linked wrongly"] += match.cadre != f"CB-{place}"
    for _ in range(spoilt_ones):
        place = random.randrange(count)
        found[_rank(random, everybody, place)] += 1
    return found


def _rank(random: Random, everybody: Sequence[Person], place: int) -> str:
    said = spoilt(random, everybody[place])
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
    above = sum(one >= bits[place] for one in bits) - 1  # who is as likely stands above
    return "first" if above == 0 else "among three" if above < 3 else "further down"


def decide(options: argparse.Namespace) -> None:
    """The table of links and ranks."""
    tasks = [
        (seed, options.people, options.strangers, options.spoilt) for seed in range(1, options.seeds + 1)
    ]
    total = Counter[str]()
    with ProcessPoolExecutor(options.processes) as pool:
        for found in pool.map(seed_counts, tasks):
            total.update(found)
    ranked = sum(total[one] for one in ("first", "among three", "further down"))
    three = total["first"] + total["among three"]
    print(f"{options.seeds} centres of {options.people} people")
    print(f"strangers linked             {total['strangers linked']} of {total['strangers']:,}")
    print(f"spoilt, linked wrongly       {total['linked wrongly']} of {total['spoilt']:,}")
    print(f"spoilt, linked rightly       {total['linked'] / total['spoilt']:.1%}, the others wait")
    print(f"right person ranked first    {total['first'] / ranked:.2%} of {ranked:,}")
    print(f"right person among three     {three / ranked:.2%}")


def compare(options: argparse.Namespace) -> None:
    """F1 beside Splink's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([options.rival, _RIVAL, "febrl", folder], check=True)
        records = [json.loads((folder / f"{one}.json").read_text("utf-8")) for one in "ab"]
        for one in (*records[0], *records[1]):
            day = one["date_of_birth"]
            one["date_of_birth"] = f"{day[:4]}-{day[4:6]}-{day[6:]}" if len(day) == 8 else day
        people_of = [[one["rec_id"].split("-")[1] for one in side] for side in records]
        deterministic = [["given_name", "surname", "date_of_birth"]]
        for label, more in (("with the number", {"soc_sec_id": "number"}), ("without a number", {})):
            blocking = [*_FEBRL_BLOCKING, *([["soc_sec_id"]] if more else [])]
            told = {"fields": _FEBRL | more, "blocking": blocking, "deterministic": deterministic}
            told |= {"recall": 0.5, "training": [["date_of_birth"], ["surname"]]}
            lists = Lists(f"FEBRL 4 {label}", records, people_of, told)
            f1_line(folder, options.rival, lists, estimated_links)
        vietnamese, owners = vietnamese_lists()
        told = {"fields": _VIETNAMESE, "blocking": _VIETNAMESE_BLOCKING, "recall": 0.3}
        told |= {"deterministic": [["family", "middle", "given", "born"]], "training": [["born"], ["given"]]}
        lists = Lists("Vietnamese, same fields", vietnamese, owners, told)
        f1_line(folder, options.rival, lists, estimated_links)
        f1_line(folder, options.rival, replace(lists, label="Vietnamese, read as names"), people_links)


def vietnamese_lists() -> tuple[list[list[dict[str, str]]], list[list[str]]]:
    """People as they are recorded, and each as a hospital spoilt him, in the fields that Splink gets."""
    everybody, random = people(77, _LISTED), Random("77/lists")  # noqa: S311 - the same lists each time
    rows: list[list[dict[str, str]]] = [[], []]
    for place, one in enumerate(everybody):
        said = spoilt(random, one)
        rows[0].append(_fields(f"a-{place}", one.name, one.born.isoformat(), one.sex))
        rows[1].append(_fields(f"b-{place}", said.name, said.birth_date, said.sex))
    random.shuffle(rows[1])
    return rows, [[one["rec_id"].split("-")[1] for one in side] for side in rows]


def _fields(id: str, name: str, born: str, sex: str) -> dict[str, str]:
    """A name taken apart, folded, without titles: as much as is done for Splink."""
    family, *middle, given = ["", *read_name(name)[0].letters][-7:]
    if middle:
        family, *middle = middle
    whole = {"family": family, "middle": " ".join(middle), "given": given}
    return {"rec_id": id, "name": name, **whole, "born": born, "year": born[:4], "sex": sex}


Pairs = list[tuple[int, int]]
Scores = dict[tuple[int, int], float]


@dataclass(frozen=True)
class Lists:
    """Two lists of descriptions of the same people, and how to link them: `told` is what Splink is told."""

    label: str
    records: list[list[dict[str, str]]]
    owners: list[list[str]]
    told: dict[str, Any]

    def true_pairs(self) -> set[tuple[int, int]]:
        """The places of each person in both."""
        place_of = {owner: place for place, owner in enumerate(self.owners[1])}
        return {(place, place_of[owner]) for place, owner in enumerate(self.owners[0])}


def f1_line(folder: Path, rival: str, lists: Lists, link: Callable[[Lists, Pairs], Scores]) -> None:
    """One line: our F1, Splink's, and how long each took."""
    theirs, their_seconds = splink_links(folder, rival, lists)
    started = time.perf_counter()
    pairs = sorted(blocked(lists.records, lists.told["blocking"]))
    ours = link(lists, pairs)
    seconds = time.perf_counter() - started
    assert set(theirs) <= set(ours), "Splink has pairs that we have not"
    true = lists.true_pairs()
    print(
        f"{lists.label:26} F1 {best_f1(ours, true):.5f} ({seconds:.0f} s),"
        f" Splink {best_f1(theirs, true):.5f} ({their_seconds:.0f} s);"
        f" {len(pairs):,} pairs with {len(true.intersection(pairs)):,} of {len(true):,} people"
    )


def splink_links(folder: Path, rival: str, lists: Lists) -> tuple[Scores, float]:
    """Its weights, and the seconds it took."""
    for name, rows in zip("ab", lists.records, strict=True):
        (folder / f"{name}.json").write_text(json.dumps(rows), "utf-8")
    (folder / "fields.json").write_text(json.dumps(lists.told), "utf-8")
    done = subprocess.run([rival, _RIVAL, "link", folder], check=True, capture_output=True, text=True)
    places = [{row["rec_id"]: place for place, row in enumerate(side)} for side in lists.records]
    found = json.loads((folder / "pairs.json").read_text("utf-8"))
    scores = {(places[0][one], places[1][other]): weight for one, other, weight in found}
    return scores, float(done.stdout.split()[-1])


def blocked(records: list[list[dict[str, str]]], rules: list[list[str]]) -> set[tuple[int, int]]:
    """The pairs that agree in all fields of a rule."""
    found = set()
    for rule in rules:
        of = defaultdict(list)
        for place, row in enumerate(records[1]):
            if all(row[field] for field in rule):
                of[tuple(row[field] for field in rule)].append(place)
        for place, row in enumerate(records[0]):
            found.update((place, other) for other in of.get(tuple(row[field] for field in rule), ()))
    return found


def estimated_links(lists: Lists, pairs: Pairs) -> Scores:
    """Bits of each pair, with weights estimated from the lists themselves."""
    records, fields = lists.records, lists.told["fields"]
    comparisons = [
        *([names_comparison] if {"given_name", "surname"} <= set(fields) else []),
        *(_KINDS[kind](field) for field, kind in fields.items() if field not in ("given_name", "surname")),
    ]
    random = Random("pairs")  # noqa: S311 - the same each time

    def findings(one: int, other: int) -> list[Finding]:
        readings = [list(compare(records[1][other], records[0][one])) for compare in comparisons]
        return [finding for reading in readings if reading for finding in reading[0]]

    drawn = [
        findings(random.randrange(len(records[0])), random.randrange(len(records[1])))
        for _ in range(_RANDOM_PAIRS)
    ]
    found = {pair: findings(*pair) for pair in pairs}
    sample = random.sample(pairs, min(len(pairs), _TRAINING_PAIRS))
    levels = estimated_levels(drawn, (found[pair] for pair in sample))
    tokens = {
        field: TokenFrequencies.of(row[field] for side in records for row in side if row[field])
        for field in fields
    }
    weights = WeightTable(levels, tokens)
    return {pair: total_bits(map(weights.point, one)) for pair, one in found.items()}


_GIVEN, _SURNAME = text_comparison("given_name"), text_comparison("surname")


def names_comparison(said: Description, own: Description) -> Iterable[Sequence[Finding]]:
    """Given name and surname, each in its place or in the other's."""
    turned = {"given_name": said.get("surname", ""), "surname": said.get("given_name", "")}
    readings = []
    for side, order in ((said, "same"), (turned, "turned")):
        found = [one for compare in (_GIVEN, _SURNAME) for reading in compare(side, own) for one in reading]
        readings.append([*found, Finding("order", order)])
    agreed = [sum(one.level in ("same", "near") for one in reading[:-1]) for reading in readings]
    return [readings[agreed[1] > agreed[0]]]


def people_links(lists: Lists, pairs: Pairs) -> Scores:
    """Bits of each pair, with the adapter's own weights and the name as it was written."""
    records = lists.records
    return {
        (one, other): total_bits(
            person_points(
                [records[1][other]["name"]],
                [records[1][other]["born"]],
                [records[1][other]["sex"]],
                name=records[0][one]["name"],
                birth_date=records[0][one]["born"],
                sex=records[0][one]["sex"],
            )
        )
        for one, other in pairs
    }


def best_f1(scores: Scores, true: set[tuple[int, int]]) -> float:
    """F1 over all true pairs, blocked or not, at the threshold where it is highest."""
    best, right = 0.0, 0
    ordered = sorted(scores.items(), key=lambda item: -item[1])
    for linked, (pair, score) in enumerate(ordered, 1):
        right += pair in true
        if linked == len(ordered) or ordered[linked][1] < score:
            best = max(best, 2 * right / (linked + len(true)))
    return best


def main() -> None:
    """Both parts."""
    parser = argparse.ArgumentParser()
    for name, value in (("seeds", 20), ("strangers", 60_000), ("spoilt", 4_000), ("people", 934)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--rival", default=_RIVAL_PYTHON)
    options = parser.parse_args()
    compare(options)
    decide(options)


if __name__ == "__main__":
    main()

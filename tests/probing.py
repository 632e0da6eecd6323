"""Whether a hospital can tell by the clock whom the centre knows: `python tests/probing.py 2000` sends many
results about members of its own, strangers and people of tier T1, in mixed order, and compares what it took
to be answered, and what the next read and the next result took, which meet what is done after the answer.

Of each pair of groups it is asked by Mann and Whitney's test whether one takes longer, and by Kolmogorov and
Smirnov's whether they are distributed otherwise. All questions together are wrong in one run of a hundred
where there is no difference.
"""

import argparse
import http.client
import itertools
import json
import math
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median

from endpoint_centre import CCCD, HOME
from inbox_centre import hold_patients, put_records
from postgres import Postgres

from adapter.hospital_tokens import issue_token
from adapter.records.model import Cadre, Sex, Tier
from adapter.testing import Centre

__all__ = [
    "GROUPS",
    "SIGNIFICANCE",
    "TIMED",
    "Comparison",
    "compare",
    "kolmogorov_smirnov",
    "mann_whitney",
    "probe",
]

GROUPS = ("members", "strangers", "T1")
TIMED = ("the answer", "the read after it", "the next result's answer")
SIGNIFICANCE = 0.01  # of all questions of a run together
HOSPITAL = "bv-tinh"
_PEOPLE = 40  # in each group
_WARM = 60  # probes that are not counted
_PAUSE = 0.1  # seconds before the next probe, at most


def mann_whitney(one: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    """How often a value of `one` is the larger of a pair, 0 to 1 (0.5: no difference), and the probability of
    one that is so far from 0.5 or farther by chance, by the normal approximation with ties.
    """
    both = sorted([(value, 0) for value in one] + [(value, 1) for value in other])
    ranks, ties, place = 0.0, 0.0, 0
    for _, group in itertools.groupby(both, key=lambda pair: pair[0]):
        same = list(group)
        rank = place + (len(same) + 1) / 2
        ranks += rank * sum(whose == 0 for _, whose in same)
        ties += len(same) ** 3 - len(same)
        place += len(same)
    n, m = len(one), len(other)
    larger = ranks - n * (n + 1) / 2
    variance = n * m / 12 * (n + m + 1 - ties / ((n + m) * (n + m - 1)))
    if not variance:
        return 0.5, 1.0
    away = abs(larger - n * m / 2) / math.sqrt(variance)
    return larger / (n * m), math.erfc(away / math.sqrt(2))


def kolmogorov_smirnov(one: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    """The largest distance of the two distributions, and the probability of one so large by chance
    (Stephens' form of the asymptotic series).
    """
    first, second = sorted(one), sorted(other)
    i = j = 0
    distance = 0.0
    while i < len(first) and j < len(second):
        value = min(first[i], second[j])
        while i < len(first) and first[i] == value:
            i += 1
        while j < len(second) and second[j] == value:
            j += 1
        distance = max(distance, abs(i / len(first) - j / len(second)))
    root = math.sqrt(len(first) * len(second) / (len(first) + len(second)))
    scaled = (root + 0.12 + 0.11 / root) * distance
    if scaled < 0.3:  # where the series converges too slowly, it is 1 to nine places
        return distance, 1.0
    series = sum((-1) ** (k - 1) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 101))
    return distance, min(max(2 * series, 0.0), 1.0)


@dataclass
class Comparison:
    """Times of each group, in seconds, by what was timed."""

    times: dict[str, dict[str, list[float]]]
    lines: list[str] = field(default_factory=list)
    differ: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join(self.lines)


def compare(times: dict[str, dict[str, list[float]]]) -> Comparison:
    """Ask both questions of each pair of groups, of each kind of time."""
    found = Comparison(times)
    pairs = list(itertools.combinations(GROUPS, 2))
    limit = SIGNIFICANCE / (2 * len(pairs) * len(times))
    for what, of_groups in times.items():
        said = (f"{name} {median(of_groups[name]) * 1000:.2f} ms" for name in GROUPS)
        found.lines.append(f"{what}: medians of {_counts(of_groups)}: {', '.join(said)}")
        for one, other in pairs:
            larger, by_rank = mann_whitney(of_groups[one], of_groups[other])
            distance, by_distance = kolmogorov_smirnov(of_groups[one], of_groups[other])
            differs = min(by_rank, by_distance) < limit
            found.lines.append(
                f"  {one} and {other}: Mann-Whitney {larger:.3f}, p = {by_rank:.3f}; Kolmogorov-Smirnov "
                f"{distance:.3f}, p = {by_distance:.3f}{'; THEY DIFFER' if differs else ''}"
            )
            if differs:
                found.differ.append(f"{what}: {one} and {other}")
    found.lines.append(f"a difference is one where p < {limit:.5f}")
    return found


def _counts(of_groups: dict[str, list[float]]) -> str:
    return "/".join(str(len(of_groups[name])) for name in GROUPS)


def _number(group: str, place: int) -> str:
    return f"02406{GROUPS.index(group)}{place:06}"


def _people(group: str, tier: Tier) -> list[Cadre]:
    return [
        Cadre(
            key=f"{group}-{place}",
            name=f"Nguyễn Văn {place}",
            sex=Sex.MALE,
            birth_date=date(1960, 3, 12),
            tier=tier,
            national_id=_number(group, place),
        )
        for place in range(_PEOPLE)
    ]


def _result(number: str, chance: random.Random) -> bytes:
    said = {
        "resourceType": "Observation",
        "identifier": [
            {"system": "https://lab.example/sid/value", "value": f"{chance.randrange(10**12):012}"}
        ],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"identifier": {"system": CCCD, "value": number}},
        "issued": "2026-11-02T15:05:00+07:00",
        "valueQuantity": {"value": chance.randrange(100, 180), "unit": "g/L"},
    }
    return json.dumps(said).encode()


class _Prober:
    def __init__(self, port: int, token: str, chance: random.Random) -> None:
        self._chance = chance
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json"}

    def probe(self, group: str) -> tuple[float, float]:
        """What a result about somebody of the group takes to be answered, and a read right after it."""
        body = _result(_number(group, self._chance.randrange(_PEOPLE)), self._chance)
        answer = self.ask("POST", "/fhir/Observation", body, 201)
        read = self.ask("GET", "/fhir/Observation/none", None, 404)
        time.sleep(self._chance.uniform(0, _PAUSE))
        return answer, read

    def ask(self, method: str, path: str, body: bytes | None, status: int) -> float:
        begun = time.perf_counter()
        self._connection.request(method, path, body, self._headers)
        with self._connection.getresponse() as answer:
            answer.read()
        taken = time.perf_counter() - begun
        if answer.status != status:
            raise AssertionError(f"{method}: {answer.status}")
        return taken


def probe(folder: Path, probes: int, *, seed: int = 1, url: str | None = None) -> Comparison:
    """Send so many, of each group about a third, to `adapter serve` on that database."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    section = {"base_url": HOME, "systems": {"citizen_id": CCCD}, "received_per_second": 0}
    found = {what: {name: list[float]() for name in GROUPS} for what in TIMED}
    with Centre(folder, hospitals={HOSPITAL: section}, database_url=url) as centre:
        with centre.open() as adapter:
            members = _people("members", Tier.T4)
            put_records(adapter.engine, (*members, *_people("T1", Tier.T1)))
            hold_patients(adapter, HOSPITAL, *(one.key for one in members))
            token = issue_token(adapter.engine, HOSPITAL, datetime.now(UTC), by="test")
        centre.start_endpoint()
        prober = _Prober(centre.port, token, chance)
        for _ in range(_WARM):
            prober.probe(chance.choice(GROUPS))
        before = ""
        for _ in range(probes):  # each group is drawn by itself: it says nothing of what went before
            group = chance.choice(GROUPS)
            answer, read = prober.probe(group)
            found[TIMED[0]][group].append(answer)
            found[TIMED[1]][group].append(read)
            if before:
                found[TIMED[2]][before].append(answer)
            before = group
        centre.wait_until_matched(1200)
        with centre.open() as adapter:
            counts = dict(adapter.inbox.counts())
    if not counts["applied"] or not counts["unmatched"]:
        raise AssertionError(f"the groups are none: {counts}")
    return compare(found)


def main() -> int:
    """Probe and print; 1 where a group can be told from another."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("probes", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--postgresql", action="store_true")
    asked = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="adapter-probes-")))
        url = None
        if asked.postgresql:
            postgres = Postgres(counts_rows=True)
            stack.callback(postgres.stop)
            url = postgres.create("probes")
        found = probe(folder / "centre", asked.probes, seed=asked.seed, url=url)
    print(found)
    return 1 if found.differ else 0


if __name__ == "__main__":
    sys.exit(main())

"""Two hospitals that pool what they got cannot tell whose pseudonyms belong together.

The sample year, 934 people, 260 of them under a pseudonym, as the shipped policy discloses it. The attacker
has all that both hospitals hold, and compares every value that is no identity of ours, one by one and
resource by resource. A link is certain where what two pseudonyms have in common fits nobody else at either
hospital, and nobody else of the centre's people under a pseudonym: whom the attacker has not seen, he
cannot rule out.
"""

import re
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from mapping_support import MAPPINGS
from sample import open_to_pseudonyms

from adapter.fhir import codec
from adapter.pipeline.application import Adapter
from adapter.pipeline.desired_state.desired import desired_state
from adapter.records.importing import importer
from adapter.records.model import Cadre, Record, Referral, Tier
from adapter.records.synthetic import write_csv
from adapter.settings import HospitalSettings, Settings

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
PROVINCIAL, CENTRAL = "bv-tinh", "bv-trung-uong"
MOMENT = re.compile(r"\dT\d\d:(?!00:00\+)")
# Made anew for each hospital, and so nothing that could be compared; and what all people have alike.
OURS = frozenset(("identifier", "reference", "id", "meta", "name", "display", "system"))

Resource = dict[str, Any]
Held = dict[str, list[Resource]]  # person -> what a hospital holds of that pseudonym
Value = tuple[str, object]


def leaves(node: Any, path: str) -> Iterator[Value]:
    """Every value that an attacker may compare, with the place where it stands."""
    if isinstance(node, dict):
        for name, part in node.items():
            if name not in OURS:
                yield from leaves(part, f"{path}.{name}")
    elif isinstance(node, list):
        for part in node:
            yield from leaves(part, path)
    else:
        yield path, str(node)


def values(resources: Sequence[Resource]) -> frozenset[Value]:
    """Each value by itself, and the values of each resource together."""
    found: set[Value] = set()
    for resource in resources:
        own = sorted(leaves(resource, resource["resourceType"]))
        found |= {*own, (resource["resourceType"], tuple(own))}
    return frozenset(found)


def linked(one: Held, other: Held) -> set[str]:
    """People whose two pseudonyms have in common what nobody else has at either hospital."""
    sides = [{person: values(held) for person, held in side.items()} for side in (one, other)]
    having: list[dict[Value, set[str]]] = [defaultdict(set), defaultdict(set)]
    for side, of in zip(sides, having, strict=True):
        for person, found in side.items():
            for value in found:
                of[value].add(person)
    return {
        person
        for person in one.keys() & other.keys()
        if all(
            set.intersection(*(of[value] for value in sides[0][person] & sides[1][person])) == {person}
            for of in having
        )
    }


class Year:
    """The sample year, and what each hospital gets of the people under a pseudonym; with `opened` what the
    provincial one would get if its line gave it everything.
    """

    def __init__(self, adapter: Adapter, opened: Adapter) -> None:
        people = [one.key for one in adapter.records.iterate("cadre") if _is_hidden(one)]
        self.records: dict[str, Sequence[Record]] = dict(adapter.records.of_cadres(people))
        self._opened = opened
        self.provincial, self.central = (
            self._held(adapter, name, self.records) for name in (PROVINCIAL, CENTRAL)
        )
        self.both = self.provincial.keys() & self.central.keys()

    def _held(self, adapter: Adapter, hospital: str, people: Iterable[str]) -> Held:
        outlet = adapter.destination(hospital)
        made = {person: desired_state(outlet, self.records[person]).desired for person in people}
        return {
            person: [codec.loads(one.body) for one in bodies] for person, bodies in made.items() if bodies
        }

    def everything_of(self, people: Iterable[str]) -> Held:
        return self._held(self._opened, PROVINCIAL, people)

    def sent_to_both_with_one_visit(self) -> set[str]:
        """People whom the centre itself referred to both hospitals because of the same visit."""
        found = set()
        for person in self.both:
            referrals = [one for one in self.records[person] if isinstance(one, Referral)]
            visits = [
                {one.visit for one in referrals if one.hospital == name} for name in (PROVINCIAL, CENTRAL)
            ]
            if visits[0] & visits[1]:
                found.add(person)
        return found

    def fits_somebody_else(self, person: str, common: frozenset[Value]) -> bool:
        """Whether the values that a person's two pseudonyms have in common are another's too."""
        like = [
            other for other in self.records if other != person and _looks(self, other) == _looks(self, person)
        ]
        return any(common <= values(held) for held in self.everything_of(like).values())


def _looks(year: Year, person: str) -> tuple[object, ...]:
    [one] = [record for record in year.records[person] if isinstance(record, Cadre)]
    return one.sex, one.birth_date.year


def _is_hidden(one: Record) -> bool:
    return isinstance(one, Cadre) and one.tier in (Tier.T2, Tier.T3)


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Year]:
    folder = tmp_path_factory.mktemp("year")
    (folder / "identity.key").write_text("0123456789abcdef0123456789abcdef")
    write_csv(folder / "rows")
    settings = Settings(
        identity_key=f"file:{folder / 'identity.key'}",
        database_url=f"sqlite:///{folder / 'adapter.db'}",
        hospitals={
            name: HospitalSettings(display=name, level=level, base_url="http://hospital.test/fhir")
            for name, level in ((PROVINCIAL, "provincial"), (CENTRAL, "central"))
        },
    )
    mappings = shutil.copytree(MAPPINGS, folder / "mappings")
    open_to_pseudonyms(mappings)
    with Adapter.open(settings) as adapter:
        files = sorted((folder / "rows").iterdir())
        known = frozenset(settings.hospitals)
        importer.run_import(adapter.engine, files, max_deletions_percent=3, known_hospitals=known, now=NOW)
        yield Year(adapter, Adapter(settings.model_copy(update={"mappings": mappings}), adapter.engine))


def test_two_hospitals_link_under_one_in_twenty_with_certainty(year: Year, figures: list[str]) -> None:
    found = linked(year.provincial, year.central)
    certain = {
        person
        for person in found
        if not year.fits_somebody_else(person, values(year.provincial[person]) & values(year.central[person]))
    }
    hidden = len(year.records)
    figures.append(
        f"linked: {len(certain)} of {hidden} people under a pseudonym; {len(year.both)} are at both"
    )
    # Both must know why they were asked, and that is what tells; nobody else is linked.
    assert certain <= year.sent_to_both_with_one_visit()
    assert len(certain) < 0.05 * hidden


def test_a_hospital_gets_nobody_whom_no_order_brings(year: Year) -> None:
    for name, held in ((PROVINCIAL, year.provincial), (CENTRAL, year.central)):
        for person in held:
            assert any(getattr(one, "hospital", None) == name for one in year.records[person])
    assert len(year.provincial) < 30
    assert len(year.central) == 46


def test_no_time_of_day_and_no_birth_date_goes_under_a_pseudonym(year: Year) -> None:
    for side in (year.provincial, year.central):
        for resources in side.values():
            for path, value in (leaf for one in resources for leaf in leaves(one, one["resourceType"])):
                assert not MOMENT.search(str(value)), path
                assert path != "Patient.birthDate" or len(str(value)) == 4


def test_the_attacker_would_find_everybody_of_whom_both_had_everything(year: Year) -> None:
    """Were this attack weak, the tests above would say little."""
    everything = year.everything_of(year.central)
    assert len(linked(everything, year.central)) == len(year.central) == 46

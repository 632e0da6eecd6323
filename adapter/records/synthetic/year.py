"""Who is seen when, and what comes of it. Each person is drawn by itself, so rows can be streamed."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from adapter.records.synthetic.care import Care, immunizations, procedures
from adapter.records.synthetic.clinic import (
    CHECKUP,
    CONDITIONS,
    FOLLOW_UP,
    HIV,
    HOME,
    PAP,
    Condition,
    Measure,
    measured_value,
)
from adapter.records.synthetic.people import Person, make_person

__all__ = ["CENTRAL", "PROVINCIAL", "Year", "sample_year"]

Row = dict[str, Any]
PROVINCIAL, CENTRAL = "bv-tinh", "bv-trung-uong"
_FULL = 934
# DOMAIN, "The centre and its year"; fewer people have them in proportion.
_TIERS = {"T1": 24, "T2": 110, "T3": 150, "T4": 250, "T5": 400}
_HOME_VISITS, _TRIPS, _ABNORMAL, _TREATED, _OUTPATIENT, _CONGRESS, _COUNCILS = 200, 115, 83, 35, 500, 40, 12
_REFUSED = 3
_LINGERING = (
    ("I10", "Tăng huyết áp vô căn"),
    ("E78.5", "Rối loạn lipid máu"),
    ("M17.9", "Thoái hóa khớp gối"),
)
_CONCLUSIONS = ("Đủ sức khỏe công tác", "Theo dõi huyết áp", None)
_BY_CODE = {measure.code: measure for measure in (*CHECKUP, HIV, PAP)}


@dataclass(frozen=True)
class Case:
    """Somebody abnormal: what was found, and whether treatment followed."""

    condition: Condition
    treated: bool


class Year:
    """The plan of a sample: who is of which tier, who is abnormal, who gets which visits."""

    def __init__(self, seed: int = 1, cadres: int = _FULL, year: int = 2026) -> None:
        self.seed, self.year = seed, year
        random = Random(f"{seed}/year")  # noqa: S311 - a sample must be the same for the same seed
        self._tiers = _tiers(random, cadres)
        scale = cadres / _FULL
        ours = [index for index, tier in enumerate(self._tiers) if tier != "T0"]
        held = [index for index in ours if self._tiers[index] == "T1"]
        others = [index for index in ours if self._tiers[index] != "T1"]
        self.cases = self._cases(random, held, others, scale)
        self.home = Counter(random.choices(ours, k=_share(_HOME_VISITS, scale)))
        ill = [index for index in self.cases if self._tiers[index] != "T1"]
        self.trips = Counter(random.choices([*ill * 4, *others], k=_share(_TRIPS, scale)))
        self.outpatient = Counter(random.choices(ours, k=_share(_OUTPATIENT, scale)))
        self.congress = frozenset(
            random.sample([i for i in others if self._tiers[i] in ("T2", "T3")], _share(_CONGRESS, scale))
        )
        self.councils = frozenset(random.sample(sorted(self.cases), _share(_COUNCILS, scale)))
        visits = {"H": self.home, "N": self.outpatient, "C": self.trips}
        self.care = Care(seed, scale, ours, visits)

    def _cases(self, random: Random, held: list[int], others: list[int], scale: float) -> dict[int, Case]:
        of_held = min(2, len(held), max(1, round(2 * scale)))
        count = max(_share(_ABNORMAL, scale), of_held + 2)
        found = random.sample(others, count - of_held)
        treated = set(found[: _share(_TREATED, scale)])
        people = sorted([*random.sample(held, of_held), *found])
        return {index: Case(random.choice(CONDITIONS), index in treated) for index in people}

    def people(self) -> Iterator[tuple[int, Person]]:
        """Everybody with a number, T0 people too, a few at a time in memory."""
        for index, tier in enumerate(self._tiers):
            yield index, make_person(self.seed, index, tier, self.year)

    def random(self, index: int, what: str) -> Random:
        """A generator for one aspect of one person."""
        return Random(f"{self.seed}/{what}/{index}")  # noqa: S311 - as above

    def seen_at(self, index: int, what: str, number: int = 0) -> datetime:
        """When a person is seen: a working morning between February and October."""
        random = self.random(index, f"{what}{number}")
        day = date(self.year, 2, 2) + timedelta(days=random.randrange(270))
        day -= timedelta(days=max(0, day.weekday() - 4))
        return datetime(day.year, day.month, day.day, random.randint(7, 10), random.choice((0, 15, 30, 45)))  # noqa: DTZ001 - the sheet writes local time without a zone


def _share(count: int, scale: float) -> int:
    return max(1, round(count * scale))


def _tiers(random: Random, cadres: int) -> list[str]:
    scale = cadres / _FULL
    tiers = [tier for tier, count in _TIERS.items() for _ in range(_share(count, scale))][:cadres]
    tiers += ["T5"] * (cadres - len(tiers))
    random.shuffle(tiers)
    for place in (cadres // 8, cadres // 2, cadres - 1)[:_REFUSED]:
        tiers.insert(place, "T0")
    return tiers


def sample_year(seed: int = 1, cadres: int = _FULL, year: int = 2026) -> Iterator[tuple[str, Row]]:
    """(kind, fields as they are written in the sheet) of the whole sample, kind after kind."""
    plan = Year(seed, cadres, year)
    for make in (_cadre, _visits, _measurements, _diagnoses, _referrals, procedures, immunizations):
        for index, person in plan.people():
            yield from make(plan, index, person)


def _written_day(day: date, style: int) -> date | str:
    """All the ways in which real lists write dates."""
    if style == 0:
        return day
    if style == 1:
        return f"{day:%Y%m%d}"
    return f"{day:%Y-%m-%d}" if style == 2 else f"{day:%d/%m/%Y}"


def _cadre(_plan: Year, index: int, person: Person) -> Iterator[tuple[str, Row]]:
    yield (
        "cadre",
        {
            "key": person.key,
            "name": person.name,
            "sex": "Nam" if person.male else "Nữ",
            "birth_date": _written_day(person.born, index % 7),
            "tier": person.tier,
            "position": person.position,
            "national_id": person.national_id,
            "old_national_id": person.old_national_id,
            "insurance": person.insurance,
            "phone": person.phone,
            "address": person.address,
            "province": "24",
            "ethnic_group": person.ethnic_group,
            "consents": person.consents,
        },
    )


def _visit(key: str, person: Person, type_: str, at: datetime, **more: Any) -> tuple[str, Row]:
    return "visit", {
        "key": f"{person.key}.{key}",
        "cadre": person.key,
        "type": type_,
        "started_at": f"{at:%d/%m/%Y %H:%M}",
        **more,
    }


def _visits(plan: Year, index: int, person: Person) -> Iterator[tuple[str, Row]]:
    case = plan.cases.get(index)
    random = plan.random(index, "classes")
    at = plan.seen_at(index, "checkup")
    yield _visit(
        "K1",
        person,
        "Khám định kỳ",
        at,
        ended_at=f"{at + timedelta(hours=3):%d/%m/%Y %H:%M}",
        conclusion=case.condition.text if case else random.choice(_CONCLUSIONS),
        advice="Chuyển khám" if case else random.choice(("Bình thường", "Theo dõi", "Tiếp tục điều trị")),
        health_class=random.choice(("Loại IV", "Loại V") if case else ("Loại I", "Loại II", "Loại III")),
        cadre_class=random.choice(("C", "D") if case else ("A", "B1", "B2")),
    )
    if index in plan.congress:
        yield _visit("D1", person, "Khám trước đại hội", plan.seen_at(index, "congress"))
    for number in range(plan.outpatient[index]):
        at = plan.seen_at(index, "outpatient", number)
        yield _visit(f"N{number + 1}", person, "Khám ngoại trú", at, reason="Tái khám")
    for number in range(plan.home[index]):
        taken = 1 + plan.random(index, f"specimens{number}").randrange(3)
        at = plan.seen_at(index, "home", number)
        yield _visit(f"H{number + 1}", person, "Khám tại nhà", at, specimens=taken)
    for number in range(plan.trips[index]):
        left = plan.seen_at(index, "trip", number)
        back = left + timedelta(days=1 + number, hours=6)
        yield _visit(
            f"C{number + 1}",
            person,
            "Đưa đi tuyến trên",
            left,
            ended_at=f"{back:%d/%m/%Y %H:%M}",
            hospital=CENTRAL,
            reason="Khám chuyên khoa tuyến trung ương",
        )
    if index in plan.councils:
        yield _visit("V1", person, "Hội chẩn", plan.seen_at(index, "council"))


def _measurement(
    visit: str, measure: Measure, value: str | int, *, abnormal: bool = False
) -> tuple[str, Row]:
    row: Row = {
        "visit": visit,
        "measure": measure.code,
        "name": measure.name,
        "value": value,
        "unit": measure.unit or None,
    }
    if measure.range_:
        row["low"], row["high"] = (bound or None for bound in measure.range_)
        row["flag"] = "Cao" if abnormal else None
    return "measurement", row


def _measurements(plan: Year, index: int, person: Person) -> Iterator[tuple[str, Row]]:
    yield from _checkup(plan, index, person)
    for kind, count, codes in (("N", plan.outpatient[index], FOLLOW_UP), ("H", plan.home[index], HOME)):
        for number in range(count):
            random = plan.random(index, f"measured{kind}{number}")
            for code in codes:
                measure = _BY_CODE[code]
                yield _measurement(
                    f"{person.key}.{kind}{number + 1}", measure, measured_value(random, measure)
                )


def _checkup(plan: Year, index: int, person: Person) -> Iterator[tuple[str, Row]]:
    random = plan.random(index, "checkup-values")
    case = plan.cases.get(index)
    found = dict(case.condition.values) if case else {}
    sex = "male" if person.male else "female"
    values: dict[str, str | int] = {}
    extra = [HIV] * (random.random() < 0.03) + [PAP] * (not person.male and random.random() < 0.3)
    for measure in (*CHECKUP, *extra):
        if measure.sex not in (None, sex):
            continue
        value = values[measure.code] = measured_value(random, measure)
        if measure.code == "VS-BMI":
            value = _bmi(values)
        abnormal = measure.code in found
        yield _measurement(f"{person.key}.K1", measure, found.get(measure.code, value), abnormal=abnormal)


def _bmi(values: dict[str, str | int]) -> str:
    height, weight = (float(str(values[code]).replace(",", ".")) for code in ("VS-HEIGHT", "VS-WEIGHT"))
    return f"{weight / (height / 100) ** 2:.1f}".replace(".", ",")


def _diagnoses(plan: Year, index: int, person: Person) -> Iterator[tuple[str, Row]]:
    if person.tier == "T0":
        return
    random = plan.random(index, "diagnoses")
    case = plan.cases.get(index)
    at = plan.seen_at(index, "checkup").date()
    if case:
        yield (
            "diagnosis",
            {
                "key": f"{person.key}.B1",
                "cadre": person.key,
                "visit": f"{person.key}.K1",
                "icd10": case.condition.icd10,
                "text": case.condition.text,
                "certainty": "Sơ bộ",
                "is_new": "Có",
                "recorded_on": f"{at:%d/%m/%Y}",
            },
        )
    if random.random() < 0.45:
        code, text = random.choice(_LINGERING)
        yield (
            "diagnosis",
            {
                "key": f"{person.key}.B2",
                "cadre": person.key,
                "icd10": code,
                "text": text,
                "certainty": "Xác định",
                "is_new": "Không",
            },
        )


def _referrals(plan: Year, index: int, person: Person) -> Iterator[tuple[str, Row]]:
    case = plan.cases.get(index)
    if case is None:
        return
    random = plan.random(index, "referrals")
    at = plan.seen_at(index, "checkup") + timedelta(days=1)
    first = random.choice((PROVINCIAL, PROVINCIAL, CENTRAL))
    second = CENTRAL if first == PROVINCIAL else PROVINCIAL
    services = case.condition.services
    asked = [("Khám thêm", first, services[0], at, 30)]
    if len(services) > 1 and random.random() < 0.5:
        asked.append(("Khám thêm", second, services[1], at + timedelta(days=2), 45))
    if case.treated:
        where = random.choice((CENTRAL, CENTRAL, PROVINCIAL))
        asked.append(("Điều trị", where, case.condition.treatment, at + timedelta(days=35), 60))
    everything = random.random() < 0.2
    for number, (category, hospital, service, ordered, days) in enumerate(asked, 1):
        yield (
            "referral",
            {
                "key": f"{person.key}.P{number}",
                "cadre": person.key,
                "visit": f"{person.key}.K1",
                "hospital": hospital,
                "category": category,
                "service": service,
                "reason": case.condition.text,
                "icd10": case.condition.icd10,
                "priority": random.choice(("Thường", "Thường", "Khẩn")),
                "ordered_at": f"{ordered:%d/%m/%Y %H:%M}",
                "due_on": f"{ordered + timedelta(days=days):%d/%m/%Y}",
                "supporting": None if everything else "; ".join(code for code, _ in case.condition.values),
            },
        )

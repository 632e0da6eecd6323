"""What is done to people besides examining them: minor procedures and vaccinations.

Drawn from generators of their own, so that the rest of the sample does not depend on them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from adapter.records.synthetic.people import Person

if TYPE_CHECKING:
    from adapter.records.synthetic.year import Year

__all__ = ["PROCEDURES", "VACCINES", "Care", "immunizations", "procedures"]

Row = dict[str, Any]
_PROCEDURES, _INFLUENZA, _PNEUMOCOCCAL = 60, 240, 60


@dataclass(frozen=True)
class Doing:
    """A procedure of mappings/codes/procedures.csv, how long it takes, and where on the body."""

    code: str
    name: str
    minutes: int
    body_site: str | None = None
    outcome: str | None = None
    icd10: str | None = None


@dataclass(frozen=True)
class Vaccine:
    """A vaccine of mappings/codes/vaccines.csv, with the lots of the year."""

    code: str
    name: str
    lots: tuple[str, ...]
    series: str | None = None


# By the letter of the visit's key: H at home, N outpatient, C escorted trip.
PROCEDURES = {
    "H": (
        Doing("PR-DRESS", "Thay băng vết thương", 20, "Cẳng chân phải", "Vết thương khô", "L97"),
        Doing("PR-INFUS", "Truyền dịch tĩnh mạch", 90, "Tay trái", "Không tai biến"),
        Doing("PR-CATHU", "Đặt sonde tiểu", 20, None, "Nước tiểu trong", "N40"),
        Doing("PR-NGT", "Đặt sonde dạ dày", 15, None, None, "I69.3"),
        Doing("PR-NEB", "Khí dung thuốc", 20, None, "Đỡ khó thở", "J44.9"),
    ),
    "N": (
        Doing("PR-SUTREM", "Cắt chỉ", 10, "Bàn tay trái", "Vết mổ liền tốt"),
        Doing("PR-JOINT", "Tiêm nội khớp", 20, "Khớp gối phải", None, "M17.9"),
        Doing("PR-EAR", "Lấy ráy tai", 10, "Tai phải", "Màng nhĩ bình thường", "H61.2"),
        Doing("PR-DRESS", "Thay băng vết thương", 20, "Bàn chân trái"),
    ),
    "C": (
        Doing("PR-EGD", "Nội soi thực quản, dạ dày, tá tràng", 20, "Dạ dày", None, "K29.5"),
        Doing("PR-COL", "Nội soi đại trực tràng", 40, "Đại tràng", None, "K63.5"),
        Doing("PR-BIOPSY", "Sinh thiết qua nội soi", 15, "Dạ dày"),
    ),
}
VACCINES = (
    Vaccine("VX-FLU", "Vắc xin cúm mùa", ("FLU26A01", "FLU26A07", "FLU26B03")),
    Vaccine("VX-PPSV23", "Vắc xin phế cầu 23 týp", ("PPV2511", "PPV2602"), "Cơ bản"),
)


class Care:
    """Who gets what in a year. `visits` counts each person's visits by the letter of their keys."""

    def __init__(self, seed: int, scale: float, people: Sequence[int], visits: dict[str, Any]) -> None:
        random = Random(f"{seed}/care")  # noqa: S311 - a sample must be the same for the same seed
        at = [
            (index, letter, number)
            for letter, counts in visits.items()
            for index in sorted(counts)
            for number in range(counts[index])
        ]
        self.procedures = _by_person(random.sample(at, min(len(at), _share(_PROCEDURES, scale))))
        doses = [
            (index, number, number)
            for number, count in enumerate((_INFLUENZA, _PNEUMOCOCCAL))
            for index in random.sample(people, min(len(people), _share(count, scale)))
        ]
        self.vaccines = _by_person(doses)


def _share(count: int, scale: float) -> int:
    return max(1, round(count * scale))


def _by_person(found: list[tuple[int, Any, int]]) -> dict[int, list[tuple[Any, int]]]:
    people: dict[int, list[tuple[Any, int]]] = {}
    for index, what, number in sorted(found):
        people.setdefault(index, []).append((what, number))
    return people


_VISITS = {"H": "home", "N": "outpatient", "C": "trip"}


def procedures(plan: "Year", index: int, person: Person) -> Iterator[tuple[str, Row]]:
    """The person's procedures, each during a visit."""
    for place, (letter, number) in enumerate(plan.care.procedures.get(index, ()), 1):
        random = plan.random(index, f"procedure{place}")
        doing = random.choice(PROCEDURES[letter])
        at = plan.seen_at(index, _VISITS[letter], number) + timedelta(minutes=random.choice((10, 20, 30)))
        # One in twelve was planned and not done.
        done = random.random() > 1 / 12
        ended = at + timedelta(minutes=doing.minutes)
        yield (
            "procedure",
            {
                "key": f"{person.key}.T{place}",
                "cadre": person.key,
                "visit": f"{person.key}.{letter}{number + 1}",
                "code": doing.code,
                "name": doing.name,
                "status": "Đã thực hiện" if done else "Không thực hiện",
                "started_at": f"{at:%d/%m/%Y %H:%M}",
                "ended_at": f"{ended:%d/%m/%Y %H:%M}" if done else None,
                "body_site": doing.body_site,
                "outcome": doing.outcome if done else None,
                "icd10": doing.icd10,
            },
        )


def immunizations(plan: "Year", index: int, person: Person) -> Iterator[tuple[str, Row]]:
    """The person's doses; half of them are given at the check-up, the others at a vaccination point."""
    for place, (which, _) in enumerate(plan.care.vaccines.get(index, ()), 1):
        random = plan.random(index, f"vaccine{place}")
        vaccine = VACCINES[which]
        checkup = plan.seen_at(index, "checkup")
        together = random.random() < 0.5
        at = checkup + (timedelta(hours=2) if together else timedelta(days=random.randint(14, 60)))
        given = random.random() > 0.04
        yield (
            "immunization",
            _dose(random, vaccine, person, at, together=together, given=given)
            | {"key": f"{person.key}.X{place}"},
        )


def _dose(
    random: Random, vaccine: Vaccine, person: Person, at: datetime, *, together: bool, given: bool
) -> Row:
    row: Row = {
        "cadre": person.key,
        "visit": f"{person.key}.K1" if together else None,
        "vaccine": vaccine.code,
        "name": vaccine.name,
        "given_at": f"{at:%d/%m/%Y %H:%M}" if together else f"{at:%d/%m/%Y}",
        "status": "Đã tiêm" if given else "Không tiêm",
    }
    if not given:
        return row | {"reason_not_done": "Đang sốt, hoãn tiêm"}
    return row | {
        "lot": random.choice(vaccine.lots),
        "dose_number": 1 if vaccine.series else None,
        "series": vaccine.series,
        "site": "Cơ delta trái",
        "expires_on": f"{date(at.year + 1, 6, 30):%d/%m/%Y}",
    }

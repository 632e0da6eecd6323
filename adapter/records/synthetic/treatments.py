"""What is done to people besides examining them: minor procedures and vaccinations.

Drawn from generators of their own, so that the rest of the sample does not depend on them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from adapter.records.synthetic.people import FictitiousPerson
from adapter.records.synthetic.plan import SamplePlan

__all__ = ["PROCEDURES", "VACCINES", "immunization_rows", "procedure_rows"]

SheetRow = dict[str, Any]


@dataclass(frozen=True)
class SampleProcedure:
    """A procedure of mappings/codes/procedures.csv, how long it takes, and where on the body."""

    code: str
    name: str
    minutes: int
    body_site: str | None = None
    outcome: str | None = None
    icd10: str | None = None


@dataclass(frozen=True)
class SampleVaccine:
    """A vaccine of mappings/codes/vaccines.csv, with the lots of the year."""

    code: str
    name: str
    lots: tuple[str, ...]
    series: str | None = None


# By the letter of the visit's key: H at home, N outpatient, C escorted trip.
PROCEDURES = {
    "H": (
        SampleProcedure("PR-DRESS", "Thay băng vết thương", 20, "Cẳng chân phải", "Vết thương khô", "L97"),
        SampleProcedure("PR-INFUS", "Truyền dịch tĩnh mạch", 90, "Tay trái", "Không tai biến"),
        SampleProcedure("PR-CATHU", "Đặt sonde tiểu", 20, None, "Nước tiểu trong", "N40"),
        SampleProcedure("PR-NGT", "Đặt sonde dạ dày", 15, None, None, "I69.3"),
        SampleProcedure("PR-NEB", "Khí dung thuốc", 20, None, "Đỡ khó thở", "J44.9"),
    ),
    "N": (
        SampleProcedure("PR-SUTREM", "Cắt chỉ", 10, "Bàn tay trái", "Vết mổ liền tốt"),
        SampleProcedure("PR-JOINT", "Tiêm nội khớp", 20, "Khớp gối phải", None, "M17.9"),
        SampleProcedure("PR-EAR", "Lấy ráy tai", 10, "Tai phải", "Màng nhĩ bình thường", "H61.2"),
        SampleProcedure("PR-DRESS", "Thay băng vết thương", 20, "Bàn chân trái"),
    ),
    "C": (
        SampleProcedure("PR-EGD", "Nội soi thực quản, dạ dày, tá tràng", 20, "Dạ dày", None, "K29.5"),
        SampleProcedure("PR-COL", "Nội soi đại trực tràng", 40, "Đại tràng", None, "K63.5"),
        SampleProcedure("PR-BIOPSY", "Sinh thiết qua nội soi", 15, "Dạ dày"),
    ),
}
VACCINES = (
    SampleVaccine("VX-FLU", "Vắc xin cúm mùa", ("FLU26A01", "FLU26A07", "FLU26B03")),
    SampleVaccine("VX-PPSV23", "Vắc xin phế cầu 23 týp", ("PPV2511", "PPV2602"), "Cơ bản"),
)


_VISITS = {"H": "home", "N": "outpatient", "C": "trip"}


def procedure_rows(plan: SamplePlan, index: int, person: FictitiousPerson) -> Iterator[tuple[str, SheetRow]]:
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


def immunization_rows(
    plan: SamplePlan, index: int, person: FictitiousPerson
) -> Iterator[tuple[str, SheetRow]]:
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
    random: Random,
    vaccine: SampleVaccine,
    person: FictitiousPerson,
    at: datetime,
    *,
    together: bool,
    given: bool,
) -> SheetRow:
    row: SheetRow = {
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

"""Who is seen when, and what comes of it. Each person is drawn by itself, so rows can be streamed."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from adapter.records.synthetic.clinical_values import (
    CHECKUP_MEASURES,
    FOLLOW_UP_CODES,
    HIV_MEASURE,
    HOME_VISIT_CODES,
    PAP_MEASURE,
    SampleMeasure,
    measured_value,
)
from adapter.records.synthetic.people import FictitiousPerson
from adapter.records.synthetic.plan import CENTRAL, FULL_SAMPLE_SIZE, PROVINCIAL, SamplePlan
from adapter.records.synthetic.treatments import immunization_rows, procedure_rows

__all__ = ["CENTRAL", "sample_year"]

SheetRow = dict[str, Any]
_LINGERING = (
    ("I10", "Tăng huyết áp vô căn"),
    ("E78.5", "Rối loạn lipid máu"),
    ("M17.9", "Thoái hóa khớp gối"),
)
_CONCLUSIONS = ("Đủ sức khỏe công tác", "Theo dõi huyết áp", None)
_BY_CODE = {measure.code: measure for measure in (*CHECKUP_MEASURES, HIV_MEASURE, PAP_MEASURE)}


def sample_year(
    seed: int = 1, cadres: int = FULL_SAMPLE_SIZE, year: int = 2026
) -> Iterator[tuple[str, SheetRow]]:
    """(kind, fields as they are written in the sheet) of the whole sample, kind after kind."""
    plan = SamplePlan(seed, cadres, year)
    for make in (_cadre, _visits, _measurements, _diagnoses, _referrals, procedure_rows, immunization_rows):
        for index, person in plan.people():
            yield from make(plan, index, person)


def _written_day(day: date, style: int) -> date | str:
    """All the ways in which real lists write dates."""
    if style == 0:
        return day
    if style == 1:
        return f"{day:%Y%m%d}"
    return f"{day:%Y-%m-%d}" if style == 2 else f"{day:%d/%m/%Y}"


def _cadre(_plan: SamplePlan, index: int, person: FictitiousPerson) -> Iterator[tuple[str, SheetRow]]:
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


def _visit(key: str, person: FictitiousPerson, type_: str, at: datetime, **more: Any) -> tuple[str, SheetRow]:
    return "visit", {
        "key": f"{person.key}.{key}",
        "cadre": person.key,
        "type": type_,
        "started_at": f"{at:%d/%m/%Y %H:%M}",
        **more,
    }


def _visits(plan: SamplePlan, index: int, person: FictitiousPerson) -> Iterator[tuple[str, SheetRow]]:
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
    visit: str, measure: SampleMeasure, value: str | int, *, abnormal: bool = False
) -> tuple[str, SheetRow]:
    row: SheetRow = {
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


def _measurements(plan: SamplePlan, index: int, person: FictitiousPerson) -> Iterator[tuple[str, SheetRow]]:
    yield from _checkup(plan, index, person)
    for kind, count, codes in (
        ("N", plan.outpatient[index], FOLLOW_UP_CODES),
        ("H", plan.home[index], HOME_VISIT_CODES),
    ):
        for number in range(count):
            random = plan.random(index, f"measured{kind}{number}")
            for code in codes:
                measure = _BY_CODE[code]
                yield _measurement(
                    f"{person.key}.{kind}{number + 1}", measure, measured_value(random, measure)
                )


def _checkup(plan: SamplePlan, index: int, person: FictitiousPerson) -> Iterator[tuple[str, SheetRow]]:
    random = plan.random(index, "checkup-values")
    case = plan.cases.get(index)
    found = dict(case.condition.values) if case else {}
    sex = "male" if person.male else "female"
    values: dict[str, str | int] = {}
    extra = [HIV_MEASURE] * (random.random() < 0.03) + [PAP_MEASURE] * (
        not person.male and random.random() < 0.3
    )
    for measure in (*CHECKUP_MEASURES, *extra):
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


def _diagnoses(plan: SamplePlan, index: int, person: FictitiousPerson) -> Iterator[tuple[str, SheetRow]]:
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


def _referrals(plan: SamplePlan, index: int, person: FictitiousPerson) -> Iterator[tuple[str, SheetRow]]:
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

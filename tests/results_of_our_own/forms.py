"""What was found, in every form that a result can have; none of it may be lost."""

from decimal import Decimal
from typing import Any

from results_of_our_own.row import (
    MEANT,
    RESULTS,
    UCUM,
    Row,
    World,
    amount,
    coded,
    of,
    post,
    result,
)

__all__ = ["FORM_ROWS"]

FLAGS = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"


def _an(world: World, **content: Any) -> dict[str, Any]:
    return result(world, world.person("AN"), **content)


def _form(name: str, record: dict[str, Any], **content: Any) -> Row:
    """One Observation of his."""
    return Row(name, lambda w: [post(_an(w, **content))], [of("AN")], record)


def _flag(code: str, **more: Any) -> dict[str, Any]:
    return coded(code, system=FLAGS, **more)


FORM_ROWS = (
    # numbers and their units
    _form("a number", {"value": "4.10 mmol/L"}, valueQuantity=amount("4.10", "mmol/L")),
    _form("less than", {"value": "<0.01 ng/mL"}, valueQuantity=amount("0.01", "ng/mL", comparator="<")),
    _form("at least", {"value": ">=100 mg/L"}, valueQuantity=amount("100", "mg/L", comparator=">=")),
    _form("a number below nought", {"value": "-2.5 mmol/L"}, valueQuantity=amount("-2.5", "mmol/L")),
    _form("nought", {"value": "0 /uL"}, valueQuantity=amount("0", "/uL")),
    _form(
        "many digits",
        {"value": "0.000000000123 mol/L"},
        valueQuantity=amount("0.000000000123", "mol/L"),
    ),
    _form(
        "another unit, converted where that is exact",
        {"value": "13.5 g/dL", "content.local.value": "135", "content.local.unit": "g/L"},
        code=coded("718-7", "Huyết sắc tố"),
        valueQuantity=amount("13.5", "g/dL"),
    ),
    _form(
        "another unit, that cannot be converted exactly",
        {"value": "98 mg/dL", "content.local": None},
        code=coded("2345-7", "Glucose"),
        valueQuantity=amount("98", "mg/dL"),
    ),
    _form(
        "a unit whose text contradicts its code",
        {"value": "1.2 mg/dL ≠ umol/L", "content.contradictions": ["unit"]},
        code=coded("2160-0", "Creatinin"),
        valueQuantity=amount("1.2", "mg/dL", "umol/L"),
    ),
    _form("a unit in words alone", {"value": "35 UI/L"}, valueQuantity={"value": 35, "unit": "UI/L"}),
    _form("no unit", {"value": "1.2"}, valueQuantity={"value": Decimal("1.2")}),
    _form(
        "a code that is no UCUM",
        {"value": "120 mmHg"},
        valueQuantity={"value": 120, "unit": "mmHg", "system": UCUM, "code": "mmHg"},
    ),
    _form(
        "per millilitre", {"value": "250000 cps/mL"}, valueQuantity=amount("250000", "cps/mL", "{copies}/mL")
    ),
    # other values
    _form("words", {"value": "âm tính"}, valueString="âm tính"),
    _form(
        "very many words",
        {"value": "Mô tả. " * 900 + "KẾT LUẬN: K"},
        valueString="Mô tả. " * 900 + "KẾT LUẬN: K",
    ),
    _form(
        "a coded finding",
        {"value": "Dương tính / POS", "content.value.concept.codings.0.code": "POS"},
        valueCodeableConcept=coded("POS", "Dương tính", RESULTS),
    ),
    _form("yes or no", {"value": "false"}, valueBoolean=False),
    _form("a whole number", {"value": "0"}, valueInteger=0),
    _form(
        "a range",
        {"value": "0 {cells}/[HPF] – 5 {cells}/[HPF]"},
        valueRange={"low": amount("0", "{cells}/[HPF]"), "high": amount("5", "{cells}/[HPF]")},
    ),
    _form("a range with a high alone", {"value": "≤5 mmol/L"}, valueRange={"high": amount("5", "mmol/L")}),
    _form("a titre", {"value": "1/80"}, valueRatio={"numerator": {"value": 1}, "denominator": {"value": 80}}),
    _form("a time", {"value": "07:30:00"}, valueTime="07:30:00"),
    _form("a day", {"value": "2026-03"}, valueDateTime="2026-03"),
    _form(
        "a period",
        {"value": "2026-03-01 - 2026-03-07"},
        valuePeriod={"start": "2026-03-01", "end": "2026-03-07"},
    ),
    _form(
        "samples",
        {"value": "0 mV + 1 2 E 4"},
        valueSampledData={"origin": amount("0", "mV"), "period": 10, "dimensions": 1, "data": "1 2 E 4"},
    ),
    _form(
        "no value, and why",
        {"value": "(mẫu đông / clotted)"},
        valueQuantity=None,
        dataAbsentReason=coded("clotted", "mẫu đông", RESULTS),
    ),
    _form(
        "no value, by an extension",
        {"value": "(masked)"},
        _valueString={
            "extension": [
                {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}
            ]
        },
    ),
    # what a value means nothing without
    _form(
        "a flag, a range and a remark",
        {"value": "7.1 mmol/L [HH]", "conclusion": "HH; mẫu tán huyết, không tin cậy"},
        valueQuantity=amount("7.1", "mmol/L"),
        interpretation=[_flag("HH")],
        referenceRange=[{"low": amount("3.5", "mmol/L"), "high": amount("5.1", "mmol/L")}],
        note=[{"text": "mẫu tán huyết, không tin cậy"}],
    ),
    _form(
        "ranges for two ages",
        {"content.ranges.1.text": "nam trên 60"},
        referenceRange=[
            {"high": amount("5", "mmol/L"), "age": {"high": amount("60", "a")}},
            {"high": amount("6", "mmol/L"), "text": "nam trên 60"},
        ],
    ),
    _form(
        "of 24 hours' urine",
        {"title": f"{MEANT} (nước tiểu 24 giờ; bàng quang; Jaffe)"},
        specimen={"display": "nước tiểu 24 giờ"},
        bodySite={"text": "bàng quang"},
        method={"text": "Jaffe"},
    ),
    _form(
        "a code of the hospital's own alone",
        {"title": "Ure / URE", "content.code.codings.0.code": "URE"},
        code={"coding": [{"system": RESULTS, "code": "URE"}], "text": "Ure"},
    ),
    _form("a code in words alone", {"title": "Đường máu mao mạch"}, code={"text": "Đường máu mao mạch"}),
)

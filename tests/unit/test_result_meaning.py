"""Whatever a hospital pushes, the record means the same: 300 generated results, compared in their meaning.

A generated result is sent as bytes, read into a record, stored and read again. What it says is looked for in
the record, each thing where it belongs; and no text or number may be missing.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapter.fhir import codec
from adapter.mapping.result_extraction import ResultFields, extract_result
from adapter.mapping.result_reading.measures import KnownMeasures
from adapter.mapping.terminology.table_files import load_code_tables
from adapter.records.model import Result
from adapter.records.serialisation import parse_record, serialise_record
from adapter.result_content import Amount, CodedConcept, ResultContent, ResultPart

NOW = datetime(2026, 4, 1, tzinfo=UTC)
KNOWN = KnownMeasures(load_code_tables(Path(__file__).parents[2] / "mappings" / "codes", []))
UCUM = "http://unitsofmeasure.org"
_WORDS = st.sampled_from(
    [
        "âm tính",
        "Kali máu",
        "HER2 3+",
        "<script>",
        "=1+1",
        "mẫu tán huyết",
        "x" * 5000,
        "KẾT LUẬN:\nCARCINOMA",
    ]
)
_CODES = st.sampled_from(["2823-3", "718-7", "C34.1", "HH", "POS", "K01"])
_SYSTEMS = st.sampled_from(["http://loinc.org", "http://hl7.org/fhir/sid/icd-10", "https://bv.example/codes"])
_NUMBERS = st.sampled_from(["0", "0.0", "5.30", "-5", "1E+3", "0.000001", "7.1", "250.000", "13.50"]).map(
    Decimal
)
_UNITS = st.sampled_from(
    [("mmol/L", "mmol/L"), ("g/dL", "g/dL"), ("U/L", "U/L"), ("mg/dL", "umol/L"), ("lần", None)]
)


@st.composite
def _concept(draw: st.DrawFn) -> dict[str, Any]:
    codings = draw(
        st.lists(
            st.fixed_dictionaries({"system": _SYSTEMS, "code": _CODES}, optional={"display": _WORDS}),
            max_size=3,
        )
    )
    text = draw(_WORDS if not codings else st.none() | _WORDS)
    return ({"coding": codings} if codings else {}) | ({"text": text} if text else {})


@st.composite
def _amount(draw: st.DrawFn, comparator: bool = False) -> dict[str, Any]:
    unit, code = draw(_UNITS)
    made: dict[str, Any] = {"value": draw(_NUMBERS), "unit": unit}
    if code:
        made |= {"system": UCUM, "code": code}
    if comparator and (sign := draw(st.sampled_from([None, "<", ">=", ">"]))):
        made["comparator"] = sign
    return made


_RANGE = st.fixed_dictionaries({}, optional={"low": _amount(), "high": _amount()}).filter(bool)
_VALUE = st.one_of(
    st.tuples(st.just("valueQuantity"), _amount(comparator=True)),
    st.tuples(st.just("valueCodeableConcept"), _concept()),
    st.tuples(st.just("valueString"), _WORDS),
    st.tuples(st.just("valueBoolean"), st.booleans()),
    st.tuples(st.just("valueInteger"), st.integers(-9, 99)),
    st.tuples(st.just("valueRange"), _RANGE),
    st.tuples(
        st.just("valueRatio"), st.fixed_dictionaries({"numerator": _amount(), "denominator": _amount()})
    ),
    st.tuples(st.just("valueDateTime"), st.sampled_from(["2026", "2026-03-01", "2026-03-01T07:00:00+07:00"])),
    st.tuples(st.just("dataAbsentReason"), _concept()),
)


@st.composite
def _part(draw: st.DrawFn) -> dict[str, Any]:
    name, value = draw(_VALUE)
    made = {"code": draw(_concept()), name: value}
    if flags := draw(st.lists(_concept(), max_size=2)):
        made["interpretation"] = flags
    if ranges := draw(st.lists(_RANGE, max_size=2)):
        made["referenceRange"] = ranges
    return made


@st.composite
def _observation(draw: st.DrawFn, id_: str | None = None) -> dict[str, Any]:
    made = {"resourceType": "Observation", "status": draw(st.sampled_from(["final", "preliminary"]))}
    made |= draw(_part()) | ({"id": id_} if id_ else {})
    for name, strategy in (
        ("component", st.lists(_part(), max_size=3)),
        ("note", st.lists(st.fixed_dictionaries({"text": _WORDS}), max_size=2)),
        ("bodySite", st.none() | _concept()),
        ("method", st.none() | _concept()),
    ):
        if value := draw(strategy):
            made[name] = value
    return made


@st.composite
def _report(draw: st.DrawFn) -> dict[str, Any]:
    contained = [draw(_observation(f"m{n}")) for n in range(draw(st.integers(0, 3)))]
    listed = [{"reference": f"#{one['id']}"} for one in contained if draw(st.booleans())]
    made: dict[str, Any] = {"resourceType": "DiagnosticReport", "status": "final", "code": draw(_concept())}
    for name, value in (
        ("contained", contained),
        ("result", listed),
        ("conclusion", draw(st.none() | _WORDS)),
        ("conclusionCode", draw(st.lists(_concept(), max_size=2))),
        ("performer", draw(st.sampled_from([[], [{"display": "BS Minh"}]]))),
    ):
        if value:
            made[name] = value
    return made


@st.composite
def _procedure(draw: st.DrawFn) -> dict[str, Any]:
    made: dict[str, Any] = {"resourceType": "Procedure", "status": "completed", "code": draw(_concept())}
    made["subject"] = {"reference": "Patient/1"}
    for name in ("outcome", "complication", "followUp", "bodySite", "reasonCode"):
        if value := draw(st.none() | _concept()):
            made[name] = value if name == "outcome" else [value]
    return made


def _recorded(sent: dict[str, Any]) -> ResultContent:
    """As it stands in the record after it was sent as bytes, stored, and read again."""
    fields = extract_result(
        codec.loads(codec.dumps(sent)),
        hospital="h",
        key="R",
        cadre="C",
        referral=None,
        received_at=NOW,
        known=KNOWN,
    )
    made = Result.model_validate({name: getattr(fields, name) for name in ResultFields.__slots__})
    result = parse_record(Result.kind, serialise_record(made))
    assert isinstance(result, Result)
    assert result.content is not None
    assert codec.loads(result.resource) == sent
    return result.content


def _same_concept(sent: dict[str, Any] | None, held: CodedConcept | None) -> None:
    if sent is None:
        assert held is None
        return
    assert held is not None
    assert held.text == sent.get("text")
    names = ("system", "code", "display")
    assert [tuple(getattr(one, name) for name in names) for one in held.codings] == [
        tuple(one.get(name) for name in names) for one in sent.get("coding", ())
    ]


def _same_amount(sent: dict[str, Any] | None, held: Amount | None) -> None:
    if sent is None:
        assert held is None
        return
    assert held is not None
    assert held.value == codec.plain_decimal(sent["value"])
    assert (held.comparator, held.unit, held.code) == tuple(map(sent.get, ("comparator", "unit", "code")))
    assert held.contradicts is (sent["unit"] == "mg/dL"), "whose code is umol/L"
    assert held.value in held.words
    assert sent["unit"] in held.words


def _same_part(sent: dict[str, Any], held: ResultPart) -> None:
    _same_concept(sent["code"], held.code)
    _same_concept(sent.get("dataAbsentReason"), held.absent)
    for flag, concept in zip(sent.get("interpretation", ()), held.flags, strict=True):
        _same_concept(flag, concept)
    for one, range_ in zip(sent.get("referenceRange", ()), held.ranges, strict=True):
        _same_amount(one.get("low"), range_.low)
        _same_amount(one.get("high"), range_.high)
        if "low" not in one:
            assert range_.words.startswith("≤"), "a high alone is no negative number"
    name = next((name for name in sent if name.startswith("value")), None)
    assert (held.value is None) is (name is None)
    if held.value is None or name is None:
        return
    said, value = sent[name], held.value
    assert value.type.casefold() == name.removeprefix("value").casefold()
    if name == "valueCodeableConcept":
        _same_concept(said, value.concept)
    elif name == "valueQuantity":
        _same_amount(said, value.amount)
    elif isinstance(said, dict):
        for end in ("low", "high", "numerator", "denominator"):
            _same_amount(said.get(end), getattr(value, end))
    else:
        assert value.text == (str(said).lower() if isinstance(said, bool) else str(said))


def _same(sent: dict[str, Any], held: ResultContent) -> None:
    assert (held.type, held.status) == (sent["resourceType"], sent["status"])
    if held.type == "Observation":
        _same_part(sent, held)
        for one, part in zip(sent.get("component", ()), held.components, strict=True):
            _same_part(one, part)
        assert [one.text for one in held.notes] == [one["text"] for one in sent.get("note", ())]
        _same_concept(sent.get("method"), held.method)
    _same_concept(sent["code"], held.code)
    assert held.conclusion == sent.get("conclusion")
    for name, concepts in (("conclusionCode", held.conclusion_codes), ("complication", held.complications)):
        assert len(concepts) == len(sent.get(name, ()))
        for one, concept in zip(sent.get(name, ()), concepts, strict=True):
            _same_concept(one, concept)
    _same_concept(sent.get("outcome"), held.outcome)
    members = {one["id"]: one for one in sent.get("contained", ())}
    assert len(held.members) == len(members)
    for member in held.members:
        assert member.content is not None
        _same(members[(member.reference or "").removeprefix("#")], member.content)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _leaves(one)
    elif isinstance(value, bool):
        yield str(value).lower()
    else:
        yield codec.plain_decimal(value) if isinstance(value, Decimal) else str(value)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(_observation(), _report(), _procedure()))
def test_the_record_means_what_was_pushed(sent: dict[str, Any]) -> None:
    held = _recorded(sent)
    _same(sent, held)
    there = set(_leaves(held.model_dump(mode="json")))
    words = set(_leaves({name: value for name, value in sent.items() if name != "subject"}))
    ids = {f"m{n}" for n in range(3)}
    assert {one.strip() for one in words} - there - ids == set()

"""Whatever a record holds, its mapping raises nothing but MappingError, and what leaves is valid or parked.

Records of every kind with values that their types allow and nobody expects: any Unicode, composed or
not, control characters, empty texts, first and last dates, odd offsets, numbers of any size. The same
examples are tried on every run; `ADAPTER_EXAMPLES=2000` tries so many new ones.
"""

import os
import string
import types
import typing
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mapping_support import context, mappings
from pydantic import BaseModel, ValidationError

from adapter.errors import MappingError
from adapter.fhir import codec
from adapter.fhir.paths import leaf_values
from adapter.fhir.validation.checker import check_resource
from adapter.mapping.engine import MappingEngine
from adapter.mapping.trace import TracingEngine
from adapter.pipeline.application import Adapter
from adapter.pipeline.desired_state.desired import DesiredState, desired_state
from adapter.pipeline.destination import Destination
from adapter.records.model import MAPPED_TYPES, Cadre, Measurement, Record, Referral, Visit
from adapter.records.partial_dates import PartialDate
from adapter.result_content import ResultMember
from adapter.settings import HospitalSettings, Settings

MORE = os.environ.get("ADAPTER_EXAMPLES")
often = settings(
    max_examples=int(MORE) if MORE else 100,
    derandomize=not MORE,
    deadline=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
rarely = settings(often, max_examples=int(MORE) // 4 if MORE else 30)

OFFSETS = st.sampled_from(
    [UTC, *(timezone(timedelta(minutes=minutes)) for minutes in (420, 345, -570, 840, -720, 1439))]
)
MOMENTS = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=OFFSETS)  # noqa: DTZ001 - hypothesis adds the zone
NUMBERS = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        [Decimal("1E+400"), Decimal("1E-400"), Decimal("-0"), Decimal("0.0000"), Decimal(10**40)]
    ),
)
ODD = (
    "",
    " ",
    "\x00",
    "\x1f",
    "\u200b",
    "e\u0323\u0302",
    "\ufeff",
    "\U0001f9ea",
    "\u2028",
    "\\",
    '"',
    "{{ m }}",
)
TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(ODD),
    st.tuples(st.sampled_from(ODD), st.text(alphabet=string.printable, max_size=8)).map("".join),
)
KNOWN = {
    "measure": ("BIO-GLU", "VS-BP", "SER-HIV", "CLS-TT14", "EX-VA-R", "URI-PRO", "IMM-AFP"),
    "unit": ("mmol/L", "mg/dL", "G/L", "%", "mmHg", "cm", "µmol/L", "μmol/l", "U/mL"),
    "value": (
        "5.30",
        "<0.1",
        "≥ 9",
        "120/80",
        "1/80",
        "5-10",
        "8/10",
        "âm tính",
        "ĐNT 3m",
        "+++",
        "9" * 40,
        "NaN",
    ),
    "icd10": ("K29.7", "B20", "I10", "k29.7†", "Z"),
    "hospital": ("bv-tinh", "bv-trung-uong"),
}


def of(annotation: Any, name: str) -> st.SearchStrategy[Any]:
    """Any value that a field of this type may hold."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*(of(option, name) for option in inner))
    if origin is typing.Literal:
        return st.sampled_from(inner)
    if origin is tuple:
        return st.lists(of(inner[0], name), max_size=3).map(tuple)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return st.sampled_from(list(annotation))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        parts = {part: field.annotation for part, field in annotation.model_fields.items()}
        if annotation is ResultMember:  # whose content may have members, and so on without end
            parts["content"] = type(None)
        return st.builds(annotation, **{part: of(kind, part) for part, kind in parts.items()})
    if annotation is str:
        known = KNOWN.get(name)
        return st.one_of(st.sampled_from(known), TEXTS) if known else TEXTS
    return {
        type(None): st.none(),
        int: st.integers(-(10**12), 10**12),
        bool: st.booleans(),
        date: st.dates(),
        PartialDate: st.dates().flatmap(lambda day: st.sampled_from((f"{day:%Y}".zfill(4), str(day)[:7]))),
        datetime: MOMENTS,
        Decimal: NUMBERS,
    }[annotation]


def records(kind: str, **fixed: Any) -> st.SearchStrategy[Record]:
    type_ = MAPPED_TYPES[kind]
    fields = {name: of(field.annotation, name) for name, field in type_.model_fields.items()}
    given_ = {name: st.just(value) for name, value in fixed.items() if name in fields}
    return st.builds(type_, **fields | given_)


@pytest.fixture(scope="module")
def outlets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Destination, ...]]:
    """The two hospitals of the sample, with the policy that is shipped."""
    folder = tmp_path_factory.mktemp("properties")
    (folder / "identity.key").write_text("0123456789abcdef0123456789abcdef")
    system = {"citizen_id": "http://fhir.ehealth.gov.vn/core/sid/citizen_id"}
    adapter = Adapter.open(
        Settings(
            identity_key=f"file:{folder / 'identity.key'}",
            database_url=f"sqlite:///{folder / 'adapter.db'}",
            hospitals={
                name: HospitalSettings(
                    display=name, level=level, base_url="http://hospital.test/fhir", systems=system
                )
                for name, level in (("bv-tinh", "provincial"), ("bv-trung-uong", "central"))
            },
        )
    )
    with adapter:
        yield tuple(adapter.destination(name) for name in adapter.settings.hospitals)


def fresh() -> MappingEngine:
    return mappings().engine(context())


def mapped(engine: MappingEngine, record: Record, visit: Record | None) -> list[bytes] | None:
    """The bytes of what a record becomes; None where the mapping says that it cannot."""
    try:
        return [codec.dumps(one.resource) for one in engine.map(record, visit=visit)]
    except MappingError:
        return None


@pytest.mark.parametrize("kind", MAPPED_TYPES)
def test_a_mapping_raises_only_its_own_error_and_gives_the_same_bytes(kind: str) -> None:
    used = fresh()

    @often
    @given(record=records(kind), visit=st.none() | records(Visit.kind))
    def holds(record: Record, visit: Record | None) -> None:
        made = mapped(used, record, visit)
        assert made == mapped(used, record, visit)
        assert made == mapped(used, type(record).model_validate(record.model_dump()), visit)
        for body in made or ():
            assert codec.dumps(codec.loads(body)) == body

    holds()


@pytest.mark.parametrize("kind", MAPPED_TYPES)
def test_every_leaf_has_an_origin(kind: str) -> None:
    engine = fresh()
    tracer = TracingEngine(engine, lambda _kind, _key: True)

    @rarely
    @given(record=records(kind), visit=st.none() | records(Visit.kind))
    def holds(record: Record, visit: Record | None) -> None:
        tracer.found.clear()
        try:
            made = engine.map(record, visit=visit)
        except MappingError:
            return
        assert tracer.map(record, visit=visit) == made
        for traced in tracer.found:
            assert list(traced.leaves) == [path for path, _ in leaf_values(traced.resource)]
            ours = {path for path, origin in traced.leaves.items() if origin.place is None}
            identity = {("resourceType",), ("identifier", 0, "system"), ("identifier", 0, "value")}
            if traced.resource["resourceType"] == "Task":  # whose identifier says that it is the placer's
                named = ("system", "code", "display")
                identity |= {("identifier", 0, "type", "coding", 0, one) for one in named}
            assert ours == identity

    holds()


@st.composite
def people(draw: st.DrawFn) -> list[Record]:
    """A person with one record of each kind or more, that belong together."""
    person = draw(records(Cadre.kind, key="C1"))
    visit = draw(records(Visit.kind, key="V1", cadre="C1"))
    others = [kind for kind in MAPPED_TYPES if kind not in (Cadre.kind, Visit.kind, "result", "centre")]
    listed: list[Record] = [person, visit]
    for number, kind in enumerate(sorted(others, key=[*MAPPED_TYPES].index)):
        listed.append(draw(records(kind, key=f"R{number}", cadre="C1", visit="V1")))
    return listed


def held(outlet: Destination, listed: list[Record]) -> DesiredState:
    return desired_state(outlet, listed)


@rarely
@given(listed=people())
def test_what_leaves_is_valid_or_parked(outlets: tuple[Destination, ...], listed: list[Record]) -> None:
    for outlet in outlets:
        found = held(outlet, listed)
        assert found.desired == held(outlet, listed).desired
        for desired in found.desired:
            if desired.problem is not None:
                continue
            resource = codec.loads(desired.body)
            assert [issue for issue in check_resource(resource) if issue.is_error] == []
            try:
                get_fhir_model_class(desired.type).model_validate(resource)
            except ValidationError as problem:
                pytest.fail(f"{desired.type}: {problem.errors(include_url=False)}")


def test_the_examples_reach_every_outcome(outlets: tuple[Destination, ...]) -> None:
    """Were everything parked, or nothing, the property above would say little."""
    outcomes = set()

    @rarely
    @given(listed=people())
    def look(listed: list[Record]) -> None:
        for outlet in outlets:
            outcomes.update(
                (desired.type, desired.problem is None) for desired in held(outlet, listed).desired
            )

    look()
    assert {("Patient", True), ("Observation", True), ("Encounter", True)} <= outcomes
    assert any(not valid for _, valid in outcomes)
    assert {Measurement.kind, Referral.kind} <= MAPPED_TYPES.keys()

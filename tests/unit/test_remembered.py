"""What is remembered of elements that come back in many resources changes nothing in what leaves."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from mapping_support import FIELDS, MAPPINGS, context, engine

from adapter.bounded_cache import BoundedCache
from adapter.disclosure import pseudonymisation, text_guard
from adapter.fhir import codec
from adapter.fhir.validation import checker
from adapter.fhir.validation.checker import check_resource
from adapter.ledger.schema.values import DesiredResource
from adapter.mapping import engine as engines
from adapter.mapping.loader import Mappings
from adapter.mapping.terminology.code_tables import CodeTables
from adapter.mapping.terminology.table_files import load_code_tables
from adapter.mapping.transforms.transforms import TRANSFORM_SPECS
from adapter.pipeline.application import Adapter
from adapter.pipeline.desired_state.desired import desired_state
from adapter.records.importing import importer
from adapter.records.model import Measurement, Visit
from adapter.settings import HospitalSettings, Settings

SMALL = Path("fixtures/sample/small.xlsx")
NOW = datetime(2026, 11, 2, 1, 0, tzinfo=UTC)


@pytest.fixture
def forgetting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered from one resource to the next."""
    monkeypatch.setattr(engines, "_REMEMBERED", 0)
    monkeypatch.setattr(CodeTables, "cache_size", 0)
    monkeypatch.setattr(checker, "_right", BoundedCache(0))
    monkeypatch.setattr(text_guard, "_REMEMBERED", 0)
    monkeypatch.setattr(text_guard, "_collected", BoundedCache(0))
    monkeypatch.setattr(pseudonymisation, "_left", BoundedCache(0))


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Adapter]:
    """The small sample, and its two hospitals."""
    (tmp_path / "identity.key").write_text("0123456789abcdef0123456789abcdef")
    settings = Settings(
        identity_key=f"file:{tmp_path / 'identity.key'}",
        database_url=f"sqlite:///{tmp_path / 'adapter.db'}",
        hospitals={
            name: HospitalSettings(display=name, level=level, base_url="http://hospital.test/fhir")
            for name, level in (("bv-tinh", "provincial"), ("bv-trung-uong", "central"))
        },
    )
    with Adapter.open(settings) as adapter:
        importer.run_import(
            adapter.engine,
            [SMALL],
            max_deletions_percent=3,
            known_hospitals=frozenset(settings.hospitals),
            now=NOW,
        )
        yield adapter


def everything(adapter: Adapter) -> list[DesiredResource]:
    found: list[DesiredResource] = []
    for name in adapter.settings.hospitals:
        outlet = adapter.destination(name)
        for cadre, _ in adapter.records.changed_cadres(0, 100):
            found += desired_state(outlet, adapter.records.of_cadre(cadre)).desired
    return found


def test_the_sample_is_the_same_with_and_without_a_memory(
    centre: Adapter, request: pytest.FixtureRequest
) -> None:
    remembered = everything(centre)
    assert everything(centre) == remembered
    for one in remembered:
        assert codec.dumps(codec.loads(one.body)) == one.body
    request.getfixturevalue("forgetting")
    assert everything(centre) == remembered
    assert len(remembered) > 1000


def measured(**fields: Any) -> Measurement:
    given = {"key": "M1", "cadre": "C1", "visit": "V1", "measure": "BIO-CHOL", "value": "5.30"}
    return Measurement.model_validate({**given, "unit": "mmol/L", **fields})


def test_what_python_calls_equal_is_told_apart() -> None:
    used = engine()
    limits = [Decimal("3.9"), Decimal("3.90"), Decimal("3.900")]
    assert len(set(limits)) == 1
    made = [
        used.map(measured(low=limit))[0].resource["referenceRange"][0]["low"]["value"] for limit in limits
    ]
    assert [str(value) for value in made] == ["3.9", "3.90", "3.900"]


@pytest.mark.parametrize(
    ("table", "fields"),
    [
        ("measures", {"measure": "XX-NONE", "name": "Chỉ số lạ"}),
        ("qualitative", {"measure": "URI-PRO", "value": "lơ lớ", "unit": None}),
    ],
)
def test_a_code_that_nobody_knows_is_counted_each_time(table: str, fields: dict[str, Any]) -> None:
    def counted(*keys: str) -> int:
        used = engine()
        for key in keys:
            used.map(measured(key=key, **fields))
        return sum(count for (of, _), count in used.unknown_codes.items() if of == table)

    assert counted("M1", "M2", "M3") == 3 * counted("M1") > 0


def test_who_and_when_are_never_taken_from_another_record() -> None:
    used = engine()
    visits = [
        Visit.model_validate(
            {
                "key": f"V{n}",
                "cadre": f"C{n}",
                "type": "checkup",
                "started_at": datetime(2026, 3, n, tzinfo=UTC),
            }
        )
        for n in (1, 2)
    ]
    one, two = (
        used.map(
            measured(key=f"M{n}", cadre=f"C{n}", visit=f"V{n}", measure="VIT-PULSE", unit=None), visit=visit
        )[0].resource
        for n, visit in enumerate(visits, 1)
    )
    own = ("identifier", "subject", "encounter")
    assert all(one[name] != two[name] for name in own)
    assert {name for name in one if one[name] != two[name]} <= {*own, "effectiveDateTime"}


WRONG = {"coding": [{"system": "http://loinc.org", "code": "2093-3", "display": 7}]}
RIGHT = {"coding": [{"system": "http://loinc.org", "code": "2093-3"}]}


def issues(**elements: Any) -> list[str | None]:
    resource = {"resourceType": "Observation", "status": "final", **elements}
    found = check_resource(resource, second_opinion=False, parts=codec.serialise_elements(resource))
    assert found == check_resource(resource, second_opinion=False)
    return [issue.expression for issue in found]


def test_an_element_that_is_wrong_is_said_each_time() -> None:
    for _ in range(3):
        assert issues(code=WRONG) == ["Observation.code.coding[0].display"]
        assert issues(code=RIGHT) == []
    assert issues(code=RIGHT, category=[RIGHT], basedOn=[{"reference": "Patient/1"}]) == [
        "Observation.basedOn[0].reference"
    ]
    assert issues(code=RIGHT, valueQuantity={"value": 5}, valueString="5") != []


def test_a_pointer_into_the_resource_is_followed_each_time() -> None:
    inside = {"resourceType": "Device", "id": "d"}
    for _ in range(2):
        assert issues(code=RIGHT, device={"reference": "#d"}, contained=[inside]) == []
        assert issues(code=RIGHT, device={"reference": "#d"}) == ["Observation.device"]
        assert issues(code=RIGHT, contained=[inside]) == ["Observation"]


def test_extensions_of_primitives_are_seen_beside_their_values() -> None:
    absent = {"extension": [{"url": "http://example.org/why", "valueCode": "masked"}]}
    request = {"status": "active", "intent": "order", "subject": {"reference": "Patient/1"}}
    for _ in range(2):
        resource = {"resourceType": "ServiceRequest", **request, "instantiatesUri": [None]}
        explained = {**resource, "_instantiatesUri": [absent]}
        assert (
            check_resource(explained, second_opinion=False, parts=codec.serialise_elements(explained)) == []
        )
        assert check_resource(resource, second_opinion=False, parts=codec.serialise_elements(resource)) != []


def test_the_same_bytes_are_another_thing_in_another_element() -> None:
    named = {"display": "tay"}  # a Coding keeps its display; of a CodeableConcept it is no element
    resource = {"resourceType": "Encounter", "class": named, "priority": named, "status": "finished"}
    for _ in range(2):
        left = pseudonymisation.without_free_text(resource, None, codec.serialise_elements(resource))
        assert left == pseudonymisation.without_free_text(resource, None)
        assert "class" in left
        assert "priority" not in left


def test_what_other_records_there_are_is_looked_at_each_time(tmp_path: Path) -> None:
    shutil.copytree(MAPPINGS, tmp_path / "mappings")
    path = tmp_path / "mappings" / "observation.yaml"
    before = "{{ m.status | code('observation-status') }}"
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, "{{ 'amended' if related.measurement else 'final' }}"), "utf-8")
    used = Mappings.load(tmp_path / "mappings", FIELDS).engine(context())
    alone, second = measured(), measured(key="M2")
    made = [used.map(alone), used.map(second, related={"measurement": [alone]}), used.map(alone)]
    assert [listed[0].resource["status"] for listed in made] == ["final", "amended", "final"]


class Only:
    """A measurement that shows the fields named, and no other."""

    def __init__(self, whole: Measurement, fields: tuple[str, ...]) -> None:
        self._whole = whole
        self._fields = fields

    def __getattr__(self, name: str) -> Any:
        if name not in self._fields:
            raise AssertionError(f"reads {name}")
        return getattr(self._whole, name)


@pytest.mark.parametrize("verb", [name for name, verb in TRANSFORM_SPECS.items() if verb.fields])
def test_a_verb_reads_of_a_record_what_it_says_that_it_reads(verb: str) -> None:
    run = engine()._filters[verb]
    for measure in ("BIO-CHOL", "URI-PRO", "VIT-BP", "XX-NONE"):
        for value in ("5.3", "5.3 mmol/L", "<0.1", "5-10", "1/80", "120/80", "âm tính", "lạ"):
            whole = measured(measure=measure, value=value, unit=None, low="3.9", high="5.2")
            assert run(Only(whole, TRANSFORM_SPECS[verb].fields)) == run(whole)


def test_limits_have_the_unit_of_their_own_value() -> None:
    run = engine()._filters["limits"]
    units = [
        run(measured(value=value, unit=None, low="3.9"))[0]["low"]["unit"]
        for value in ("5.3 mmol/L", "200 mg/dL")
    ]
    assert units == ["mmol/L", "mg/dL"]


def test_a_row_without_a_name_is_called_as_it_is_written() -> None:
    codes = load_code_tables(MAPPINGS / "codes", [])
    table = codes.tables["measures"]
    nameless = replace(table.concepts["BIO-CHOL"], display="")
    table = replace(table, concepts={**table.concepts, "BIO-CHOL": nameless})
    codes = replace(codes, tables={**codes.tables, "measures": table})
    concept = engines.MappingEngine((), codes, context())._filters["concept"]
    written = ["bio-chol", "BIO-CHOL", "Bio-Chol"]
    assert [concept(code, "measures")["text"] for code in written] == written

"""Where values came from, and refusals said of the record, on the small sample and the shipped mappings."""

import logging
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sample import open_to_pseudonyms
from sqlalchemy import text

from adapter.cli.terminal.refused import sentence
from adapter.delivery.http.client import HospitalClient
from adapter.delivery.worker import deliver
from adapter.errors import UsageError
from adapter.fhir import codec
from adapter.fhir.paths import leaf_values, path_text
from adapter.insights.explain_values import TracedResource, trace_resources
from adapter.insights.refusals import RefusedResource, locate_refused_values, refused_resources
from adapter.ledger.schema.states import EntryState
from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound.planning import update_ledger
from adapter.records.model import Cadre, Measurement, Tier
from adapter.settings import HospitalSettings, Settings
from adapter.testing import CAPABLE_SERVER, FakeHospital, ManualClock
from adapter.texts import set_language

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
NAMES = {"bv-tinh": "provincial", "bv-trung-uong": "central"}


@pytest.fixture
def adapter(brief_sqlite_url: str, tmp_path: Path) -> Iterator[Adapter]:
    (tmp_path / "identity.key").write_text("0123456789abcdef0123456789abcdef")
    hospitals = {
        name: HospitalSettings(display=f"Bệnh viện {name}", level=level, base_url="http://hospital.test/fhir")
        for name, level in NAMES.items()
    }
    mappings = shutil.copytree("mappings", tmp_path / "mappings")
    open_to_pseudonyms(mappings)
    settings = Settings(
        identity_key=f"file:{tmp_path / 'identity.key'}",
        hospitals=hospitals,
        database_url=brief_sqlite_url,
        mappings=mappings,
    )
    with Adapter.open(settings) as adapter:
        yield adapter


def planned(adapter: Adapter, name: str = "bv-tinh") -> None:
    update_ledger(adapter, adapter.destination(name), NOW, lambda *_: None)


def person(adapter: Adapter, *tiers: Tier) -> Cadre:
    return next(
        one for one in adapter.records.iterate("cadre") if isinstance(one, Cadre) and one.tier in tiers
    )


def creatinine(adapter: Adapter, *tiers: Tier) -> Measurement:
    return next(
        one
        for one in adapter.records.of_cadre(person(adapter, *tiers).key)
        if isinstance(one, Measurement) and one.measure == "BIO-CREA"
    )


def sent(adapter: Adapter, hospital: FakeHospital, name: str = "bv-tinh") -> None:
    planned(adapter, name)
    with HospitalClient(hospital.base, transport=hospital.transport, sleep=lambda _seconds: None) as client:
        deliver(
            name,
            client,
            adapter.ledger,
            system=adapter.settings.centre.identifier_system,
            timeout=5,
            lease_seconds=60,
            max_entries=50,
            max_bytes=1_000_000,
            concurrency=1,
            patience=5,
            card=CAPABLE_SERVER,
            clock=ManualClock(NOW, step=timedelta(milliseconds=1)),
            stop=threading.Event(),
        )


def checked(found: list[TracedResource]) -> None:
    for one in found:
        paths = [f"{one.type}.{path_text(path)}" for path, _ in leaf_values(one.resource)]
        assert [leaf.path for leaf in one.leaves] == paths
        assert all(leaf.by in ("mapping", "engine", "disclosure") for leaf in one.leaves)
        assert all(leaf.file and leaf.line and leaf.column for leaf in one.leaves if leaf.by == "mapping")


def test_every_leaf_of_all_that_a_person_sends_is_traced_as_the_ledger_has_it(adapter: Adapter) -> None:
    planned(adapter)
    for tier in (Tier.T3, Tier.T5):
        cadre = person(adapter, tier).key
        entries = adapter.ledger.entries("bv-tinh", [cadre])[cadre]
        assert entries
        for entry in entries[::7]:
            found = trace_resources(adapter, entry.type, entry.key, "bv-tinh")
            checked(found)
            [same] = [one for one in found if one.identity == entry.identity]
            assert codec.dumps(dict(same.resource)) == entry.body
            assert same.state == "pending"


def test_a_value_is_led_back_to_its_cell_line_and_code(adapter: Adapter) -> None:
    record = creatinine(adapter, Tier.T5)
    [found] = trace_resources(adapter, "Observation", record.key)
    assert found.hospital == "bv-tinh"
    leaves = {leaf.path: leaf for leaf in found.leaves}
    unit = leaves["Observation.valueQuantity.unit"]
    assert (unit.file, unit.expression, unit.verbs) == ("observation.yaml", "m | quantity", ("quantity",))
    lines = (Path("mappings") / "observation.yaml").read_text("utf-8").splitlines()
    assert lines[(unit.line or 0) - 1][(unit.column or 0) - 1 :].startswith('"{{ m | quantity }}"')
    cells = {(one.field, one.column, one.sheet) for one in unit.fields}
    assert cells == {
        ("measure", "Mã chỉ số", "Chỉ số"),
        ("value", "Giá trị", "Chỉ số"),
        ("unit", "Đơn vị", "Chỉ số"),
    }
    assert {one.row for one in unit.fields} == {found.row}
    code = leaves["Observation.code.coding[0].code"]
    tables = {one.file: one.line for one in code.tables}
    row = (Path("mappings") / "codes" / "measures.csv").read_text("utf-8").splitlines()
    assert row[tables["codes/measures.csv"] - 1].startswith("BIO-CREA,")
    assert leaves["Observation.identifier[0].value"].by == "engine"
    assert leaves["Observation.meta.security[0].code"].by == "disclosure"


def test_what_disclosure_changed_and_took_away_is_said(adapter: Adapter) -> None:
    cadre = person(adapter, Tier.T3)
    [found] = trace_resources(adapter, "Patient", cadre.key)
    checked([found])
    leaves = {leaf.path: leaf for leaf in found.leaves}
    assert leaves["Patient.name[0].text"].by == "disclosure"
    birth = leaves["Patient.birthDate"]
    assert (birth.by, birth.value) == ("disclosure", str(cadre.birth_date.year))
    assert [one.column for one in birth.fields] == ["Ngày sinh"]
    assert leaves["Patient.gender"].by == "mapping"
    removed = {leaf.path for leaf in found.removed}
    assert {"Patient.address[0].text", "Patient.name[0].family"} <= removed
    assert all(leaf.value is None for leaf in found.removed)


def test_what_is_withheld_shows_what_the_mapping_alone_makes(adapter: Adapter) -> None:
    [found] = trace_resources(adapter, "Patient", person(adapter, Tier.T1).key)
    assert (found.state, found.reason) == ("withheld", "tier-held")
    checked([found])
    assert {leaf.by for leaf in found.leaves} == {"mapping", "engine"}


def test_the_hospital_is_the_one_asked_for_or_the_first_that_should_hold_it(adapter: Adapter) -> None:
    planned(adapter, "bv-trung-uong")
    only = next(
        entry
        for cadre in adapter.records.iterate("cadre")
        for entry in adapter.ledger.entries("bv-trung-uong", [cadre.key])[cadre.key]
        if entry.type == "ServiceRequest"
    )
    assert trace_resources(adapter, "ServiceRequest", only.key)[0].hospital == "bv-trung-uong"
    asked = trace_resources(adapter, "ServiceRequest", only.key, "bv-tinh")[0]
    assert (asked.hospital, asked.state) == ("bv-tinh", "withheld")


def test_wrong_types_and_keys_are_said(adapter: Adapter) -> None:
    with pytest.raises(UsageError, match="nearest: Observation"):
        trace_resources(adapter, "Observatoin", "x")
    with pytest.raises(UsageError, match="has the key 'x'"):
        trace_resources(adapter, "Observation", "x")


ENTRY = "Bundle.entry[0].resource.ofType(Observation)"


@pytest.mark.parametrize(
    ("said", "element", "columns"),
    [
        ({"expression": [f"{ENTRY}.value.ofType(Quantity).unit"]}, "valueQuantity.unit", ["Đơn vị"]),
        ({"expression": ["Observation.valueQuantity.unit"]}, "valueQuantity.unit", ["Đơn vị"]),
        ({"location": ["Line[1] Col[7]", "Observation.value.value"]}, "valueQuantity.value", ["Giá trị"]),
        ({"expression": ["Line 1"], "diagnostics": "No unit 'µmol/L'"}, "valueQuantity.unit", ["Đơn vị"]),
        ({"expression": ["Observation.status"]}, "status", ["Trạng thái"]),
        ({"expression": ["Observation.effective"]}, "effectiveDateTime", ["Thời điểm lấy"]),
        ({"expression": ["Bundle.entry[0]"]}, None, []),
        ({"diagnostics": "HTTP status 422: this resource is refused"}, None, []),
    ],
)  # fmt: skip
def test_a_refusal_is_said_of_the_local_record(
    adapter: Adapter, said: dict[str, Any], element: str | None, columns: list[str]
) -> None:
    record = creatinine(adapter, Tier.T5)
    identity = adapter.destination("bv-tinh").identify("Observation", "measurement", record.key)
    hospital = FakeHospital()
    hospital.refuses = lambda resource: resource["identifier"][0]["value"] == identity
    hospital.refusal = said
    sent(adapter, hospital)
    [found] = refused_resources(adapter, "bv-tinh", 5)
    assert (found.key, found.reason, found.subject) == (record.key, "refused", "Creatinin")
    assert found.element == element
    assert [cell.source.column for cell in found.cells][: len(columns)] == columns
    stored = adapter.records.stored_record("measurement", record.key)
    assert stored is not None
    assert (found.sheet, found.row) == ("Chỉ số", stored.row)


@pytest.mark.parametrize(
    ("words", "elements"),
    [
        ("invariant: Observation.valueQuantity.code is not UCUM", {"valueQuantity.code"}),
        ("processing: the unit is not known", {"valueQuantity.unit"}),
        ("value: 'final' cannot be", {"status"}),
        ("value: 'status' cannot be that", {"status"}),
        ("processing: no such encounter here", {"encounter.reference"}),
        ("processing: encounter and subject do not fit", set()),
        ("processing: HTTP status 422, this resource has a wrong code", set()),
        ("Observation.value.unit: processing: no", {"valueQuantity.unit"}),
        ("Observation.code: processing: '14682-9' is not used here", {"code.coding[1].code"}),
    ],
)
def test_words_without_an_expression_lead_to_an_element_or_to_none(
    adapter: Adapter, words: str, elements: set[str]
) -> None:
    [resource] = trace_resources(adapter, "Observation", creatinine(adapter, Tier.T5).key)
    assert {
        leaf.path.removeprefix("Observation.") for leaf in locate_refused_values(resource, words)
    } == elements


def _turned(adapter: Adapter) -> RefusedResource:
    record = creatinine(adapter, Tier.T5)
    identity = adapter.destination("bv-tinh").identify("Observation", "measurement", record.key)
    hospital = FakeHospital()
    hospital.refuses = lambda resource: resource["identifier"][0]["value"] == identity
    hospital.refusal = {"expression": ["Observation.valueQuantity.unit"], "diagnostics": "unknown unit"}
    sent(adapter, hospital)
    [found] = refused_resources(adapter, "bv-tinh", 5)
    return found


def test_the_sentence_names_hospital_value_cell_and_line_in_both_languages(adapter: Adapter) -> None:
    found = _turned(adapter)
    where = f"(sheet Chỉ số, row {found.row}, column Đơn vị; observation.yaml line {found.line})"
    said = sentence(found, values=True)
    assert said.startswith("Bệnh viện bv-tinh refused Creatinin of Visit ")
    assert said.endswith(f": valueQuantity.unit 'µmol/L' {where}")
    assert "µmol/L" not in sentence(found, values=False)
    try:
        set_language("vi")
        assert f"trang Chỉ số, dòng {found.row}, cột Đơn vị" in sentence(found, values=True)
    finally:
        set_language("en")


def test_the_local_value_is_neither_stored_nor_logged(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        found = _turned(adapter)
    assert sentence(found, values=True)
    assert "µmol/L" not in caplog.text
    with adapter.engine.connect() as connection:
        rows = connection.execute(
            text("SELECT reason, detail FROM ledger_entry WHERE state = 'parked'")
        ).all()
    assert [tuple(row) for row in rows] == [
        ("refused", "Observation.valueQuantity.unit: business-rule: unknown unit")
    ]


def test_what_is_not_valid_names_its_cell_too(adapter: Adapter) -> None:
    planned(adapter)
    record = creatinine(adapter, Tier.T5)
    with adapter.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE ledger_entry SET state = 'parked', reason = 'invalid', "
                "detail = 'Observation.valueQuantity.value: is no number' WHERE key = :key"
            ),
            {"key": record.key},
        )
    assert adapter.ledger.counts("bv-tinh")[EntryState.PARKED] == 1
    [found] = refused_resources(adapter, "bv-tinh", 5)
    said = sentence(found, values=True)
    assert said.startswith("Not valid for Bệnh viện bv-tinh, so kept here: Creatinin of Visit ")
    assert f"valueQuantity.value '{record.value}' (sheet Chỉ số, row {found.row}, column Giá trị;" in said

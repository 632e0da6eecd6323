"""Mapping, checking and serialising on one core, against building and dumping with `fhir.resources`.

First Observations alone: both make the same resources from the same measurements; the resources are
compared before timing. Then the sample year's records, all kinds in their proportions: our side maps,
checks every rule and serialises; the models are given the finished elements to build and dump, and so
map nothing. `python benchmarks/mapping.py [--count N] [--cadres N] [--json FILE]`
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fhir.resources.R4B import get_fhir_model_class
from fhir.resources.R4B.codeableconcept import CodeableConcept
from fhir.resources.R4B.coding import Coding
from fhir.resources.R4B.identifier import Identifier
from fhir.resources.R4B.observation import Observation, ObservationReferenceRange
from fhir.resources.R4B.quantity import Quantity
from fhir.resources.R4B.reference import Reference

from adapter.fhir import codec
from adapter.fhir.identity import IdentityFactory
from adapter.fhir.validation.checker import check_resource
from adapter.mapping.engine import HospitalContext, MappingEngine
from adapter.mapping.loader import Mappings
from adapter.records.model import MAPPED_TYPES

SYSTEM = "https://cadre-health.example/fhir/sid/record"
NEVER = frozenset(("tier", "position"))


def make_engine(identify: Callable[[str, str, str], str]) -> MappingEngine:
    folder = Path(__file__).parents[1] / "mappings"
    fields = {kind: frozenset(type_.model_fields) - NEVER | {"cadre"} for kind, type_ in MAPPED_TYPES.items()}
    context = HospitalContext(
        name="bv-tinh",
        display="Bệnh viện Đa khoa tỉnh",
        facility_code="24001",
        systems={"facility_code": "http://fhir.ehealth.gov.vn/core/sid/provider-code"},
        centre_name="Trung tâm",
        centre_facility_code="24999",
        identifier_system=SYSTEM,
        identify=identify,
    )
    return Mappings.load(folder, fields).engine(context)


def measurement(number: int) -> SimpleNamespace:
    return SimpleNamespace(
        kind="measurement",
        key=f"V{number // 60}/BIO-GLU{number}",
        cadre=f"C{number // 60}",
        visit=f"V{number // 60}",
        measure="BIO-GLU",
        name=None,
        value=f"{4 + number % 300 / 100:.2f}",
        unit="mmol/L",
        low=Decimal("3.9"),
        high=Decimal("6.4"),
        flag="N",
        taken_at=datetime(2026, 3, 2, 7, 30, tzinfo=timezone(timedelta(hours=7))),
        status="final",
    )


def with_models(m: Any, made: dict[str, Any], identify: Callable[[str, str, str], str]) -> bytes:
    """The same Observation, element by element, through the models of `fhir.resources`."""

    def coding(where: dict[str, Any]) -> Coding:
        return Coding(system=where["system"], code=where["code"], display=where["display"])

    def concept(where: dict[str, Any]) -> CodeableConcept:
        return CodeableConcept(coding=[coding(item) for item in where["coding"]], text=where["text"])

    def quantity(value: Decimal) -> Quantity:
        return Quantity(value=value, unit=m.unit, system="http://unitsofmeasure.org", code="mmol/L")

    def reference(type_: str, kind: str, key: str) -> Reference:
        return Reference(reference=f"{type_}?identifier={SYSTEM}|{identify(type_, kind, key)}")

    centre = made["performer"][0]
    return (
        Observation(
            identifier=[Identifier(system=SYSTEM, value=identify("Observation", "measurement", m.key))],
            status=m.status,
            category=[concept(made["category"][0])],
            code=concept(made["code"]),
            subject=reference("Patient", "cadre", m.cadre),
            encounter=reference("Encounter", "visit", m.visit),
            effectiveDateTime=m.taken_at,
            performer=[
                Reference(
                    type="Organization",
                    identifier=Identifier(**centre["identifier"]),
                    display=centre["display"],
                )
            ],
            valueQuantity=quantity(Decimal(m.value)),
            interpretation=[concept(made["interpretation"][0])],
            referenceRange=[ObservationReferenceRange(low=quantity(m.low), high=quantity(m.high))],
        )
        .model_dump_json()
        .encode()
    )


def rate(work: Callable[[int], object], count: int) -> float:
    started = time.process_time()
    for number in range(count):
        work(number)
    return count / (time.process_time() - started)


def records_of_a_year(folder: Path, cadres: int) -> Iterator[list[Any]]:
    """The records of the sample year, imported, person by person."""
    from adapter.database import migrate, open_database
    from adapter.records.importing import importer
    from adapter.records.store import RecordStore
    from adapter.records.synthetic import write_workbook

    database = open_database(f"sqlite:///{folder / 'year.db'}")
    migrate(database)
    write_workbook(folder / "year.xlsx", cadres=cadres)
    hospitals = frozenset({"bv-tinh", "bv-trung-uong"})
    now = datetime(2026, 11, 22, tzinfo=UTC)
    importer.run_import(
        database, [folder / "year.xlsx"], max_deletions_percent=3, known_hospitals=hospitals, now=now
    )
    store, since = RecordStore(database), 0
    while page := store.changed_cadres(since, 50):
        yield from (store.of_cadre(cadre) for cadre, _ in page)
        since = page[-1][1]
    database.dispose()


def mixed(engine: MappingEngine, cadres: int) -> dict[str, float]:
    """Resources a second of a whole year's records, by us and by the models (every 20th of the same)."""
    with tempfile.TemporaryDirectory() as folder:
        people = list(records_of_a_year(Path(folder), cadres))
    made: list[Any] = []
    wrong = 0
    started = time.process_time()
    for records in people:
        visits = {record.key: record for record in records if record.kind == "visit"}
        for record in records:
            visit = record if record.kind == "visit" else visits.get(getattr(record, "visit", None))
            for one in engine.map(record, visit=visit):
                wrong += any(issue.is_error for issue in check_resource(one.resource, second_opinion=False))
                made.append(codec.dumps(one.resource))
    ours = time.process_time() - started
    assert not wrong, f"{wrong} resources are wrong"
    some = [codec.loads(body) for body in made[::20]]
    models = [get_fhir_model_class(one["resourceType"]) for one in some]
    started = time.process_time()
    for model, one in zip(models, some, strict=True):
        model(**{name: value for name, value in one.items() if name != "resourceType"}).model_dump_json()
    theirs = time.process_time() - started
    return {
        "year_resources": len(made),
        "year_mapped_and_checked_per_second": len(made) / ours,
        "year_models_per_second": len(some) / theirs,
        "year_ratio": (len(made) / ours) / (len(some) / theirs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--cadres", type=int, default=934, help="people in the sample year")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    identities = IdentityFactory(b"a key for benchmarks")

    def identify(type_: str, kind: str, key: str) -> str:
        return identities.of("bv-tinh", type_, kind, key)

    engine = make_engine(identify)
    sample = engine.map(measurement(0))[0].resource
    theirs = codec.loads(with_models(measurement(0), sample, identify))
    assert theirs == codec.loads(codec.dumps(sample)), "both must make the same resource"

    few = max(options.count // 10, 200)
    figures = {
        "mapped_per_second": rate(
            lambda n: codec.dumps(engine.map(measurement(n))[0].resource), options.count
        ),
        "models_per_second": rate(lambda n: with_models(measurement(n), sample, identify), few),
        "checked_per_second": rate(lambda _: check_resource(sample, second_opinion=False), few),
        "checked_twice_per_second": rate(lambda _: check_resource(sample), few),
    }
    figures["ratio"] = figures["mapped_per_second"] / figures["models_per_second"]
    figures |= mixed(engine, options.cadres)
    figures["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for name, value in figures.items():
        sys.stdout.write(f"{name:36} {value:12,.1f}\n")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()

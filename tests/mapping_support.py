"""What the mapping tests share: one fictitious hospital, the shipped mappings, readable JSON."""

from datetime import datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson

from adapter.fhir import codec
from adapter.fhir.identity import IdentityFactory
from adapter.mapping.engine import HospitalContext, MappingEngine
from adapter.mapping.loader import Mappings
from adapter.records.model import MAPPED_TYPES, Record

ROOT = Path(__file__).parents[1]
MAPPINGS = ROOT / "mappings"
GOLDEN = ROOT / "fixtures" / "mapping"
NEVER = frozenset(("tier", "position"))
FIELDS = {kind: frozenset(type_.model_fields) - NEVER for kind, type_ in MAPPED_TYPES.items()}
SYSTEM = "https://cadre-health.example/fhir/sid/record"


def context(name: str = "bv-tinh", systems: dict[str, str] | None = None) -> HospitalContext:
    """A hospital that wants national numbers, unless `systems` says otherwise."""
    identities = IdentityFactory(b"a key for tests only")
    base = "http://fhir.ehealth.gov.vn/core/sid"
    return HospitalContext(
        name=name,
        display="Bệnh viện Đa khoa tỉnh",
        facility_code="24001",
        systems={
            "citizen_id": f"{base}/citizen_id",
            "national_id": f"{base}/national_id",
            "insurance_number": f"{base}/insurance_number",
            "facility_code": f"{base}/provider-code",
        }
        if systems is None
        else systems,
        centre_name="Trung tâm Bảo vệ, chăm sóc sức khỏe cán bộ",
        centre_facility_code="24999",
        identifier_system=SYSTEM,
        identify=lambda type_, kind, key: identities.of(name, type_, kind, key),
    )


@cache
def mappings() -> Mappings:
    """The mappings that are shipped."""
    return Mappings.load(MAPPINGS, FIELDS)


def engine() -> MappingEngine:
    """A fresh engine for the fictitious hospital."""
    return mappings().engine(context())


def record_of(data: dict[str, Any]) -> Record:
    """A record from JSON: its fields and its `kind`."""
    fields = dict(data)
    return MAPPED_TYPES[fields.pop("kind")].model_validate(fields)


def around_of(data: dict[str, Any]) -> dict[str, Any]:
    """What goes to `Engine.map` with the record of a golden pair; taken out of `data`: `_related` (records
    by kind), `_visit` (fields of a visit), `_origin` (source, sheet, row, imported_at).
    """
    related = {
        kind: [record_of({"kind": kind, **fields}) for fields in listed]
        for kind, listed in data.pop("_related", {}).items()
    }
    visit, origin = data.pop("_visit", None), data.pop("_origin", None)
    if origin is not None:
        origin = SimpleNamespace(**{**origin, "imported_at": datetime.fromisoformat(origin["imported_at"])})
    return {
        "related": related,
        "visit": record_of({"kind": "visit", **visit}) if visit is not None else None,
        "origin": origin,
    }


def readable(value: Any) -> bytes:
    """Indented JSON that keeps the digits of decimals."""
    data = orjson.dumps(value, default=_decimal, option=orjson.OPT_INDENT_2)
    return data + b"\n"


def _decimal(value: Any) -> Any:
    return orjson.Fragment(codec.plain_decimal(value))

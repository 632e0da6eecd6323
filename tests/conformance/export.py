"""Everything that leaves, as lines of JSON: golden pairs, Bundles of fixtures, the full sample year.

`PYTHONPATH=tests python tests/conformance/export.py FILE` writes them; the sample year is what both hospitals
of the demo should hold, after disclosure, in the bytes of the ledger.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sample import open_to_pseudonyms

from adapter.fhir import codec
from adapter.pipeline.application import Adapter
from adapter.pipeline.desired_state.desired import desired_state
from adapter.records.importing import importer
from adapter.records.synthetic import write_workbook
from adapter.settings import CentreSettings, HospitalSettings, Settings

__all__ = ["everything", "fixtures", "sample_year"]

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "fixtures"
BROKEN = {"invalid.json"}  # what a hospital pushes and is refused
SYSTEMS = {
    "citizen_id": "http://fhir.ehealth.gov.vn/core/sid/citizen_id",
    "insurance_number": "http://fhir.ehealth.gov.vn/core/sid/insurance_number",
}
HOSPITALS = (
    ("bv-tinh", "Bệnh viện Đa khoa tỉnh", "provincial", "24001"),
    ("bv-trung-uong", "Bệnh viện Trung ương", "central", "01001"),
)
NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
_PAGE = 50


def fixtures() -> Iterator[bytes]:
    """The expected resource of every golden pair, and every resource of the Bundles beside them."""
    for path in sorted(FIXTURES.glob("mapping/*/*/expected.json")):
        found = codec.loads(path.read_bytes())
        yield from (codec.dumps(one) for one in (found if isinstance(found, list) else [found]) if one)
    for path in sorted(FIXTURES.glob("bundles/*.json")):
        if path.name not in BROKEN:
            found = codec.loads(path.read_bytes())
            yield from (codec.dumps(entry["resource"]) for entry in found.get("entry", [{"resource": found}]))


def sample_year(cadres: int = 934) -> Iterator[bytes]:
    """Every resource that the demo's two hospitals should hold of a year of so many people."""
    with tempfile.TemporaryDirectory() as name, Adapter.open(_settings(Path(name))) as adapter:
        workbook = Path(name) / "year.xlsx"
        write_workbook(workbook, cadres=cadres)
        known = frozenset(adapter.settings.hospitals)
        importer.run_import(
            adapter.engine, [workbook], max_deletions_percent=3, known_hospitals=known, now=NOW
        )
        for hospital in adapter.settings.hospitals:
            yield from _held(adapter, hospital)


def everything(cadres: int = 934) -> Iterator[bytes]:
    """All of it, one resource a line."""
    yield from fixtures()
    yield from sample_year(cadres)


def _held(adapter: Adapter, hospital: str) -> Iterator[bytes]:
    """What one hospital should hold. A resource that would be parked fails here."""
    outlet, since = adapter.destination(hospital), 0
    while page := adapter.records.changed_cadres(since, _PAGE):
        for cadre, _ in page:
            for desired in desired_state(outlet, adapter.records.of_cadre(cadre)).desired:
                assert desired.problem is None, f"{desired.type} of a {desired.kind}: {desired.problem}"
                yield desired.body
        since = page[-1][1]


def _settings(folder: Path) -> Settings:
    (folder / "identity.key").write_text("0123456789abcdef0123456789abcdef")
    hospitals = {
        name: HospitalSettings(
            display=display,
            level=level,
            facility_code=code,
            base_url="http://hospital.test/fhir",
            systems=SYSTEMS,
        )
        for name, display, level, code in HOSPITALS
    }
    mappings = folder / "mappings"
    shutil.copytree(ROOT / "mappings", mappings)
    open_to_pseudonyms(mappings)  # what can leave, not only what orders need
    return Settings(
        mappings=mappings,
        identity_key=f"file:{folder / 'identity.key'}",
        database_url=f"sqlite:///{folder / 'adapter.db'}",
        centre=CentreSettings(identifier_system="https://cadre-health.example/fhir/sid/record"),
        hospitals=hospitals,
    )


if __name__ == "__main__":
    with Path(sys.argv[1]).open("wb") as out:
        out.writelines(line + b"\n" for line in everything())

"""The year's figures as a FHIR R4 MeasureReport, for whoever counts by machine."""

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

from adapter.fhir.codec import Resource
from adapter.report.figures import Figure
from adapter.report.outputs.tables import YearTable

__all__ = ["measure_report"]

_MEASURE = "urn:uuid:" + str(
    uuid.UUID(hashlib.md5(b"cadre-fhir-adapter year report", usedforsecurity=False).hexdigest())
)
_CODES = "urn:uuid:" + str(
    uuid.UUID(hashlib.md5(b"cadre-fhir-adapter year figures", usedforsecurity=False).hexdigest())
)
_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"


def measure_report(tables: Sequence[YearTable], *, year: int, as_of: date, reporter: str) -> Resource:
    """A summary of the whole year: a group for each column of each table, whose strata are its rows. A figure
    that is kept back has no count, but the reason "masked".
    """
    return {
        "resourceType": "MeasureReport",
        "status": "complete",
        "type": "summary",
        "measure": _MEASURE,
        "date": as_of.isoformat(),
        "reporter": {"display": reporter},
        "period": {"start": f"{year}-01-01", "end": (date(year + 1, 1, 1) - timedelta(days=1)).isoformat()},
        "group": [group for table in tables for group in _groups(table)],
    }


def _groups(table: YearTable) -> Iterator[Resource]:
    for at, column in enumerate(table.columns):
        shown = [(row, row.cells[at]) for row in table.rows if row.cells[at] != ""]
        if shown:
            yield {
                "code": {
                    "coding": [{"system": _CODES, "code": f"{table.name}-{at}"}],
                    "text": f"{table.title}: {column}",
                },
                "stratifier": [
                    {
                        "code": [{"text": table.head}],
                        "stratum": [
                            {
                                "value": {
                                    "coding": [{"system": _CODES, "code": row.code}],
                                    "text": row.label,
                                },
                                "population": [_population(figure)],
                            }
                            for row, figure in shown
                        ],
                    }
                ],
            }


def _population(figure: Figure | str) -> dict[str, Any]:
    if figure is None:
        return {"_count": {"extension": [{"url": _ABSENT, "valueCode": "masked"}]}}
    return {"count": figure}

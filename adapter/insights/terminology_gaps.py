"""Looking for codes that no table knows, over the current records."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from adapter.errors import MappingError
from adapter.records.model import Record, Visit

if TYPE_CHECKING:
    from adapter.mapping.engine import MappingEngine
    from adapter.mapping.terminology.gaps import Gap
    from adapter.pipeline.application import Adapter

__all__ = ["Gap", "find_gaps"]


def find_gaps(
    adapter: "Adapter", hospital: str | None = None, progress: Callable[[int], None] | None = None
) -> "tuple[Gap, ...]":
    """What the code tables lack, most frequent first: by the mappings of one hospital, or by those of none
    in particular. `progress` is told how many people are done. Nothing is sent or stored.
    """
    from adapter.mapping.terminology.gaps import GapCounter

    engine, tally = _engine(adapter, hospital), GapCounter()
    for done, person in enumerate(adapter.records.iterate("cadre"), 1):
        for record, visit in _with_visits(adapter.records.of_cadre(person.key)):
            engine.unknown_codes.clear()
            try:
                engine.map(record, visit=visit)
            except MappingError:
                continue  # shown by plan, not here
            tally.add(engine.unknown_codes, person.key, getattr(record, "name", None))
        if progress is not None:
            progress(done)
    return tally.gaps(adapter.mappings.codes)


def _with_visits(records: list[Record]) -> Iterator[tuple[Record, Record | None]]:
    visits = {record.key: record for record in records if isinstance(record, Visit)}
    for record in records:
        yield record, visits.get(getattr(record, "visit", None) or "")


def _engine(adapter: "Adapter", hospital: str | None) -> "MappingEngine":
    if hospital is not None:
        return adapter.destination(hospital).engine
    from adapter.mapping.engine import HospitalContext

    none: Any = {"name": "", "display": "", "facility_code": "", "systems": {}, "centre_name": ""}
    context = HospitalContext(
        **none,
        centre_facility_code="",
        identifier_system=adapter.settings.centre.identifier_system,
        identify=lambda *_: "-",  # nobody is named in codes
    )
    return adapter.mappings.engine(context)

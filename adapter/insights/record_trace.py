"""One record on its way: from the cells that it was read from to what each hospital holds of it."""

from collections.abc import Sequence

from adapter.insights.explain_values import TracedPerson, TracedResource
from adapter.insights.seen_people import seen_people
from adapter.pipeline.application import Adapter

__all__ = ["trace_record"]


def trace_record(adapter: Adapter, key: str, hospital: str, *, sees_t1: bool) -> Sequence[TracedResource]:
    """What a hospital is to hold of the records with that key, with the origin of every value; what policy
    keeps back is as the mapping alone makes it. Empty where nobody's record has that key, or one of a person
    that does not exist for the viewer. Raises SettingsError, and MappingError.
    """
    name, sees = adapter.settings.hospital(hospital).name, seen_people(adapter, sees_t1=sees_t1)
    found: list[TracedResource] = []
    for stored in adapter.records.find(key):
        if stored.deleted or stored.record is None or not sees(stored.cadre):
            continue
        wanted = (stored.kind, stored.key)
        person = TracedPerson(adapter, name, stored.cadre, lambda *one, wanted=wanted: one == wanted)
        if not person.should_hold(*wanted):
            person.trace_withheld(stored.record)
        found += person.traced()
    return found

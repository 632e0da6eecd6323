"""The entries of the transaction that a message becomes. Pure."""

from dataclasses import dataclass, field

from adapter.fhir.codec import Resource
from adapter.fhir.conditional_update import update_entry
from adapter.hl7v2.refusals import SegmentPlace

__all__ = ["ConvertedMessage", "TransactionEntries"]


@dataclass(frozen=True, slots=True)
class ConvertedMessage:
    """`bundle` is a transaction; `places` says of each entry which segment it was made of."""

    bundle: Resource
    places: tuple[SegmentPlace, ...]


@dataclass(slots=True)
class TransactionEntries:
    """Gathers entries. Each is a conditional update by its first identifier: what comes again under it is the
    next version of the same resource.
    """

    entries: list[Resource] = field(default_factory=list)
    places: list[SegmentPlace] = field(default_factory=list)
    _seen: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def add(self, resource: Resource, place: SegmentPlace) -> Resource:
        """Add one; a reference to it. One that has the identifier of an earlier one gets the next number."""
        type_, first = resource["resourceType"], resource["identifier"][0]
        name = (type_, first["system"], first["value"])
        self._seen[name] = self._seen.get(name, 0) + 1
        if self._seen[name] > 1:
            first["value"] = f"{first['value']}.{self._seen[name]}"
        entry = update_entry(resource, first["system"], first["value"])
        self.entries.append(entry)
        self.places.append(place)
        return {"reference": entry["fullUrl"]}

    def converted(self) -> ConvertedMessage:
        """All of them, as one transaction."""
        bundle: Resource = {"resourceType": "Bundle", "type": "transaction", "entry": self.entries}
        return ConvertedMessage(bundle, tuple(self.places))

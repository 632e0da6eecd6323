"""The entries of the transaction that a message or file of another form becomes. Pure."""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from adapter.fhir.codec import Resource
from adapter.fhir.conditional_update import update_entry

__all__ = ["ConvertedTransaction", "TransactionEntries"]

Place = TypeVar("Place")


@dataclass(frozen=True, slots=True)
class ConvertedTransaction(Generic[Place]):
    """`bundle` is a transaction; `places` says of each entry what it was made of."""

    bundle: Resource
    places: tuple[Place, ...]


@dataclass(slots=True)
class TransactionEntries(Generic[Place]):
    """Gathers entries. Each is a conditional update by its first identifier: what comes again under it is the
    next version of the same resource.
    """

    entries: list[Resource] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    _seen: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def add(self, resource: Resource, place: Place) -> Resource:
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

    def converted(self) -> ConvertedTransaction[Place]:
        """All of them, as one transaction."""
        bundle: Resource = {"resourceType": "Bundle", "type": "transaction", "entry": self.entries}
        return ConvertedTransaction(bundle, tuple(self.places))

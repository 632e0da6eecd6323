"""The entries of the transaction that a message becomes. Pure."""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote
from uuid import UUID, uuid5

from adapter.fhir.codec import Resource
from adapter.hl7v2.refusals import SegmentPlace

__all__ = ["ConvertedMessage", "TransactionEntries"]

_NAMES: Final = UUID("6d8a4d8e-7d1f-5a53-9a1d-2c6f3d1e7b20")  # of the fullUrls within one message
_SEARCHED: Final = str.maketrans(
    {letter: f"\\{letter}" for letter in "\\|,$"}
)  # what a search would split at


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
        url = f"urn:uuid:{uuid5(_NAMES, '|'.join((type_, first['system'], first['value'])))}"
        token = f"{first['system'].translate(_SEARCHED)}|{first['value'].translate(_SEARCHED)}"
        request = {"method": "PUT", "url": f"{type_}?identifier={quote(token, safe='')}"}
        self.entries.append({"fullUrl": url, "resource": resource, "request": request})
        self.places.append(place)
        return {"reference": url}

    def converted(self) -> ConvertedMessage:
        """All of them, as one transaction."""
        bundle: Resource = {"resourceType": "Bundle", "type": "transaction", "entry": self.entries}
        return ConvertedMessage(bundle, tuple(self.places))

"""Which entries go into the next Bundle (pure).

What is referred to goes first. A reference can be resolved when the hospital is known to hold its
target, or the target is in the same Bundle; anything else waits for the target.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass

from adapter.fhir.bundle import Target, references

__all__ = ["Item", "next_batch"]

_ENTRY_OVERHEAD = 300  # bytes of fullUrl, request and the longer references


@dataclass(frozen=True, slots=True)
class Item:
    """A serialised resource that is to be sent; `needs` are the targets of its references."""

    type: str
    identity: str
    rank: int
    body: bytes
    needs: tuple[Target, ...]

    @classmethod
    def of(cls, resource_type: str, identity: str, rank: int, body: bytes) -> "Item":
        """From a ledger body (FHIR JSON)."""
        return cls(resource_type, identity, rank, body, references(body))


def next_batch(
    items: Sequence[Item], known: Container[Target], *, max_entries: int, max_bytes: int
) -> tuple[list[Item], list[Item]]:
    """(the items of the next Bundle in order, the items that wait for a target that is not there).

    Items that merely do not fit are in neither list: they go into a later Bundle. An item larger
    than `max_bytes` goes alone: the hospital may still take it, and says so if not.
    """
    ready: list[Item] = []
    inside: set[Target] = set()
    waiting: list[Item] = []
    coming = {(item.type, item.identity) for item in items}
    size = 0
    for item in sorted(items, key=lambda item: (item.rank, item.identity)):
        if all(target in known or target in inside for target in item.needs):
            if len(ready) < max_entries and (
                not ready or size + len(item.body) + _ENTRY_OVERHEAD <= max_bytes
            ):
                ready.append(item)
                inside.add((item.type, item.identity))
                size += len(item.body) + _ENTRY_OVERHEAD
        elif not any(target in coming and target not in known for target in item.needs):
            waiting.append(item)
    return ready, waiting

"""What one hospital sent, as the items of it refer to each other: read in a few statements, however much is
named, and never more than a stated amount.
"""

from collections.abc import Collection, Iterable
from functools import cached_property

from adapter.fhir.codec import Resource
from adapter.inbox.references import MOST_REFERENCES, named_resources, same_base
from adapter.inbox.store import InboxStore

__all__ = ["Siblings"]

_STEPS = 5  # an order on an order on our referral, its subject: what evidence follows
_MOST_BYTES = 16 * 1024 * 1024
_MOST_PEOPLE = 5  # of whom it is asked whether their id was somebody else's before


class Siblings:
    """A look-up by `Type/id` for `evidence.read_evidence`, of what was fetched ahead. `asked` is all that was
    looked for; `is_whole` tells whether all of it was read.
    """

    def __init__(self, store: InboxStore, hospital: str, own_bases: Collection[str]) -> None:
        self._store = store
        self._hospital = hospital
        self._own_bases = {same_base(base) for base in own_bases}
        self._found: dict[str, Resource] = {}
        self._bytes_left = _MOST_BYTES
        self.asked: dict[str, None] = {}
        self.is_whole = True

    def fetch(self, resources: Iterable[Resource]) -> None:
        """Fetch whatever these resources name, and what that names."""
        for _ in range(_STEPS):
            named = (name for one in resources for name in named_resources(one, self._own_bases))
            wanted = [name for name in dict.fromkeys(named) if name not in self.asked]
            room = MOST_REFERENCES - len(self.asked)
            self.is_whole = self.is_whole and len(wanted) <= room
            if not (wanted := wanted[:room]):
                return
            self.asked.update(dict.fromkeys(wanted))
            found, left = self._store.newest_versions(self._hospital, wanted, self._bytes_left)
            self.is_whole = self.is_whole and left >= 0
            self._bytes_left = max(left, 0)
            self._found |= found
            resources = found.values()

    def __call__(self, reference: str) -> Resource | None:
        """The resource of that `Type/id`, where it was fetched."""
        return self._found.get(reference)

    @cached_property
    def changed_people(self) -> bool:
        """Whether a Patient among them was somebody else before; of too many that is not known."""
        people = [one for one in self._found if one.startswith("Patient/")]
        if len(people) > _MOST_PEOPLE:
            self.is_whole = False
        return any(self._store.was_somebody_else(self._hospital, one) for one in people[:_MOST_PEOPLE])

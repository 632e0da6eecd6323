"""Whom somebody may see: people of T1 exist only for who may know of them."""

from collections.abc import Callable

from adapter.pipeline.application import Adapter
from adapter.records.model import Tier

__all__ = ["seen_people"]


def seen_people(adapter: Adapter, *, sees_t1: bool, strangers: bool = False) -> Callable[[str], bool]:
    """Whether a person of that key exists for the viewer, as the records are now. `strangers`: so do people
    of whom there is no record yet.
    """
    if sees_t1:
        return lambda _key: True
    people = adapter.people_index.view()

    def sees(key: str) -> bool:
        person = people.get(key)
        return strangers if person is None else person.tier is not Tier.T1

    return sees

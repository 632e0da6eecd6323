"""Whom somebody may see: people of T1 exist only for who may know of them."""

from collections.abc import Callable

from adapter.pipeline.application import Adapter
from adapter.records.model import Tier

__all__ = ["seen_people"]


def seen_people(adapter: Adapter, *, sees_t1: bool, strangers: bool = False) -> Callable[[str], bool]:
    """Whether a person of that key exists for the viewer; each is looked up once. `strangers`: so do
    people of whom there is no record yet.
    """
    known: dict[str, bool] = {}

    def sees(key: str) -> bool:
        if key not in known:
            person = adapter.people_index.get(key)
            known[key] = strangers if person is None else person.tier is not Tier.T1
        return known[key]

    return (lambda _key: True) if sees_t1 else sees

"""Whom somebody may know of: people of T1 are known to who is named for it, for others they do not exist."""

from collections.abc import Callable

from adapter.pipeline.application import Adapter
from adapter.records.model import Cadre, Tier

__all__ = ["known_people"]


def known_people(adapter: Adapter, *, sees_t1: bool) -> Callable[[str], bool]:
    """Whether a person, by key, exists for who asks. Each is looked up once."""
    looked: dict[str, bool] = {}

    def exists(key: str) -> bool:
        if key not in looked:
            person = adapter.records.get(Cadre.kind, key)
            looked[key] = not (isinstance(person, Cadre) and person.tier is Tier.T1)
        return looked[key]

    return (lambda _key: True) if sees_t1 else exists

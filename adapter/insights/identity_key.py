"""The identity key: whether it can be read, is the one that the database is under, and can be guessed; what
hospitals still have under the one before.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from adapter.database import read_transaction
from adapter.errors import MappingError, SettingsError
from adapter.ledger.identity_key import count_under_former, key_in_use
from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound.planning import check_identity_key

__all__ = [
    "IdentityKeyReport",
    "identity_key_report",
    "is_other_key",
    "is_unreadable",
    "is_weak",
    "under_former_key",
]

_FEW = 20  # resources whose identity is made again


@dataclass(frozen=True, slots=True)
class IdentityKeyReport:
    """How the identity key stands. `changed`: whether the database ever was put under another one; `former`
    by hospital: resources that it still has under the one before.
    """

    reference: str
    readable: bool
    weak: bool
    changed: bool
    other: bool
    former: Mapping[str, int]

    @property
    def is_well(self) -> bool:
        """Whether nothing is left to do."""
        return self.readable and not self.weak and not self.other and not any(self.former.values())


def identity_key_report(adapter: Adapter) -> IdentityKeyReport:
    """How it stands."""
    names = adapter.settings.hospitals
    readable = not is_unreadable(adapter)
    with read_transaction(adapter.engine) as connection:
        changed = key_in_use(connection) is not None
    return IdentityKeyReport(
        adapter.settings.identity_key,
        readable,
        is_weak(adapter),
        changed,
        readable and any(is_other_key(adapter, name) for name in names),
        {name: under_former_key(adapter, name) for name in names},
    )


def is_other_key(adapter: Adapter, name: str) -> bool:
    """Whether the ledger was made with another identity key. A key or a mapping that cannot be read is a
    problem of its own.
    """
    few = adapter.ledger.sample(name, _FEW)
    try:
        with read_transaction(adapter.engine) as connection:
            adapter.require_its_key(connection)
        made = (adapter.identities.of(name, one.type, one.kind, one.key) == one.identity for one in few)
        if few and not any(made):  # the mappings are loaded only where the quick look is no proof
            check_identity_key(adapter, adapter.destination(name))
    except SettingsError as error:
        return error.text in ("settings.other_key", "settings.changed_key")
    except MappingError:
        return False
    return False


def is_unreadable(adapter: Adapter) -> bool:
    """Whether it is missing or too short, or guessable before anything was made with it."""
    try:
        _ = adapter.identities
    except SettingsError as error:
        return error.text != "settings.changed_key"
    return False


def is_weak(adapter: Adapter) -> bool:
    """Whether it is in use and can be guessed."""
    return not is_unreadable(adapter) and adapter.has_weak_key


def under_former_key(adapter: Adapter, name: str) -> int:
    """How many resources the hospital still has under the identity key before."""
    with read_transaction(adapter.engine) as connection:
        return count_under_former(connection, name)

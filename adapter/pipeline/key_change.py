"""The centre's identity key is changed: everything that is derived from it is made anew, in one transaction.

::

    identities in the ledger      of records that are known: made anew; the next sync sends each resource with
                                  it, by the id that it has at the hospital (it keeps it)
    what leaves or is under way   stays: what the hospital has is read back under the identity it has
    opaque names of people        made anew where they say what is withheld; rows of the audit keep theirs,
                                  and are found by the former key
    hashes of erased people       hashed again (nobody knows the names), asked for under every key there was
    the audit's own key           where it is made of the identity key: a new row seals those before it
    the former key                kept wrapped under the new one, for the two above
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from adapter import audit, withheld
from adapter.errors import UsageError
from adapter.fhir.identity import IdentityFactory
from adapter.ledger import identity_key
from adapter.pipeline.application import Adapter, audit_subject
from adapter.pipeline.remembered_head import AuditKey
from adapter.records.change_feed import ChangeFeed
from adapter.records.erased_names import change_key_of_erased, everybody
from adapter.records.erasure import lock_erasures

__all__ = ["HospitalRenaming", "KeyChange", "change_identity_key", "look_at_key_change"]

_ACTION = "identity-key.changed"


@dataclass(frozen=True, slots=True)
class HospitalRenaming:
    """What the change means at one hospital. `rewritten`: resources that it has, and that are sent once more
    with another identity; `waiting`: those that it has not yet; `unanswered`: sent, and no answer came;
    `leaving`: on their way out, under the identity that they have; `others`: of no record that is known.
    """

    hospital: str
    rewritten: int = 0
    waiting: int = 0
    unanswered: int = 0
    leaving: int = 0
    others: int = 0


@dataclass(frozen=True, slots=True)
class KeyChange:
    """What a change of the identity key does. `unlisted`: hospitals that the ledger knows and the settings no
    longer have; `under_way`: shipments that somebody is sending; `audit`: whether its key changes too.
    """

    reference: str
    hospitals: tuple[HospitalRenaming, ...]
    unlisted: tuple[str, ...]
    under_way: int
    audit: bool


def look_at_key_change(adapter: Adapter, connection: Connection, reference: str) -> KeyChange:
    """What would be done, counted; reads alone."""
    names = identity_key.hospitals_with_lines(connection)
    return KeyChange(
        reference,
        tuple(_renaming(adapter, connection, one)[0] for one in names if one in adapter.settings.hospitals),
        tuple(one for one in names if one not in adapter.settings.hospitals),
        identity_key.shipments_under_way(connection),
        adapter.settings.audit_key is None,
    )


def change_identity_key(
    adapter: Adapter, connection: Connection, reference: str, new: IdentityFactory, *, by: str, now: datetime
) -> KeyChange:
    """Do it, in the caller's transaction. Raises UsageError where somebody is sending, or the audit does not
    hold as it is.
    """
    old = adapter.identities
    ChangeFeed(connection)  # no import is under way
    lock_erasures(connection)  # and no plan that was made before is written after it
    identity_key.hold_shipments(connection)
    done = look_at_key_change(adapter, connection, reference)
    if done.under_way:
        raise UsageError("identity.under_way", count=done.under_way)
    for one in done.hospitals:
        _, old_names = _renaming(adapter, connection, one.hospital)
        names = {was: new.of(one.hospital, *of) for was, of in old_names.items()}
        identity_key.rename_lines(connection, one.hospital, names, now)
    people = everybody(connection)
    withheld.rename_subjects(connection, {audit_subject(old, one): audit_subject(new, one) for one in people})
    change_key_of_erased(connection, new)
    identity_key.replace_key(connection, old, new, now)
    _note(adapter, connection, reference, done, by=by, now=now)
    return done


def _note(
    adapter: Adapter, connection: Connection, reference: str, done: KeyChange, *, by: str, now: datetime
) -> None:
    details = {one.hospital: one.rewritten for one in done.hospitals}
    if not done.audit:
        audit.append(connection, at=now, actor=by, action=_ACTION, details=details)
        return
    key = AuditKey.made_of(adapter.settings.secret(reference).get_secret_value())
    if not audit.change_key(connection, key, at=now, actor=by, action=_ACTION, details=details):
        raise UsageError("identity.audit_broken")


def _renaming(
    adapter: Adapter, connection: Connection, hospital: str
) -> tuple[HospitalRenaming, Mapping[str, tuple[str, str, str]]]:
    """The counts, and of each line that gets another identity what that is made of: type, kind and key."""
    kinds = _kinds(adapter, hospital)
    counts: Counter[str] = Counter()
    renamed: dict[str, tuple[str, str, str]] = {}
    for line in identity_key.lines_of(connection, hospital):
        if line.stays:
            counts[line.stays] += 1
            continue
        made = ((line.type, kind, line.key) for kind in (line.kind, *kinds.get(line.type, ())))
        of = next((one for one in made if adapter.identities.of(hospital, *one) == line.identity), None)
        counts["others" if of is None else "rewritten" if line.is_there else "waiting"] += 1
        if of is not None:
            renamed[line.identity] = of
    return HospitalRenaming(hospital, **counts), renamed


def _kinds(adapter: Adapter, hospital: str) -> dict[str, set[str]]:
    """By type, the kinds that mappings put into identities: those in force, and those of the folder."""
    found: dict[str, set[str]] = {}
    for destination in (adapter.destination(hospital), adapter.folder_destination(hospital)):
        for map_ in destination.resource_maps:
            found.setdefault(map_.type, set()).add(map_.identity_kind)
    return found

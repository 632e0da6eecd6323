"""What the inbox needs from the rest: look-ups in ledger and records, and writes to the records.

The inbox knows neither store. `adapter.pipeline` hands in objects of these shapes.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Protocol

from sqlalchemy import Connection

from adapter.fhir.codec import Resource
from adapter.fulfilment_effects import FulfilmentEffect
from adapter.inbox.evidence import Evidence, Identifier, RemoteReference, identifiers_of, same_base
from adapter.inbox.local_writes import ResultPlan, StoredResult
from adapter.inbox.matching import KnownCadre, KnownReferral, LookupResult, NumberMatch

__all__ = [
    "MOST_LOOKED_UP",
    "RecordWriter",
    "ReferenceDirectory",
    "ReversibleRecordWriter",
    "as_identity",
    "is_centres_own",
    "look_up_evidence",
    "named_days",
]

MOST_LOOKED_UP = 50  # identifiers or ids of one sort that are looked up
_FEW = 5  # names, and dates of birth
_IDENTITY = re.compile(r"[0-9a-f]{32}")
_SEPARATORS = re.compile(r"[-{}\s]")


class ReferenceDirectory(Protocol):
    """Finds referrals and people as one hospital refers to them."""

    @property
    def hospital(self) -> str:
        """Name of the hospital in the settings."""

    @property
    def identifier_system(self) -> str:
        """System of our own identities (`centre.identifier_system`)."""

    @property
    def number_systems(self) -> frozenset[str]:
        """Systems of national and insurance numbers agreed with this hospital (`systems`)."""

    @property
    def bases(self) -> frozenset[str]:
        """Base URLs of the hospital's own server, without a slash at the end."""

    @property
    def own_bases(self) -> frozenset[str]:
        """Base URLs of this endpoint, without a slash at the end."""

    def referral_by_identity(self, value: str) -> KnownReferral | None:
        """The referral whose ServiceRequest or Task has that identity of ours, at whichever hospital."""

    def referral_by_remote_id(self, id: str) -> KnownReferral | None:
        """The referral that is `ServiceRequest/<id>` at this hospital."""

    def cadre_by_identity(self, value: str) -> str | None:
        """Key of the person with that identity of ours at this hospital."""

    def cadre_by_remote_id(self, id: str) -> str | None:
        """Key of the person who is `Patient/<id>` at this hospital."""

    def cadre_by_encounter(self, *, identity: str | None = None, id: str | None = None) -> str | None:
        """Key of the person whose Encounter has that identity of ours, or that id, at this hospital."""

    def cadres_by_identifier(self, value: str) -> Sequence[str]:
        """Keys of the people with that national or insurance number."""

    def number_forms(self, values: Sequence[str]) -> Collection[str]:
        """The forms in which national or insurance numbers that are written so are recorded."""

    def cadres_by_name(self, name: str, birth_date: str) -> Sequence[str]:
        """Keys of the people of that name, however it is spelt, who were born on that day."""

    def is_centres_own(self, type: str, value: str) -> bool:
        """Whether that identity of ours is of a resource of this type that we sent to any hospital."""

    def referral(self, key: str) -> KnownReferral | None:
        """The referral of that key."""

    def cadre(self, key: str) -> KnownCadre | None:
        """The person of that key."""

    def audit_subject(self, cadre: str) -> str:
        """The person's opaque subject for the audit (a keyed hash)."""


class RecordWriter(Protocol):
    """Writes results and fulfilment into the local record, in the inbox's own transaction."""

    def lives(self, cadre: str, *, connection: Connection) -> bool:
        """Whether the person is in the records, and stays there until the transaction ends."""

    def stored_result(self, result_key: str) -> StoredResult | None:
        """What is stored under that result key."""

    def save_result(self, plan: ResultPlan, *, connection: Connection) -> bool:
        """Write the result; False when the same content is stored already."""

    def fulfil(
        self, referral: str, effect: FulfilmentEffect, by: str | None, at: datetime, *, connection: Connection
    ) -> bool:
        """Say how far the hospital got; a completed referral stays completed."""


class ReversibleRecordWriter(RecordWriter, Protocol):
    """Records that can also undo what a result did."""

    def take_back(self, result_key: str, *, connection: Connection) -> bool:
        """Remove the result and open again the referrals that it completed; False if there is none."""

    def answer_again(self, cadre: str, referral: str, *, connection: Connection) -> None:
        """A Task that answered this referral does not count any more: it is as what else answers it says."""


def look_up_evidence(said: Evidence, directory: ReferenceDirectory) -> LookupResult:
    """Look everything up that the evidence points at. Reads only."""
    referrals, unplaced, strange_referral = _referrals(said, directory)
    identities, strange_identity = _identities(said, directory)
    ids = [key for one in _nowhere(said.subject_ids) if (key := directory.cadre_by_remote_id(one.id))]
    numbers: dict[str, bool] = {}
    strange_number = False
    for one in said.subject_identifiers[:MOST_LOOKED_UP]:
        if not _is_ours(one, directory):
            trusted = one.system in directory.number_systems
            cadres = directory.cadres_by_identifier(one.value)
            strange_number = strange_number or (trusted and not cadres)
            for cadre in cadres:
                numbers[cadre] = numbers.get(cadre, False) or trusted
    named = _by_name(said, directory)
    everyone = {*identities, *ids, *numbers, *named, *(found.cadre for found in referrals.values())}
    people = {key: person for key in sorted(everyone) if (person := directory.cadre(key))}
    return LookupResult(
        hospital=directory.hospital,
        # who left the records is nobody here, whatever a ledger or an index still holds
        referrals=tuple(found for found in referrals.values() if found.cadre in people),
        unplaced=unplaced,
        by_identity=tuple(key for key in identities if key in people),
        by_id=tuple(key for key in dict.fromkeys(ids) if key in people),
        by_number=tuple(NumberMatch(cadre, trusted) for cadre, trusted in numbers.items() if cadre in people),
        by_name=tuple(key for key in named if key in people),
        people=people,
        has_unknown_identity=strange_identity or any(key not in people for key in (*identities, *ids)),
        has_unknown_number=strange_number,
        has_unknown_referral=strange_referral or any(one.cadre not in people for one in referrals.values()),
    )


def is_centres_own(resource: Resource, directory: ReferenceDirectory) -> bool:
    """Whether it is what we sent, sent back: it has the identity that we gave it."""
    type_, listed = str(resource.get("resourceType")), identifiers_of(resource)
    values = (value for one in islice(listed, MOST_LOOKED_UP) for value in as_identity(one, directory))
    return any(directory.is_centres_own(type_, value) for value in values)


def _referrals(
    said: Evidence, directory: ReferenceDirectory
) -> tuple[dict[str, KnownReferral], frozenset[str], bool]:
    """The referrals that are named, by key; which of them by an id of no certain server alone; and whether
    an identity of ours among them is no referral's.
    """
    certain: dict[str, KnownReferral] = {}
    strange = False
    for one in said.referral_identifiers[:MOST_LOOKED_UP]:
        found = next(filter(None, map(directory.referral_by_identity, as_identity(one, directory))), None)
        if found:
            certain[found.key] = found
        elif one.system is not None and _is_ours(one, directory):
            strange = True
    for remote in _there(said.referral_ids, directory):
        if found := directory.referral_by_remote_id(remote.id):
            certain[found.key] = found
    unplaced = {
        found.key: found
        for one in _nowhere(said.referral_ids)
        if (found := directory.referral_by_remote_id(one.id))
    }
    return {**certain, **unplaced}, frozenset(unplaced.keys() - certain.keys()), strange


def _identities(said: Evidence, directory: ReferenceDirectory) -> tuple[list[str], bool]:
    """The people whom identities of ours or ids at the hospital's own server name, each once; and whether
    there is an identity under our system that is nobody's. The hospital may have ids of its own.
    """
    found: dict[str, None] = {}
    strange = False
    for one in said.subject_identifiers[:MOST_LOOKED_UP]:
        key = next(filter(None, map(directory.cadre_by_identity, as_identity(one, directory))), None)
        if key:
            found[key] = None
        elif one.system is not None and _is_ours(one, directory):
            strange = True
    for remote in _there(said.subject_ids, directory):
        if key := directory.cadre_by_remote_id(remote.id):
            found[key] = None
    found.update(dict.fromkeys(_by_encounter(said, directory)))
    return list(found), strange


def _by_encounter(said: Evidence, directory: ReferenceDirectory) -> Iterator[str]:
    """Whose visit it is that the hospital examined for."""
    for one in said.encounter_identifiers[:MOST_LOOKED_UP]:
        for value in as_identity(one, directory):
            if key := directory.cadre_by_encounter(identity=value):
                yield key
    for remote in _there(said.encounter_ids, directory):
        if key := directory.cadre_by_encounter(id=remote.id):
            yield key


def _by_name(said: Evidence, directory: ReferenceDirectory) -> list[str]:
    """Who has a name that was given and was born on a day that was given, each once."""
    found = (cadre for name, day in named_days(said) for cadre in directory.cadres_by_name(name, day))
    return list(dict.fromkeys(found))


def named_days(said: Evidence) -> list[tuple[str, str]]:
    """The names that are given, each with the whole dates of birth that are."""
    days = [day for day in said.birth_dates if len(day) == len("1955-03-14")][:_FEW]
    return [(name, day) for name in said.names[:_FEW] for day in days]


def _is_ours(one: Identifier, directory: ReferenceDirectory) -> bool:
    """Whether it stands under our own system, be it written otherwise."""
    return one.system is not None and _plain(one.system) == _plain(directory.identifier_system)


def _plain(system: str) -> str:
    return system.strip().rstrip("/").casefold().removeprefix("https://").removeprefix("http://")


def as_identity(one: Identifier, directory: ReferenceDirectory) -> list[str]:
    """The forms under which it may be an identity of ours: as it is where the system is ours or was left out,
    and under whatever system where it is 128 bits, in capitals, with dashes or as a URI: no chance makes two
    keyed hashes the same.
    """
    bits = _SEPARATORS.sub("", one.value.casefold().removeprefix("urn:uuid:"))
    forms = [one.value] if one.system is None or _is_ours(one, directory) else []
    return list(dict.fromkeys([*forms, *([bits] if _IDENTITY.fullmatch(bits) else [])]))


def _there(ids: Sequence[RemoteReference], directory: ReferenceDirectory) -> list[RemoteReference]:
    """Literal references to the hospital's own server; ids of any other server mean nothing here."""
    bases = {same_base(base) for base in directory.bases}
    return [one for one in ids[:MOST_LOOKED_UP] if one.base is not None and same_base(one.base) in bases]


def _nowhere(ids: Sequence[RemoteReference]) -> list[RemoteReference]:
    """Ids that are held neither here nor said to be of any server."""
    return [one for one in ids[:MOST_LOOKED_UP] if one.base is None]

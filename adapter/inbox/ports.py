"""What the inbox needs from the rest: look-ups in ledger and records, and writes to the records.

The inbox knows neither store. `adapter.pipeline` hands in objects of these shapes.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import islice
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from adapter.fhir.codec import Resource
from adapter.inbox.evidence import Evidence, Identifier, RemoteReference, identifiers_of
from adapter.inbox.local_writes import AnswerPlan, ResultPlan, StoredResult
from adapter.inbox.matching import KnownCadre, KnownReferral, LookupResult, NumberMatch
from adapter.inbox.references import MOST_REFERENCES, same_base
from adapter.inbox.rulings import item_subject, number_subject
from adapter.linkage.placeholders import is_placeholder

__all__ = [
    "RecordWriter",
    "ReferenceDirectory",
    "ReversibleRecordWriter",
    "as_identity",
    "is_centres_own",
    "look_up_evidence",
    "named_days",
    "patient_subjects",
]

Named = TypeVar("Named")

_FEW = 5  # names, and dates of birth
_IDENTITY = re.compile(r"[0-9a-f]{32}")
_NUMBER = re.compile(r"(?=.*\d).{3,}")
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

    def referrals_by_identity(self, values: Collection[str]) -> Mapping[str, KnownReferral]:
        """The referrals whose ServiceRequest or Task has one of these identities of ours, at whichever
        hospital, by identity.
        """

    def referrals_by_remote_id(self, ids: Collection[str]) -> Mapping[str, KnownReferral]:
        """The referrals that are `ServiceRequest/<id>` at this hospital, by id."""

    def cadres_by_identity(self, values: Collection[str]) -> Mapping[str, str]:
        """Keys of the people with one of these identities of ours at this hospital, by identity."""

    def cadres_by_remote_id(self, ids: Collection[str]) -> Mapping[str, str]:
        """Keys of the people who are `Patient/<id>` at this hospital, by id."""

    def cadres_by_encounter_identity(self, values: Collection[str]) -> Mapping[str, str]:
        """Keys of the people whose Encounter has one of these identities of ours at this hospital."""

    def cadres_by_encounter_id(self, ids: Collection[str]) -> Mapping[str, str]:
        """Keys of the people whose Encounter is `Encounter/<id>` at this hospital, by id."""

    def cadres_by_identifier(self, values: Collection[str]) -> Mapping[str, Sequence[str]]:
        """Keys of the people with these national or insurance numbers, by number."""

    def number_forms(self, values: Collection[str]) -> Collection[str]:
        """The forms in which national or insurance numbers that are written so are recorded."""

    def cadres_by_name(self, said: Collection[tuple[str, str]]) -> Sequence[str]:
        """Keys of the people of these names, however they are spelt, who were born on the day beside."""

    def rulings(self, subjects: Collection[str]) -> Mapping[str, bool]:
        """Keys of the people of whom a person said that one of these (`rulings.number_subject`) is this one,
        or never this one (True).
        """

    def is_centres_own(self, type: str, values: Collection[str]) -> bool:
        """Whether one of these identities is of a resource of this type that we sent to any hospital."""

    def referral(self, key: str) -> KnownReferral | None:
        """The referral of that key."""

    def cadre(self, key: str) -> KnownCadre | None:
        """The person of that key."""

    def people(self, keys: Collection[str]) -> Mapping[str, KnownCadre]:
        """The people of these keys who are in the records, by key."""

    def audit_subject(self, cadre: str) -> str:
        """The person's opaque subject for the audit (a keyed hash)."""


class RecordWriter(Protocol):
    """Writes results, and how referrals stand, into the local record, in the inbox's own transaction."""

    def lives(self, cadre: str, *, connection: Connection) -> bool:
        """Whether the person is in the records, and stays there until the transaction ends."""

    def stored_result(self, result_key: str) -> StoredResult | None:
        """What is stored under that result key."""

    def save_result(self, plan: ResultPlan, *, connection: Connection) -> bool:
        """Write the result; False when the same content is stored already."""

    def advance(self, plan: AnswerPlan, *, connection: Connection) -> bool:
        """Take the referral where the hospital's saying leads."""


class ReversibleRecordWriter(RecordWriter, Protocol):
    """Records that can also undo what a result did."""

    def take_back(self, result_key: str, *, connection: Connection) -> bool:
        """Remove the result and open again the referrals that it completed; False if there is none."""

    def answer_again(self, cadre: str, referral: str, *, connection: Connection) -> None:
        """A Task that answered this referral does not count any more: it is as what else answers it says."""


def look_up_evidence(
    said: Evidence, directory: ReferenceDirectory, *, lineage: int | None = None
) -> LookupResult:
    """Look everything up that the evidence points at, each sort at once. Reads only. `lineage` is the item's,
    of which something may have been said too.
    """
    referrals, unplaced, strange_referral = _referrals(said, directory)
    identities, strange_identity = _identities(said, directory)
    nowhere = [one.id for one in _nowhere(said.subject_ids)]
    remote = directory.cadres_by_remote_id(nowhere)
    ids = [remote[one] for one in nowhere if one in remote]
    numbers, strange_number = _numbers(said, directory)
    named = directory.cadres_by_name(named_days(said))
    own = [item_subject(lineage)] if lineage is not None else []
    ruled = directory.rulings([*patient_subjects(said, directory), *own])
    hints = directory.referrals_by_identity(said.suggested) if said.suggested else {}
    suggested = {one.key: one for one in hints.values() if one.hospital == directory.hospital}
    everyone = {
        *identities,
        *ids,
        *numbers,
        *named,
        *ruled,
        *(found.cadre for found in (*referrals.values(), *suggested.values())),
    }
    people = dict(sorted(directory.people(everyone).items()))
    return LookupResult(
        hospital=directory.hospital,
        # who left the records is nobody here, whatever a ledger or an index still holds
        referrals=tuple(found for found in referrals.values() if found.cadre in people),
        unplaced=unplaced,
        by_identity=tuple(key for key in identities if key in people),
        by_id=tuple(key for key in dict.fromkeys(ids) if key in people),
        by_number=tuple(NumberMatch(cadre, trusted) for cadre, trusted in numbers.items() if cadre in people),
        by_ruling=tuple(key for key, is_never in ruled.items() if not is_never and key in people),
        never=frozenset(key for key, is_never in ruled.items() if is_never),
        suggested=tuple(found for found in suggested.values() if found.cadre in people),
        by_name=tuple(key for key in named if key in people),
        people=people,
        has_unknown_identity=strange_identity or any(key not in people for key in (*identities, *ids)),
        has_unknown_number=strange_number,
        has_unknown_referral=strange_referral or any(one.cadre not in people for one in referrals.values()),
    )


def is_centres_own(resource: Resource, directory: ReferenceDirectory) -> bool:
    """Whether it is what we sent, sent back: it has the identity that we gave it."""
    type_, listed = str(resource.get("resourceType")), identifiers_of(resource)
    named = islice(listed, MOST_REFERENCES)
    return directory.is_centres_own(type_, {value for one in named for value in as_identity(one, directory)})


def _numbers(said: Evidence, directory: ReferenceDirectory) -> tuple[dict[str, bool], bool]:
    """Who has a number that is given, and whether under an agreed system; whether one under such a system is
    nobody's. What only fills a field is none.
    """
    given = [
        one
        for one in said.subject_identifiers
        if not _is_ours(one, directory) and not is_placeholder(one.value)
    ]
    found = directory.cadres_by_identifier([one.value for one in given])
    numbers: dict[str, bool] = {}
    strange = False
    for one in given:
        is_trusted = one.system in directory.number_systems
        cadres = found.get(one.value, ())
        strange = strange or (is_trusted and not cadres)
        for cadre in cadres:
            numbers[cadre] = numbers.get(cadre, False) or is_trusted
    return numbers, strange


def _referrals(
    said: Evidence, directory: ReferenceDirectory
) -> tuple[dict[str, KnownReferral], frozenset[str], bool]:
    """The referrals that are named, by key; which of them by an id of no certain server alone; and whether
    an identity of ours among them is no referral's.
    """
    ours, strange = _by_identity(said.referral_identifiers, directory, directory.referrals_by_identity)
    certain = {found.key: found for found in ours}
    placed = [one.id for one in _there(said.referral_ids, directory)]
    nowhere = [one.id for one in _nowhere(said.referral_ids)]
    remote = directory.referrals_by_remote_id({*placed, *nowhere})
    certain |= {remote[one].key: remote[one] for one in placed if one in remote}
    unplaced = {remote[one].key: remote[one] for one in nowhere if one in remote}
    return {**certain, **unplaced}, frozenset(unplaced.keys() - certain.keys()), strange


def _identities(said: Evidence, directory: ReferenceDirectory) -> tuple[list[str], bool]:
    """The people whom identities of ours or ids at the hospital's own server name, each once; and whether
    there is an identity under our system that is nobody's. The hospital may have ids of its own.
    """
    found, strange = _by_identity(said.subject_identifiers, directory, directory.cadres_by_identity)
    ids = [one.id for one in _there(said.subject_ids, directory)]
    remote = directory.cadres_by_remote_id(ids)
    found += [remote[one] for one in ids if one in remote]
    # whose visit it is that the hospital examined for
    found += _by_identity(said.encounter_identifiers, directory, directory.cadres_by_encounter_identity)[0]
    ids = [one.id for one in _there(said.encounter_ids, directory)]
    remote = directory.cadres_by_encounter_id(ids)
    found += [remote[one] for one in ids if one in remote]
    return list(dict.fromkeys(found)), strange


def _by_identity(
    given: Sequence[Identifier],
    directory: ReferenceDirectory,
    look_up: Callable[[Collection[str]], Mapping[str, Named]],
) -> tuple[list[Named], bool]:
    """What is found by an identity of ours; and whether one under our own system is of nothing."""
    forms = {one: as_identity(one, directory) for one in given}
    known = look_up({value for values in forms.values() for value in values})
    found, strange = [], False
    for one, values in forms.items():
        mine = next((known[value] for value in values if value in known), None)
        if mine is not None:
            found.append(mine)
        elif one.system is not None and _is_ours(one, directory):
            strange = True
    return found, strange


def named_days(said: Evidence) -> list[tuple[str, str]]:
    """The names that are given, each with the whole dates of birth that are."""
    days = [day for day in said.birth_dates if len(day) == len("1955-03-14")][:_FEW]
    return [(name, day) for name in said.names[:_FEW] for day in days]


def patient_subjects(said: Evidence, directory: ReferenceDirectory) -> list[str]:
    """What stands for the numbers that the patient has at the hospital itself (`rulings`): under a system of
    its own, and not what only fills a field.
    """
    return [
        number_subject(directory.hospital, one.system, one.value)
        for one in said.subject_identifiers
        if one.system is not None
        and one.system not in directory.number_systems
        and not _is_ours(one, directory)
        and _NUMBER.fullmatch(one.value)
        and not is_placeholder(one.value)
    ]


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
    return [one for one in ids if one.base is not None and same_base(one.base) in bases]


def _nowhere(ids: Sequence[RemoteReference]) -> list[RemoteReference]:
    """Ids that are held neither here nor said to be of any server."""
    return [one for one in ids if one.base is None]

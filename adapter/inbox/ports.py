"""What the inbox needs from the rest: look-ups in ledger and records, and writes to the records.

The inbox knows neither store. `adapter.pipeline` hands in objects of these shapes.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from adapter.inbox.evidence import Evidence, Identifier, RemoteReference
from adapter.inbox.local_writes import ResultPlan, StoredResult
from adapter.inbox.matching import FulfilmentEffect, KnownCadre, KnownReferral, LookupResult, NumberMatch

__all__ = ["RecordWriter", "ReferenceDirectory", "ReversibleRecordWriter", "look_up_evidence"]


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

    def referral_by_identity(self, value: str) -> KnownReferral | None:
        """The referral with that identity of ours, at whichever hospital it has it."""

    def referral_by_remote_id(self, id: str) -> KnownReferral | None:
        """The referral that is `ServiceRequest/<id>` at this hospital."""

    def cadre_by_identity(self, value: str) -> str | None:
        """Key of the person with that identity of ours at this hospital."""

    def cadre_by_remote_id(self, id: str) -> str | None:
        """Key of the person who is `Patient/<id>` at this hospital."""

    def cadres_by_identifier(self, value: str) -> Sequence[str]:
        """Keys of the people with that national or insurance number."""

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


def look_up_evidence(said: Evidence, directory: ReferenceDirectory) -> LookupResult:
    """Look everything up that the evidence points at. Reads only."""
    referrals = {
        found.key: found
        for found in (
            *(
                directory.referral_by_identity(one.value)
                for one in _ours(said.referral_identifiers, directory)
            ),
            *(directory.referral_by_remote_id(one.id) for one in _here(said.referral_ids, directory)),
        )
        if found
    }
    identities, strange_identity = _identities(said, directory)
    numbers: dict[str, bool] = {}
    strange_number = False
    for one in said.subject_identifiers:
        if one.system != directory.identifier_system:
            trusted = one.system in directory.number_systems
            cadres = directory.cadres_by_identifier(one.value)
            strange_number = strange_number or (trusted and not cadres)
            for cadre in cadres:
                numbers[cadre] = numbers.get(cadre, False) or trusted
    everyone = {*identities, *numbers, *(found.cadre for found in referrals.values())}
    people = {key: person for key in sorted(everyone) if (person := directory.cadre(key))}
    return LookupResult(
        hospital=directory.hospital,
        # who left the records is nobody here, whatever a ledger or an index still holds
        referrals=tuple(found for found in referrals.values() if found.cadre in people),
        by_identity=tuple(key for key in identities if key in people),
        by_number=tuple(NumberMatch(cadre, trusted) for cadre, trusted in numbers.items() if cadre in people),
        people=people,
        has_unknown_identity=strange_identity or any(key not in people for key in identities),
        has_unknown_number=strange_number,
    )


def _identities(said: Evidence, directory: ReferenceDirectory) -> tuple[list[str], bool]:
    """The people whom identities of ours or ids at the hospital name, each once; and whether there
    is an identity under our system that is nobody's. The hospital may have ids of its own.
    """
    found: dict[str, None] = {}
    strange = False
    for one in _ours(said.subject_identifiers, directory):
        key = directory.cadre_by_identity(one.value)
        if key:
            found[key] = None
        elif one.system is not None:
            strange = True
    for remote in _here(said.subject_ids, directory):
        if key := directory.cadre_by_remote_id(remote.id):
            found[key] = None
    return list(found), strange


def _ours(identifiers: Sequence[Identifier], directory: ReferenceDirectory) -> list[Identifier]:
    """Those that can be an identity of ours. A left-out system does no harm: 128 keyed bits are unique."""
    return [one for one in identifiers if one.system in (None, directory.identifier_system)]


def _here(ids: Sequence[RemoteReference], directory: ReferenceDirectory) -> list[RemoteReference]:
    """Literal references to the hospital's own server; ids of any other server mean nothing here."""
    return [one for one in ids if one.base is None or one.base in directory.bases]

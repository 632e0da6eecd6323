"""Referrals and people as one hospital refers to them: ledger first, then the records. Whatever is asked for
is one statement or a few, however much it is.
"""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection

from adapter.database import read_transaction
from adapter.disclosure.pseudonymisation import pseudonymised
from adapter.inbox.matching import KnownCadre, KnownReferral
from adapter.inbox.rulings import ruled_cadres
from adapter.ledger.named_lines import NamedLine, held_records, lines_by_identity, lines_by_remote_id
from adapter.pipeline.application import Adapter
from adapter.records import lookups
from adapter.records.model import Cadre, Referral
from adapter.records.serialisation import identifier_forms

__all__ = ["HospitalDirectory"]

_NUMBER_SYSTEMS = frozenset({"citizen_id", "national_id", "insurance_number"})


class HospitalDirectory:
    """See `adapter.inbox.ports.ReferenceDirectory`."""

    def __init__(self, adapter: Adapter, hospital: str) -> None:
        self._adapter = adapter
        self.hospital = hospital
        self.identifier_system = adapter.settings.centre.identifier_system
        known = adapter.settings.hospitals.get(hospital)
        systems = known.systems if known else {}
        self.number_systems = frozenset(uri for name, uri in systems.items() if name in _NUMBER_SYSTEMS)
        bases = (known.base_url, *known.base_urls) if known else ()
        self.bases = frozenset(one for one in bases if one)
        public = adapter.settings.public_url
        self.own_bases = frozenset({public} if public else ())

    def referrals_by_identity(self, values: Collection[str]) -> Mapping[str, KnownReferral]:
        """See ReferenceDirectory."""
        hospitals = list(dict.fromkeys((self.hospital, *self._adapter.settings.hospitals)))
        with read_transaction(self._adapter.engine) as connection:
            lines = lines_by_identity(connection, hospitals, ("ServiceRequest", "Task"), values)
            order = {name: place for place, name in enumerate(hospitals)}
            lines.sort(key=lambda one: order[one.hospital])  # this hospital's own first
            return _referrals_of(connection, lines)

    def referrals_by_remote_id(self, ids: Collection[str]) -> Mapping[str, KnownReferral]:
        """See ReferenceDirectory."""
        with read_transaction(self._adapter.engine) as connection:
            lines = lines_by_remote_id(connection, self.hospital, ("ServiceRequest",), ids)
            return _referrals_of(connection, lines)

    def cadres_by_identity(self, values: Collection[str]) -> Mapping[str, str]:
        """See ReferenceDirectory."""
        with read_transaction(self._adapter.engine) as connection:
            lines = lines_by_identity(connection, (self.hospital,), ("Patient",), values)
            return _people_of(connection, {one.name: one.key for one in reversed(lines)})

    def cadres_by_remote_id(self, ids: Collection[str]) -> Mapping[str, str]:
        """See ReferenceDirectory."""
        with read_transaction(self._adapter.engine) as connection:
            lines = lines_by_remote_id(connection, self.hospital, ("Patient",), ids)
            return _people_of(connection, {one.name: one.key for one in reversed(lines)})

    def cadres_by_encounter_identity(self, values: Collection[str]) -> Mapping[str, str]:
        """See ReferenceDirectory."""
        with read_transaction(self._adapter.engine) as connection:
            lines = lines_by_identity(connection, (self.hospital,), ("Encounter",), values)
            return _people_of(connection, {one.name: one.cadre for one in reversed(lines)})

    def cadres_by_encounter_id(self, ids: Collection[str]) -> Mapping[str, str]:
        """See ReferenceDirectory."""
        with read_transaction(self._adapter.engine) as connection:
            lines = lines_by_remote_id(connection, self.hospital, ("Encounter",), ids)
            return _people_of(connection, {one.name: one.cadre for one in reversed(lines)})

    def cadres_by_identifier(self, values: Collection[str]) -> Mapping[str, Sequence[str]]:
        """See ReferenceDirectory."""
        with read_transaction(self._adapter.engine) as connection:
            return lookups.cadres_by_identifiers(connection, values)

    def number_forms(self, values: Collection[str]) -> Collection[str]:
        """See ReferenceDirectory."""
        return identifier_forms(values)

    def cadres_by_name(self, said: Collection[tuple[str, str]]) -> Sequence[str]:
        """See ReferenceDirectory."""
        with read_transaction(self._adapter.engine) as connection:
            return lookups.cadres_by_names(connection, said)

    def rulings(self, subjects: Collection[str]) -> Mapping[str, bool]:
        """See ReferenceDirectory."""
        with read_transaction(self._adapter.engine) as connection:
            said = ruled_cadres(connection, self.hospital, subjects)
            others = lookups.survivors_of(connection, said)
        found: dict[str, bool] = {}
        for key, is_never in said.items():
            now = others.get(key, key)
            found[now] = found.get(now, False) or is_never
        return found

    def is_centres_own(self, type: str, values: Collection[str]) -> bool:
        """See ReferenceDirectory."""
        hospitals = list(dict.fromkeys((self.hospital, *self._adapter.settings.hospitals)))
        with read_transaction(self._adapter.engine) as connection:
            return bool(lines_by_identity(connection, hospitals, (type,), values))

    def referral(self, key: str) -> KnownReferral | None:
        """See ReferenceDirectory."""
        with read_transaction(self._adapter.engine) as connection:
            return _referrals(connection, (key,)).get(key)

    def cadre(self, key: str) -> KnownCadre | None:
        """See ReferenceDirectory."""
        return self.people((key,)).get(key)

    def people(self, keys: Collection[str]) -> Mapping[str, KnownCadre]:
        """See ReferenceDirectory."""
        with read_transaction(self._adapter.engine) as connection:
            found = lookups.live_records(connection, Cadre.kind, keys)
            names = self._adapter.records.merges.recorded_names(connection, list(found))
            known = [name for mine in names.values() for name in mine]
            held = held_records(connection, self.hospital, "Patient", Cadre.kind, known)
        return {
            key: self._known(one, is_held=not held.isdisjoint(names[key]))
            for key, one in found.items()
            if isinstance(one, Cadre)
        }

    def _known(self, cadre: Cadre, *, is_held: bool) -> KnownCadre:
        identity = self._adapter.identities.of(self.hospital, "Patient", Cadre.kind, cadre.key)
        return KnownCadre(
            cadre.key,
            cadre.name,
            cadre.birth_date,
            self._pseudonym(identity),
            str(cadre.sex),
            identity,
            is_held,
        )

    def _pseudonym(self, identity: str) -> str:
        identifier = {"system": self.identifier_system, "value": identity}
        hidden = pseudonymised(
            {"resourceType": "Patient", "identifier": [identifier]}, self.identifier_system
        )
        name: str = hidden["name"][0]["text"]
        return name

    def audit_subject(self, cadre: str) -> str:
        """See ReferenceDirectory."""
        return self._adapter.audit_subject(cadre)


def _referrals_of(connection: Connection, lines: Sequence[NamedLine]) -> dict[str, KnownReferral]:
    """By the names of the lines; the first line of a name holds."""
    keys = {one.name: one.key for one in reversed(lines)}
    known = _referrals(connection, set(keys.values()))
    return {name: known[key] for name, key in keys.items() if key in known}


def _referrals(connection: Connection, keys: Collection[str]) -> dict[str, KnownReferral]:
    found = lookups.live_records(connection, Referral.kind, keys)
    return {
        key: KnownReferral(one.key, one.cadre, one.hospital, one.status)
        for key, one in found.items()
        if isinstance(one, Referral)
    }


def _people_of(connection: Connection, keys: Mapping[str, str]) -> dict[str, str]:
    """Who each of these people is now."""
    others = lookups.survivors_of(connection, set(keys.values()))
    return {name: others.get(key, key) for name, key in keys.items()}

"""Which names an item waits for: all that it was looked for by. Pure."""

from collections.abc import Collection, Iterator

from adapter.awaited import (
    identity_name,
    line_name,
    number_name,
    patient_name,
    person_name,
    record_name,
    sent_name,
)
from adapter.inbox.evidence import Evidence
from adapter.inbox.matching import LookupResult
from adapter.inbox.ports import ReferenceDirectory, as_identity, named_days, patient_subjects
from adapter.person_names import name_and_birth_date

__all__ = ["names_awaited"]

_MOST = 2_000  # names of one item; the pauses between two looks take care of the rest


def names_awaited(
    said: Evidence, found: LookupResult, asked: Collection[str], directory: ReferenceDirectory
) -> list[str]:
    """The names of what could make somebody of an item's evidence, each once. `asked` are the resources of
    the same hospital that were looked for, as `Type/id`, whether they were there or not.
    """
    names = dict.fromkeys(_names(said, found, asked, directory))
    return list(names)[:_MOST]


def _names(
    said: Evidence, found: LookupResult, asked: Collection[str], directory: ReferenceDirectory
) -> Iterator[str]:
    hospital = directory.hospital
    for reference in asked:
        yield sent_name(hospital, reference)
    for remote in (*said.referral_ids, *said.subject_ids, *said.encounter_ids):
        yield line_name(hospital, remote.id)
    for one in (*said.referral_identifiers, *said.subject_identifiers, *said.encounter_identifiers):
        for value in as_identity(one, directory):
            yield identity_name(value)
    for value in directory.number_forms([one.value for one in said.subject_identifiers]):
        yield number_name(value)
    yield from map(patient_name, patient_subjects(said, directory))
    for name, day in named_days(said):
        yield person_name(name_and_birth_date(name, day))
    for key, person in found.people.items():
        yield record_name("cadre", key)
        if person.identity and not person.is_held:
            yield identity_name(person.identity)
    for referral in found.referrals:
        yield record_name("referral", referral.key)

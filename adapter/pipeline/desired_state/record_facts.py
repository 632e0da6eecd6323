"""What disclosure needs to know of one record, and of the person whose it is (no input or output)."""

from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from adapter.disclosure.identifying_terms import IdentifyingTerms, PositionTerm
from adapter.disclosure.policy import DisclosureFacts
from adapter.disclosure.policy_schema import DisclosureForm
from adapter.records.model import Cadre, Diagnosis, Measurement, Procedure, Record, Referral

if TYPE_CHECKING:
    from adapter.mapping.engine import ResourceMapping

__all__ = ["facts_of", "secrets_of"]

# What refers to other records: not words that somebody wrote.
_NOT_WORDS = frozenset(("key", "cadre", "visit", "hospital", "fulfilled_by"))


def facts_of(person: Cadre, record: Record, map_: "ResourceMapping", is_needed: bool) -> DisclosureFacts:
    """What the decision on one mapping of a record depends on."""
    # Who somebody is tells nothing of an illness: a street may be named after a hospital.
    words = () if isinstance(record, Cadre) else _word_fields(type(record), map_.reads)
    return DisclosureFacts(
        kind=record.kind,
        tier=person.tier.value,
        consents=person.consents,
        needed=is_needed,
        addressee=record.hospital if isinstance(record, Referral) else None,
        measure=record.measure if isinstance(record, Measurement) else None,
        icd10=record.icd10 if isinstance(record, Diagnosis | Procedure | Referral) else None,
        service=record.service if isinstance(record, Referral) else None,
        texts=tuple(text for name in words if (text := _word(record, name))),
    )


@lru_cache(maxsize=256)
def _word_fields(type_: type[Record], reads: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted((reads - _NOT_WORDS) & (type_.model_fields.keys() | vars(type_).keys())))


def _word(record: Record, field: str) -> str | None:
    """What stands in that field, where it is text: a value, a reason, what the sheet calls a measure."""
    found = getattr(record, field, None)
    return found if isinstance(found, str) else None


@lru_cache(maxsize=16)
def secrets_of(
    person: Cadre, form: DisclosureForm | None
) -> tuple[PositionTerm | None, IdentifyingTerms | None]:
    """What the text of this person's resources may not hold."""
    position = PositionTerm(person.position) if person.position else None
    if form is not DisclosureForm.PSEUDONYM:
        return position, None
    numbers = (person.national_id, person.old_national_id, *person.insurance, person.phone, person.key)
    known = tuple(one for one in numbers if one)
    born = person.birth_date if isinstance(person.birth_date, date) else None  # a year alone is not hidden
    return position, IdentifyingTerms(person.name, known, person.address, born)

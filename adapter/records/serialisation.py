"""A record as it is stored: JSON text without nulls, and the digests of it."""

import re
from collections.abc import Iterable
from typing import Any, cast

import orjson

from adapter.fhir.codec import digest
from adapter.person_names import name_and_birth_date
from adapter.records.model import RECORD_TYPES, Cadre, Record, Referral
from adapter.referrals.lifecycle import ReferralState

__all__ = [
    "FULFILMENT_FIELDS",
    "body_digest",
    "identifier_forms",
    "name_digest",
    "normalise_identifier",
    "parse_record",
    "person_identifiers",
    "serialise_record",
    "source_digest",
    "tombstone_body",
    "with_stored_fulfilment",
]

# Written by the inbox and by people at the centre; an import keeps whatever stands there.
FULFILMENT_FIELDS = (
    "state",
    "fulfilled_at",
    "fulfilled_by",
    "appointment_at",
    "hospital_number",
    "said",
    "reason_code",
    "onward",
    "progress",
    "question",
    "asked_at",
    "answer",
    "answered_at",
    "answered_by",
    "cancel_asked_at",
    "cancel_needs_answer",
    "cancel_reason",
    "acknowledged_at",
    "acknowledged_by",
    "called_at",
    "called_by",
)
_OF_PEOPLE = ("said", "onward", "question", "answer", "cancel_reason")  # free text: no tombstone keeps it

_CARD = re.compile(r"[A-Z]{2}[0-9]{13}")
_LOADERS = {kind: type_.__pydantic_validator__.validate_json for kind, type_ in RECORD_TYPES.items()}


def serialise_record(record: Record) -> str:
    """The record as JSON, fields in the model's order, None left out."""
    return record.__pydantic_serializer__.to_json(record, exclude_none=True).decode()


def parse_record(kind: str, body: str) -> Record:
    """The record again. Types are those of the model."""
    return cast(Record, _LOADERS[kind](body))


def body_digest(body: str) -> str:
    """Digest of a stored body."""
    return digest(body.encode())


def source_digest(record: Record, body: str) -> str:
    """Digest of what the source decides: all of it, but a referral's fulfilment."""
    if isinstance(record, Referral):
        return digest(
            record.__pydantic_serializer__.to_json(record, exclude_none=True, exclude=set(FULFILMENT_FIELDS))
        )
    return body_digest(body)


def with_stored_fulfilment(record: Record, stored: str | None) -> Record:
    """The imported referral with the fulfilment that is stored; any other record as it is."""
    if not isinstance(record, Referral) or not stored:
        return record
    before: dict[str, Any] = orjson.loads(stored)
    kept = {name: before[name] for name in FULFILMENT_FIELDS if name in before}
    return Referral.model_validate(record.model_dump() | kept) if kept else record


def tombstone_body(kind: str, body: str | None) -> str | None:
    """What a tombstone keeps: how far a referral got, in case its row comes back. Nothing else."""
    if kind != Referral.kind or not body:
        return None
    before: dict[str, Any] = orjson.loads(body)
    kept = {name: before[name] for name in FULFILMENT_FIELDS if name in before and name not in _OF_PEOPLE}
    return None if kept in ({}, {"state": ReferralState.RECEIVED}) else orjson.dumps(kept).decode()


def normalise_identifier(value: str) -> str:
    """A national or insurance number without spaces, dots or dashes, in capitals."""
    return "".join(letter for letter in value.upper() if letter.isalnum())


def identifier_forms(values: Iterable[str]) -> set[str]:
    """The numbers in every form that they are found by. An insurance card's number ends with the ten digits
    of the social insurance number (Decision 1351/QĐ-BHXH): those stay when the card is issued anew with
    another group, benefit or province, and new cards and forms show nothing else.
    """
    whole = {normalise_identifier(value) for value in values} - {""}
    return whole | {card[5:] for card in whole if _CARD.fullmatch(card)}


def person_identifiers(cadre: Cadre) -> set[str]:
    """Every national and insurance number of a person, in every form that it is found by."""
    values = (cadre.national_id, cadre.old_national_id, *cadre.insurance)
    return identifier_forms(value for value in values if value)


def name_digest(cadre: Cadre) -> str:
    """What the person's name and date of birth are found by together, however the name is spelt."""
    return name_and_birth_date(cadre.name, str(cadre.birth_date))

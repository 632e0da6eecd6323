"""One of the insurer's XML files taken in: the transaction that it means is stored, is in the inbox, and the
file is noted as taken, all at once. So the same bytes are known again, by whatever way they come.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from adapter.database import read_transaction, write_transaction
from adapter.errors import FhirError
from adapter.fhir.codec import digest
from adapter.inbox.acknowledgements.store import AcknowledgedMessage, AcknowledgementStore
from adapter.national_xml.conventions import FileConventions
from adapter.national_xml.conversion import ConvertedFile, convert_file
from adapter.national_xml.refusals import file_refusal
from adapter.national_xml.subjects import VisitSubject
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.reception import repository_of
from adapter.pipeline.inbound.refusal import names_erased
from adapter.records.lookups import cadres_by_identifiers, cadres_by_names
from adapter.records.sources.checkup.form_mapping import load_form_mapping
from adapter.repository.interaction_errors import issues_of_error
from adapter.repository.search_matches import TokenCriterion
from adapter.repository.store import ids_by_identifier
from adapter.settings import Settings
from adapter.texts import say

__all__ = ["TakenFile", "converted_file", "take_file"]

_ENTRY: Final = re.compile(r"Bundle\.entry\[(\d+)\]")
_SERVER_FAULT: Final = 500
_AT_ONCE: Final = 500  # numbers in one statement
_ANSWER_ID: Final = 20  # letters that the table has room for
_KIND: Final = b"national-xml\x1f"  # so that no message of another form is meant


@dataclass(frozen=True, slots=True)
class TakenFile:
    """A file that is safe. `at` is when it was taken first; of one that was known the others are 0. Nothing
    was taken of the visits of `strangers`.
    """

    at: datetime
    is_known: bool
    visits: int = 0
    entries: int = 0
    strangers: int = 0


@dataclass(slots=True)
class _Note:
    """Notes the file in the transaction that stores what it means."""

    file: AcknowledgedMessage
    is_made: bool = False

    def make(self, connection: Connection) -> None:
        if not self.is_made:
            AcknowledgementStore.add(connection, self.file)
            self.is_made = True


def converted_file(adapter: Adapter, hospital: str, data: bytes) -> ConvertedFile:
    """What a hospital's file would become. Raises FhirError."""
    settings = adapter.settings
    form = settings.mappings_folder / "sources" / "checkup.yaml"  # of a province, as an import reads it
    return convert_file(
        data,
        _conventions(settings, hospital),
        lambda: load_form_mapping(form if form.is_file() else None),
        partial(_known_subjects, adapter, hospital),
    )


def _known_subjects(adapter: Adapter, hospital: str, subjects: Sequence[VisitSubject]) -> list[bool]:
    """By a referral that may be ours, else by number, else by name and date of birth, else by what the
    hospital sent of the same patient before, which a person may have linked: any of them is enough, and who
    it is then is for matching to say.
    """
    patients = {one: ("Patient", TokenCriterion(*one.own)) for one in subjects}
    numbers = sorted({number for one in subjects for number in one.numbers})
    with read_transaction(adapter.engine) as connection:
        owned = {
            number
            for start in range(0, len(numbers), _AT_ONCE)
            for number, cadres in cadres_by_identifiers(connection, numbers[start : start + _AT_ONCE]).items()
            if cadres
        }
        sent = ids_by_identifier(connection, hospital, patients.values())
        return [
            one.names_referral
            or bool(sent[patients[one]])
            or not owned.isdisjoint(one.numbers)
            or bool(one.name and one.born and cadres_by_names(connection, _births(one)))
            for one in subjects
        ]


def _births(subject: VisitSubject) -> list[tuple[str, str]]:
    """Of somebody the centre may know the year alone."""
    return [(subject.name, born) for born in dict.fromkeys((subject.born, subject.born[:4]))]


def take_file(adapter: Adapter, hospital: str, data: bytes, now: datetime) -> TakenFile:
    """Take it in, or know it again. Raises FhirError, with nothing stored."""
    content = digest(data)
    name = digest(_KIND + content.encode())
    seen = AcknowledgedMessage(hospital, name, content, name[:_ANSWER_ID], now.replace(microsecond=0))
    if (known := _known(adapter, seen)) is not None:
        _refuse_erased_since(adapter, hospital, data)
        return TakenFile(known.at, is_known=True)
    converted = converted_file(adapter, hospital, data)
    if converted.strangers:
        _refuse_erased_since(adapter, hospital, data)
    # One with strangers is read again when it comes again: the centre may know them by then.
    note = _Note(seen, is_made=bool(converted.strangers))
    try:
        if converted.transaction.places:
            _store(adapter, hospital, converted, note)
    except IntegrityError:  # the same came twice at once
        known = _known(adapter, seen)
        if known is None:
            raise
        return TakenFile(known.at, is_known=True)
    entries = len(converted.transaction.places)
    return TakenFile(
        seen.at, is_known=False, visits=converted.visits, entries=entries, strangers=converted.strangers
    )


def _known(adapter: Adapter, seen: AcknowledgedMessage) -> AcknowledgedMessage | None:
    with read_transaction(adapter.engine) as connection:
        return AcknowledgementStore.find(connection, seen.hospital, seen.message)


def _refuse_erased_since(adapter: Adapter, hospital: str, data: bytes) -> None:
    """What was taken of somebody who was erased afterwards is not taken again: whoever brought it would keep
    it as such.
    """
    with read_transaction(adapter.engine) as connection:
        if names_erased(adapter, connection, hospital, "", data):
            raise file_refusal(422, "business-rule", "not_taken", said=say("fhir.not_kept"))


def _store(adapter: Adapter, hospital: str, converted: ConvertedFile, note: _Note) -> None:
    repository = repository_of(adapter, in_transaction=note.make)
    bundle = converted.transaction.bundle
    try:
        repository.bundle(hospital, bundle, base=adapter.settings.public_url or "")
    except FhirError as error:
        if error.status >= _SERVER_FAULT:
            raise
        raise _placed(error, converted) from None
    if not note.is_made:  # all of it was there already
        with write_transaction(adapter.engine) as connection:
            note.make(connection)


def _placed(error: FhirError, converted: ConvertedFile) -> FhirError:
    """What the checks of the REST API say, of the row that it is about."""
    issues = issues_of_error(error)
    first = next((one for one in issues if one.is_error), issues[0])
    found = _ENTRY.match(first.expression or "")
    if found is None:
        return file_refusal(error.status, error.code, "not_taken", said=first.text)
    place = converted.transaction.places[int(found[1])]
    return file_refusal(error.status, error.code, "refused", place, said=first.text)


def _conventions(settings: Settings, name: str) -> FileConventions:
    hospital = settings.hospital(name)
    section, ours = hospital.national_xml, settings.centre.identifier_system
    # a system of its own where it has no server
    own = section.system or hospital.base_url or f"{ours.rstrip('/')}/{hospital.name}"
    return FileConventions(
        ours=ours,
        own=own.rstrip("/"),
        citizen_id=hospital.systems.get("citizen_id", ""),
        insurance_number=hospital.systems.get("insurance_number", ""),
        services=section.services,
        indicators=section.indicators,
    )

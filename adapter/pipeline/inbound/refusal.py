"""What hospitals go on sending about somebody who was erased as T0 is refused before it is stored, and not
kept as a refused request either.
"""

import re
from collections.abc import Collection, Sequence
from contextlib import suppress

from sqlalchemy import Connection

from adapter.errors import FhirError, SettingsError
from adapter.inbox.quarantine.refused_request import received_resource
from adapter.ledger.named_lines import lines_by_identity, lines_by_remote_id
from adapter.national_xml.sheet_texts import sheet_texts
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.received_facts import (
    NamedSubjects,
    facts_of_change,
    identifier_values,
    named_subjects,
)
from adapter.records.erased_names import is_erased
from adapter.repository.write_plan import VersionChange

__all__ = ["NOT_KEPT", "names_erased", "refuse_erased"]

NOT_KEPT = "fhir.not_kept"
"""The text that says that somebody was erased as T0."""

_WORD = re.compile(r"\b[A-Za-z0-9]{8,20}\b")


def refuse_erased(adapter: Adapter, connection: Connection, changes: Sequence[VersionChange]) -> None:
    """Raises FhirError, so that the transaction ends with nothing stored, for what names such a person by a
    number, or by what this hospital was sent or gave a name to. All are of one owner.
    """
    if not changes:
        return
    named = [facts_of_change(one).subjects for one in changes]
    numbers = frozenset[str]().union(*(one.numbers for one in named))
    sent = frozenset[str]().union(*(one.sent for one in named))
    if _any_erased(adapter, connection, changes[0].owner, NamedSubjects(numbers, sent)):
        raise FhirError(422, "business-rule", NOT_KEPT)


def names_erased(adapter: Adapter, connection: Connection, hospital: str, url: str, body: bytes) -> bool:
    """Whether a request that was refused names such a person. Where it cannot be read, and in its
    URL, whatever could be a number counts as one.
    """
    with suppress(ValueError, RecursionError):
        resource = received_resource(body)
        values = (*identifier_values(resource), *_WORD.findall(url))
        named = named_subjects(values, [body, url.encode("utf-8", "replace")])
        return _any_erased(adapter, connection, hospital, named)
    text = body.decode("utf-8", "replace")
    text = f"{text}\n{sheet_texts(text)}\n{url}"
    return _any_erased(adapter, connection, hospital, named_subjects(_WORD.findall(text), [text.encode()]))


def _any_erased(adapter: Adapter, connection: Connection, hospital: str, named: NamedSubjects) -> bool:
    try:
        identities = adapter.identities
    except SettingsError:
        return False  # without a key nobody was erased by it
    return is_erased(
        connection,
        identities,
        numbers=named.numbers,
        sent={f"{hospital}|{one}" for one in named.sent - _known(connection, hospital, named.sent)},
    )


def _known(connection: Connection, hospital: str, named: Collection[str]) -> set[str]:
    """Those that are of somebody who is in the records, perhaps again."""
    by_id: dict[str, list[str]] = {"Patient": [], "ServiceRequest": []}
    identities = []
    for one in named:
        type_, slash, id_ = one.partition("/")
        if slash:
            by_id[type_].append(id_)
        else:
            identities.append(one)
    lines = lines_by_identity(connection, (hospital,), tuple(by_id), identities)
    known = {line.name for line in lines if line.key}
    for type_, ids in by_id.items():
        lines = lines_by_remote_id(connection, hospital, (type_,), ids)
        known |= {f"{type_}/{line.name}" for line in lines if line.key}
    return known

"""What hospitals go on sending about somebody who was erased as T0 is refused before it is stored, and not
kept as a refused request either.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection

from adapter.errors import FhirError, SettingsError
from adapter.inbox.quarantine.refused_request import received_resource
from adapter.ledger.named_lines import lines_by_identity, lines_by_remote_id
from adapter.national_xml.sheet_texts import sheet_texts
from adapter.pipeline.application import Adapter
from adapter.records.erased_names import is_erased
from adapter.records.serialisation import identifier_forms
from adapter.repository.write_plan import VersionChange

__all__ = ["names_erased", "refuse_erased"]

_NAMED = re.compile(rb"\b[0-9a-f]{32}\b|\b(?:Patient|ServiceRequest)/[A-Za-z0-9.\-]{1,64}")
_WORD = re.compile(r"\b[A-Za-z0-9]{8,20}\b")
_SHORTEST = 8  # characters of a national or insurance number


def refuse_erased(adapter: Adapter, connection: Connection, changes: Sequence[VersionChange]) -> None:
    """Raises FhirError, so that the transaction ends with nothing stored, for what names such a person by a
    number, or by what this hospital was sent or gave a name to. All are of one owner.
    """
    if not changes:
        return
    values = (value for one in changes for value in _identifier_values(one.resource))
    if _names(adapter, connection, changes[0].owner, values, [one.body for one in changes]):
        raise FhirError(422, "business-rule", "fhir.not_kept")


def names_erased(adapter: Adapter, connection: Connection, hospital: str, url: str, body: bytes) -> bool:
    """Whether a request that was refused names such a person. Where it cannot be read, and in its
    URL, whatever could be a number counts as one.
    """
    with suppress(ValueError, RecursionError):
        resource = received_resource(body)
        values = (*_identifier_values(resource), *_WORD.findall(url))
        return _names(adapter, connection, hospital, values, [body, url.encode("utf-8", "replace")])
    text = body.decode("utf-8", "replace")
    text = f"{text}\n{sheet_texts(text)}\n{url}"
    return _names(adapter, connection, hospital, _WORD.findall(text), [text.encode()])


def _names(
    adapter: Adapter, connection: Connection, hospital: str, values: Iterable[str], bodies: Iterable[bytes]
) -> bool:
    sent = {one.decode() for body in bodies for one in _NAMED.findall(body)}
    try:
        identities = adapter.identities
    except SettingsError:
        return False  # without a key nobody was erased by it
    return is_erased(
        connection,
        identities,
        numbers={one for one in identifier_forms(values) if len(one) >= _SHORTEST},
        sent={f"{hospital}|{one}" for one in sent - _known(connection, hospital, sent)},
    )


def _known(connection: Connection, hospital: str, named: set[str]) -> set[str]:
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


def _identifier_values(node: Any, *, inside: bool = False) -> Iterator[str]:
    """The values of all Identifiers of a resource."""
    if isinstance(node, list):
        for one in node:
            yield from _identifier_values(one, inside=inside)
    elif isinstance(node, dict):
        for name, value in node.items():
            if inside and name == "value" and isinstance(value, str):
                yield value
            yield from _identifier_values(value, inside=name == "identifier")

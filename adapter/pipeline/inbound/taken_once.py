"""What a hospital sends under a name of its own (a control id, an idempotency key), taken in once: what it
means is stored, is in the inbox, and is noted as answered for, all at once. So it is known again whether the
sender got the answer or not.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from adapter.database import read_transaction, write_transaction
from adapter.fhir.codec import Resource, digest
from adapter.inbox.acknowledgements.store import AcknowledgedMessage, AcknowledgementStore
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.reception import repository_of
from adapter.settings import Settings

__all__ = ["known_before", "named_message", "own_numbers", "store_all", "store_once"]

_ID_LENGTH: Final = 20  # of MSH-10


@dataclass(slots=True)
class _Note:
    """Notes the message in the transaction that stores what it means."""

    message: AcknowledgedMessage
    is_made: bool = False

    def make(self, connection: Connection) -> None:
        if not self.is_made:
            AcknowledgementStore.add(connection, self.message)
            self.is_made = True


def named_message(hospital: str, name: bytes, data: bytes, now: datetime) -> AcknowledgedMessage:
    """What is noted of a message of these bytes that its sender calls by that name."""
    named, content = digest(name), digest(data)
    answer_id = digest(f"{hospital}|{named}|{content}".encode())[:_ID_LENGTH]
    return AcknowledgedMessage(hospital, named, content, answer_id, now.replace(microsecond=0))


def known_before(adapter: Adapter, seen: AcknowledgedMessage) -> AcknowledgedMessage | None:
    """What was taken in under the same name; its `digest` says whether it was the same."""
    with read_transaction(adapter.engine) as connection:
        return AcknowledgementStore.find(connection, seen.hospital, seen.message)


def store_once(adapter: Adapter, seen: AcknowledgedMessage, bundle: Resource) -> AcknowledgedMessage:
    """Store the transaction and note the message; gives what is noted of its name, which is another's where
    one came at the same time. Raises FhirError, with nothing stored.
    """
    note = _Note(seen)
    try:
        repository = repository_of(adapter, in_transaction=note.make)
        repository.bundle(seen.hospital, bundle, base=adapter.settings.public_url or "")
        if not note.is_made:  # all of it was there already
            with write_transaction(adapter.engine) as connection:
                note.make(connection)
    except IntegrityError:  # the same came twice at once
        known = known_before(adapter, seen)
        if known is None:
            raise
        return known
    return seen


def store_all(adapter: Adapter, hospital: str, bundle: Resource) -> None:
    """Store a transaction that has no name: all of it or nothing. Raises FhirError."""
    repository = repository_of(adapter, in_transaction=lambda _: None)
    repository.bundle(hospital, bundle, base=adapter.settings.public_url or "")


def own_numbers(settings: Settings, name: str, stated: str) -> str:
    """The address below which a hospital's own numbers stand: as the settings state it, else its server's,
    else one of ours.
    """
    hospital, ours = settings.hospital(name), settings.centre.identifier_system
    own = stated or hospital.base_url or f"{ours.rstrip('/')}/{hospital.name}"
    return own.rstrip("/")

"""All SQL of the messages that were taken in."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, delete, insert, select

from adapter.database import write_transaction
from adapter.inbox.acknowledgements.tables import acknowledged_message

__all__ = ["AcknowledgedMessage", "AcknowledgementStore"]


@dataclass(frozen=True, slots=True)
class AcknowledgedMessage:
    """One that was taken in. `message` stands for its sender and control id, `digest` for its bytes;
    `answer_id` and `at` are of the answer.
    """

    hospital: str
    message: str
    digest: str
    answer_id: str
    at: datetime


class AcknowledgementStore:
    """The messages that were taken in, of one database."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @staticmethod
    def find(connection: Connection, hospital: str, message: str) -> AcknowledgedMessage | None:
        """The one that this stands for, if it was taken in."""
        table = acknowledged_message
        query = select(table).where(table.c.hospital == hospital, table.c.message == message)
        row = connection.execute(query).first()
        return AcknowledgedMessage(**row._mapping) if row else None

    @staticmethod
    def add(connection: Connection, taken: AcknowledgedMessage) -> None:
        """Note it, in the transaction that takes it in. Raises IntegrityError where another was quicker."""
        connection.execute(
            insert(acknowledged_message).values(
                hospital=taken.hospital,
                message=taken.message,
                digest=taken.digest,
                answer_id=taken.answer_id,
                at=taken.at,
            )
        )

    def forget(self, before: datetime) -> int:
        """What was answered before that moment goes; how many."""
        with write_transaction(self.engine) as connection:
            old = delete(acknowledged_message).where(acknowledged_message.c.at < before)
            return connection.execute(old).rowcount

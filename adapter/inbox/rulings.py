"""All SQL of what people said of hospitals' patients: a number there is this person here, or never this one.

A number stands here as a digest, with the number of the item of which it was said, so that nothing is to be
read here but keys. What is said is looked up again each time; nothing follows from it but through `matching`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from sqlalchemy import Connection, bindparam, delete, insert, select

from adapter.inbox.tables import patient_ruling

__all__ = [
    "PatientRuling",
    "all_rulings",
    "erase_rulings",
    "item_subject",
    "number_subject",
    "put_rulings",
    "remove_ruling",
    "remove_rulings",
    "ruled_cadres",
]

_MOST = 1_000  # that are listed


@dataclass(frozen=True, slots=True)
class PatientRuling:
    """One of them. `item` is the inbox item of which it was said."""

    id: int
    hospital: str
    cadre: str
    is_never: bool
    item: int
    ruled_at: datetime
    ruled_by: str


def number_subject(hospital: str, system: str, value: str) -> str:
    """What stands for a patient's number at a hospital: 32 hexadecimal digits."""
    return _digest("number", hospital, system, value)


def item_subject(lineage: int) -> str:
    """What stands for one result in all its versions, where its patient has no number."""
    return _digest("item", str(lineage))


def _digest(*parts: str) -> str:
    said = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return blake2b(said, digest_size=16).hexdigest()


# Made once: all that comes in asks for them.
_RULED = select(patient_ruling.c.cadre, patient_ruling.c.is_never).where(
    patient_ruling.c.hospital == bindparam("hospital"),
    patient_ruling.c.subject.in_(bindparam("subjects", expanding=True)),
)


def ruled_cadres(connection: Connection, hospital: str, subjects: Collection[str]) -> Mapping[str, bool]:
    """Keys of the people of whom something was said of one of these: whether it is never this person. Never
    holds where both were said.
    """
    found: dict[str, bool] = {}
    wanted = {"hospital": hospital, "subjects": list(subjects)}
    for cadre, is_never in connection.execute(_RULED, wanted) if subjects else ():
        found[cadre] = found.get(cadre, False) or is_never
    return found


def all_rulings(connection: Connection, before: int = 2**62) -> Sequence[PatientRuling]:
    """What was said last first; of many those before that number."""
    columns = (patient_ruling.c[name] for name in PatientRuling.__slots__)
    query = (
        select(*columns).where(patient_ruling.c.id < before).order_by(patient_ruling.c.id.desc()).limit(_MOST)
    )
    return [PatientRuling(**row._mapping) for row in connection.execute(query)]


def put_rulings(
    connection: Connection,
    hospital: str,
    subjects: Collection[str],
    cadre: str,
    *,
    is_never: bool,
    item: int,
    now: datetime,
    by: str,
) -> None:
    """Say it of all these; what was said of them and this person before is said no more."""
    remove_rulings(connection, hospital, subjects, cadre)
    said = {"cadre": cadre, "is_never": is_never, "item": item, "ruled_at": now, "ruled_by": by}
    rows = [{"hospital": hospital, "subject": subject, **said} for subject in dict.fromkeys(subjects)]
    if rows:
        connection.execute(insert(patient_ruling), rows)


def remove_rulings(
    connection: Connection,
    hospital: str,
    subjects: Collection[str],
    cadre: str | None = None,
    *,
    is_never: bool | None = None,
) -> int:
    """Take back what was said of these: of that person or of anybody, in that sense or in any; how much it
    was.
    """
    row = patient_ruling.c
    mine = [row.hospital == hospital, row.subject.in_(subjects)]
    if cadre is not None:
        mine.append(row.cadre == cadre)
    if is_never is not None:
        mine.append(row.is_never.is_(is_never))
    return connection.execute(delete(patient_ruling).where(*mine)).rowcount if subjects else 0


def remove_ruling(connection: Connection, id: int) -> PatientRuling | None:
    """Take one back; what it was, None where there is none of that number."""
    columns = (patient_ruling.c[name] for name in PatientRuling.__slots__)
    found = connection.execute(select(*columns).where(patient_ruling.c.id == id)).first()
    connection.execute(delete(patient_ruling).where(patient_ruling.c.id == id))
    return PatientRuling(**found._mapping) if found else None


def erase_rulings(connection: Connection, *, cadre: str | None = None, items: Collection[int] = ()) -> None:
    """Nothing stays of what was said of a person, or of these items."""
    row = patient_ruling.c
    if cadre is not None:
        connection.execute(delete(patient_ruling).where(row.cadre == cadre))
    if items:
        connection.execute(delete(patient_ruling).where(row.item.in_(items)))

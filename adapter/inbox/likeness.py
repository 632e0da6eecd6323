"""How like a recorded person is to whom a received resource names: the points of name, date of birth and sex.
Pure.
"""

import re
from datetime import date
from itertools import islice
from typing import Final

from adapter.inbox.evidence import Evidence
from adapter.linkage.people import person_points
from adapter.linkage.weights import Point

__all__ = ["PSEUDONYM", "likeness_points", "names_a_person"]

PSEUDONYM: Final = re.compile(r"BN-[0-9A-F]{10}", re.IGNORECASE)
"""The form of our own pseudonyms, which are no names."""

_FEW = 5  # names, and dates of birth
_LONGEST_NAME, _LONGEST_DATE = 120, 32  # signs; nothing longer is one, and what was compared is remembered


def likeness_points(said: Evidence, name: str, birth_date: date | str, sex: str | None) -> tuple[Point, ...]:
    """What speaks for it that this person is meant, and against it. They rank; they never link."""
    named = (one for one in said.names if len(one) <= _LONGEST_NAME and not PSEUDONYM.fullmatch(one))
    names = list(islice(named, _FEW))
    days = [one for one in said.birth_dates if len(one) <= _LONGEST_DATE][:_FEW]
    return person_points(names, days, said.sexes[:_FEW], name=name, birth_date=str(birth_date), sex=sex)


def names_a_person(said: Evidence) -> bool:
    """Whether it says enough of a person to look for one by that: a name or a whole date of birth."""
    whole = any(len(one) == len("1955-03-14") for one in said.birth_dates)
    return whole or any(not PSEUDONYM.fullmatch(one) for one in said.names)

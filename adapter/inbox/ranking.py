"""Everybody whom an item could be about, for the person who decides: also who is named with mistakes. Pure.

What is found by evidence (a referral, an identity, a number) stands above what name, date of birth and sex
alone say, and these are added up in bits (`adapter.linkage`). It is made when somebody looks, never at
reception: the matching worker stays cheap, and nothing is kept of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import nlargest

from adapter.inbox.evidence import Evidence
from adapter.inbox.likeness import likeness_points, names_a_person
from adapter.inbox.matching import Candidate, KnownCadre
from adapter.linkage.people import likeness
from adapter.linkage.weights import Point, total_bits

__all__ = ["RankedCandidate", "rank_everybody"]

_MOST = 10  # people of no evidence but name, date of birth and sex
_LEAST_BITS = -4.0  # 1 in 16; who is less likely is not shown


@dataclass(frozen=True, slots=True)
class RankedCandidate:
    """Somebody it could be. `points` say how name, date of birth and sex agree; `bits` are all of them
    together among so many people: above 0 it is likelier this person than anybody else. None where nothing
    can be compared.
    """

    candidate: Candidate
    points: tuple[Point, ...] = ()
    bits: float | None = None


def rank_everybody(
    said: Evidence, known: Sequence[Candidate], everybody: Iterable[KnownCadre], *, people: int
) -> tuple[RankedCandidate, ...]:
    """The candidates that evidence found, and who else is like the person named; likeliest first. `people` is
    how many there are. Reads `everybody` once.
    """
    found = {one.cadre: one for one in known}
    mine: dict[str, RankedCandidate] = {one.cadre: RankedCandidate(one) for one in known}
    compares = bool(said.names or said.birth_dates or said.sexes)

    def others() -> Iterable[RankedCandidate]:
        for person in everybody if compares else ():
            points = likeness_points(said, person.name, person.birth_date, person.sex)
            if not points:
                continue
            bits = round(likeness(points, people), 1)
            if person.key in found:
                mine[person.key] = RankedCandidate(found[person.key], points, bits)
            elif bits >= _LEAST_BITS and names_a_person(said):
                yield RankedCandidate(Candidate(person.key, None, _because(points)), points, bits)

    like = nlargest(_MOST, others(), key=lambda one: (one.bits, one.candidate.cadre))
    return tuple(sorted((*mine.values(), *like), key=_order))


def _order(one: RankedCandidate) -> tuple[int, float, str]:
    bits = one.bits if one.bits is not None else float("-inf")
    return (-one.candidate.score, -bits, one.candidate.cadre)


def _because(points: Sequence[Point]) -> tuple[str, ...]:
    """The words of `Candidate.because` for somebody whom no evidence found."""
    dates = [one for one in points if one.part == "birth-date"]
    names = [one for one in points if one.part not in ("birth-date", "sex")]
    words = (("birth-date", dates), ("name", names))
    return tuple(word for word, mine in words if mine and total_bits(mine) > 0)

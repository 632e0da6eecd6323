"""Whose result is it, and which referral does it answer? Certain, or unmatched with reasons. Pure.

Certain is: one live referral addressed to this very hospital, with a subject that agrees wherever it
can be resolved; or exactly one person by our own identity, by the patient's number there of which a person
said so before, or by a national or insurance number under a system agreed with the hospital (or confirmed by
name or day of birth), and no referral of ours named. A
number alone is certain only of people whose Patient of ours this hospital holds: numbers can be guessed.
Nothing may contradict it: not a name, a date of birth or a sex, nor an identifier that is nobody's here;
nor may the resource say that it is about something else than it seems (`caveats`). Everything else waits
for a person, with the candidates ranked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from adapter.inbox.caveats import CAVEATS
from adapter.inbox.evidence import Evidence, read_evidence
from adapter.inbox.likeness import PSEUDONYM, likeness_points
from adapter.inbox.lineage import LINEAGE_DOUBTS
from adapter.inbox.ordering import ORDER_DOUBTS
from adapter.linkage.weights import total_bits
from adapter.person_names import names_agree

__all__ = [
    "READ_TYPES",
    "UNMATCHED_REASONS",
    "Candidate",
    "CertainMatch",
    "Evidence",
    "KnownCadre",
    "KnownReferral",
    "LookupResult",
    "Match",
    "NumberMatch",
    "Unmatched",
    "contradictions",
    "decide_match",
    "rank_candidates",
    "read_evidence",
]

READ_TYPES = frozenset({"Condition", "DocumentReference", "Encounter", "ImagingStudy", "Media"})
"""Types that no record has a place for: a person reads what names somebody of ours."""

UNMATCHED_REASONS = (
    "subject-not-a-person",
    "referral-unknown",
    "referral-of-another-hospital",
    "referral-revoked",
    "several-referrals",
    "several-people",
    "subject-differs",
    "name-differs",
    "birth-date-differs",
    "sex-differs",
    "uncorroborated",
    "not-sent-there",
    "server-unclear",
    "name-and-birth-date-only",
    "person-unknown",
    "no-evidence",
    "belongs-to-another",
    "unlinked",
    "said-never",
    "processing-failed",
    "to-be-read",
    "marked-delivery",
    "own-revised",
    *CAVEATS,
    *LINEAGE_DOUBTS,
    *ORDER_DOUBTS,
)
"""Why an item waits; each is a text `inbox.<reason>`."""

_WEIGHT = {"referral": 32, "identity": 32, "ruling": 16, "number": 8, "id": 4, "text": 2}
_DEAD = ("revoked", "entered-in-error")
_SEXES = ("male", "female")
_WHOLE_DATE = len("1955-03-14")


@dataclass(frozen=True, slots=True)
class KnownCadre:
    """A person of the local record; the look-up fills what a comparison needs.

    `pseudonym` is the name that goes to this hospital in place of the person's own, if one does.
    """

    key: str
    name: str
    birth_date: date | str  # a year, or year and month, where no more is known
    pseudonym: str | None = None
    sex: str | None = None  # FHIR's male or female; None where it is not known
    identity: str | None = None  # of that Patient
    is_held: bool = False  # whether this hospital holds this person's Patient of ours


@dataclass(frozen=True, slots=True)
class KnownReferral:
    """A referral of the local record; `status` is the centre's own (active, revoked, …)."""

    key: str
    cadre: str
    hospital: str
    status: str = "active"


@dataclass(frozen=True, slots=True)
class NumberMatch:
    """A person whose national or insurance number was given. `trusted`: under a system that the
    hospital's settings name, so it cannot be some other number of ten or twelve digits.
    """

    cadre: str
    trusted: bool


@dataclass(frozen=True, slots=True)
class LookupResult:
    """What the look-ups gave for one piece of evidence. `people` has every cadre named here.

    `by_id` and `unplaced` are people and referrals by an id that the hospital gave without saying of which
    of its servers it is. `has_unknown_identity`: the subject has an identity of ours, or an id that once was
    a person's of ours, which leads to nobody now; `has_unknown_number`: a number under an agreed system is
    nobody's; `has_unknown_referral`: a referral is named by an identity of ours that is none. `by_ruling`: a
    person said that the patient's number there is this one's; `never`: that it is never one of these.
    """

    hospital: str
    referrals: tuple[KnownReferral, ...] = ()
    unplaced: frozenset[str] = frozenset()  # of these referrals, those found by such an id alone
    by_identity: tuple[str, ...] = ()
    by_id: tuple[str, ...] = ()
    by_number: tuple[NumberMatch, ...] = ()
    by_ruling: tuple[str, ...] = ()
    never: frozenset[str] = frozenset()
    suggested: tuple[KnownReferral, ...] = ()  # whose numbers stand in the text of a document
    by_name: tuple[str, ...] = ()  # who has that name and was born on that day
    people: Mapping[str, KnownCadre] = field(default_factory=dict)
    has_unknown_identity: bool = False
    has_unknown_number: bool = False
    has_unknown_referral: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody it could be, with what speaks for it: referral, identity, ruling, number, id, text (a number
    of the referral stands in it), birth-date, name.
    """

    cadre: str
    referral: str | None
    because: tuple[str, ...]

    @property
    def score(self) -> int:
        """How much evidence there is; only the order means anything. Name and date of birth rank below it."""
        return sum(_WEIGHT.get(word, 0) for word in self.because)


@dataclass(frozen=True, slots=True)
class CertainMatch:
    """Certain. `referrals` are all the referrals it answers, of this one person."""

    cadre: str
    referrals: tuple[str, ...] = ()

    @property
    def referral(self) -> str | None:
        """The first referral it answers, if any."""
        return self.referrals[0] if self.referrals else None


@dataclass(frozen=True, slots=True)
class Unmatched:
    """Not certain: `reasons` out of REASONS, candidates best first."""

    reasons: tuple[str, ...]
    candidates: tuple[Candidate, ...] = ()


Match = CertainMatch | Unmatched


def decide_match(evidence: Evidence, found: LookupResult) -> Match:
    """Decide whose it is. Deterministic; the same evidence and findings give the same answer."""
    people = _certain(evidence, found)
    reasons = [
        *_about_referrals(evidence, found, people),
        *_about_people(evidence, found, people),
        *(["said-never"] if _is_ruled_out(found, people) else []),
        *evidence.caveats,
    ]
    if "referral-unknown" in reasons:  # it does name something
        reasons = [one for one in reasons if one != "no-evidence"]
    if evidence.type in READ_TYPES:
        return _to_be_read(reasons, evidence, found)
    if reasons:
        return Unmatched(tuple(dict.fromkeys(reasons)), rank_candidates(evidence, found))
    if found.referrals:
        return CertainMatch(found.referrals[0].cadre, tuple(item.key for item in found.referrals))
    return CertainMatch(next(iter(people)))


def _is_ruled_out(found: LookupResult, people: set[str]) -> bool:
    return not found.never.isdisjoint(people.union(one.cadre for one in found.referrals))


def _to_be_read(reasons: list[str], evidence: Evidence, found: LookupResult) -> Unmatched:
    """What no record has a place for is read by a person, if it names anybody or any referral of ours."""
    candidates = rank_candidates(evidence, found)
    strangers = found.has_unknown_identity or found.has_unknown_referral
    if not candidates and not strangers:
        return Unmatched(("context",))
    return Unmatched(tuple(dict.fromkeys(("to-be-read", *reasons))), candidates)


def _about_referrals(evidence: Evidence, found: LookupResult, people: set[str]) -> list[str]:
    reasons = []
    about_the_order = evidence.type in ("ServiceRequest", "Task")
    # Whose subject is certain may answer an order of the hospital's own, and then no referral of ours.
    own_order = len(people) == 1 and not about_the_order and not found.has_unknown_referral
    if not found.referrals and (evidence.names_referral or about_the_order) and not own_order:
        reasons.append("referral-unknown")
    if any(item.hospital != found.hospital for item in found.referrals):
        reasons.append("referral-of-another-hospital")
    if len(found.referrals) > 1:  # it would complete one that it does not answer
        reasons.append("several-referrals")
    # a hospital may well confirm that it dropped a revoked order; a result of one needs a person
    if not about_the_order and any(item.status in _DEAD for item in found.referrals):
        reasons.append("referral-revoked")
    return reasons


def _about_people(evidence: Evidence, found: LookupResult, people: set[str]) -> list[str]:
    if evidence.not_a_person:
        return ["subject-not-a-person"]
    if len(people) > 1 or (not found.referrals and people and set(found.by_id) - people):
        return ["several-people"]
    # A number that the record lacks is no contradiction where another identifier says who it is.
    strangers = (
        ["person-unknown"] if found.has_unknown_identity or (found.has_unknown_number and not people) else []
    )
    if found.referrals:
        meant = {item.cadre for item in found.referrals}
        if (people | set(found.by_id)) - meant:
            return ["subject-differs"]
        return strangers + (_about_referred(evidence, found, meant.pop()) if len(meant) == 1 else [])
    if certain := (*found.by_identity, *found.by_ruling):
        return strangers + _contradictions(evidence, found, certain[0])
    if found.by_number or not found.by_id:
        return _about_numbers(evidence, found, people)
    several = ["several-people"] if len(found.by_id) > 1 else ["server-unclear"]
    return strangers + _contradictions(evidence, found, found.by_id[0]) + several


def _about_referred(evidence: Evidence, found: LookupResult, cadre: str) -> list[str]:
    """The person of the referral that it names. An id that is of no certain server needs a second witness,
    if the resource says at all whom it is about.
    """
    reasons = _contradictions(evidence, found, cadre)
    person = found.people.get(cadre)
    confirmed = cadre in (*found.by_identity, *found.by_id) or cadre in _certain(evidence, found)
    if person is not None and not confirmed:
        confirmed = _born_that_day(evidence, person) or _name(evidence, person) is True
    if evidence.names_subject and not confirmed and all(one.key in found.unplaced for one in found.referrals):
        reasons.append("server-unclear")
    return reasons


def _contradictions(evidence: Evidence, found: LookupResult, cadre: str) -> list[str]:
    person = found.people.get(cadre)
    return contradictions(evidence, person) if person else []


def contradictions(evidence: Evidence, person: KnownCadre) -> list[str]:
    """What the Patient that came along says otherwise than the record."""
    reasons = []
    if _name(evidence, person) is False:
        reasons.append("name-differs")
    if _birth_date(evidence, person) is False:
        reasons.append("birth-date-differs")
    if person.sex in _SEXES and any(sex in _SEXES and sex != person.sex for sex in evidence.sexes):
        reasons.append("sex-differs")
    return reasons


def _about_numbers(evidence: Evidence, found: LookupResult, people: set[str]) -> list[str]:
    """Without referral or identity of ours, a number alone carries the match."""
    if not found.by_number:
        if found.by_name:
            return ["name-and-birth-date-only"]
        known = evidence.subject_identifiers or evidence.subject_ids or evidence.names
        return ["person-unknown" if known else "no-evidence"]
    if len({item.cadre for item in found.by_number}) > 1:
        return ["several-people"]
    cadre = found.by_number[0].cadre
    reasons = _contradictions(evidence, found, cadre)
    if not found.people[cadre].is_held:
        reasons.append("not-sent-there")
    if found.has_unknown_identity:
        reasons.append("person-unknown")
    if not reasons and not people:
        reasons.append("uncorroborated")
    return reasons


def _certain(evidence: Evidence, found: LookupResult) -> set[str]:
    """People the subject resolves to for certain: by our identity, by a number one can rely on, or because a
    person said so of the number there. A year of birth confirms no number: a citizen's number contains it.
    """
    numbers = set()
    for item in found.by_number:
        person = found.people.get(item.cadre)
        confirmed = person is not None and (
            _born_that_day(evidence, person) or _name(evidence, person) is True
        )
        if item.trusted or confirmed:
            numbers.add(item.cadre)
    return numbers.union(found.by_identity, found.by_ruling)


def rank_candidates(evidence: Evidence, found: LookupResult) -> tuple[Candidate, ...]:
    """Everybody whom evidence leads to, the likeliest first; then by how like name and birth date are."""
    known = (*found.referrals, *found.suggested)
    mine = {item.cadre: item.key for item in reversed(known) if item.hospital == found.hospital}
    named = {
        "referral": {item.cadre for item in found.referrals},
        "identity": set(found.by_identity),
        "ruling": set(found.by_ruling),
        "number": {item.cadre for item in found.by_number},
        "id": set(found.by_id),
        "text": {item.cadre for item in found.suggested},
    }
    listed = []
    for cadre in sorted(set(found.by_name).union(*named.values()) - found.never):
        because = [word for word, cadres in named.items() if cadre in cadres]
        person = found.people.get(cadre)
        if person and _birth_date(evidence, person):
            because.append("birth-date")
        if person and _name(evidence, person) is not False and evidence.names:
            because.append("name")
        listed.append(Candidate(cadre, mine.get(cadre), tuple(because)))
    return tuple(
        sorted(listed, key=lambda item: (-item.score, -_bits(evidence, found, item.cadre), item.cadre))
    )


def _bits(evidence: Evidence, found: LookupResult, cadre: str) -> float:
    person = found.people.get(cadre)
    if person is None:
        return 0.0
    return total_bits(likeness_points(evidence, person.name, person.birth_date, person.sex))


def _name(evidence: Evidence, person: KnownCadre) -> bool | None:
    """Do the names agree? None when none was given. Our own pseudonym agrees too."""
    if _by_pseudonym(evidence, person):
        return True
    names = [name for name in evidence.names if person.pseudonym or not PSEUDONYM.fullmatch(name)]
    return names_agree(names, person.name)


def _by_pseudonym(evidence: Evidence, person: KnownCadre) -> bool:
    own = person.pseudonym
    return own is not None and own.casefold() in {name.casefold() for name in evidence.names}


def _born_that_day(evidence: Evidence, person: KnownCadre) -> bool:
    """Whether a whole date of birth was given, and is the person's."""
    days = [given for given in evidence.birth_dates if len(given) == _WHOLE_DATE]
    return bool(days) and len(str(person.birth_date)) == _WHOLE_DATE and _birth_date(evidence, person) is True


def _birth_date(evidence: Evidence, person: KnownCadre) -> bool | None:
    """Do the dates agree as far as they were given (a year, a month, a day)? None when not given, and when
    our own is no day and does not disagree: a year alone confirms nobody.
    """
    if not evidence.birth_dates:
        return None
    born = person.birth_date if isinstance(person.birth_date, str) else person.birth_date.isoformat()
    if _by_pseudonym(evidence, person):  # whoever got a year alone may have made 1 January of it
        return all(given[:4] == born[:4] for given in evidence.birth_dates)
    if isinstance(person.birth_date, str):
        agrees = all(born.startswith(given) or given.startswith(born) for given in evidence.birth_dates)
        return None if agrees else False
    return all(born.startswith(given) for given in evidence.birth_dates)

"""One inbox item as a person reads it before deciding: what it says, about whom, beside the candidates."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace

from adapter.errors import UsageError
from adapter.inbox.erasure import ERASED_BODY
from adapter.inbox.evidence import Evidence
from adapter.inbox.item_reading import contradictions_to, decide_item
from adapter.inbox.matching import Candidate, KnownCadre
from adapter.inbox.ranking import RankedCandidate, rank_everybody
from adapter.inbox.store import InboxItem
from adapter.insights.inbox_list import ListedItem, listed_item
from adapter.insights.item_content import ItemStatement, content_lines
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.inbox import item_reading
from adapter.pipeline.inbound.result_parts import item_content
from adapter.records.model import Cadre
from adapter.result_content import ResultContent

__all__ = [
    "CandidatePerson",
    "InboxItemReport",
    "LikenessPoint",
    "OtherVersion",
    "SaidPerson",
    "inbox_item_report",
    "without_unknown",
]


@dataclass(frozen=True, slots=True)
class SaidPerson:
    """Who the hospital says it is, as far as it says."""

    names: tuple[str, ...]
    birth_dates: tuple[str, ...]
    sexes: tuple[str, ...]
    identifiers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LikenessPoint:
    """How one part of name, date of birth or sex agrees, and what that weighs in bits; `token` is what both
    have where its rarity counts.
    """

    part: str
    level: str
    bits: float
    token: str


@dataclass(frozen=True, slots=True)
class CandidatePerson:
    """Somebody it could be. `because` speaks for it (words of `matching.Candidate`), `against` is reasons;
    `likeness` are the bits of all `points` together, among so many people as there are.
    """

    cadre: str
    name: str
    birth_date: str
    sex: str
    referral: str | None
    because: tuple[str, ...]
    against: tuple[str, ...]
    likeness: float | None = None
    points: tuple[LikenessPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class OtherVersion:
    """Another version of the same result."""

    item: int
    state: str
    status: str
    issued: str


@dataclass(frozen=True, slots=True)
class InboxItemReport:
    """All of it. `status` is FHIR's own. What a result says is its `content`, with what it lists; of anything
    else `lines` tell.
    """

    item: ListedItem
    status: str
    person: SaidPerson
    referrals: tuple[str, ...]
    content: ResultContent | None
    lines: tuple[ItemStatement, ...]
    candidates: tuple[CandidatePerson, ...]
    versions: tuple[OtherVersion, ...]
    never: tuple[str, ...] = ()  # people of whom somebody said that it is not theirs


def inbox_item_report(adapter: Adapter, number: int, also: Collection[str] = ()) -> InboxItemReport:
    """The item of that number, beside whom it could be about: `also`, people (keys) whom somebody thinks of,
    stand first. Raises UsageError where there is none.
    """
    item = adapter.inbox.get(number)
    if item is None or item.body == ERASED_BODY:
        raise UsageError("inbox.no_item", item=number)
    store, directory = item_reading(adapter, item.hospital)
    reading = decide_item(store, item, directory)
    resource = item.resource
    owner = (Candidate(item.cadre, item.referral, ()),) if item.cadre else ()
    never = reading.found.never
    thought_of = (Candidate(one, None, ()) for one in also)
    known = (*owner, *thought_of, *item.candidates, *reading.candidates)
    listed = {one.cadre: one for one in known if one.cadre not in never or one.cadre == item.cadre}
    ranked = rank_everybody(
        reading.said,
        list(listed.values()),
        _everybody(adapter, never),
        people=adapter.records.counts()[Cadre.kind],
    )
    first = ([item.cadre], also)  # whose it is, then who is thought of
    ranked = tuple(sorted(ranked, key=lambda one: [one.candidate.cadre not in each for each in first]))
    candidates = (
        _candidate(adapter, one, tuple(contradictions_to(reading, directory, one.candidate.cadre)))
        for one in ranked
    )
    content = item_content(adapter, item.hospital, resource)
    return InboxItemReport(
        listed_item(item),
        str(resource.get("status", "")),
        _said_person(reading.said),
        tuple(one.value for one in reading.said.referral_identifiers),
        content,
        () if content is not None else tuple(content_lines(resource)),
        tuple(candidates),
        tuple(_versions(adapter, item)),
        tuple(sorted(reading.found.never)),
    )


def without_unknown(report: InboxItemReport, exists: Callable[[str], bool]) -> InboxItemReport:
    """The report for somebody for whom not everybody exists. Raises UsageError where the item is theirs."""
    item = report.item
    if item.cadre is not None and not exists(item.cadre):
        raise UsageError("inbox.no_item", item=item.id)
    return replace(
        report,
        item=replace(item, candidates=tuple(filter(exists, item.candidates))),
        candidates=tuple(one for one in report.candidates if exists(one.cadre)),
        never=tuple(filter(exists, report.never)),
    )


def _said_person(said: Evidence) -> SaidPerson:
    numbers = (f"{one.system or '?'}|{one.value}" for one in said.subject_identifiers)
    ids = ("/".join(filter(None, (one.base, "Patient", one.id))) for one in said.subject_ids)
    return SaidPerson(said.names, said.birth_dates, said.sexes, (*numbers, *ids))


def _everybody(adapter: Adapter, never: Collection[str]) -> Iterator[KnownCadre]:
    for one in adapter.records.iterate(Cadre.kind):
        if isinstance(one, Cadre) and one.key not in never:
            yield KnownCadre(one.key, one.name, one.birth_date, sex=str(one.sex))


def _candidate(adapter: Adapter, ranked: RankedCandidate, against: tuple[str, ...]) -> CandidatePerson:
    one, person = ranked.candidate, adapter.records.get(Cadre.kind, ranked.candidate.cadre)
    points = tuple(
        LikenessPoint(each.part, each.level, round(each.bits, 1), each.token) for each in ranked.points
    )
    name, born, sex = (
        (person.name, str(person.birth_date), str(person.sex)) if isinstance(person, Cadre) else ("", "", "")
    )
    return CandidatePerson(
        one.cadre, name, born, sex, one.referral, one.because, against, ranked.bits, points
    )


def _versions(adapter: Adapter, item: InboxItem) -> Iterator[OtherVersion]:
    for one in adapter.inbox.of_lineage(item.lineage):
        if one.id != item.id:
            status, issued = one.resource.get("status", ""), one.resource.get("issued", "")
            yield OtherVersion(one.id, one.state, str(status), str(issued))

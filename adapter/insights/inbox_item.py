"""One inbox item as a person reads it before deciding: what it says, about whom, beside the candidates."""

from collections.abc import Iterator
from dataclasses import dataclass

from adapter.errors import UsageError
from adapter.inbox.erasure import ERASED_BODY
from adapter.inbox.evidence import Evidence
from adapter.inbox.item_reading import contradictions_to, decide_item
from adapter.inbox.matching import Candidate
from adapter.inbox.store import InboxItem
from adapter.insights.inbox_list import ListedItem, listed_item
from adapter.insights.item_content import ItemStatement, content_lines
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.inbox import item_reading
from adapter.pipeline.inbound.result_parts import item_content
from adapter.records.model import Cadre
from adapter.result_content import ResultContent

__all__ = ["CandidatePerson", "InboxItemReport", "OtherVersion", "SaidPerson", "inbox_item_report"]


@dataclass(frozen=True, slots=True)
class SaidPerson:
    """Who the hospital says it is, as far as it says."""

    names: tuple[str, ...]
    birth_dates: tuple[str, ...]
    sexes: tuple[str, ...]
    identifiers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CandidatePerson:
    """Somebody it could be. `because` speaks for it (words of `matching.Candidate`), `against` is reasons."""

    cadre: str
    name: str
    birth_date: str
    sex: str
    referral: str | None
    because: tuple[str, ...]
    against: tuple[str, ...]


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


def inbox_item_report(adapter: Adapter, number: int) -> InboxItemReport:
    """The item of that number. Raises UsageError where there is none."""
    item = adapter.inbox.get(number)
    if item is None or item.body == ERASED_BODY:
        raise UsageError("inbox.no_item", item=number)
    store, directory = item_reading(adapter, item.hospital)
    reading = decide_item(store, item, directory)
    resource = item.resource
    owner = (Candidate(item.cadre, item.referral, ()),) if item.cadre else ()
    keys = {one.cadre: one for one in (*owner, *reading.candidates, *item.candidates)}
    candidates = (
        _candidate(adapter, one, tuple(contradictions_to(reading, directory, one.cadre)))
        for one in keys.values()
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
    )


def _said_person(said: Evidence) -> SaidPerson:
    numbers = (f"{one.system or '?'}|{one.value}" for one in said.subject_identifiers)
    ids = ("/".join(filter(None, (one.base, "Patient", one.id))) for one in said.subject_ids)
    return SaidPerson(said.names, said.birth_dates, said.sexes, (*numbers, *ids))


def _candidate(adapter: Adapter, one: Candidate, against: tuple[str, ...]) -> CandidatePerson:
    person = adapter.records.get(Cadre.kind, one.cadre)
    if not isinstance(person, Cadre):
        return CandidatePerson(one.cadre, "", "", "", one.referral, one.because, against)
    born, sex = str(person.birth_date), str(person.sex)
    return CandidatePerson(one.cadre, person.name, born, sex, one.referral, one.because, against)


def _versions(adapter: Adapter, item: InboxItem) -> Iterator[OtherVersion]:
    for one in adapter.inbox.of_lineage(item.lineage):
        if one.id != item.id:
            status, issued = one.resource.get("status", ""), one.resource.get("issued", "")
            yield OtherVersion(one.id, one.state, str(status), str(issued))

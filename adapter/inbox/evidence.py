"""What a received resource says about whose it is and which referral it answers. Pure.

References come in four forms (http://hl7.org/fhir/R4/references.html): a literal one to another
resource the hospital sent here (a sibling), a literal one to its own server, a conditional one
(`ServiceRequest?identifier=…`), and a logical one (`identifier`). All of them are read; what they
mean is for `matching` to say. Ids are a space per server, and the endpoint's own comes first: what the
hospital keeps here under an id is that resource, and never what has the same id at another server.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qs

from adapter.fhir.codec import Resource
from adapter.fhir.document_facts import read_facts
from adapter.inbox.caveats import CAVEATS, person_caveats, resource_caveats
from adapter.inbox.references import (
    MOST_REFERENCES,
    ORDERS,
    SUBJECT_FIELDS,
    encounters_of,
    objects_of,
    orders_of,
    placed_id,
    referenced_type,
    same_base,
    text_of,
)
from adapter.person_names import bare_name, looks_like_a_name

__all__ = [
    "URI_SYSTEM",
    "Evidence",
    "Identifier",
    "RemoteReference",
    "SiblingLookup",
    "is_another_person",
    "listed_members",
    "read_evidence",
    "says_otherwise",
]

T = TypeVar("T")

SiblingLookup = Callable[[str], Resource | None]
"""Finds what the same hospital sent earlier or along with it, by `Type/id`."""

URI_SYSTEM = "urn:ietf:rfc:3986"
_LISTS = {"DiagnosticReport": "result", "Observation": "hasMember"}
_LONGEST_REFERENCE = 130
_DEEPEST = 3  # an order on an order on our referral; deeper is no chain of orders any more
_MOST_LISTS = 5  # reports and panels that list one result
_MOST_NAMES = 20


class Identifier(NamedTuple):
    """A business identifier; `system` is None where the hospital left it out."""

    system: str | None
    value: str


class RemoteReference(NamedTuple):
    """A literal reference: id at the server `base`; None is a relative one to what is not held here."""

    base: str | None
    id: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a resource says about referral and person, in the order found, each once."""

    type: str
    status: str = ""
    referral_identifiers: tuple[Identifier, ...] = ()
    referral_ids: tuple[RemoteReference, ...] = ()
    names_referral: bool = False  # basedOn is there, whatever it leads to
    subject_identifiers: tuple[Identifier, ...] = ()
    subject_ids: tuple[RemoteReference, ...] = ()
    names_subject: bool = False  # by a reference or an identifier, whatever it leads to
    encounter_identifiers: tuple[Identifier, ...] = ()
    encounter_ids: tuple[RemoteReference, ...] = ()
    not_a_person: bool = False  # the subject is a Group, Device or Location
    names: tuple[str, ...] = ()
    birth_dates: tuple[str, ...] = ()
    sexes: tuple[str, ...] = ()
    suggested: tuple[str, ...] = ()  # identities of referrals that stand in the text of a document
    caveats: tuple[str, ...] = ()  # why nothing may be made of it unseen, whosever it is


@dataclass(slots=True)
class _Found:
    """Pointers of one sort while they are gathered."""

    identifiers: list[Identifier] = field(default_factory=list)
    ids: list[RemoteReference] = field(default_factory=list)


@dataclass(slots=True)
class _Reader:
    siblings: SiblingLookup
    own_bases: Collection[str]
    referrals: _Found = field(default_factory=_Found)
    subjects: _Found = field(default_factory=_Found)
    encounters: _Found = field(default_factory=_Found)
    people: list[Resource] = field(default_factory=list)
    displays: list[str] = field(default_factory=list)
    caveats: set[str] = field(default_factory=set)
    names_referral: bool = False
    names_subject: bool = False
    not_a_person: bool = False
    left: int = MOST_REFERENCES
    seen: set[int] = field(default_factory=set)  # resources that were read already, by `id`
    contained: dict[int, dict[str, Resource]] = field(default_factory=dict)

    def is_new(self, resource: Resource) -> bool:
        """Whether it has not been read: what is named a hundred times is read once."""
        if id(resource) in self.seen:
            return False
        self.seen.add(id(resource))
        return True

    def _inside(self, within: Resource, literal: str) -> Resource | None:
        if id(within) not in self.contained:
            inside = reversed(objects_of(within.get("contained")))
            self.contained[id(within)] = {f"#{one.get('id')}": one for one in inside}
        return self.contained[id(within)].get(literal)

    def follow(
        self, reference: dict[str, Any], type_: str, found: _Found, within: Resource
    ) -> Resource | None:
        """Note what `reference` points at; the resource itself where it was sent here too."""
        self.left -= 1
        if self.left < 0:
            self.caveats.add("too-many-references")
            return None
        found.identifiers.extend(_identifiers(reference.get("identifier")))
        literal = text_of(reference.get("reference"))
        if literal.startswith("#"):
            return self._inside(within, literal)
        if literal.lower().startswith("urn:uuid:"):
            found.identifiers.append(Identifier(URI_SYSTEM, literal))
            return None
        if literal.startswith(f"{type_}?"):
            found.identifiers.extend(_conditional(literal))
            return None
        if (placed := placed_id(literal, type_)) is None:
            return None
        base, id_ = placed
        if not base or same_base(base) in self.own_bases:
            held = self.siblings(f"{type_}/{id_}")
            if held is not None:
                return held
        found.ids.append(RemoteReference(base or None, id_))
        return None

    def read_referrals(self, resource: Resource, depth: int = 0) -> None:
        """Gather the referrals that a resource is based on, through orders of the hospital's own."""
        for item in orders_of(resource):
            type_ = referenced_type(item)
            if type_ not in ORDERS:
                continue
            self.names_referral = True
            found = self.referrals if type_ != "Task" else _Found(self.referrals.identifiers)
            order = self.follow(item, type_ or "ServiceRequest", found, resource)
            if order is not None and depth < _DEEPEST and self.is_new(order):
                self.caveats.update(resource_caveats(order))
                self.read_order(order)
                self.read_referrals(order, depth + 1)

    def read_order(self, order: Resource) -> None:
        """An order's own numbers, and the number of the requisition or group that it belongs to."""
        for name in ("identifier", "requisition", "groupIdentifier"):
            self.referrals.identifiers.extend(_identifiers(order.get(name)))

    def read_subject(self, resource: Resource) -> None:
        """Gather who a resource is about: by subject, and by an Encounter of ours."""
        for name in SUBJECT_FIELDS:
            if isinstance(subject := resource.get(name), dict):
                self._person(subject, resource)
                self.not_a_person = self.not_a_person or referenced_type(subject) not in ("Patient", "")
        for item in encounters_of(resource):
            encounter = self.follow(item, "Encounter", self.encounters, resource)
            if encounter is not None and self.is_new(encounter):
                self.encounters.identifiers.extend(_identifiers(encounter.get("identifier")))
                if isinstance(subject := encounter.get("subject"), dict):
                    self._person(subject, encounter)

    def read_specimens(self, resource: Resource) -> None:
        """A specimen that was taken from somebody else makes it somebody else's finding."""
        subject = resource.get("subject")
        for item in objects_of(resource.get("specimen")):
            specimen = self.follow(item, "Specimen", _Found(), resource)
            if specimen is None or not self.is_new(specimen):
                continue
            self.caveats.update(resource_caveats(specimen))
            taken_from = specimen.get("subject")
            if not isinstance(taken_from, dict) or not _differ(taken_from, subject):
                continue
            others = set(self.subjects.identifiers)
            person = self._person(taken_from, specimen)
            same = person is not None and not others.isdisjoint(_identifiers(person.get("identifier")))
            if isinstance(subject, dict) and not same:
                self.caveats.add("specimen-of-another")

    def bounded(self, found: Iterable[T], most: int = MOST_REFERENCES) -> tuple[T, ...]:
        """Each once, and no more than so many of them."""
        each = tuple(dict.fromkeys(found))
        if len(each) > most:
            self.caveats.add("too-many-references")
        return each[:most]

    def _person(self, subject: dict[str, Any], within: Resource) -> Resource | None:
        self.names_subject = self.names_subject or bool(subject.get("reference") or subject.get("identifier"))
        person = self.follow(subject, "Patient", self.subjects, within)
        if person is None:
            self.displays.append(text_of(subject.get("display")))
        elif self.is_new(person):
            self.people.append(person)
            self.subjects.identifiers.extend(_identifiers(person.get("identifier")))
            self.caveats.update(resource_caveats(person))
            self.caveats.update(person_caveats(person))
        return person


def read_evidence(
    resource: Resource,
    siblings: SiblingLookup,
    *,
    listed_by: Sequence[Resource] = (),
    own_bases: Collection[str] = (),
) -> Evidence:
    """Read the evidence out of any received resource. Never raises on any JSON object.

    `listed_by` are the reports and panels that list it: what has no subject of its own is about theirs.
    `own_bases` are the addresses of this endpoint itself.
    """
    type_ = text_of(resource.get("resourceType"))
    reader = _Reader(siblings, {same_base(base) for base in own_bases})
    reader.caveats.update(resource_caveats(resource))
    reader.read_referrals(resource)
    if type_ in ("ServiceRequest", "Task"):  # the hospital's copy of what we sent
        reader.names_referral = reader.names_referral or type_ == "ServiceRequest"
        reader.read_order(resource)
        if type_ == "ServiceRequest" and text_of(resource.get("id")):
            reader.referrals.ids.append(RemoteReference(None, text_of(resource.get("id"))))
    reader.read_subject(resource)
    if type_ == "Encounter":
        reader.encounters.identifiers.extend(_identifiers(resource.get("identifier")))
    if not reader.names_subject:
        for one in listed_by[:_MOST_LISTS]:
            reader.caveats.update(resource_caveats(one))
            reader.read_subject(one)
            if not orders_of(resource):
                reader.read_referrals(one)
    reader.read_specimens(resource)
    people = reader.people
    bounded = reader.bounded
    shown = [text for text in reader.displays if looks_like_a_name(text)]
    return Evidence(
        type=type_,
        status=text_of(resource.get("status")),
        referral_identifiers=bounded(reader.referrals.identifiers),
        referral_ids=bounded(reader.referrals.ids),
        names_referral=reader.names_referral,
        subject_identifiers=bounded(reader.subjects.identifiers),
        subject_ids=bounded(reader.subjects.ids),
        names_subject=reader.names_subject,
        encounter_identifiers=bounded(reader.encounters.identifiers),
        encounter_ids=bounded(reader.encounters.ids),
        not_a_person=reader.not_a_person,
        names=bounded([name for one in people for name in _names(one)] + shown, _MOST_NAMES),
        birth_dates=bounded(filter(None, (text_of(one.get("birthDate")) for one in people)), _MOST_NAMES),
        sexes=bounded(filter(None, (text_of(one.get("gender")) for one in people)), _MOST_NAMES),
        suggested=bounded(_suggested(resource), _MOST_NAMES),
        caveats=tuple(one for one in CAVEATS if one in reader.caveats),
    )


def _suggested(resource: Resource) -> Iterator[str]:
    for form in objects_of(resource.get("presentedForm")):
        if (facts := read_facts(form)) is not None:
            yield from facts.suggested


def identifiers_of(resource: Resource) -> Iterator[Identifier]:
    """A resource's own business identifiers."""
    return _identifiers(resource.get("identifier"))


def listed_members(resource: Resource) -> Iterator[str]:
    """The Observations that a report or panel lists, as `Observation/id`."""
    field_ = _LISTS.get(text_of(resource.get("resourceType")), "")
    for one in objects_of(resource.get(field_)):
        member = text_of(one.get("reference")).partition("/_history/")[0]
        if member.startswith("Observation/") and len(member) <= _LONGEST_REFERENCE:
            yield member


def says_otherwise(one: Evidence, other: Evidence) -> bool:
    """Whether a version says something else about its person than an earlier one did, or has a caveat that
    the other had not. What is left out says nothing else.
    """
    sides = (
        (
            set(map(bare_name, each.names)),
            set(each.birth_dates),
            set(each.sexes),
            set(each.subject_identifiers),
        )
        for each in (one, other)
    )
    differ = any(mine and theirs and mine.isdisjoint(theirs) for mine, theirs in zip(*sides, strict=True))
    return differ or bool(set(one.caveats) - set(other.caveats))


def is_another_person(one: Resource, other: Resource) -> bool:
    """Whether two versions of one Patient are hardly of one person: two systems that write under one id. One
    thing alone may be a correction.
    """
    sides = (
        (
            set(map(bare_name, _names(person))),
            set(_identifiers(person.get("identifier"))),
            {text_of(person.get("birthDate"))} - {""},
            {text_of(person.get("gender"))} - {""},
        )
        for person in (one, other)
    )
    return sum(bool(a and b and a.isdisjoint(b)) for a, b in zip(*sides, strict=True)) > 1


def _differ(one: dict[str, Any], other: Any) -> bool:
    """Whether two references are known to be to different things, as far as their words tell."""
    if not isinstance(other, dict):
        return True
    literals = [text_of(each.get("reference")).partition("/_history/")[0] for each in (one, other)]
    if all(literals):
        return literals[0] != literals[1]
    numbers = [next(_identifiers(each.get("identifier")), None) for each in (one, other)]
    return numbers[0] is None or numbers[0] != numbers[1]


def _conditional(reference: str) -> Iterator[Identifier]:
    for token in parse_qs(reference.split("?", 1)[1]).get("identifier", []):
        system, bar, value = token.rpartition("|")
        if value:
            yield Identifier(system or None if bar else None, value)


def _identifiers(value: Any) -> Iterator[Identifier]:
    for item in objects_of(value):
        if text_of(item.get("value")):
            yield Identifier(text_of(item.get("system")) or None, text_of(item["value"]))


def _names(person: Resource) -> Iterator[str]:
    """Names in one text each; an anonymous one only in the form that our own pseudonyms have."""
    for name in objects_of(person.get("name")):
        given = name.get("given")
        parts = [text_of(name.get("family")), *(map(text_of, given) if isinstance(given, list) else ())]
        text = text_of(name.get("text")) or " ".join(filter(None, parts))
        use = text_of(name.get("use"))
        if text and use != "nickname" and (use != "anonymous" or text.upper().startswith("BN-")):
            yield text

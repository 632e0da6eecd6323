"""What a received resource says about whose it is and which referral it answers. Pure.

References come in four forms (http://hl7.org/fhir/R4/references.html): a literal one to another
resource the hospital sent here (a sibling), a literal one to its own server, a conditional one
(`ServiceRequest?identifier=…`), and a logical one (`identifier`). All of them are read; what they
mean is for `matching` to say.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from adapter.fhir.codec import Resource

__all__ = ["Evidence", "Identifier", "RemoteReference", "SiblingLookup", "read_evidence"]

SiblingLookup = Callable[[str], Resource | None]
"""Finds what the same hospital sent earlier or along with it, by `Type/id`."""

_REFERRAL_FIELDS = {"Task": ("focus", "basedOn"), "ServiceRequest": ("basedOn",)}
_DEEPEST = 3  # an order on an order on our referral; deeper is no chain of orders any more


class Identifier(NamedTuple):
    """A business identifier; `system` is None where the hospital left it out."""

    system: str | None
    value: str


class RemoteReference(NamedTuple):
    """A literal reference: id at the server `base`; None is a relative one, the sender's own."""

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
    not_a_person: bool = False  # the subject is a Group, Device or Location
    names: tuple[str, ...] = ()
    birth_dates: tuple[str, ...] = ()


@dataclass(slots=True)
class _Found:
    """Pointers of one sort while they are gathered."""

    identifiers: list[Identifier] = field(default_factory=list)
    ids: list[RemoteReference] = field(default_factory=list)


class _Reader:
    def __init__(self, resource: Resource, siblings: SiblingLookup) -> None:
        self._siblings = siblings
        self._contained = {f"#{item.get('id')}": item for item in _objects(resource.get("contained"))}

    def follow(self, reference: dict[str, Any], type_: str, found: _Found) -> Resource | None:
        """Note what `reference` points at; the resource itself where it was sent here too."""
        for identifier in _identifiers(reference.get("identifier")):
            found.identifiers.append(identifier)
        literal = _text(reference.get("reference"))
        if literal.startswith("#"):
            return self._contained.get(literal)
        if literal.startswith(f"{type_}?"):
            found.identifiers.extend(_conditional(literal))
            return None
        base, _, rest = literal.rpartition(f"{type_}/")
        id_ = rest.split("/", 1)[0].split("?", 1)[0]
        if not id_ or literal.startswith("urn:") or (base and not base.endswith("/")):
            return None
        found.ids.append(RemoteReference(base.rstrip("/") or None, id_))
        return None if base else self._siblings(f"{type_}/{id_}")

    def referrals(self, resource: Resource, found: _Found, depth: int = 0) -> bool:
        """Gather the referrals a resource is based on; True if it names any."""
        named = False
        for item in _based_on(resource):
            if _type_of(item) not in ("ServiceRequest", ""):
                continue
            named = True
            order = self.follow(item, "ServiceRequest", found)
            if order is not None and depth < _DEEPEST:
                found.identifiers.extend(_identifiers(order.get("identifier")))
                self.referrals(order, found, depth + 1)
        return named


def read_evidence(resource: Resource, siblings: SiblingLookup) -> Evidence:
    """Read the evidence out of any received resource. Never raises on any JSON object."""
    type_ = _text(resource.get("resourceType"))
    reader = _Reader(resource, siblings)
    referrals, subjects = _Found(), _Found()
    names_referral = reader.referrals(resource, referrals)
    if type_ == "ServiceRequest":  # the hospital's copy of our own referral
        names_referral = True
        referrals.identifiers.extend(_identifiers(resource.get("identifier")))
        if _text(resource.get("id")):
            referrals.ids.append(RemoteReference(None, _text(resource.get("id"))))
    subject = resource.get("for" if type_ == "Task" else "subject")
    person: Resource | None = None
    if isinstance(subject, dict):
        person = reader.follow(subject, "Patient", subjects)
    if person is not None:
        subjects.identifiers.extend(_identifiers(person.get("identifier")))
    return Evidence(
        type=type_,
        status=_text(resource.get("status")),
        referral_identifiers=tuple(dict.fromkeys(referrals.identifiers)),
        referral_ids=tuple(dict.fromkeys(referrals.ids)),
        names_referral=names_referral,
        subject_identifiers=tuple(dict.fromkeys(subjects.identifiers)),
        subject_ids=tuple(dict.fromkeys(subjects.ids)),
        not_a_person=isinstance(subject, dict) and _type_of(subject) not in ("Patient", ""),
        names=tuple(dict.fromkeys(_names(person or {}))),
        birth_dates=tuple(filter(None, [_text((person or {}).get("birthDate"))])),
    )


def _based_on(resource: Resource) -> Iterator[dict[str, Any]]:
    type_ = _text(resource.get("resourceType"))
    for name in _REFERRAL_FIELDS.get(type_, ("basedOn",)):
        yield from _objects(resource.get(name))


def _type_of(reference: dict[str, Any]) -> str:
    """Resource type a reference names, "" where it does not say (logical, contained, urn:uuid)."""
    literal = _text(reference.get("reference"))
    if literal and not literal.startswith(("#", "urn:")):
        if "?" in literal:
            return literal.split("?", 1)[0].rsplit("/", 1)[-1]
        parts = literal.split("/_history/", 1)[0].rsplit("/", 2)
        if len(parts) >= 2:
            return parts[-2]
    return _text(reference.get("type"))


def _conditional(reference: str) -> Iterator[Identifier]:
    for token in parse_qs(reference.split("?", 1)[1]).get("identifier", []):
        system, bar, value = token.rpartition("|")
        if value:
            yield Identifier(system or None if bar else None, value)


def _identifiers(value: Any) -> Iterator[Identifier]:
    for item in _objects(value):
        if _text(item.get("value")):
            yield Identifier(_text(item.get("system")) or None, _text(item["value"]))


def _names(person: Resource) -> Iterator[str]:
    """Names in one text each; an anonymous one only in the form that our own pseudonyms have."""
    for name in _objects(person.get("name")):
        given = name.get("given")
        parts = [_text(name.get("family")), *(map(_text, given) if isinstance(given, list) else ())]
        text = _text(name.get("text")) or " ".join(filter(None, parts))
        if text and (_text(name.get("use")) != "anonymous" or text.upper().startswith("BN-")):
            yield text


def _objects(value: Any) -> list[dict[str, Any]]:
    """The JSON objects of a list, or the one object; [] for anything else."""
    listed = value if isinstance(value, list) else [value]
    return [item for item in listed if isinstance(item, dict)]


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""

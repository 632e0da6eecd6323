"""People who became T0 leave every store: ledger, inbox, repository, what is counted as withheld."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from html import unescape

from sqlalchemy import Connection

from adapter import withheld
from adapter.fhir import codec
from adapter.hl7v2.spoken_names import spoken_names
from adapter.inbox import erasure as inbox
from adapter.inbox.erasure import SentResource
from adapter.inbox.quarantine.refused_request import received_resource
from adapter.inbox.quarantine.store import QuarantineStore
from adapter.ledger import erasure as ledger
from adapter.national_xml.sheet_texts import sheet_texts
from adapter.records.erasure import ErasedPerson, is_namesake
from adapter.records.hidden_words import NAME, HiddenWords
from adapter.records.importing import drafts
from adapter.repository import erasure as repository
from adapter.subscriptions.store import SubscriptionStore
from adapter.subscriptions.subscription import bare_subscription

__all__ = ["erase_everywhere"]

_REFERENCE = re.compile(r"\b([A-Z][A-Za-z]{2,40})/([A-Za-z0-9.\-]{1,64})")
_IDENTITY = re.compile(r"\b[0-9a-f]{32}\b")
_BIRTH_DATE = re.compile(r'"birthDate":\s*"([0-9-]+)"')
_TAG = re.compile(r"<[^<>]*>")
_DATA = re.compile(r'"data":\s*"([A-Za-z0-9+/= \\]{8,})"')
_PASSES = 5  # how far what refers to each other is followed
_ASKED_ABOUT = frozenset(("Patient", "ServiceRequest"))
_OF_A_PERSON = frozenset(
    (
        *("Binary", "CarePlan", "Condition", "DiagnosticReport", "DocumentReference", "Encounter"),
        *("ImagingStudy", "Media", "Observation", "Procedure", "QuestionnaireResponse", "RelatedPerson"),
        *("ServiceRequest", "Specimen", "Task"),
    )
)


def erase_everywhere(
    connection: Connection,
    people: Sequence[ErasedPerson],
    *,
    now: datetime,
    audit_subject: Callable[[str], str] | None = None,
    forget_files: Callable[[HiddenWords], None] | None = None,
) -> set[str]:
    """In the caller's transaction, after the records. Reads all that hospitals sent; `forget_files` removes
    files of theirs. The audit itself stays: it names nobody but by a keyed hash. Returns the names under
    which hospitals know these people and what was asked about them, each after the hospital's own.
    """
    if not people:
        return set()
    sent = _Sent(people[0].words)
    for person in people:
        if person.was_known:  # else nothing can be theirs but what hospitals sent unasked
            _erase_known(connection, person, sent, now)
            if audit_subject is not None:
                withheld.forget_withheld(connection, audit_subject(person.key))
    sent.follow(connection)
    QuarantineStore.remove(connection, sorted(sent.refused))
    if forget_files is not None:  # what was taken in or refused is in the database too, and goes with it
        forget_files(sent.words)
    _erase_in_subscriptions(connection, sent.words)
    drafts.forget_all(connection)  # whom a workbook tells of is not known before it is read
    inbox.erase_resources(connection, sent.found)
    for one in sent.found:
        repository.erase_resource(connection, one.hospital, one.type, one.id)
        if sent.words.look(one.id):
            repository.forget_resource(connection, one.hospital, one.type, one.id)
            inbox.forget_resource(connection, one)
    return sent.names()


def _erase_known(connection: Connection, person: ErasedPerson, sent: "_Sent", now: datetime) -> None:
    lines = ledger.erase_cadre(connection, person.key, person.records, person.number, now)
    sent.identities |= {(line.hospital, line.identity) for line in lines}
    sent.asked |= {f"{line.hospital}|{line.identity}" for line in lines if line.type in _ASKED_ABOUT}
    sent.remote |= {SentResource(one.hospital, one.type, one.remote_id) for one in lines if one.remote_id}
    sent.found |= inbox.erase_cadre(connection, person.key, person.referrals)
    inbox.forget_candidate(connection, person.key)


def _erase_in_subscriptions(connection: Connection, words: HiddenWords) -> None:
    """What a Subscription says goes, and where that is what it does, the Subscription too."""
    for id, body, headers in SubscriptionStore.all_bodies(connection):
        text = body.decode("utf-8", "replace")
        if not words.look(f"{text}\n{headers}"):
            continue
        bare = codec.dumps(bare_subscription(codec.loads(body)))
        if words.look(f"{bare.decode('utf-8', 'replace')}\n{headers}"):
            SubscriptionStore.remove(connection, id)
        else:
            SubscriptionStore.put_body(connection, id, bare)


@dataclass
class _Sent:
    """What hospitals sent about people who are erased: what tells of them, and what belongs to that."""

    words: HiddenWords
    found: set[SentResource] = field(default_factory=set)
    identities: set[tuple[str, str]] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)  # hospital and identity of whom and what was asked about
    remote: set[SentResource] = field(default_factory=set)  # as hospitals name what they have of ours
    wanted: set[SentResource] = field(default_factory=set)  # what was found refers to it
    owners: dict[SentResource, str] = field(default_factory=dict)  # whose it was found to be
    others: set[SentResource] = field(default_factory=set)  # Patients who are somebody else
    named: list[tuple[SentResource, str]] = field(default_factory=list)  # by name alone
    refused: set[int] = field(default_factory=set)  # requests in quarantine

    def follow(self, connection: Connection) -> None:
        """By who is meant, then by names, until nothing more is found."""
        for _ in range(_PASSES):
            before = len(self.found), len(self.refused)
            for one, text, cadre in _everything(connection):
                if cadre is not None:
                    self.owners[one] = cadre
                if one in self.found or self._is_theirs(one, text):
                    self._add(one, text)
            for one, text in self.named:
                if not self._is_namesakes(connection, one, text):
                    self._add(one, text)
            self.named.clear()
            for number, hospital, text in QuarantineStore.all_bodies(connection):
                if number not in self.refused and self._is_refused_theirs(hospital, text):
                    self.refused.add(number)
                    self.found |= {SentResource(hospital, "Patient", one) for one in self._patients_in(text)}
            if (len(self.found), len(self.refused)) == before:
                return

    def names(self) -> set[str]:
        """Under which hospitals know these people, or what was asked about them."""
        told = (one for one in (*self.found, *self.remote) if one.type in _ASKED_ABOUT)
        return self.asked.union(f"{one.hospital}|{one.type}/{one.id}" for one in told)

    def _add(self, one: SentResource, text: str) -> None:
        self.found.add(one)
        references = _references(one.hospital, text)
        self.wanted |= {ref for ref in references if ref.type in _OF_A_PERSON}

    def _is_theirs(self, one: SentResource, text: str) -> bool:
        told = self.words.look(text) | self.words.look(_inside(text))
        if told & ~NAME:
            return True
        if told:
            self.named.append((one, text))
        if any((one.hospital, found) in self.identities for found in _IDENTITY.findall(text)):
            return True
        references = _references(one.hospital, text)
        people = {ref for ref in references if ref.type == "Patient"}
        if one.type == "Patient" and not told:
            self.others.add(one)
        if not people.isdisjoint(self.found) or not references.isdisjoint(self.remote):
            return True
        related = one in self.wanted or not references.isdisjoint(self.found)
        return related and not people and one.type in _OF_A_PERSON

    def _is_refused_theirs(self, hospital: str, text: str) -> bool:
        """Whether a refused request tells of them, all that it holds taken together: one that is of several
        people goes whole, since it was never taken.
        """
        text = f"{text}\n{sheet_texts(text)}"
        told = self.words.look(text) | self.words.look(_inside(text)) | self.words.look(spoken_names(text))
        born = set(_BIRTH_DATE.findall(text))
        of_others = born and self.words.birth_dates and born.isdisjoint(self.words.birth_dates)
        if told & ~NAME or (told and not of_others):
            return True
        if any((hospital, found) in self.identities for found in _IDENTITY.findall(text)):
            return True
        return not _references(hospital, text).isdisjoint(self.found | self.remote)

    def _patients_in(self, text: str) -> Iterator[str]:
        """Ids of the Patients of a refused request that are they: what came later may refer to them."""
        with suppress(ValueError, RecursionError, AttributeError, TypeError, KeyError):
            resource = received_resource(text.split("\n", 2)[2].encode())
            entries = resource.get("entry") if resource.get("resourceType") == "Bundle" else None
            for one in [entry.get("resource") for entry in entries] if entries else [resource]:
                if one["resourceType"] == "Patient" and self.words.look(codec.dumps(one).decode()):
                    yield str(one.get("id"))

    def _is_namesakes(self, connection: Connection, one: SentResource, text: str) -> bool:
        """Whether somebody else of that name is meant: born on another day, known here, or with a Patient
        that is not theirs.
        """
        born = set(_BIRTH_DATE.findall(text))
        if born and self.words.birth_dates and born.isdisjoint(self.words.birth_dates):
            self.others.add(one)
            return True
        people = {ref for ref in _references(one.hospital, text) if ref.type == "Patient"}
        if people and people <= self.others:
            return True
        owner = self.owners.get(one)
        return owner is not None and is_namesake(connection, owner, self.words)


def _everything(connection: Connection) -> Iterator[tuple[SentResource, str, str | None]]:
    """Every version of everything, with whose it was found to be."""
    for hospital, type_, id_, body, cadre in inbox.all_bodies(connection):
        yield SentResource(hospital, type_, id_), body, cadre
    for owner, type_, id_, content in repository.all_bodies(connection):
        yield SentResource(owner, type_, id_), content.decode("utf-8", "replace"), None


def _inside(text: str) -> str:
    """What a resource says where its JSON does not show the words: in documents that are text, and in a
    narrative across its mark-up.
    """
    said = [unescape(_TAG.sub("", text))] if "<" in text else []
    for found in _DATA.findall(text):
        with suppress(binascii.Error, ValueError):
            said.append(
                base64.b64decode(found.replace("\\n", "").replace("\\r", "")).decode("utf-8", "ignore")
            )
    return " ".join(said)


def _references(hospital: str, text: str) -> set[SentResource]:
    return {SentResource(hospital, type_, id_) for type_, id_ in _REFERENCE.findall(text)}

"""The path back: what a hospital sent is stored, matched, and written into the local record."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import cached_property

from sqlalchemy import Connection

from adapter.disclosure.pseudonymisation import pseudonymised
from adapter.fulfilment_effects import FulfilmentEffect
from adapter.inbox import linking as inbox_linking
from adapter.inbox import processing as inbox
from adapter.inbox.evidence import read_evidence
from adapter.inbox.local_writes import ResultPlan, StoredResult
from adapter.inbox.matching import KnownCadre, KnownReferral
from adapter.inbox.ports import ReferenceDirectory
from adapter.inbox.queue import InboxQueue
from adapter.inbox.store import InboxItem, InboxStore
from adapter.mapping.result_extraction import extract_result
from adapter.mapping.result_reading.measures import KnownMeasures
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.changed_records import note_changed_records
from adapter.pipeline.inbound.result_parts import known_measures
from adapter.records.model import Cadre, Fulfilment, Referral, Result
from adapter.records.referral_answers import OrderStatement
from adapter.records.serialisation import identifier_forms

__all__ = [
    "item_reading",
    "items_about_merged",
    "link",
    "mark_seen",
    "match_before_plan",
    "process_inbox",
    "reassign_items",
    "unlink",
]

_BEFORE_PLAN_SECONDS = 0.2
_NUMBER_SYSTEMS = frozenset({"citizen_id", "national_id", "insurance_number"})


def process_inbox(
    adapter: Adapter,
    clock: Callable[[], datetime],
    *,
    seconds: float | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Counter[str]:
    """Match and apply what is due: what is new, and what waits for something that came since; for at most so
    many seconds (None: until nothing is) or until told to stop. Counts by outcome.
    """
    note_changed_records(adapter)
    return inbox.process_due(
        InboxQueue(adapter.engine),
        adapter.inbox,
        _directories(adapter),
        _Records(adapter),
        clock,
        seconds=seconds,
        stop=stop,
    )


def match_before_plan(adapter: Adapter, clock: Callable[[], datetime]) -> None:
    """Match what is due for a moment: what came since is in this plan already, and a flood delays none."""
    process_inbox(adapter, clock, seconds=_BEFORE_PLAN_SECONDS)


def link(
    adapter: Adapter,
    item: int,
    cadre: str,
    referral: str | None = None,
    *,
    by: str,
    now: datetime,
    unchanged: Callable[[], None] = lambda: None,
    despite: bool = False,
    replaces: int | None = None,
) -> str:
    """A person says whose an inbox item is, as `linking.link_item`. `unchanged` may raise while the item is
    locked. Raises UsageError for what does not exist.
    """
    return inbox_linking.link_item(
        adapter.inbox,
        item,
        adapter.records.merges.survivor(cadre),
        referral,
        directory_of=_directories(adapter),
        records=_Records(adapter),
        by=by,
        now=now,
        unchanged=unchanged,
        despite=despite,
        replaces=replaces,
    )


def unlink(
    adapter: Adapter, item: int, *, by: str, now: datetime, unchanged: Callable[[], None] = lambda: None
) -> None:
    """Undo a match: the result leaves the record and waits again. `unchanged` as for `link`. Raises
    UsageError.
    """
    inbox_linking.unlink_item(
        adapter.inbox,
        item,
        directory_of=_directories(adapter),
        records=_Records(adapter),
        by=by,
        now=now,
        unchanged=unchanged,
    )


def items_about_merged(
    adapter: Adapter, loser: str, survivor: str, records: Collection[tuple[str, str]]
) -> list[InboxItem]:
    """Of what hospitals sent about `survivor`, what is about the person who was merged into this one: by the
    referral that it answers (`records`: kind and key of what is the loser's), else by whom it names.
    """
    return [
        item
        for item in adapter.inbox.of_cadre(survivor)
        if (Referral.kind, item.referral) in records
        or (item.referral is None and item.state == "applied" and _named(adapter, item) == {loser})
    ]


def _named(adapter: Adapter, item: InboxItem) -> set[str]:
    """Whom an item names, by the names that they were recorded by."""
    said = read_evidence(
        item.resource, lambda reference: adapter.inbox.newest_version(item.hospital, reference)
    )
    ledger, records = adapter.ledger, adapter.records
    values = [one.value for one in said.subject_identifiers]
    lines = [ledger.by_identity(item.hospital, "Patient", value) for value in values]
    lines += [
        ledger.by_remote_id(item.hospital, "Patient", one.id) for one in said.subject_ids if one.base is None
    ]
    named = {line.key for line in lines if line is not None}
    return named.union(*(records.names_by_identifier(value) for value in values))


def reassign_items(adapter: Adapter, connection: Connection, items: Sequence[InboxItem], cadre: str) -> None:
    """These results are another person's, in the caller's transaction."""
    if not items or not adapter.records.lives(cadre, connection=connection):
        return  # nobody is there who could have them
    for key in {item.result_key for item in items if item.result_key}:
        found = adapter.records.get(Result.kind, key)
        if isinstance(found, Result):
            result = found.model_copy(update={"cadre": cadre})
            adapter.records.save_result(result, connection=connection)
    adapter.inbox.reassign(connection, [item.id for item in items], cadre)


def item_reading(adapter: Adapter, hospital: str) -> tuple[InboxStore, ReferenceDirectory]:
    """What an item of this hospital is read with."""
    return adapter.inbox, _Directory(adapter, hospital)


def mark_seen(
    adapter: Adapter, item: int, *, by: str, now: datetime, unchanged: Callable[[], None] = lambda: None
) -> None:
    """A person has seen a version that was ignored as older. Raises UsageError where there is nothing."""
    inbox_linking.mark_seen(
        adapter.inbox, item, directory_of=_directories(adapter), by=by, now=now, unchanged=unchanged
    )


class _Directories:
    """The directory of each hospital."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter

    def __call__(self, hospital: str) -> "_Directory":
        return _Directory(self._adapter, hospital)


def _directories(adapter: Adapter) -> _Directories:
    return _Directories(adapter)


class _Directory:
    """Referrals and people as one hospital refers to them: ledger first, then the records."""

    def __init__(self, adapter: Adapter, hospital: str) -> None:
        self._adapter = adapter
        self.hospital = hospital
        self.identifier_system = adapter.settings.centre.identifier_system
        known = adapter.settings.hospitals.get(hospital)
        systems = known.systems if known else {}
        self.number_systems = frozenset(uri for name, uri in systems.items() if name in _NUMBER_SYSTEMS)
        self.bases = frozenset({known.base_url, *known.base_urls} if known else ())
        public = adapter.settings.public_url
        self.own_bases = frozenset({public} if public else ())

    def referral_by_identity(self, value: str) -> KnownReferral | None:
        for name in dict.fromkeys((self.hospital, *self._adapter.settings.hospitals)):
            for type_ in ("ServiceRequest", "Task"):
                entry = self._adapter.ledger.by_identity(name, type_, value)
                if entry is not None:
                    return self.referral(entry.key)
        return None

    def referral_by_remote_id(self, id: str) -> KnownReferral | None:
        entry = self._adapter.ledger.by_remote_id(self.hospital, "ServiceRequest", id)
        return self.referral(entry.key) if entry else None

    def cadre_by_identity(self, value: str) -> str | None:
        entry = self._adapter.ledger.by_identity(self.hospital, "Patient", value)
        return self._adapter.records.merges.survivor(entry.key) if entry else None

    def cadre_by_remote_id(self, id: str) -> str | None:
        entry = self._adapter.ledger.by_remote_id(self.hospital, "Patient", id)
        return self._adapter.records.merges.survivor(entry.key) if entry else None

    def cadre_by_encounter(self, *, identity: str | None = None, id: str | None = None) -> str | None:
        ledger = self._adapter.ledger
        entry = ledger.by_identity(self.hospital, "Encounter", identity) if identity else None
        if entry is None and id:
            entry = ledger.by_remote_id(self.hospital, "Encounter", id)
        return self._adapter.records.merges.survivor(entry.cadre) if entry else None

    def cadres_by_identifier(self, value: str) -> Sequence[str]:
        return self._adapter.records.cadres_by_identifier(value)

    def number_forms(self, values: Sequence[str]) -> Collection[str]:
        return identifier_forms(values)

    def cadres_by_name(self, name: str, birth_date: str) -> Sequence[str]:
        return self._adapter.records.cadres_by_name(name, birth_date)

    def is_centres_own(self, type: str, value: str) -> bool:
        hospitals = dict.fromkeys((self.hospital, *self._adapter.settings.hospitals))
        return any(self._adapter.ledger.by_identity(name, type, value) is not None for name in hospitals)

    def referral(self, key: str) -> KnownReferral | None:
        found = self._adapter.records.get(Referral.kind, key)
        if not isinstance(found, Referral):
            return None
        return KnownReferral(found.key, found.cadre, found.hospital, found.status)

    def cadre(self, key: str) -> KnownCadre | None:
        found = self._adapter.records.get(Cadre.kind, key)
        if not isinstance(found, Cadre):
            return None
        identity = self._adapter.identities.of(self.hospital, "Patient", Cadre.kind, key)
        return KnownCadre(found.key, found.name, found.birth_date, self._pseudonym(identity), str(found.sex))

    def _pseudonym(self, identity: str) -> str:
        identifier = {"system": self.identifier_system, "value": identity}
        hidden = pseudonymised(
            {"resourceType": "Patient", "identifier": [identifier]}, self.identifier_system
        )
        name: str = hidden["name"][0]["text"]
        return name

    def audit_subject(self, cadre: str) -> str:
        return self._adapter.audit_subject(cadre)


class _Records:
    """Writes results and fulfilment into the local record."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self._records = adapter.records

    @cached_property
    def _known(self) -> KnownMeasures:
        return known_measures(self._adapter)

    def lives(self, cadre: str, *, connection: Connection) -> bool:
        return self._records.lives(cadre, connection=connection)

    def stored_result(self, result_key: str) -> StoredResult | None:
        found = self._records.get(Result.kind, result_key)
        return StoredResult(found.cadre, found.status, found.issued_at) if isinstance(found, Result) else None

    def save_result(self, plan: ResultPlan, *, connection: Connection) -> bool:
        fields = extract_result(
            plan.resource,
            hospital=plan.hospital,
            key=plan.key,
            cadre=plan.cadre,
            referral=plan.referral,
            received_at=plan.received_at,
            known=self._known,
            siblings=lambda reference: self._adapter.inbox.newest_version(plan.hospital, reference),
        )
        result = Result(
            key=plan.key,
            cadre=plan.cadre,
            hospital=plan.hospital,
            referral=plan.referral,
            type=plan.type,
            status=plan.status,
            code=fields.code,
            title=fields.title,
            conclusion=fields.conclusion,
            value=fields.value,
            content=fields.content,
            issued_at=plan.issued_at,
            resource=plan.body,
        )
        return self._records.save_result(result, connection=connection, statements=self._statements)

    def fulfil(
        self, referral: str, effect: FulfilmentEffect, by: str | None, at: datetime, *, connection: Connection
    ) -> bool:
        return self._records.fulfil(referral, Fulfilment(effect), by, at, connection=connection)

    def take_back(self, result_key: str, *, connection: Connection) -> bool:
        return self._records.take_back(result_key, connection=connection, statements=self._statements)

    def answer_again(self, cadre: str, referral: str, *, connection: Connection) -> None:
        self._records.answer_again(cadre, referral, connection=connection, statements=self._statements)

    def _statements(self, connection: Connection, cadres: Collection[str]) -> list[OrderStatement]:
        return [OrderStatement(*one) for one in self._adapter.inbox.order_statements(connection, cadres)]

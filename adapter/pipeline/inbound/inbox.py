"""The path back: what a hospital sent is stored, matched, and written into the local record."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import cached_property

from sqlalchemy import Connection

from adapter.inbox import discarding, patient_rulings
from adapter.inbox import linking as inbox_linking
from adapter.inbox import processing as inbox
from adapter.inbox.erasure import ERASED_BODY
from adapter.inbox.evidence import read_evidence
from adapter.inbox.item_reading import read_item
from adapter.inbox.local_writes import AnswerPlan, ResultPlan, StoredResult
from adapter.inbox.ports import ReferenceDirectory
from adapter.inbox.queue import InboxQueue
from adapter.inbox.store import InboxItem, InboxStore
from adapter.mapping.result_extraction import extract_result
from adapter.mapping.result_reading.measures import KnownMeasures
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.changed_records import note_changed_records
from adapter.pipeline.inbound.hospital_directory import HospitalDirectory
from adapter.pipeline.inbound.result_parts import known_measures
from adapter.records.model import Referral, Result
from adapter.records.referral_answers import OrderStatement
from adapter.records.result_views import forget_result, note_stated

__all__ = [
    "discard",
    "forget_ruling",
    "item_reading",
    "items_about_merged",
    "link",
    "mark_seen",
    "match_before_plan",
    "order_statements",
    "process_inbox",
    "reassign_items",
    "reopen",
    "rule_out",
    "ruled_out_people",
    "unlink",
    "unrule_out",
]

_BEFORE_PLAN_SECONDS = 0.2


def process_inbox(
    adapter: Adapter,
    clock: Callable[[], datetime],
    *,
    seconds: float | None = None,
    stop: Callable[[], bool] = lambda: False,
    after: str = "",
    pause: Callable[[], None] = lambda: None,
) -> Counter[str]:
    """Match and apply what is due: what is new, and what waits for something that came since; for at most so
    many seconds (None: until nothing is) or until told to stop; first of the hospital `after` this one,
    with a `pause` after each. Counts by outcome.
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
        after=after,
        pause=pause,
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
) -> tuple[int, ...]:
    """Undo a match: the result leaves the record and waits again, as `linking.unlink_item`. `unchanged` as
    for `link`. Raises UsageError.
    """
    return inbox_linking.unlink_item(
        adapter.inbox,
        item,
        directory_of=_directories(adapter),
        records=_Records(adapter),
        by=by,
        now=now,
        unchanged=unchanged,
    )


def discard(
    adapter: Adapter, item: int, reason: str, *, by: str, now: datetime, unchanged: Callable[[], None]
) -> None:
    """What waits is of no use. `unchanged` as for `link`. Raises UsageError."""
    discarding.discard_item(
        adapter.inbox,
        item,
        reason,
        directory_of=_directories(adapter),
        by=by,
        now=now,
        unchanged=unchanged,
    )


def reopen(adapter: Adapter, item: int, *, by: str, now: datetime, unchanged: Callable[[], None]) -> None:
    """What was discarded waits again. `unchanged` as for `link`. Raises UsageError."""
    discarding.reopen_item(
        adapter.inbox, item, directory_of=_directories(adapter), by=by, now=now, unchanged=unchanged
    )


def rule_out(
    adapter: Adapter, item: int, cadre: str, *, by: str, now: datetime, unchanged: Callable[[], None]
) -> None:
    """A person says that an item's patient is never this one, as `patient_rulings.rule_out`."""
    patient_rulings.rule_out(
        adapter.inbox,
        item,
        adapter.records.merges.survivor(cadre),
        directory_of=_directories(adapter),
        by=by,
        now=now,
        unchanged=unchanged,
    )


def ruled_out_people(adapter: Adapter, item: InboxItem) -> tuple[str, ...]:
    """Keys of the people of whom somebody said that an item is never theirs, in order."""
    if item.body == ERASED_BODY:
        return ()
    directory = HospitalDirectory(adapter, item.hospital)
    said = read_item(adapter.inbox, item, directory)
    spoken = directory.rulings(patient_rulings.ruled_subjects(said, directory, item.lineage))
    return tuple(sorted(cadre for cadre, is_never in spoken.items() if is_never))


def unrule_out(
    adapter: Adapter, item: int, cadre: str, *, by: str, now: datetime, unchanged: Callable[[], None]
) -> None:
    """It may be this person after all. Raises UsageError where nobody said otherwise."""
    patient_rulings.unrule_out(
        adapter.inbox,
        item,
        adapter.records.merges.survivor(cadre),
        directory_of=_directories(adapter),
        by=by,
        now=now,
        unchanged=unchanged,
    )


def forget_ruling(
    adapter: Adapter, number: int, *, by: str, now: datetime, unchanged: Callable[[], None]
) -> None:
    """What was said of a hospital's patient is said no more. Raises UsageError where there is none."""
    patient_rulings.forget_ruling(
        adapter.inbox, number, directory_of=_directories(adapter), by=by, now=now, unchanged=unchanged
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
    return adapter.inbox, HospitalDirectory(adapter, hospital)


def mark_seen(
    adapter: Adapter, item: int, *, by: str, now: datetime, unchanged: Callable[[], None] = lambda: None
) -> None:
    """A person has seen a version that was ignored as older. Raises UsageError where there is nothing."""
    inbox_linking.mark_seen(
        adapter.inbox, item, directory_of=_directories(adapter), by=by, now=now, unchanged=unchanged
    )


def _directories(adapter: Adapter) -> Callable[[str], HospitalDirectory]:
    return lambda hospital: HospitalDirectory(adapter, hospital)


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
        before = self.stored_result(plan.key)
        if before is not None and before.cadre != plan.cadre:
            forget_result(connection, plan.key)  # it was seen as another person's
        saved = self._records.save_result(result, connection=connection, statements=self._statements)
        note_stated(connection, result, plan.received_at)
        return saved

    def advance(self, plan: AnswerPlan, *, connection: Connection) -> bool:
        return self._records.advance(
            plan.referral, plan.saying, plan.by, plan.at, details=plan.details, connection=connection
        )

    def take_back(self, result_key: str, *, connection: Connection) -> bool:
        forget_result(connection, result_key)
        return self._records.take_back(result_key, connection=connection, statements=self._statements)

    def answer_again(self, cadre: str, referral: str, *, connection: Connection) -> None:
        self._records.answer_again(cadre, referral, connection=connection, statements=self._statements)

    def _statements(self, connection: Connection, cadres: Collection[str]) -> list[OrderStatement]:
        return order_statements(self._adapter, connection, cadres)


def order_statements(
    adapter: Adapter, connection: Connection, cadres: Collection[str]
) -> list[OrderStatement]:
    """What Tasks and copies of orders say of these people's referrals, in the order of their arrival."""
    return [OrderStatement(*one) for one in adapter.inbox.order_statements(connection, cadres)]

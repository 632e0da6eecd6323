"""Sending what is pending of one shipment: in Bundles or one by one, as the server's card allows; what is
refused as a whole is cut in halves until what is to blame is alone.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from adapter.delivery.decisions import response_verdicts
from adapter.delivery.decisions.response_verdicts import EntryVerdict
from adapter.delivery.decisions.strategy import OutboundResource, WriteStrategy, next_bundle, split_refused
from adapter.delivery.read_back import lookup
from adapter.delivery.shipping.context import HospitalUnavailable, LeasedShipment
from adapter.delivery.shipping.request import RefusedBundle, send_and_settle
from adapter.fhir.bundle import EntryResponse, Target, Write
from adapter.fhir.codec import Resource
from adapter.ledger.schema.states import EntryEvent, EntryState
from adapter.ledger.schema.values import DeliveryOutcome, LedgerEntry

__all__ = ["PendingSender", "remote_ids"]

_LOOKS = 3  # times that one entry is looked up and sent again within a run
# What the server did not answer to; a lookup found nothing, and what it is tried on next is half as much.
_FAILED_ON = frozenset(
    {"server-error", "timeout", "dropped", "unreadable-answer", "too-large", "layered", "not-fhir"}
)


# What was said of one entry and does not prove that it was not written.
_IN_DOUBT = frozenset({"busy", "auth", "server-error"})


@dataclass(frozen=True, slots=True)
class _Group:
    """Entries that go next, before all others: a part of a Bundle that was refused as a whole."""

    identities: frozenset[str]
    singly: bool = False  # by HTTP itself, to tell a refused entry from a refused Bundle
    hinted: bool = False  # without the entry that a refusal named: refused again, it named the wrong one


def remote_ids(entries: Sequence[LedgerEntry]) -> dict[Target, str]:
    """What the hospital holds, by its ids."""
    return {(entry.type, entry.identity): entry.remote_id for entry in entries if entry.remote_id}


class PendingSender:
    """The pending entries of one shipment on their way."""

    def __init__(self, held: LeasedShipment, entries: Sequence[LedgerEntry]) -> None:
        self._to = held.context
        self._held = held
        self._entries = {e.identity: e for e in entries if e.state is EntryState.PENDING and e.body}
        self._items = {
            identity: OutboundResource.of(e.type, identity, e.rank, e.body or b"")
            for identity, e in self._entries.items()
        }
        self._known = remote_ids(entries)
        self._absent: set[str] = set()  # looked up in this run, and not there
        self._delivered: set[str] = set()
        self._looks: Counter[str] = Counter()
        self._notes: dict[str, str] = {}  # what of the hospital's is overwritten
        self._refreshed: set[str] = set()
        self._groups: list[_Group] = []
        self._hints = True  # whether a refusal is believed when it names an entry
        self._again = False

    def run(self) -> bool:
        """Send all that can be sent. True if something must be tried again by itself.

        Raises HospitalUnavailable, LeaseLost or PlanChanged. What was answered last may be left to `held`.
        """
        while True:
            manner = self._manner()
            if unseen := self._unseen(manner):
                self._look_first(unseen)
                continue
            group, batch, manner = self._next(manner)
            if not batch:
                return self._again
            if len(batch) == 1 and not (group is not None and group.singly):
                manner = manner.for_body(len(batch[0].body))
            writes = [self._write(item, manner) for item in batch]
            before = (self._entries[item.identity] for item in batch)
            since = max(entry.sent_at or entry.changed_at for entry in before)
            answer = send_and_settle(self._held, writes, self._known, manner, since=since)
            if isinstance(answer, RefusedBundle):
                self._hints = self._hints and not (group is not None and group.hinted)
                self._refused(batch, writes, answer, manner)
            else:
                self._answered(writes, answer, manner)

    # -- what goes next --------------------------------------------------------------------

    def _manner(self) -> WriteStrategy:
        """As the card allows, and smaller where the server failed on some of these before."""
        manner = self._to.strategy()
        waiting = (self._entries[identity] for identity in self._items)
        failures = [e.attempts for e in waiting if e.attempts and e.reason in _FAILED_ON]
        return manner.at_most(manner.max_entries >> max(failures)) if failures else manner

    def _unseen(self, manner: WriteStrategy) -> list[LedgerEntry]:
        """Entries of which neither we nor the hospital by itself knows whether they are there."""
        waiting = (self._entries[identity] for identity in self._items)
        unknown = (e for e in waiting if not e.remote_id and e.identity not in self._absent)
        return [e for e in unknown if e.former_identity or not manner.can_update_conditionally(e.type)]

    def _next(self, manner: WriteStrategy) -> tuple[_Group | None, list[OutboundResource], WriteStrategy]:
        """The next group, what goes of it, and how; without one, what goes of all."""
        while self._groups:
            group = self._groups[0]
            how = manner.singly() if group.singly else manner
            mine = [self._items[identity] for identity in self._items.keys() & group.identities]
            if batch := self._batch(mine, how):
                return group, batch, how
            if group.singly and group.identities <= self._delivered:
                self._to.learned.no_bundles = True  # nothing was wrong but that they came in a Bundle
                manner = manner.singly()
            self._groups.pop(0)
        return None, self._batch(list(self._items.values()), manner), manner

    def _batch(self, items: Sequence[OutboundResource], manner: WriteStrategy) -> list[OutboundResource]:
        batch, _waiting = next_bundle(
            items,
            self._known,
            max_entries=manner.max_entries,
            max_bytes=manner.max_bytes,
            cross_references=manner.cross_references,
        )
        return batch

    def _write(self, item: OutboundResource, manner: WriteStrategy) -> Write:
        entry = self._entries[item.identity]
        return manner.write(item, entry.remote_id, entry.etag)

    # -- what was answered -----------------------------------------------------------------

    def _answered(
        self, writes: Sequence[Write], answers: Sequence[EntryResponse], manner: WriteStrategy
    ) -> None:
        """Every entry by its own answer."""
        verdicts = [
            response_verdicts.entry_verdict(answer, write, attempts=self._entries[write.identity].attempts)
            for write, answer in zip(writes, answers, strict=True)
        ]
        settled: list[DeliveryOutcome] = []
        look: list[tuple[LedgerEntry, EntryVerdict]] = []
        for write, answer, verdict in zip(writes, answers, verdicts, strict=True):
            if verdict.kind == "look" and self._looks[write.identity] < _LOOKS:
                look.append((self._entries[write.identity], verdict))
            else:
                settled.append(self._settled(write, answer, verdict, manner.is_repeatable(write)))
        self._settle(self._with_ids(settled), bool(look))
        troubles = [verdict.hospital_problem for verdict in verdicts if verdict.hospital_problem]
        if look:
            self._look_again(look)
        if troubles:
            raise HospitalUnavailable("auth" if "auth" in troubles else "busy")

    def _settled(
        self, write: Write, answer: EntryResponse, verdict: EntryVerdict, repeatable: bool
    ) -> DeliveryOutcome:
        if verdict.kind == "delivered":
            note = self._notes.get(write.identity)
            return DeliveryOutcome(
                write.identity,
                EntryEvent.CONFIRM,
                remote_id=answer.remote_id or write.remote_id,
                etag=answer.etag,
                reason="overwritten" if note else None,
                detail=note,
            )
        event = EntryEvent.REFUSE if verdict.kind == "park" else EntryEvent.RETRY
        if event is EntryEvent.RETRY and not repeatable and verdict.reason in _IN_DOUBT:
            event = EntryEvent.LOSE
        return DeliveryOutcome(
            write.identity,
            event,
            reason=verdict.reason,
            detail=verdict.detail,
            counts_as_attempt=verdict.counts_as_attempt,
        )

    def _with_ids(self, settled: Sequence[DeliveryOutcome]) -> list[DeliveryOutcome]:
        """The same, with the remote ids that a server did not tell (location is optional) looked up."""
        nameless = {one.identity for one in settled if one.event is EntryEvent.CONFIRM and not one.remote_id}
        if not nameless:
            return list(settled)
        found = self._find([self._entries[identity] for identity in nameless])
        if isinstance(found, str):
            return [
                DeliveryOutcome(one.identity, EntryEvent.LOSE, reason=response_verdicts.reason_of(found))
                if one.identity in nameless
                else one
                for one in settled
            ]
        return [
            replace(one, remote_id=str(there[0]["id"]))
            if one.identity in nameless and len(there := found.get(one.identity, [])) == 1
            else one
            for one in settled
        ]

    def _settle(self, settled: Sequence[DeliveryOutcome], progress: bool = False) -> None:
        """What became of entries is written down with the next step; those that may go again in this run
        stay.
        """
        now = self._to.clock()
        self._held.queue_outcomes(settled)
        progress = progress or any(one.event is not EntryEvent.RETRY for one in settled)
        for one in settled:
            entry = self._entries[one.identity]
            if one.event is EntryEvent.CONFIRM:
                self._delivered.add(one.identity)
                if one.remote_id:
                    self._known[entry.type, entry.identity] = one.remote_id
                self._items.pop(one.identity, None)
                continue
            attempts = entry.attempts + one.counts_as_attempt
            self._entries[one.identity] = replace(entry, attempts=attempts, reason=one.reason, changed_at=now)
            stays = one.event is EntryEvent.ABSENT or (one.reason == "not-executed" and progress)
            if not stays:
                self._items.pop(one.identity, None)
                self._again |= one.event in (EntryEvent.RETRY, EntryEvent.LOSE)

    # -- what was refused as a whole -------------------------------------------------------

    def _refused(
        self,
        batch: Sequence[OutboundResource],
        writes: Sequence[Write],
        refused: RefusedBundle,
        manner: WriteStrategy,
    ) -> None:
        """The entries are pending again: in which parts they go next."""
        learned, identities = self._to.learned, frozenset(item.identity for item in batch)
        self._absent -= {write.identity for write in writes if not manner.is_repeatable(write)}
        if refused.kind == "no-bundles":
            learned.no_bundles = True
        elif refused.kind == "smaller":
            learned.max_entries = min(learned.max_entries, max(1, len(batch) // 2))
        elif not manner.proven:
            self._groups.insert(0, _Group(identities, singly=True))
        elif refused.status in (409, 412) and self._refresh(writes):
            self._groups.insert(0, _Group(identities))
        else:
            suspect = refused.suspect if self._hints else None
            self._groups[:0] = [
                _Group(frozenset(item.identity for item in part), hinted=suspect is not None)
                for part in split_refused(batch, suspect)
            ]

    def _refresh(self, writes: Sequence[Write]) -> bool:
        """Read again what a Bundle was to replace, once each; whether any of it is not as we knew it."""
        stale = {write.identity for write in writes if write.etag} - self._refreshed
        self._refreshed |= stale
        entries = [self._entries[identity] for identity in stale]
        before = {e.identity: (e.remote_id, e.etag) for e in entries}
        found = self._find(entries)
        if isinstance(found, str):
            raise HospitalUnavailable(found)
        self._compare([(entry, EntryVerdict("look", "conflict")) for entry in entries], found, sent=False)
        after = ((identity, self._entries[identity]) for identity in stale)
        return any(before[identity] != (entry.remote_id, entry.etag) for identity, entry in after)

    # -- what is there ---------------------------------------------------------------------

    def _find(self, entries: Sequence[LedgerEntry]) -> lookup.FoundResources | str:
        return lookup.find_entries(
            self._to.client, self._to.system, entries, self._to.card, self._held.prepare_read
        )

    def _look_first(self, entries: Sequence[LedgerEntry]) -> None:
        """Ask what the hospital already has, where it cannot be told to see for itself."""
        found = self._find(entries)
        if isinstance(found, str):
            raise HospitalUnavailable(found)
        self._compare([(entry, EntryVerdict("look")) for entry in entries], found, sent=False)

    def _look_again(self, look: Sequence[tuple[LedgerEntry, EntryVerdict]]) -> None:
        """What was refused because of what is there: read it, by its id where it has one. Found as wished it
        is delivered, else it goes again, to what there is now.
        """
        found: lookup.FoundResources = {}
        lost: str | None = None
        for entry, _ in look:
            if entry.remote_id and lost is None:
                self._held.prepare_read()
                there = lookup.read_by_id(self._to.client, entry.type, entry.remote_id)
                if isinstance(there, str):
                    lost = there
                elif there is not None:
                    found[entry.identity] = [there]
        others = [entry for entry, _ in look if entry.identity not in found]
        by_identity = self._find(others) if lost is None else lost
        if isinstance(by_identity, str):
            self._settle(
                [
                    DeliveryOutcome(
                        e.identity, EntryEvent.LOSE, reason=response_verdicts.reason_of(by_identity)
                    )
                    for e, _ in look
                ]
            )
            raise HospitalUnavailable(by_identity)
        self._looks.update(entry.identity for entry, _ in look)
        self._compare(look, {**by_identity, **found}, sent=True)

    def _compare(
        self, look: Sequence[tuple[LedgerEntry, EntryVerdict]], found: lookup.FoundResources, *, sent: bool
    ) -> None:
        """Settle what is there as wished, park what is there twice, and remember the ids of the rest. `sent`:
        they are in flight in the ledger, and no longer.
        """
        for entry, _ in look:
            there = found.get(entry.identity, [])
            if len(there) == 1:  # nothing is to refer to one of two
                self._known[entry.type, entry.identity] = str(there[0].get("id"))
        settled = []
        for entry, verdict in look:
            there = found.get(entry.identity, [])
            one = lookup.lookup_outcome(entry, there, self._known)
            if one.event is not EntryEvent.ABSENT:
                settled.append(one)
                continue
            if verdict.reason == "refused" and (one.remote_id, one.etag) == (entry.remote_id, entry.etag):
                # What was refused was no stale version: it still is the one that we knew.
                parked = DeliveryOutcome(
                    entry.identity, EntryEvent.REFUSE, reason="refused", detail=verdict.detail
                )
                settled.append(parked)
                continue
            self._remember(entry, one, there, verdict)
            if sent:
                settled.append(
                    replace(
                        one,
                        reason=verdict.reason,
                        detail=verdict.detail,
                        counts_as_attempt=verdict.counts_as_attempt,
                    )
                )
        self._settle(settled)

    def _remember(
        self, entry: LedgerEntry, one: DeliveryOutcome, there: Sequence[Resource], verdict: EntryVerdict
    ) -> None:
        self._entries[entry.identity] = replace(entry, remote_id=one.remote_id, etag=one.etag)
        if not there:
            self._absent.add(entry.identity)
            self._known.pop((entry.type, entry.identity), None)
        elif verdict.reason in ("conflict", "refused") and entry.body:
            self._notes[entry.identity] = lookup.overwritten_elements(entry.body, there[0], self._known)

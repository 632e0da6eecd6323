"""A Bundle carried out: a transaction as one, a batch one by one, and for who is to be spared what is wrong
with a part (`salvage`) the sound part of a transaction.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import groupby
from typing import Final, NamedTuple

from sqlalchemy import Connection, Engine

from adapter.database import read_transaction, write_transaction
from adapter.errors import FhirError
from adapter.fhir.codec import Resource
from adapter.repository.bundle_entries import Interaction, NotUsed, require_all_valid
from adapter.repository.bundle_leftovers import BundleAnswer, left_over
from adapter.repository.interaction_errors import interaction_error, issues_of_error
from adapter.repository.pausing import Preempted, is_preempted, pause
from adapter.repository.read_entries import get_response
from adapter.repository.reference_rewriting import internal_references
from adapter.repository.request_limits import RequestBudget
from adapter.repository.response_bundles import (
    error_response_entry,
    not_used_entry,
    response_bundle,
    response_entry,
)
from adapter.repository.transaction_writer import TransactionWriter
from adapter.repository.write_plan import InteractionOutcome

__all__ = ["BundleProcessor", "ParsedEntry"]

ParsedEntry = Interaction | NotUsed | FhirError
OutcomesWithBodies = Callable[[Connection, Sequence[InteractionOutcome]], list[InteractionOutcome]]

_PLACE: Final = re.compile(r"Bundle\.entry\[(\d+)\]")
_READS: Final = ("GET", "HEAD")
_COMMITTED_TOGETHER: Final = 25  # entries of a batch
_ROUNDS: Final = 8  # that sound entries are tried again without the one that was refused


class _CarriedOut(NamedTuple):
    """What came of entries: of writes and of reads by their places, and where each fullUrl leads now."""

    written: Mapping[int, InteractionOutcome]
    read: Mapping[int, Resource]
    known: Mapping[str, str]


@dataclass(frozen=True)
class BundleProcessor:
    """Carries out the entries of one Bundle. `writer` writes in a database transaction, `bodies` adds what is
    stored to outcomes; `base` is the server's URL as the sender sees it, `lenient` whether searches drop what
    they do not know.
    """

    engine: Engine
    owner: str
    base: str
    representation: bool
    budget: RequestBudget
    lenient: bool
    writer: Callable[[Connection], TransactionWriter]
    bodies: OutcomesWithBodies

    def transaction(self, parsed: Sequence[ParsedEntry]) -> BundleAnswer:
        """All entries or, with a FhirError, none."""
        answers, _ = self._together(require_all_valid(parsed), _unused(parsed))
        return BundleAnswer(response_bundle("transaction", self._in_order(parsed, answers)))

    def batch(self, bundle: Resource, parsed: Sequence[ParsedEntry]) -> BundleAnswer:
        """Entry by entry, each alone: what is refused undoes nothing of the others. Some share one commit, so
        that a thousand wait not a thousand times for the disk; only some, so that others can write between.
        """
        carried_out: list[_CarriedOut] = []
        refused = {place: one for place, one in enumerate(parsed) if isinstance(one, FhirError)}
        unused = _unused(parsed)
        for group in _grouped([one for one in parsed if isinstance(one, Interaction)]):
            left = deque(group)
            while left:
                with self._transaction_for(group) as connection:
                    while left:
                        entry = left.popleft()
                        try:
                            with connection.begin_nested():
                                carried_out.append(self._carry_out(connection, [entry], unused))
                        except FhirError as error:
                            refused[entry.position or 0] = error
                        if left and is_preempted.get()():
                            break
                if left:
                    pause.get()()
        answers = {place: entry for one in carried_out for place, entry in self._answers(one).items()}
        answers |= {place: error_response_entry(error) for place, error in refused.items()}
        body = response_bundle("batch", self._in_order(parsed, answers))
        return BundleAnswer(body, left_over(bundle, refused, {}))

    def salvage(self, bundle: Resource, parsed: Sequence[ParsedEntry]) -> BundleAnswer:
        """The sound entries, all of them or none; the others are left over: what is wrong, and what refers to
        that. Raises FhirError where nothing is sound, or one entry after the other turns out not to be.
        """
        refused = {place: one for place, one in enumerate(parsed) if isinstance(one, FhirError)}
        sound = [one for one in parsed if isinstance(one, Interaction)]
        for _ in range(_ROUNDS):
            _refuse_dependents(bundle, sound, refused)
            sound = [one for one in sound if one.position not in refused]
            if not sound:
                break
            try:
                answers, known = self._together(sound, _unused(parsed))
            except FhirError as error:
                place = _place_of(error)
                if place is None or place in refused:
                    raise
                refused[place] = error
                continue
            answers |= {place: error_response_entry(error) for place, error in refused.items()}
            body = response_bundle("transaction", self._in_order(parsed, answers))
            return BundleAnswer(body, left_over(bundle, refused, known))
        require_all_valid([refused.get(place, one) for place, one in enumerate(parsed)])
        raise interaction_error(400, "invalid", "nothing_sound", "Bundle.entry")

    def _in_order(self, parsed: Sequence[ParsedEntry], answers: dict[int, Resource]) -> list[Resource]:
        return [
            not_used_entry(one.type) if isinstance(one, NotUsed) else answers[place]
            for place, one in enumerate(parsed)
        ]

    def _together(
        self, entries: Sequence[Interaction], unused: frozenset[str]
    ) -> tuple[dict[int, Resource], Mapping[str, str]]:
        spent = self.budget.spent()
        while True:
            try:
                with self._transaction_for(entries) as connection:
                    done = self._carry_out(connection, entries, unused, between=_let_others_go_first)
            except Preempted:
                self.budget.rewind(spent)
                pause.get()()
                continue
            return self._answers(done), done.known  # made while others write already

    def _transaction_for(self, entries: Sequence[Interaction]) -> AbstractContextManager[Connection]:
        if all(entry.method in _READS for entry in entries):
            return read_transaction(self.engine)
        return write_transaction(self.engine)

    def _carry_out(
        self,
        connection: Connection,
        entries: Sequence[Interaction],
        unused: frozenset[str],
        *,
        between: Callable[[], None] = lambda: None,
    ) -> _CarriedOut:
        writes = [entry for entry in entries if entry.method not in _READS]
        outcomes: Sequence[InteractionOutcome] = ()
        known: Mapping[str, str] = {}
        if writes:
            writer = self.writer(connection)
            writer.between = between
            outcomes = writer.run(writes, unused)
            known = writer.known
            if self.representation:
                outcomes = self.bodies(connection, outcomes)
        return _CarriedOut(
            written={one.position or 0: outcome for one, outcome in zip(writes, outcomes, strict=True)},
            read={one.position or 0: self._get(connection, one) for one in entries if one.method in _READS},
            known=known,
        )

    def _answers(self, done: _CarriedOut) -> dict[int, Resource]:
        """The response of each entry by its place."""
        answers = dict(done.read)
        for place, outcome in done.written.items():
            body = outcome.body if self.representation else None
            answers[place] = response_entry(outcome, self.base, body=body)
        return answers

    def _get(self, connection: Connection, entry: Interaction) -> Resource:
        try:
            return get_response(connection, self.owner, entry, self.base, self.budget, lenient=self.lenient)
        except FhirError as error:
            error.expression = error.expression or entry.at("request.url")
            raise


def _let_others_go_first() -> None:
    if is_preempted.get()():
        raise Preempted


def _grouped(entries: Sequence[Interaction]) -> Iterator[Sequence[Interaction]]:
    """Reads and writes apart, in their order: nobody waits to write while somebody searches."""
    for _, run in groupby(entries, lambda entry: entry.method in _READS):
        together = list(run)
        for start in range(0, len(together), _COMMITTED_TOGETHER):
            yield together[start : start + _COMMITTED_TOGETHER]


def _unused(parsed: Iterable[ParsedEntry]) -> frozenset[str]:
    return frozenset(one.full_url for one in parsed if isinstance(one, NotUsed) and one.full_url)


def _place_of(error: FhirError) -> int | None:
    """Which entry is to blame."""
    found = (_PLACE.match(one.expression or "") for one in issues_of_error(error))
    return next((int(one[1]) for one in found if one), None)


def _refuse_dependents(bundle: Resource, sound: Sequence[Interaction], refused: dict[int, FhirError]) -> None:
    """What refers to a refused entry waits with it: alone it would say less than it was meant to."""
    listed = bundle["entry"]
    urls = {place: one.get("fullUrl") for place, one in enumerate(listed) if isinstance(one, dict)}
    known = {url: place for place, url in urls.items() if isinstance(url, str)}
    referring: dict[int, list[Interaction]] = {}
    for entry in sound:
        for url in internal_references(entry.resource or {}, entry.full_url, known):
            referring.setdefault(known[url], []).append(entry)
    left = list(refused)
    while left:
        for entry in referring.pop(left.pop(), ()):
            place = entry.position
            if place is not None and place not in refused:
                refused[place] = interaction_error(424, "processing", "waits_with", entry.where)
                left.append(place)

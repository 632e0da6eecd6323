"""FHIR's RESTful interactions on stored resources (http://hl7.org/fhir/R4/http.html), without HTTP.

Everything belongs to an `owner`: who sent it, and the only one who sees it.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Literal

from sqlalchemy import Connection, Engine

from adapter.database import read_transaction, write_transaction
from adapter.fhir.codec import Resource
from adapter.fhir.operation_outcome import Issue
from adapter.repository import read_interactions, store
from adapter.repository.bundle_entries import Interaction, InteractionChecks, parse_bundle
from adapter.repository.bundle_envelopes import ReadEnvelope, document_entries, read_envelope
from adapter.repository.bundle_leftovers import BundleAnswer
from adapter.repository.bundle_processing import BundleProcessor, ParsedEntry
from adapter.repository.history_request import HistoryRequest
from adapter.repository.interaction_errors import interaction_error
from adapter.repository.patient_everything import EverythingPage, EverythingRequest, read_everything
from adapter.repository.pausing import pause
from adapter.repository.prepared_content import FactsOf, prepare_content
from adapter.repository.reference_rewriting import internal_references
from adapter.repository.reference_targets import wrong_targets
from adapter.repository.request_limits import (
    DEFAULT_LIMITS,
    RequestBudget,
    RequestLimits,
    fitting_keys,
)
from adapter.repository.response_bundles import ResultPage
from adapter.repository.search_query import SearchQuery
from adapter.repository.store import VersionRow
from adapter.repository.transaction_writer import OnChanges, TransactionWriter
from adapter.repository.write_plan import InteractionOutcome, SentRequest

__all__ = ["Repository", "ResultPage"]


def _now() -> datetime:
    return datetime.now(UTC)


class Repository:
    """A versioned store. Its tables must exist (`adapter.database.migrate` or `store.create_tables`).

    `recognise_repeats`: a POST of content that this owner sent before makes nothing new.
    `on_changes` is called for the new versions inside the transaction that stores them; what it
    raises undoes the transaction. `facts_of` makes what it wants to know of each resource, before that.
    `base` is the server's own URL, taken off references to itself.
    `own_system`: a conditional reference by an identifier of it that matches nothing stays as it is.
    `salvages` tells of an owner whether the sound part of a broken transaction is taken, `homes` the
    addresses of its own server, `needs_targets` whether what it refers to here must be there.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        recognise_repeats: bool = False,
        on_changes: OnChanges | None = None,
        facts_of: FactsOf | None = None,
        accepts: frozenset[str] | None = None,
        deletes: bool = True,
        validate: Callable[[Resource], list[Issue]] | None = None,
        base: str | None = None,
        own_system: str | None = None,
        limits: RequestLimits = DEFAULT_LIMITS,
        keeps: frozenset[str] = frozenset(),
        salvages: Callable[[str], bool] = lambda _: False,
        homes: Callable[[str], Collection[str]] = lambda _: (),
        needs_targets: Callable[[str], bool] = lambda _: False,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self.engine = engine
        self.checks = InteractionChecks(accepts, deletes, validate, limits, keeps)
        self.base = base
        self._recognise_repeats = recognise_repeats
        self._on_changes = on_changes
        self._facts_of = facts_of
        self._clock = clock
        self._own_system = own_system
        self._salvages = salvages
        self._homes = homes
        self._needs_targets = needs_targets

    @property
    def is_receiving(self) -> bool:
        """Whether others deliver here, whose clients are taken as they are; else it is a server like any."""
        return self._recognise_repeats

    # Reading

    def read(self, owner: str, kind: str, resource_id: str) -> VersionRow:
        """The newest version. Raises FhirError 404, or 410 for a deleted resource."""
        with read_transaction(self.engine) as connection:
            return read_interactions.read_current(connection, owner, kind, resource_id)

    def vread(self, owner: str, kind: str, resource_id: str, version: str) -> VersionRow:
        """One version. Raises FhirError 404, or 410 for the version that deleted the resource."""
        with read_transaction(self.engine) as connection:
            return read_interactions.read_version(connection, owner, kind, resource_id, version)

    def search(self, owner: str, query: SearchQuery) -> ResultPage:
        """One page of a search."""
        with read_transaction(self.engine) as connection:
            return read_interactions.read_search_page(connection, owner, query, self._budget())

    def history(self, owner: str, query: HistoryRequest) -> ResultPage:
        """One page of versions, newest first. Raises FhirError 404 when there never was such a resource."""
        with read_transaction(self.engine) as connection:
            return read_interactions.read_history(connection, owner, query, self._budget())

    def everything(self, owner: str, asked: EverythingRequest) -> EverythingPage:
        """One page of what there is of a Patient. Raises FhirError 404 or 410 where there is none."""
        with read_transaction(self.engine) as connection:
            return read_everything(connection, owner, asked, self._budget())

    def _budget(self) -> RequestBudget:
        return RequestBudget(self.checks.limits)

    def counts(self, owner: str) -> dict[str, int]:
        """Live resources by type."""
        with read_transaction(self.engine) as connection:
            return dict(store.count_by_type(connection, owner))

    # Writing

    def create(
        self, owner: str, resource: Resource, *, if_none_exist: SearchQuery | None = None
    ) -> InteractionOutcome:
        """Create, or with `if_none_exist` create unless one matches. Raises FhirError."""
        return self.perform(
            owner, Interaction("POST", _type(resource), condition=if_none_exist, resource=resource)
        )

    def update(
        self, owner: str, resource: Resource, *, if_match: int | None = None, if_none_match: str | None = None
    ) -> InteractionOutcome:
        """Update or create under the resource's own id. `if_match` -1 means any version. Raises FhirError."""
        entry = Interaction("PUT", _type(resource), resource["id"], resource=resource)
        return self.perform(owner, replace(entry, if_match=if_match, if_none_match=if_none_match))

    def conditional_update(
        self, owner: str, query: SearchQuery, resource: Resource, *, if_match: int | None = None
    ) -> InteractionOutcome:
        """Update the one match of `query`, or create when there is none. Raises FhirError."""
        entry = Interaction("PUT", query.type, condition=query, resource=resource, if_match=if_match)
        return self.perform(owner, entry)

    def delete(
        self, owner: str, kind: str, resource_id: str, *, if_match: int | None = None
    ) -> InteractionOutcome:
        """Delete; version 0 in the outcome when there was nothing. Raises FhirError."""
        return self.perform(owner, Interaction("DELETE", kind, resource_id, if_match=if_match))

    def conditional_delete(self, owner: str, query: SearchQuery) -> InteractionOutcome:
        """Delete the one match of `query`, if there is one. Raises FhirError 412 for several."""
        return self.perform(owner, Interaction("DELETE", query.type, condition=query))

    def perform(self, owner: str, entry: Interaction) -> InteractionOutcome:
        """One writing interaction in a transaction of its own, with the body that is now stored."""
        if entry.method == "DELETE":
            if not self.checks.deletes:
                raise interaction_error(405, "not-supported", "no_deletes")
        else:
            if error := self.checks.type_refusal(entry.type, entry.at("resource")):
                raise error
            self.checks.check(entry)
        prepared = self._prepared(entry)
        with self.write_transaction(owner) as writer:
            outcome = writer.run([prepared])[0]
            return self._with_bodies(writer.connection, owner, [outcome], self._budget())[0]

    def _prepared(self, entry: Interaction, beside: Mapping[str, None] = MappingProxyType({})) -> Interaction:
        """With all that can be made of it before its transaction begins; of what refers to an entry `beside`
        it nothing can.
        """
        if entry.resource is None or internal_references(entry.resource, entry.full_url, beside):
            return entry
        prepared = prepare_content(
            entry.resource,
            self.base,
            full_url=entry.full_url,
            is_alone=not beside,
            facts_of=self._facts_of,
        )
        return replace(entry, prepared=prepared)

    def _prepared_in_pauses(self, entry: ParsedEntry, beside: Mapping[str, None]) -> ParsedEntry:
        """After the last of a Bundle nobody is at work: its transaction begins when nobody waits for one."""
        prepared = self._prepared(entry, beside) if isinstance(entry, Interaction) else entry
        pause.get()()
        return prepared

    @contextmanager
    def write_transaction(
        self, owner: str, request: SentRequest | None = None
    ) -> Iterator[TransactionWriter]:
        """A transaction for the writes of one owner: committed at the end, undone by an exception. `request`
        is what they came in, None: by itself.
        """
        with write_transaction(self.engine) as connection:
            yield self._writer(connection, owner, request or SentRequest(), self._budget())

    def _writer(
        self, connection: Connection, owner: str, request: SentRequest, budget: RequestBudget
    ) -> TransactionWriter:
        return TransactionWriter(
            connection,
            owner,
            now=int(self._clock().timestamp() * 1000),
            budget=budget,
            check=self.checks.check,
            base=self.base,
            recognise_repeats=self._recognise_repeats,
            on_changes=self._on_changes,
            own_system=self._own_system,
            request=request,
            needs_targets=self._needs_targets(owner),
        )

    # Bundles

    def bundle(
        self, owner: str, bundle: Resource, *, base: str, representation: bool = False, lenient: bool = False
    ) -> BundleAnswer:
        """Process a batch or a transaction (http://hl7.org/fhir/R4/http.html#transaction), and where
        deliveries are received whatever else holds resources (`bundle_envelopes`).

        `base` is the server's URL as the sender sees it; `representation` puts the resources into
        the response, as far as it may be long; `lenient` lets searches drop parameters that there are not.
        Raises FhirError: a transaction then left nothing behind.
        """
        envelope, parsed = self._parsed(owner, bundle, base)
        urls = {one.full_url: None for one in parsed if isinstance(one, Interaction) and one.full_url}
        parsed = [self._prepared_in_pauses(one, urls) for one in parsed]
        request = SentRequest(envelope={name: part for name, part in bundle.items() if name != "entry"})
        budget = self._budget()
        processor = BundleProcessor(
            engine=self.engine,
            owner=owner,
            base=base,
            representation=representation,
            budget=budget,
            lenient=lenient,
            writer=lambda connection: self._writer(connection, owner, request, budget),
            bodies=lambda connection, outcomes: self._with_bodies(connection, owner, outcomes, budget),
        )
        again = {**bundle, "type": "collection" if envelope.is_taken else envelope.kind}
        again["entry"] = envelope.sent
        if envelope.kind == "batch":
            return processor.batch(again, parsed)
        if not self._salvages(owner):
            return processor.transaction(parsed)
        return processor.salvage(again, parsed)

    def as_requests(self, owner: str, bundle: Resource, base: str) -> Resource:
        """The Bundle with its entries as they are carried out. Raises FhirError."""
        if not self.is_receiving:
            return bundle
        return {**bundle, "entry": read_envelope(bundle, base, self._homes(owner)).entries}

    def _parsed(self, owner: str, bundle: Resource, base: str) -> tuple[ReadEnvelope, Sequence[ParsedEntry]]:
        if not self.is_receiving:
            strictly = parse_bundle(bundle, self.checks, base)
            kind: Literal["batch", "transaction"] = "batch" if bundle["type"] == "batch" else "transaction"
            listed = bundle.get("entry", [])
            return ReadEnvelope(kind, listed, listed), self._linked(kind, strictly)
        envelope = read_envelope(bundle, base, self._homes(owner))
        entries, whole = envelope.entries, None
        if envelope.is_document:
            entries, whole = document_entries(bundle, entries, self.checks)
        plain = {"resourceType": "Bundle", "type": envelope.kind, "entry": entries}
        parsed = self._linked(envelope.kind, parse_bundle(plain, self.checks, base, envelope.aside))
        return envelope, [*parsed, whole] if whole else parsed

    def _linked(self, kind: str, parsed: list[ParsedEntry]) -> list[ParsedEntry]:
        """In place of an entry of a transaction that leads to a wrong one, its refusal."""
        if kind == "batch" or self.checks.validate is None:  # entries of a batch know nothing of each other
            return parsed
        wrong = wrong_targets(one for one in parsed if isinstance(one, Interaction))
        return [wrong.get(place, one) for place, one in enumerate(parsed)]

    @staticmethod
    def _with_bodies(
        connection: Connection, owner: str, outcomes: Sequence[InteractionOutcome], budget: RequestBudget
    ) -> list[InteractionOutcome]:
        """The outcomes with the bodies of what was there already and not written now, as far as the response
        may be long: what is beyond has none.
        """
        missing = [(o.type, o.id) for o in outcomes if o.body is None and o.status != 204]
        budget.count_bytes(sum(len(o.body) for o in outcomes if o.body is not None))
        lengths = store.body_lengths(connection, owner, missing) if missing else {}
        wanted = fitting_keys(list(lengths.items()), budget.bytes_left)
        rows = store.current_with_bodies(connection, owner, wanted) if wanted else {}
        budget.count_bytes(sum(len(row.body) for row in rows.values()))
        return [
            replace(o, body=rows[o.type, o.id].body) if (o.type, o.id) in rows and o.body is None else o
            for o in outcomes
        ]


def _type(resource: Resource) -> str:
    found: Any = resource.get("resourceType")
    if not isinstance(found, str):
        raise interaction_error(400, "required", "no_resource_type")
    return found

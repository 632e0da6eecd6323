"""A set of writes, carried out in the caller's database transaction: all of them, or an exception."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from sqlalchemy import Connection

from adapter.fhir.codec import Resource, loads
from adapter.repository import store
from adapter.repository.bundle_entries import Interaction
from adapter.repository.interaction_errors import interaction_error
from adapter.repository.patches import apply_patch
from adapter.repository.reference_rewriting import (
    conditional_type,
    dependency_levels,
    internal_references,
    reference_links,
    resource_key,
    rewrite_references,
)
from adapter.repository.request_limits import RequestBudget
from adapter.repository.search_index import business_identifiers
from adapter.repository.search_query import SearchQuery, parse_condition
from adapter.repository.search_statements import limited_time, matching_ids
from adapter.repository.sender_versions import sender_versions, written_here
from adapter.repository.store import NewVersion, VersionRow
from adapter.repository.stored_content import ResourceContent, instant_millis
from adapter.repository.write_plan import (
    InteractionOutcome,
    PlannedWrite,
    SentRequest,
    VersionChange,
    check_version,
    decide_write,
    names_earlier_version,
    plan_write,
    refuse_overlaps,
)

__all__ = ["TransactionWriter"]

OnChanges = Callable[[Connection, Sequence[VersionChange]], Sequence[str | None] | None]
"""Is told the versions that were written, in FHIR's order; may answer for each what its sender is to be told
beside.
"""

_OUTSIDE = re.compile(r"\.(?:basedOn|focus)(?:\[\d+\])?\.reference$")
_ORDER = {"DELETE": 0, "POST": 1, "PUT": 2}


@dataclass
class TransactionWriter:
    """Writes for one owner, at one moment (`now`, milliseconds), in one transaction."""

    connection: Connection
    owner: str
    now: int
    budget: RequestBudget
    check: Callable[[Interaction], None]
    base: str | None = None
    recognise_repeats: bool = False
    on_changes: OnChanges | None = None
    request: SentRequest = field(default_factory=SentRequest)
    needs_targets: bool = False  # what is referred to here must be there
    own_system: str | None = None  # of identifiers the owner was given; what they name is not stored here
    between: Callable[[], None] = lambda: None  # its statements; what it raises undoes them
    known: dict[str, str] = field(default_factory=dict)  # fullUrl or conditional reference -> Type/id
    _inner: dict[str, str] = field(default_factory=dict)  # urn: reference -> where it stands

    def run(
        self, entries: Sequence[Interaction], unused: frozenset[str] = frozenset()
    ) -> list[InteractionOutcome]:
        """Carry out POST, PUT, PATCH and DELETE entries, answered in the order given. `unused` are fullUrls
        of what came beside them and is not stored: a reference to it stays as it is.

        Raises FhirError, after which the transaction must be rolled back.
        """
        store.lock_owner(self.connection, self.owner)
        found = self._find([e.condition for e in entries if e.condition is not None])
        works = [plan_write(e, found.get(e.condition, ()) if e.condition else (), self.now) for e in entries]
        refuse_overlaps(works)
        self._patch([work for work in works if work.entry.method == "PATCH"])
        self._link(works, unused)
        if self.needs_targets:
            self._require_targets(works)
        return self._settle(works)

    def _patch(self, works: Sequence[PlannedWrite]) -> None:
        """Turn each patch into the update that it comes to, checked like any."""
        lengths = store.body_lengths(self.connection, self.owner, (work.key for work in works))
        self.budget.spend_patched_bytes(sum(lengths.values()))
        rows = store.current_with_bodies(self.connection, self.owner, lengths)
        for work in works:
            entry, row = work.entry, rows.get(work.key)
            if row is None or row.deleted:
                raise interaction_error(
                    404, "not-found", "no_resource_here", entry.at("request.url"), type=entry.type
                )
            check_version(entry, row)
            resource = apply_patch(
                loads(row.body), entry.patch, self.budget.limits, self.budget.spend_patched_bytes
            )
            work.entry = replace(
                entry, method="PUT", id=work.id, condition=None, resource=resource, if_match=row.version
            )
            self.check(work.entry)

    # Conditions

    def _find(self, conditions: Iterable[SearchQuery]) -> dict[SearchQuery, list[str]]:
        """The matches of each condition; those by one identifier are looked up together."""
        unique = list(dict.fromkeys(conditions))
        for query in unique:
            self.budget.spend_search_values(query.value_count)
        simple = {query: (query.type, token) for query in unique if (token := query.one_identifier)}
        by_token = store.ids_by_identifier(self.connection, self.owner, simple.values())
        found = {query: by_token[key] for query, key in simple.items()}
        if others := [query for query in unique if query not in found]:
            with limited_time(self.connection, self.budget):
                found |= {
                    query: matching_ids(self.connection, self.owner, query, limit=2) for query in others
                }
        return found

    # References

    def _link(self, works: list[PlannedWrite], unused: frozenset[str]) -> None:
        """Find what every reference points to, and recognise repeats on the way."""
        wanted = self._conditional(works)
        stored = self._find(query for query, _ in wanted.values())
        for text, (query, _) in wanted.items():
            if len(stored[query]) == 1:
                self.known[text] = f"{query.type}/{stored[query][0]}"
        fresh = [
            place
            for place, work in enumerate(works)
            if self.recognise_repeats and work.entry.method == "POST" and not work.entry.condition
        ]
        waiting = {works[place].entry.full_url for place in fresh} - {None}
        for work in works:
            if work.entry.full_url not in waiting:
                self._publish(work)
        self._recognise(works, fresh)
        self._resolve(works, wanted, stored)
        self._refuse_dangling(unused)

    def _refuse_dangling(self, unused: frozenset[str]) -> None:
        """A urn:uuid that no entry of the Bundle has leads nowhere once it is stored (400). What a result is
        based on was not made by who sends it, and may have that for its name.
        """
        for text, where in self._inner.items():
            name = text.partition("/_history/")[0]
            if name not in self.known and name not in unused and not _OUTSIDE.search(where):
                raise interaction_error(400, "value", "dangling_reference", where)

    def _require_targets(self, works: Sequence[PlannedWrite]) -> None:
        """Refuse (422) what refers to a resource here that is not there and not written now."""
        wanted: dict[tuple[str, str], str] = {}
        for work in works:
            entry = work.entry
            if entry.resource is None or work.found or entry.verbatim:
                continue
            resource = rewrite_references(entry.resource, entry.full_url, self.known)
            for path, text in reference_links(resource):
                if key := resource_key(text, self.base):
                    wanted.setdefault(key, entry.at(f"resource{path}"))
        becomes = {work.key: work.entry.method != "DELETE" for work in works if work.id}
        stored = store.current_versions(
            self.connection, self.owner, (key for key in wanted if key not in becomes)
        )
        there = {key for key, row in stored.items() if not row.deleted}
        for key, where in wanted.items():
            if not becomes.get(key, key in there):
                raise interaction_error(422, "not-found", "no_target", where, type=key[0])

    def _publish(self, work: PlannedWrite) -> None:
        if work.entry.full_url and work.id:
            self.known[work.entry.full_url] = f"{work.entry.type}/{work.id}"

    def _conditional(self, works: Sequence[PlannedWrite]) -> dict[str, tuple[SearchQuery, str]]:
        """Each conditional reference with its query and the place of its first use.

        References into the Bundle are noted on the way, for `_refuse_dangling`.
        """
        wanted: dict[str, tuple[SearchQuery, str]] = {}
        for work in works:
            if work.entry.resource is None or work.found or work.entry.verbatim:
                continue
            prepared = work.entry.prepared
            links = prepared.links if prepared else reference_links(work.entry.resource)
            for path, text in links:
                if text in wanted:
                    continue
                if kind := conditional_type(text):
                    where = work.entry.at(f"resource{path}")
                    wanted[text] = (parse_condition(kind, text, expression=where), where)
                elif text.startswith(("urn:uuid:", "urn:oid:")) and work.entry.where:
                    self._inner.setdefault(text, work.entry.at(f"resource{path}"))
        return wanted

    def _recognise(self, works: list[PlannedWrite], fresh: list[int]) -> None:
        """Point POSTs of content that was sent before at what it made then.

        What refers to other entries is compared after those, so that a Bundle that comes again
        with new urn:uuids is known too. Entries that refer to each other in a circle are new.
        """
        waiting = {url: p for p in fresh if (url := works[p].entry.full_url)}
        waits_for = {p: {waiting[url] for url in _named_beside(works[p].entry, waiting)} for p in fresh}
        for ready in dependency_levels(waits_for):
            self._compare(works, ready)
            for place in ready:
                self._publish(works[place])
        for place in fresh:
            self._publish(works[place])

    def _compare(self, works: list[PlannedWrite], places: Sequence[int]) -> None:
        contents = {p: self._content(works[p]) for p in places}
        keys = {p: (works[p].entry.type, content.digest) for p, content in contents.items()}
        before = store.ids_by_content(self.connection, self.owner, keys.values())
        for place, key in keys.items():
            if key in before:
                works[place].id, works[place].found, works[place].is_new_id = before[key], True, False
            else:
                before[key] = works[place].id  # the same content again in this Bundle

    def _content(self, work: PlannedWrite) -> ResourceContent:
        entry, resource = work.entry, work.entry.resource or {}
        prepared = entry.prepared
        if prepared is not None and prepared.leads_nowhere_else(self.known):
            return prepared.content
        if not entry.verbatim:
            resource = rewrite_references(resource, entry.full_url, self.known)
        if prepared is not None and prepared.resource is resource:
            return prepared.content
        return ResourceContent.of(resource)

    def _resolve(
        self,
        works: Sequence[PlannedWrite],
        wanted: dict[str, tuple[SearchQuery, str]],
        stored: dict[SearchQuery, list[str]],
    ) -> None:
        """Conditional references: exactly one match, stored or in this Bundle (412 otherwise)."""
        if not wanted:
            return
        planned = _planned_identifiers(works)
        for text, (query, where) in wanted.items():
            ids = dict.fromkeys(stored[query])
            if token := query.one_identifier:
                for system, resource_id in planned.get((query.type, token.value or ""), ()):
                    if token.system in (None, system):
                        ids[resource_id] = None
            if not ids and token and token.system is not None and token.system == self.own_system:
                continue  # stays as it is, for whoever reads the resource
            if len(ids) != 1:
                code = "multiple-matches" if ids else "not-found"
                name = "several_references" if ids else "no_reference"
                raise interaction_error(412, code, name, where, type=query.type)
            self.known[text] = f"{query.type}/{next(iter(ids))}"

    # Writing

    def _settle(self, works: Sequence[PlannedWrite]) -> list[InteractionOutcome]:
        stored_keys = (work.key for work in works if work.id and not work.is_new_id)
        rows = store.current_versions(self.connection, self.owner, stored_keys)
        senders = self._sender_versions(works, rows)
        overtaken = self._overtaken(works, rows, senders)
        outcomes: list[InteractionOutcome] = []
        written: list[NewVersion] = []
        changes: list[tuple[int, int, VersionChange]] = []
        for place, work in enumerate(works):
            row = rows.get(work.key)
            if work.found:
                outcomes.append(self._existing(work, row, {w.row.id: w.row for w in written}))
                continue
            content = None if work.entry.resource is None else self._content(work)
            outcome, new, stored = decide_write(
                work,
                row,
                content,
                now=self.now,
                base=self.base,
                remember=self.recognise_repeats,
                sender=senders.get(work.key),
                overtaken=work.key in overtaken,
            )
            outcomes.append(outcome)
            if new is not None:
                written.append(new)
                changes.append((_ORDER[work.entry.method], place, self._change(work, new, stored, content)))
        self.between()
        store.insert_versions(self.connection, self.owner, written)
        self.between()
        if self.on_changes is not None and changes:
            changes.sort(key=lambda item: item[:2])
            notices = self.on_changes(self.connection, [change for _, _, change in changes]) or ()
            for (_, place, _), notice in zip(changes, notices, strict=False):
                if notice:
                    outcomes[place] = replace(outcomes[place], notice=notice)
            self.between()
        return outcomes

    def _sender_versions(
        self, works: Sequence[PlannedWrite], rows: Mapping[tuple[str, str], VersionRow]
    ) -> dict[tuple[str, str], int]:
        updated = [work.key for work in works if work.entry.method == "PUT" and work.key in rows]
        if not (self.recognise_repeats and updated):
            return {}
        return sender_versions(self.connection, self.owner, updated)

    def _overtaken(
        self,
        works: Sequence[PlannedWrite],
        rows: Mapping[tuple[str, str], VersionRow],
        senders: Mapping[tuple[str, str], int],
    ) -> set[tuple[str, str]]:
        """Of what their servers sent earlier versions after later ones."""
        asked = {
            work.key: (named, work.entry.resource)
            for work in works
            if work.key in senders
            and (named := names_earlier_version(work.entry, rows[work.key], senders[work.key])) is not None
        }
        if not asked:
            return set()
        numbers = {key: named for key, (named, _) in asked.items()}
        ours = written_here(self.connection, self.owner, numbers)
        return {
            key
            for key, (_, resource) in asked.items()
            if (said := instant_millis(((resource or {}).get("meta") or {}).get("lastUpdated"))) is not None
            and said != ours.get(key)
        }

    @staticmethod
    def _existing(
        work: PlannedWrite, row: VersionRow | None, new: dict[str, VersionRow]
    ) -> InteractionOutcome:
        row = row or new[work.id]
        return InteractionOutcome(200, row.type, row.id, row.version, row.updated, repeated=True)

    def _change(
        self,
        work: PlannedWrite,
        new: NewVersion,
        stored: tuple[Resource, bytes] | None,
        content: ResourceContent | None,
    ) -> VersionChange:
        prepared = work.entry.prepared
        kind, resource_id = work.key
        resource, body = stored or ({}, b"")
        action: Literal["create", "update", "delete"] = (
            "delete" if stored is None else "update" if new.replaced else "create"
        )
        return VersionChange(
            *(self.owner, kind, resource_id, new.row.version, action, resource, body, False),
            entry=work.entry.position,
            request=self.request,
            is_new_id=work.is_new_id,
            sent_meta=(work.entry.resource or {}).get("meta"),
            facts=prepared.facts if prepared is not None and prepared.content is content else None,
        )


def _named_beside(entry: Interaction, waiting: Mapping[str, int]) -> Collection[str]:
    """The fullUrls that it refers to, of what comes beside it; none where that was seen before."""
    if entry.prepared is not None or entry.resource is None:
        return ()
    return internal_references(entry.resource, entry.full_url, waiting)


def _planned_identifiers(works: Iterable[PlannedWrite]) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """(type, value) -> (system, id) of everything that these works write."""
    planned: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for work in works:
        for system, value in business_identifiers(work.entry.resource or {}):
            planned.setdefault((work.entry.type, value), []).append((system, work.id))
    return planned

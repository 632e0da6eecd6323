"""What one hospital should hold of one person: mapped, disclosed, checked (no input or output)."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from adapter.disclosure.policy import DisclosureDecision, DisclosureFacts, WithholdReason
from adapter.disclosure.policy_schema import DisclosureForm
from adapter.disclosure.pseudonymisation import pseudonymised, with_confidentiality_label, without_free_text
from adapter.disclosure.text_guard import ResourceTexts
from adapter.errors import MappingError
from adapter.fhir import codec
from adapter.fhir.bundle import Target, without_dangling_references
from adapter.fhir.codec import Resource
from adapter.fhir.identity import conditional_reference
from adapter.fhir.validation.checker import check_resource
from adapter.ledger.schema.values import DesiredResource
from adapter.pipeline.desired_state.record_facts import facts_of, secrets_of
from adapter.pipeline.desired_state.related_records import (
    ORDER_TYPES,
    RecordKey,
    RelatedRecords,
    needed_records,
    orders_to,
)
from adapter.pipeline.destination import Destination
from adapter.records.model import (
    Cadre,
    Centre,
    Record,
    Referral,
    Visit,
)
from adapter.referrals.lifecycle import BUSINESS_STATUS_SYSTEM, ReferralState, business_status
from adapter.referrals.sayings import task_status

if TYPE_CHECKING:
    from adapter.mapping.engine import ResourceMapping

__all__ = ["DesiredState", "RecordOrigin", "centre_desired_state", "desired_state"]

_ORIGIN = "origin"
_PERSON = "Patient"
_CONTEXT = frozenset(("subject", "patient", "for", "encounter"))


@dataclass(frozen=True, slots=True)
class RecordOrigin:
    """Where a record came from: `source` is opaque, `row` counts from 1, `imported_at` is when an import
    wrote what the record holds now.
    """

    source: str | None
    sheet: str | None
    row: int | None
    imported_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Kept:
    """A resource that may go, the record and the mapping it was made of."""

    record: Record
    map: "ResourceMapping"
    resource: Resource
    parts: codec.SerialisedElements
    identity: str

    @property
    def target(self) -> Target:
        """Type and identity: what others refer to."""
        return self.map.type, self.identity


@dataclass(frozen=True)
class DesiredState:
    """What a hospital should hold of one person, what not and why, by record."""

    desired: tuple[DesiredResource, ...] = ()
    withheld: Mapping[RecordKey, WithholdReason] | None = None

    def withheld_counts(self) -> Counter[tuple[str, str]]:
        """How many records are withheld, by kind and reason."""
        return Counter((kind, str(reason)) for (kind, _), reason in (self.withheld or {}).items())


def desired_state(
    destination: Destination,
    records: Sequence[Record],
    valid: Mapping[str, str] | None = None,
    origins: Mapping[RecordKey, RecordOrigin] | None = None,
) -> DesiredState:
    """What the hospital should hold of the person with these records (all of one cadre).

    `valid` gives digests, by identity, of resources that were checked before and need no new check;
    `origins` says where records came from, for a hospital that is told.
    """
    person = next((record for record in records if isinstance(record, Cadre)), None)
    if person is None:
        return DesiredState()
    refused: dict[RecordKey, WithholdReason | None] = {}
    while True:  # once, and again without the referrals and trips that turned out not to go
        work = _Work(destination, person, records, origins or {}, refused)
        for map_ in destination.resource_maps:  # in dependency order: a report meets the results that go
            for record in work.of_kind.get(map_.kind, ()):
                work.map(map_, record)
        found = work.desired_state(valid or {})
        more = work.refused_orders(found)
        if not more:
            return found
        refused |= more


def centre_desired_state(
    destination: Destination, centre: Centre, valid: Mapping[str, str] | None = None
) -> DesiredState:
    """What the hospital should hold of the centre itself: nothing, unless the policy opens it."""
    if not destination.rules.discloses_centre:
        return DesiredState()
    kept, broken = [], []
    for map_ in destination.resource_maps:
        if map_.kind != centre.kind:
            continue
        try:
            made = destination.engine.make(map_, centre)
        except MappingError as error:
            broken.append(_broken(destination, map_, centre, error))
            continue
        if made is not None:
            kept.append(
                _Kept(centre, map_, made.resource, codec.serialise_elements(made.resource), made.identity)
            )
    return DesiredState((*_checked(destination, kept, valid or {}, set()), *broken), {})


class _Work:
    """One person's records on their way to one hospital."""

    def __init__(
        self,
        destination: Destination,
        person: Cadre,
        records: Sequence[Record],
        origins: Mapping[RecordKey, RecordOrigin],
        refused: Mapping[RecordKey, WithholdReason | None],
    ) -> None:
        self._destination = destination
        self._person = person
        self._origins = origins
        self._records = records
        self._refused = refused
        hospital = destination.hospital.name
        self._needed = needed_records(hospital, records, refused)
        self._named = needed_records(hospital, records) if refused else self._needed
        self._visits = {record.key: record for record in records if isinstance(record, Visit)}
        self._circle = RelatedRecords()
        self._withheld: dict[RecordKey, WithholdReason] = {}
        self._kept: list[_Kept] = []
        self._broken: list[DesiredResource] = []
        self._restricted: set[str] = set()  # references to what is labelled R
        self.of_kind: dict[str, list[Record]] = {}
        for record in records:
            self.of_kind.setdefault(record.kind, []).append(record)

    def map(self, map_: "ResourceMapping", record: Record) -> None:
        """Decide, make and disclose what one mapping makes of one record."""
        destination, key = self._destination, (record.kind, record.key)
        sealed = map_.reads & destination.rules.sealed_fields
        if _ORIGIN in sealed:
            return  # not about the person: not made, and nothing that is kept back
        facts = facts_of(self._person, record, map_, key in self._needed)
        decision = destination.rules.decide(facts)
        if decision.reason is not None:
            self._withheld[key] = self._reason(key, decision.reason)
            return
        visit = record if isinstance(record, Visit) else self._visits.get(getattr(record, "visit", "") or "")
        origin = self._origins.get(key)
        try:
            made = destination.engine.make(
                map_, record, related=self._circle.related_to(record), visit=visit, origin=origin
            )
        except MappingError as error:  # one record that no mapping can take delays no other
            if (reason := self._says_too_much(facts)) is not None:
                self._withheld[key] = reason  # it would be, were it made
            else:
                self._broken.append(_broken(destination, map_, record, error))
            return
        if made is None:
            return
        if map_.reads & destination.rules.restricted_fields:
            decision = replace(decision, label="R")
        found = (
            WithholdReason.NEVER_LEAVES if sealed else self._disclosed(made.resource, decision, made.identity)
        )
        if isinstance(found, WithholdReason):
            self._withheld[key] = found
            return
        resource, parts = found
        if any(name not in resource for name in map_.needs):
            self._withheld[key] = WithholdReason.FREE_TEXT  # it was there before the words were taken away
        else:
            self._kept.append(_Kept(record, map_, resource, parts, made.identity))
            self._circle.add(record)
            if _is_restricted(resource):
                self._restricted.add(conditional_reference(map_.type, destination.system, made.identity))

    def _reason(self, key: RecordKey, reason: WithholdReason) -> WithholdReason:
        """Why a record is withheld, where it may be that only an order which does not go needs it."""
        if reason is not WithholdReason.NOT_NEEDED or key not in self._named:
            return reason
        return self._refused.get(key) or WithholdReason.ORDER_WITHHELD

    def _says_too_much(self, facts: DisclosureFacts) -> WithholdReason | None:
        """Why the record's own words would keep it here, where no mapping can say it in others."""
        words = ResourceTexts(list(facts.texts), list(facts.texts))
        position, identity = secrets_of(self._person, self._destination.rules.tiers.get(facts.tier))
        return self._destination.guard.withhold_reason(words, position=position, identity=identity)

    def _disclosed(
        self, resource: Resource, decision: DisclosureDecision, opaque: str
    ) -> tuple[Resource, codec.SerialisedElements] | WithholdReason:
        """The resource in the form that was decided, and its elements as bytes; or the reason why its text
        keeps it here.
        """
        destination = self._destination
        if decision.form is DisclosureForm.PSEUDONYM:
            resource = pseudonymised(resource, destination.system)
            if not decision.free_text:
                resource = without_free_text(
                    resource, destination.plain_values_pattern, codec.serialise_elements(resource)
                )
        parts = codec.serialise_elements(resource)
        texts = ResourceTexts.of(resource, parts)
        if resource["resourceType"] != _PERSON:
            decision = destination.rules.reconsider(decision, texts.written, self._person.consents)
        if decision.reason is not None:
            return decision.reason
        if self._restricted and not self._restricted.isdisjoint(_tells_of(resource)):
            decision = replace(decision, label="R")
        position, identity = secrets_of(self._person, decision.form)
        refused = destination.guard.withhold_reason(
            texts, position=position, identity=identity, opaque=opaque
        )
        if refused is not None:
            return refused
        resource = with_confidentiality_label(resource, decision.label)
        parts["meta"] = codec.dumps(resource["meta"])
        return resource, {name: parts[name] for name in resource}

    def refused_orders(self, found: DesiredState) -> dict[RecordKey, WithholdReason | None]:
        """The referrals and trips to this hospital that are not among what was `found` to go there, each with
        the reason if it is withheld: what they need must not go on their account.
        """
        if not found.desired or not self._destination.rules.gives_only_what_is_needed(self._person.tier):
            return {}
        going = {(one.kind, one.key) for one in found.desired if ORDER_TYPES.get(one.kind) == one.type}
        mapped = {
            map_.kind for map_ in self._destination.resource_maps if ORDER_TYPES.get(map_.kind) == map_.type
        }
        orders = {(one.kind, one.key) for one in orders_to(self._destination.hospital.name, self._records)}
        return {
            key: self._withheld.get(key)
            for key in orders - going - self._refused.keys()
            if key[0] in mapped or key in self._withheld
        }

    def desired_state(self, valid: Mapping[str, str]) -> DesiredState:
        """All of it, checked."""
        reason = self._withheld.get((self._person.kind, self._person.key))
        going = {one.map.type for one in self._kept} | {one.type for one in self._broken}
        if reason is not None and _PERSON not in going:
            # Nothing goes anywhere about a person who does not, whatever else is made of the person's record.
            left = {(one.record.kind, one.record.key): reason for one in self._kept}
            return DesiredState((), self._withheld | left)
        # What refers to something broken waits for it; only what policy withholds may not be pointed at.
        there = {(one.type, one.identity) for one in self._broken}
        return DesiredState(
            (*_checked(self._destination, self._kept, valid, there), *self._broken), self._withheld
        )


def _is_restricted(resource: Resource) -> bool:
    return any(label["code"] == "R" for label in resource["meta"]["security"])


def _tells_of(resource: Resource) -> Iterator[str]:
    """References to what a resource reports, asks for or supports, not to whom and when it concerns."""
    waiting = [value for name, value in resource.items() if name not in _CONTEXT]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            reference = node.get("reference")
            if isinstance(reference, str):
                yield reference
            waiting += node.values()


def _broken(
    destination: Destination, map_: "ResourceMapping", record: Record, error: MappingError
) -> DesiredResource:
    """What a failing mapping leaves: a line that waits for a person, with nothing in it to send."""
    problem = str(error)
    return DesiredResource(
        identity=destination.identify(map_.type, map_.identity_kind, record.key),
        type=map_.type,
        rank=destination.dependency_ranks[map_.type],
        kind=record.kind,
        key=record.key,
        digest=codec.digest(f"{problem}\x1f{record.model_dump_json()}".encode()),
        body=b"",
        problem=problem,
    )


def _checked(
    destination: Destination, kept: Sequence[_Kept], valid: Mapping[str, str], there: set[Target]
) -> tuple[DesiredResource, ...]:
    there = there | {one.target for one in kept}
    desired = []
    for one in kept:  # in dependency order: what falls away is gone before others refer to it
        record, identity = one.record, one.identity
        made = codec.join_elements(one.parts)
        body = without_dangling_references(made, there)
        if one.map.needs and any(name not in codec.loads(body) for name in one.map.needs):
            there.discard(one.target)
            continue
        ordered = codec.digest(body)
        if reached := _reached(one):
            body = without_dangling_references(codec.dumps({**one.resource, **reached}), there)
        digest = codec.digest(body)
        is_told = isinstance(record, Referral) and record.cancel_asked_at is not None
        is_valid = valid.get(identity) == digest or (
            body is made and _problem(one.resource, one.parts) is None
        )
        desired.append(
            DesiredResource(
                identity=identity,
                type=one.map.type,
                rank=destination.dependency_ranks[one.map.type],
                kind=record.kind,
                key=record.key,
                digest=digest,
                body=body,
                problem=None if is_valid else _problem(codec.loads(body)),
                equivalent_digest=ordered if ordered != digest and not is_told else None,
            )
        )
    return tuple(desired)


def _reached(one: _Kept) -> Resource:
    """What a referral or its Task says of how far it got, nothing where its hospital has said nothing. The
    hospital said so itself and is not told again; but a change of something else must not open it anew
    (docs/decisions/0006). That we asked to cancel it is told.
    """
    record = one.record
    if not isinstance(record, Referral) or record.status not in ("active", "on-hold") or one.map.name:
        return {}
    state = record.state
    if one.map.type == "ServiceRequest":
        return {"status": status} if (status := _order_status(record)) is not None else {}
    if one.map.type != "Task" or state in (ReferralState.DRAFT, ReferralState.RECEIVED):
        return {}
    reached: Resource = {"status": task_status(state)}
    if "businessStatus" in one.resource:
        coding = {"system": BUSINESS_STATUS_SYSTEM, "code": business_status(state)}
        reached["businessStatus"] = {"coding": [coding]}
    return reached


def _order_status(referral: Referral) -> str | None:
    if referral.state is ReferralState.COMPLETED:
        return "completed"
    return "revoked" if referral.cancel_asked_at is not None else None


def _problem(resource: Resource, parts: codec.SerialisedElements | None = None) -> str | None:
    """The first rule of FHIR that a resource breaks, in words without values, or None."""
    errors = [
        issue for issue in check_resource(resource, second_opinion=False, parts=parts) if issue.is_error
    ]
    if not errors:
        return None
    return f"{errors[0].expression or ''}: {errors[0].text}"

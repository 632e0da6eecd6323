"""What one hospital should hold of one person: mapped, disclosed, checked (no input or output)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from adapter.disclosure.identity import Identity, Position
from adapter.disclosure.policy import Decision, Facts, Form, Reason
from adapter.disclosure.pseudonym import labelled, pseudonymised, without_free_text
from adapter.errors import MappingError
from adapter.fhir import codec
from adapter.fhir.bundle import Target, without_dangling
from adapter.fhir.codec import Resource
from adapter.fhir.validation import check
from adapter.ledger.model import Desired
from adapter.pipeline.opened import Outlet
from adapter.records.model import Cadre, Diagnosis, Fulfilment, Measurement, Record, Referral, Visit

__all__ = ["Wishes", "wishes"]

Key = tuple[str, str]  # (kind, key) of a record


@dataclass(frozen=True, slots=True)
class _Kept:
    """A resource that may go, and the record it was made of."""

    record: Record
    type: str
    resource: Resource


@dataclass(frozen=True)
class Wishes:
    """What a hospital should hold of one person, what not and why, by record."""

    desired: tuple[Desired, ...] = ()
    withheld: Mapping[Key, Reason] | None = None

    def refusals(self) -> Counter[tuple[str, str]]:
        """How many records are withheld, by kind and reason."""
        return Counter((kind, str(reason)) for (kind, _), reason in (self.withheld or {}).items())


def wishes(outlet: Outlet, records: Sequence[Record], valid: Mapping[str, str] | None = None) -> Wishes:
    """What the hospital should hold of the person with these records (all of one cadre).

    `valid` gives digests, by identity, of resources that were checked before and need no new check.
    """
    person = next((record for record in records if isinstance(record, Cadre)), None)
    if person is None:
        return Wishes()
    needed = _needed(outlet.hospital.name, records)
    visits = {record.key: record for record in records if isinstance(record, Visit)}
    withheld: dict[Key, Reason] = {}
    kept: list[_Kept] = []
    broken: list[Desired] = []
    sharing: dict[tuple[str, str], Measurement] = {}  # by visit and measure, of what goes to this hospital
    for record in records:  # measurements come before the referrals that point at them
        if record.kind not in outlet.types:
            continue
        key = (record.kind, record.key)
        decision = outlet.rules.decide(_facts(person, record, key in needed))
        if decision.reason is not None:
            withheld[key] = decision.reason
            continue
        related = _related(record, sharing)
        try:
            visit = visits.get(getattr(record, "visit", None) or "")
            mapped = outlet.engine.map(record, related=related, visit=visit)
        except MappingError as error:  # one record that no mapping can take delays no other
            broken += _broken(outlet, record, error)
            continue
        for one in mapped:
            resource = _disclosed(outlet, person, one.resource, decision)
            if isinstance(resource, Reason):
                withheld[key] = resource
                continue
            kept.append(_Kept(record, one.type, resource))
            if isinstance(record, Measurement):
                sharing[record.visit, record.measure] = record
    if (person.kind, person.key) in withheld:
        # Nothing goes anywhere about a person who does not.
        reason = withheld[person.kind, person.key]
        withheld |= {(one.record.kind, one.record.key): reason for one in kept}
        kept, broken = [], []
    # What refers to something broken waits for it; only what policy withholds may not be pointed at.
    there = {(one.type, one.identity) for one in broken}
    return Wishes((*_checked(outlet, kept, valid or {}, there), *broken), withheld)


def _needed(hospital: str, records: Sequence[Record]) -> frozenset[Key]:
    """What the referrals and escorted trips to this hospital need: themselves, their visit, the
    measurements that a referral names (all of the visit's if it names none), and the person.
    """
    needed: set[Key] = set()
    whole: set[str | None] = set()
    named: set[tuple[str | None, str]] = set()
    for record in records:
        if isinstance(record, Referral) and record.hospital == hospital:
            needed |= {
                (record.kind, record.key),
                (Visit.kind, record.visit or ""),
                (Cadre.kind, record.cadre),
            }
            if record.supporting:
                named |= {(record.visit, measure) for measure in record.supporting}
            else:
                whole.add(record.visit)
        elif isinstance(record, Visit) and record.hospital == hospital:
            needed |= {(record.kind, record.key), (Cadre.kind, record.cadre)}
    needed |= {
        (record.kind, record.key)
        for record in records
        if isinstance(record, Measurement)
        and (record.visit in whole or (record.visit, record.measure) in named)
    }
    return frozenset(needed)


def _related(record: Record, sharing: Mapping[tuple[str, str], Measurement]) -> dict[str, list[Measurement]]:
    """The measurements that go with a referral: those it names, as far as they are shared."""
    if not isinstance(record, Referral) or record.visit is None:
        return {}
    listed = [(record.visit, measure) for measure in record.supporting]
    return {Measurement.kind: [sharing[one] for one in listed if one in sharing]}


def _facts(person: Cadre, record: Record, needed: bool) -> Facts:
    facts = Facts(kind=record.kind, tier=person.tier.value, consents=person.consents, needed=needed)
    if isinstance(record, Measurement):
        return replace(facts, measure=record.measure, texts=_written(record.name, record.value))
    if isinstance(record, Referral):
        facts = replace(facts, addressee=record.hospital, icd10=record.icd10, service=record.service)
        return replace(facts, texts=_written(record.reason))
    if isinstance(record, Diagnosis):
        return replace(facts, icd10=record.icd10, texts=_written(record.text))
    return replace(facts, texts=_written(record.reason)) if isinstance(record, Visit) else facts


def _written(*texts: str | None) -> tuple[str, ...]:
    return tuple(text for text in texts if text)


def _disclosed(outlet: Outlet, person: Cadre, resource: Resource, decision: Decision) -> Resource | Reason:
    """The resource in the form that was decided, or the reason why its text keeps it here."""
    if decision.form is Form.PSEUDONYM:
        resource = pseudonymised(resource, outlet.system)
        if not decision.free_text:
            resource = without_free_text(resource, outlet.plain)
    position, identity = _secrets(person, decision.form)
    refused = outlet.guard.reason(resource, position=position, identity=identity)
    return refused if refused is not None else labelled(resource, decision.label)


@lru_cache(maxsize=16)
def _secrets(person: Cadre, form: Form | None) -> tuple[Position | None, Identity | None]:
    """What the text of this person's resources may not hold."""
    position = Position(person.position) if person.position else None
    if form is not Form.PSEUDONYM:
        return position, None
    numbers = (person.national_id, person.old_national_id, *person.insurance, person.phone, person.key)
    return position, Identity(person.name, tuple(one for one in numbers if one), person.address)


def _broken(outlet: Outlet, record: Record, error: MappingError) -> list[Desired]:
    """What a failing mapping leaves: a line that waits for a person, with nothing in it to send."""
    problem = str(error)
    return [
        Desired(
            identity=outlet.identify(map_.type, map_.identity_kind, record.key),
            type=map_.type,
            rank=outlet.ranks[map_.type],
            kind=record.kind,
            key=record.key,
            digest=codec.digest(f"{problem}\x1f{record.model_dump_json()}".encode()),
            body=b"",
            problem=problem,
        )
        for map_ in outlet.engine.maps_of[record.kind]
    ]


def _checked(
    outlet: Outlet, kept: Sequence[_Kept], valid: Mapping[str, str], there: set[Target]
) -> tuple[Desired, ...]:
    there = there | {(one.type, one.resource["identifier"][0]["value"]) for one in kept}
    desired = []
    for one in kept:
        record, identity = one.record, one.resource["identifier"][0]["value"]
        body = without_dangling(codec.dumps(one.resource), there)
        ordered = codec.digest(body)
        if _is_fulfilled(record) and "status" in one.resource:
            body = without_dangling(codec.dumps({**one.resource, "status": "completed"}), there)
        digest = codec.digest(body)
        desired.append(
            Desired(
                identity=identity,
                type=one.type,
                rank=outlet.ranks[one.type],
                kind=record.kind,
                key=record.key,
                digest=digest,
                body=body,
                problem=None if valid.get(identity) == digest else _problem(codec.loads(body)),
                or_digest=ordered if ordered != digest else None,
            )
        )
    return tuple(desired)


def _is_fulfilled(record: Record) -> bool:
    """A referral that its hospital completed. It said so itself and is not told again; but a change of
    something else must not open it anew, so then it goes as completed.
    """
    return (
        isinstance(record, Referral)
        and record.fulfilment is Fulfilment.COMPLETED
        and record.status in ("active", "on-hold")
    )


def _problem(resource: Resource) -> str | None:
    """The first rule of FHIR that a resource breaks, in words without values, or None."""
    errors = [issue for issue in check(resource, second_opinion=False) if issue.is_error]
    if not errors:
        return None
    return f"{errors[0].expression or ''}: {errors[0].text}"

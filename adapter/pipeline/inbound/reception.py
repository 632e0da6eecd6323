"""How what hospitals send is taken in: what is accepted, how it is checked, and that it is in the inbox in
the transaction that stores it. The endpoint and whoever tries a refused request again go this one way.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine

from adapter.fhir.codec import Resource
from adapter.fhir.document_facts import says_facts
from adapter.fhir.operation_outcome import Issue
from adapter.fhir.validation.checker import check_resource
from adapter.inbox.ordering import server_version
from adapter.inbox.receive import AcceptedVersion, receive_versions
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.received_facts import facts_of_change, received_facts
from adapter.pipeline.inbound.refusal import refuse_erased
from adapter.repository.repository import Repository
from adapter.repository.request_limits import RequestLimits
from adapter.repository.transaction_writer import OnChanges
from adapter.repository.write_plan import VersionChange
from adapter.settings import HospitalSettings
from adapter.texts import say

__all__ = ["ACCEPTED_TYPES", "check_own", "check_received", "receiving_repository", "repository_of"]

ACCEPTED_TYPES = frozenset(
    {
        # results and answers to referrals
        "DiagnosticReport", "Observation", "Procedure", "ServiceRequest", "Task",
        # what they refer to
        "Patient", "Encounter", "Specimen", "Practitioner", "PractitionerRole", "Organization", "Condition",
        "ImagingStudy", "Media", "DocumentReference", "Binary", "Device", "Location",
    }
)  # fmt: skip
KEPT_TYPES = frozenset({"Bundle"})  # documents, whole
_VITAL_SIGNS_RULE = "vs-"  # keys of the vital-signs profiles' own invariants


def check_received(resource: Resource) -> list[Issue]:
    """The issues of what a hospital sends. What is against a profile is warned of and taken: a result whose
    category is missing is still a result, and most servers look at no profile.
    """
    said = says_facts(resource)
    if said is None:
        return check_own(resource)
    issue = Issue(
        "error", "business-rule", say("fhir.facts_of_the_centre"), f"{resource['resourceType']}.{said}"
    )
    return [*check_own(resource), issue]


def check_own(resource: Resource) -> list[Issue]:
    """The same of what the centre itself makes of what a hospital sent: that may say what it found out."""
    return [
        replace(issue, severity="warning")
        if issue.is_error and (issue.rule == "profile" or (issue.rule or "").startswith(_VITAL_SIGNS_RULE))
        else issue
        for issue in check_resource(resource)
    ]


def receiving_repository(
    engine: Engine,
    *,
    on_changes: OnChanges,
    accepts: frozenset[str] = ACCEPTED_TYPES,
    validate: Callable[[Resource], list[Issue]] | None = None,
    public_url: str | None = None,
    own_system: str | None = None,
    limits: RequestLimits | None = None,
    salvages: Callable[[str], bool] = lambda _: False,
    homes: Callable[[str], Collection[str]] = lambda _: (),
    needs_targets: Callable[[str], bool] = lambda _: False,
) -> Repository:
    """The repository behind the endpoint; `on_changes` is told the versions as they are stored."""
    return Repository(
        engine,
        recognise_repeats=True,
        on_changes=on_changes,
        facts_of=received_facts,
        accepts=accepts,
        deletes=False,
        validate=validate,
        base=public_url.rstrip("/") if public_url else None,
        own_system=own_system,
        limits=limits or RequestLimits(),
        keeps=KEPT_TYPES,
        salvages=salvages,
        homes=homes,
        needs_targets=needs_targets,
    )


def repository_of(
    adapter: Adapter,
    in_transaction: Callable[[Connection], None] | None = None,
    *,
    is_own: bool = False,
) -> Repository:
    """The same on the adapter's own stores: what is stored is in the inbox with it. `in_transaction` writes
    in the transaction that stores something; of what comes so all is taken or nothing. `is_own`: what is
    stored was made here, of what a hospital sent, and may say what the centre found out.
    """
    settings = adapter.settings

    def on_changes(connection: Connection, changes: Sequence[VersionChange]) -> list[str | None]:
        if in_transaction is not None:
            in_transaction(connection)
        stored = [one for one in changes if one.action != "delete" and not one.repeated]
        refuse_erased(adapter, connection, stored)
        # of a document its DocumentReference is in the inbox, and all that it holds
        listed = [one for one in stored if one.type not in KEPT_TYPES]
        if not listed:
            return []
        request = listed[0].request
        received = receive_versions(
            connection,
            listed[0].owner,
            [accepted_version(one) for one in listed],
            now=datetime.now(UTC),
            delivery=request.id if request else None,
            envelope=request.envelope if request else None,
        )
        why = {(one.type, one.id): got.older for one, got in zip(listed, received, strict=True) if got.older}
        return [
            say("fhir.older", why=say(f"inbox.{reason}")) if (reason := why.get((one.type, one.id))) else None
            for one in changes
        ]

    return receiving_repository(
        adapter.engine,
        on_changes=on_changes,
        validate=check_own if is_own else check_received,
        public_url=settings.public_url,
        own_system=settings.centre.identifier_system,
        limits=RequestLimits(max_bytes=settings.max_body_bytes, max_depth=settings.max_body_depth),
        salvages=lambda hospital: in_transaction is None and settings.hospital(hospital).salvage,
        homes=lambda hospital: _homes(settings.hospital(hospital)),
        needs_targets=lambda hospital: settings.hospital(hospital).referential_integrity,
    )


def accepted_version(change: VersionChange) -> AcceptedVersion:
    """What the inbox is told of a version."""
    there = server_version(change.id, change.sent_meta)
    facts = facts_of_change(change).arrival
    return AcceptedVersion(
        *(change.type, change.id, change.version, change.resource, change.body, there, facts),
        is_new_id=change.is_new_id,
    )


def _homes(hospital: HospitalSettings) -> frozenset[str]:
    return frozenset(one.rstrip("/") for one in (hospital.base_url, *hospital.base_urls) if one)

"""How what hospitals send is taken in: what is accepted, how it is checked, and that it is in the inbox in
the transaction that stores it. The endpoint and whoever tries a refused request again go this one way.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine

from adapter.fhir.codec import Resource
from adapter.fhir.operation_outcome import Issue
from adapter.fhir.validation.checker import check_resource
from adapter.inbox.receive import receive_version
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.refusal import refuse_erased
from adapter.repository.repository import Repository
from adapter.repository.request_limits import RequestLimits
from adapter.repository.transaction_writer import OnChange
from adapter.repository.write_plan import VersionChange
from adapter.settings import HospitalSettings
from adapter.texts import say

__all__ = ["ACCEPTED_TYPES", "check_received", "receiving_repository", "repository_of"]

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
    return [
        replace(issue, severity="warning")
        if issue.is_error and (issue.rule == "profile" or (issue.rule or "").startswith(_VITAL_SIGNS_RULE))
        else issue
        for issue in check_resource(resource)
    ]


def receiving_repository(
    engine: Engine,
    *,
    on_change: OnChange,
    accepts: frozenset[str] = ACCEPTED_TYPES,
    validate: Callable[[Resource], list[Issue]] | None = None,
    public_url: str | None = None,
    own_system: str | None = None,
    limits: RequestLimits | None = None,
    salvages: Callable[[str], bool] = lambda _: False,
    homes: Callable[[str], Collection[str]] = lambda _: (),
) -> Repository:
    """The repository behind the endpoint; `on_change` is told each version as it is stored."""
    return Repository(
        engine,
        recognise_repeats=True,
        on_change=on_change,
        accepts=accepts,
        deletes=False,
        validate=validate,
        base=public_url.rstrip("/") if public_url else None,
        own_system=own_system,
        limits=limits or RequestLimits(),
        keeps=KEPT_TYPES,
        salvages=salvages,
        homes=homes,
    )


def repository_of(adapter: Adapter) -> Repository:
    """The same on the adapter's own stores: what is stored is in the inbox with it."""
    settings = adapter.settings

    def on_change(connection: Connection, change: VersionChange) -> str | None:
        if change.action == "delete" or change.repeated:
            return None
        refuse_erased(adapter, connection, change)
        if change.type in KEPT_TYPES:
            return None  # its DocumentReference is in the inbox, and all that it holds
        received = receive_version(
            connection,
            hospital=change.owner,
            type=change.type,
            id=change.id,
            version=change.version,
            resource=change.resource,
            body=change.body,
            now=datetime.now(UTC),
            delivery=change.request.id if change.request else None,
            envelope=change.request.envelope if change.request else None,
        )
        return say("fhir.older", why=say(f"inbox.{received.older}")) if received.older else None

    return receiving_repository(
        adapter.engine,
        on_change=on_change,
        validate=check_received,
        public_url=settings.public_url,
        own_system=settings.centre.identifier_system,
        limits=RequestLimits(max_bytes=settings.max_body_bytes, max_depth=settings.max_body_depth),
        salvages=lambda hospital: settings.hospital(hospital).salvage,
        homes=lambda hospital: _homes(settings.hospital(hospital)),
    )


def _homes(hospital: HospitalSettings) -> frozenset[str]:
    return frozenset(one.rstrip("/") for one in (hospital.base_url, *hospital.base_urls))

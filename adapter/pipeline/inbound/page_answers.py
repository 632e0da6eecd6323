"""What a hospital's clerk answered on its page, taken in as its transaction at the endpoint is."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from adapter import audit
from adapter.authorization import page_access
from adapter.fhir.codec import Resource
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.repository.bundle_entries import Interaction
from adapter.repository.repository import Repository
from adapter.repository.write_plan import SentRequest

__all__ = ["match_page_answers", "store_page_answer"]

_MATCHING_SECONDS = 2.0
_ENVELOPE = {"resourceType": "Bundle", "type": "transaction"}


def store_page_answer(
    adapter: Adapter,
    repository: Repository,
    hospital: str,
    resources: Sequence[Resource],
    *,
    form: str,
    cadre: str,
    action: str,
    now: datetime,
) -> bool:
    """Store these, and with them that this form was taken: all of it is durable, and in the inbox, when this
    returns. False, and nothing is stored, where the form was taken before. Raises FhirError for what breaks
    FHIR's rules.
    """
    entries = [
        Interaction(
            "PUT", one["resourceType"], one["id"], resource=one, position=place, where=f"entry[{place}]"
        )
        for place, one in enumerate(resources)
    ]
    for entry in entries:
        repository.checks.check(entry)
    subject = adapter.audit_subject(cadre)
    try:
        with repository.write_transaction(hospital, SentRequest(envelope=_ENVELOPE)) as writer:
            if not page_access.take_form(writer.connection, form, now):
                return False
            writer.run(entries)
            audit.append(
                writer.connection,
                at=now,
                actor=f"page:{hospital}",
                action="page.answered",
                subject=subject,
                hospital=hospital,
                details={"what": action},
            )
    except IntegrityError:
        if page_access.is_taken(adapter.engine, form):  # the same form, at the same moment
            return False
        raise
    return True


def match_page_answers(adapter: Adapter, hospital: str, clock: Callable[[], datetime]) -> None:
    """Match what the hospital just answered, for a moment, so that its next page shows it; what is not done
    by then is matched in the background.
    """
    before = max((name for name in adapter.settings.hospitals if name < hospital), default="")
    process_inbox(adapter, clock, seconds=_MATCHING_SECONDS, after=before)

"""XML14: the appointment to come back. Pure.

It is of the next visit. Where the file answers our referral with nothing else yet, the referral is scheduled;
after results it is a paper as the others are, since what is completed is not scheduled again.
"""

from adapter.fhir.codec import Resource
from adapter.national_xml.conventions import own_identity
from adapter.national_xml.papers import add_paper
from adapter.national_xml.reports import ReportContext
from adapter.national_xml.rows import SheetRow
from adapter.referrals.lifecycle import BUSINESS_STATUS_SYSTEM, ReferralState, business_status
from adapter.referrals.sayings import task_status

__all__ = ["add_appointment"]


def add_appointment(row: SheetRow, summary: SheetRow, context: ReportContext, *, is_answered: bool) -> None:
    """Add the Task that says so, or the paper."""
    at = row.moment("NGAY_HEN_KL")
    if is_answered or at is None or not own_identity(context.order):
        add_paper("XML14", row, summary, context)
        return
    conventions, state = context.conventions, ReferralState.SCHEDULED
    task: Resource = {
        "resourceType": "Task",
        "identifier": [conventions.numbered("task", context.order)],
        "status": task_status(state),
        "businessStatus": {"coding": [{"system": BUSINESS_STATUS_SYSTEM, "code": business_status(state)}]},
        "intent": "order",
        "focus": {"type": "ServiceRequest", "identifier": conventions.order_identifier(context.order)},
        "for": context.patient,
        "encounter": context.encounter,
        "executionPeriod": {"start": at},
    }
    context.entries.add(task, row.place)

"""The sheet of a referral: what its hospital may see of it, and nothing else, in the words of a language."""

from collections.abc import Iterator
from datetime import date, datetime, time
from functools import partial

from adapter.errors import UsageError
from adapter.fhir.codec import Resource
from adapter.insights.hospital_page import SentReferral, sent_referral
from adapter.insights.shown_referral import ShownPerson, ShownReferral, shown
from adapter.pdf.referral_code import grouped_identity, referral_code
from adapter.pdf.referral_sheet import ReferralSheet
from adapter.pipeline.application import Adapter
from adapter.records.model import Referral
from adapter.records.sheets.cell_parsers import VIETNAM_OFFSET
from adapter.texts import say_in

__all__ = ["referral_sheet", "sheet_of"]


def referral_sheet(adapter: Adapter, key: str, language: str) -> ReferralSheet:
    """Of the referral of that key. Raises UsageError where there is none, or where nothing of it is planned
    for its hospital: then the hospital may not see it, or not yet.
    """
    found = adapter.records.get(Referral.kind, key)
    if not isinstance(found, Referral) or found.hospital not in adapter.settings.hospitals:
        raise UsageError("referral.unknown", key=key)
    identity = adapter.destination(found.hospital).identify("ServiceRequest", Referral.kind, key)
    sent = sent_referral(adapter, found.hospital, identity)
    if sent is None or sent.request is None:
        raise UsageError("sheet.not_planned", key=key, hospital=found.hospital)
    return sheet_of(adapter, found.hospital, sent, sent.request, language)


def sheet_of(
    adapter: Adapter, hospital: str, sent: SentReferral, request: Resource, language: str
) -> ReferralSheet:
    """Of a referral as its hospital should hold it; `request` is its ServiceRequest."""
    text = partial(say_in, language)
    centre, view = adapter.settings.centre, shown(sent)
    return ReferralSheet(
        language=language,
        title=text("sheet.title"),
        head=[centre.name, *filter(None, (centre.address, centre.phone))],
        addressed_to=text("sheet.to", hospital=adapter.settings.hospitals[hospital].display),
        facts=[(text(f"page.{label}"), words) for label, words in _facts(view, language, request) if words],
        values_title=text("page.values"),
        values=[(one.name, " ".join(filter(None, (one.value, one.flag))), one.day) for one in view.values],
        code=referral_code(sent.system, sent.identity),
        number_title=text("sheet.number"),
        number=grouped_identity(sent.identity),
        code_hint=text("sheet.hint"),
        made_at=_moment(sent.referral.ordered_at),
    )


def _facts(view: ShownReferral, language: str, request: Resource) -> Iterator[tuple[str, str]]:
    yield from _person(view.line.person, language)
    yield "service", view.line.service
    yield "category", view.category
    if (priority := str(request.get("priority", "routine"))) != "routine":
        yield "urgency", say_in(language, f"page.priority_{priority}")
    yield "ordered", view.ordered
    yield "due_on", view.line.due
    yield "why", view.reason
    for diagnosis in view.diagnoses:
        yield "diagnosis", diagnosis
    yield "field_number", view.line.number
    yield "appointment_at", view.line.appointment


def _person(person: ShownPerson | None, language: str) -> Iterator[tuple[str, str]]:
    if person is None:
        yield "person", say_in(language, "page.nobody_named")
        return
    yield "person", person.name
    yield "born", person.born
    yield "sex", say_in(language, f"code.{person.sex}") if person.sex else ""
    yield "telephone", person.telephone
    yield "address", person.address
    for number in person.numbers:
        yield "card", number


def _moment(value: date | datetime) -> datetime:
    if isinstance(value, datetime):
        return value
    return datetime.combine(value, time(), VIETNAM_OFFSET)

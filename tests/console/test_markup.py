"""A hospital's text with markup in it, in every field that a hospital fills, by each door: no page of the
console makes anything of it but text, and the text is there to be read.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from console_browser import ConsoleWindow
from console_centre import DUC, HOA, HOME, LOINC, UCUM, Console, now
from console_crawl import crawl
from inbox_centre import receive_version
from marked_content import MARKUP, MarkedTexts
from sqlalchemy import update

from adapter.authorization.staff_roles import StaffRole
from adapter.database import write_transaction
from adapter.fhir import codec
from adapter.inbox.linking import RESULT_TYPES
from adapter.inbox.matching import READ_TYPES
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.tables import entry
from adapter.operations.inbox import LinkItem
from adapter.operations.operation import OperationContext
from adapter.pipeline.inbound.hl7v2_messages import take_message
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.pipeline.inbound.national_xml import take_file
from adapter.records.model import Referral
from adapter.referrals.reasons import REASON_SYSTEM

Open = Callable[..., ConsoleWindow]
CCCD = "http://fhir.ehealth.gov.vn/core/sid/citizen_id"
FORMS = ("String", "CodeableConcept", "Quantity", "Range", "Ratio")
FILLER = {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "FILL"}
_READ = (  # by who reads results, decides whose they are and follows referrals
    *("Patient.name.text", "Observation.valueString", "Observation.valueCodeableConcept.text"),
    *("Observation.valueQuantity.unit", "Observation.valueRange.low.unit", "Observation.note.text"),
    *("Observation.valueRatio.numerator.unit", "Observation.code.text", "Observation.method.text"),
    *("Observation.referenceRange.text", "Observation.referenceRange.appliesTo.text"),
    *("Observation.interpretation.coding.code", "Observation.dataAbsentReason.text"),
    *("Observation.component.valueString", "Observation.component.interpretation.coding.code"),
    *("Observation.specimen.display", "Observation.bodySite.text", "Observation.text"),
    *("DiagnosticReport.conclusion", "DiagnosticReport.conclusionCode.text", "DiagnosticReport.text"),
    *("DiagnosticReport.presentedForm.title", "DiagnosticReport.result.display"),
    *("Procedure.outcome.text", "Procedure.statusReason.text", "Procedure.complication.coding.code"),
    *("Procedure.followUp.coding.display", "Procedure.note.text", "Condition.code.coding.code"),
    *("Condition.note.text", "Media.note.text", "ImagingStudy.description", "Encounter.reasonCode.text"),
    *("DocumentReference.content.attachment.title", "DocumentReference.description"),
    *("GT-1.Task.identifier.value", "GT-1.Task.statusReason.text", "GT-1.Task.output.valueString"),
    *("GT-4.Task.statusReason.text", "OperationOutcome.issue.diagnostics"),
    *("hl7v2.OBR-4", "hl7v2.OBX-3", "hl7v2.OBX-5", "hl7v2.OBX-6", "hl7v2.OBX-7", "hl7v2.NTE-3"),
    *("xml.HO_TEN", "xml.TEN_CHI_SO", "xml.GIA_TRI", "xml.DON_VI_DO", "xml.MO_TA", "xml.KET_LUAN"),
)
SHOWN = {
    StaffRole.DOCTOR: _READ,
    StaffRole.CLERK: ("OperationOutcome.issue.diagnostics", "GT-1.Task.statusReason.text"),
    StaffRole.IT: ("OperationOutcome.issue.diagnostics",),
}
_LOOK = """() => {
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
  const made = 'x-mark, img, iframe, object, embed, [href^="javascript:" i], [action^="javascript:" i]';
  const handlers = [...document.querySelectorAll("*")].flatMap(
    (one) => one.getAttributeNames().filter((name) => name.startsWith("on")));
  return {
    struck: window.struck || 0,
    made: [...document.querySelectorAll(made)].map((one) => one.outerHTML.slice(0, 200)).concat(handlers),
    inline: [...document.scripts].filter((one) => !one.src).length,
    text: document.body.innerText.replace(/\\s+/g, " "),
  };
}"""


@pytest.fixture(scope="module")
def marked(console: Console) -> MarkedTexts:
    """All that a hospital can say of DUC, HOA and AN was said so."""
    made = MarkedTexts(now())
    for number, (resource, cadre) in enumerate(_results(made)):
        _send(console, resource, f"m{number}", cadre)
    for key, task in _tasks(console, made):
        _send(console, task, f"t{key}", None)
    identity = _identity(console, "GT-1")
    take_message(console.adapter, HOME, made.hl7v2(identity), now())
    take_file(console.adapter, HOME, made.national_xml(identity), now())
    said = made.text("OperationOutcome.issue.diagnostics")
    with write_transaction(console.adapter.engine) as connection:
        refused = {"state": EntryState.PARKED, "reason": "refused", "detail": said, "changed_at": now()}
        mine = (entry.c.hospital == HOME, entry.c.key == "CS-1-0-0")
        connection.execute(update(entry).where(*mine).values(**refused))
    process_inbox(console.adapter, now)
    return made


def _results(made: MarkedTexts) -> Iterator[tuple[dict[str, Any], str | None]]:
    """Resources of each type that is read, with whose a person says they are; None: they wait."""
    for form in FORMS:
        yield _result(made, "Observation", DUC.national_id, form=form, status="final"), DUC.key
    for type_ in ("DiagnosticReport", "Procedure"):
        status = "completed" if type_ == "Procedure" else "final"
        yield _result(made, type_, DUC.national_id, status=status), DUC.key
    for type_ in sorted(READ_TYPES | {"DiagnosticReport", "Observation", "Procedure"}):
        yield _result(made, type_, HOA.national_id), None


def _result(
    made: MarkedTexts, type_: str, number: str | None, *, form: str = "String", **given: Any
) -> dict[str, Any]:
    identifier = [{"system": CCCD, "value": number}]
    name = [{"text": made.text("Patient.name.text")}]
    patient = made.resource("Patient", identifier=identifier, birthDate="1931-01-01", name=name)
    found = made.resource(type_, form=form, subject={"reference": "#p"}, **given)
    found["contained"] = [{**patient, "id": "p"}]
    if form == "Quantity":  # one that a curve is drawn of, in a unit that is written with markup
        found["code"]["coding"] = [{"system": LOINC, "code": "14682-9"}]
        found["valueQuantity"] |= {"system": UCUM, "code": "umol/L"}
        found["specimen"] = {}
        del found["valueQuantity"]["comparator"], found["method"], found["bodySite"]
    return found


def _tasks(console: Console, made: MarkedTexts) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a hospital answers: that it is under way, and that it asks something."""
    system = console.adapter.settings.centre.identifier_system
    for key, code in (("GT-1", None), ("GT-4", "awaiting-information")):
        order = {"identifier": {"system": system, "value": _identity(console, key)}}
        number = {"type": {"coding": [FILLER]}, "value": made.text(f"{key}.Task.identifier.value")}
        onward = {
            "type": {"coding": [{"system": REASON_SYSTEM, "code": "referred-onward"}]},
            "valueString": made.text(f"{key}.Task.output.valueString"),
        }
        given = {"focus": {**order, "type": "ServiceRequest"}, "identifier": [number], "output": [onward]}
        task = made.resource("Task", status="on-hold" if code else "accepted", intent="order", **given)
        for name in ("businessStatus", "for", "basedOn", "partOf", "encounter"):
            task.pop(name, None)
        words = made.text(f"{key}.Task.statusReason.text")
        coding = [{"system": REASON_SYSTEM, "code": code}] if code else []
        task["statusReason"] = {"coding": coding, "text": words} if coding else {"text": words}
        yield key, task


def _identity(console: Console, key: str) -> str:
    return console.adapter.destination(HOME).identify("ServiceRequest", Referral.kind, key)


def _send(console: Console, resource: dict[str, Any], id_: str, cadre: str | None) -> None:
    whole = {**resource, "id": id_, "meta": {"versionId": "1"}}
    with write_transaction(console.adapter.engine) as connection:
        item = receive_version(
            connection,
            hospital=HOME,
            type=whole["resourceType"],
            id=id_,
            version=1,
            resource=whole,
            body=codec.dumps(whole),
            now=now(),
        ).item
    process_inbox(console.adapter, now)
    if cadre is not None:
        LinkItem(item, cadre, despite=True).perform(OperationContext(console.adapter, "test", now))


def test_all_types_that_are_taken_in_are_tried() -> None:
    sent = {resource["resourceType"] for resource, _ in _results(MarkedTexts(now()))}
    assert sent == (READ_TYPES | RESULT_TYPES) - {"ServiceRequest", "Task"}


@pytest.mark.parametrize("role", list(StaffRole))
def test_markup_of_hospitals_is_text_on_every_page(
    console: Console, marked: MarkedTexts, window: Open, role: StaffRole
) -> None:
    """Whoever opens whichever page: no script ran, no element was made, the browser complains of nothing."""
    browser, seen = window(role), ""
    for page in list(crawl(console, role, each=40 if role is StaffRole.DOCTOR else 2)):
        if "text/html" in page.answer.headers["content-type"]:
            browser.open(page.path)
            found = browser.page.evaluate(_LOOK)
            assert (found["struck"], found["inline"], found["made"]) == (0, 0, []), page.route.path
            assert browser.complaints == [], page.route.path
            seen += found["text"]
    shown = {place for word, place in marked.places.items() if f"{word}{MARKUP}"[:60] in seen}
    assert MARKUP in seen or role is StaffRole.AUDITOR, "in full, and no template's"
    assert set(SHOWN.get(role, ())) <= shown, set(SHOWN[role]) - shown

"""One PDF of a hospital taken in: looked at, and stored as the report that presents it, in the inbox with
that.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from adapter import audit
from adapter.database import read_transaction
from adapter.errors import FhirError, PdfRefused, UsageError
from adapter.fhir.codec import Resource, loads
from adapter.fhir.document_facts import DocumentFacts
from adapter.ledger.named_lines import lines_by_identity, wished_lines
from adapter.pdf.examiner import ExaminedPdf, examine_pdf
from adapter.pdf.referral_named import identities_in_codes, named_referrals
from adapter.pdf.report import report_id, report_of
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.reception import repository_of
from adapter.pipeline.inbound.refusal import NOT_KEPT
from adapter.records import lookups
from adapter.records.model import Referral
from adapter.repository.bundle_entries import Interaction

__all__ = [
    "LookedAtPdf",
    "TakenPdf",
    "facts_for",
    "look_at_pdf",
    "said_referral",
    "take_pdf",
    "trusted_roots",
]

_TYPE = "DiagnosticReport"
_GONE = (404, 410)


@dataclass(frozen=True, slots=True)
class LookedAtPdf:
    """A PDF with what it is based on: identities of referrals; `by`: said, code or nothing. `is_known`: just
    these bytes were taken in from this hospital before, and nothing new is said of them.
    """

    id: str
    referrals: tuple[str, ...]
    by: str
    facts: DocumentFacts
    is_known: bool


@dataclass(frozen=True, slots=True)
class TakenPdf:
    """`resource` is its `Type/id` at the endpoint; `is_new` is False where it was there already."""

    resource: str
    is_new: bool
    looked_at: LookedAtPdf


def trusted_roots(adapter: Adapter) -> bytes:
    """The certificates that the settings trust to issue signers', as PEM; empty where they name none."""
    file = adapter.settings.pdf.trusted_roots
    return b"" if file is None else (adapter.settings.folder / file).read_bytes()


def said_referral(adapter: Adapter, hospital: str, said: str) -> str:
    """The identity at the hospital of a referral that somebody names by the centre's key, or by the number on
    its sheet. Raises UsageError where that hospital has no such referral.
    """
    number = "".join(said.split()).casefold()
    with read_transaction(adapter.engine) as connection:
        if lines_by_identity(connection, (hospital,), ("ServiceRequest",), (number,)):
            return number
    found = adapter.records.get(Referral.kind, said.strip())
    if not isinstance(found, Referral) or found.hospital != hospital:
        raise UsageError("pdf.no_referral", hospital=hospital)
    return adapter.identities.of(hospital, "ServiceRequest", Referral.kind, found.key)


def look_at_pdf(adapter: Adapter, hospital: str, data: bytes, said: str | None = None) -> LookedAtPdf:
    """What it is and which referral it answers; `said` is the identity of that, where somebody says. Raises
    PdfRefused.
    """
    name = report_id(data)
    held = _held(adapter, hospital, name)
    if held is not None and (said is None or _is_based_on(held, said)):
        return LookedAtPdf(name, (), "known", DocumentFacts(), is_known=True)
    examined = examine_pdf(data, trusted_roots(adapter))
    in_codes = identities_in_codes(examined.codes, adapter.settings.centre.identifier_system)
    referrals = named_referrals(said, in_codes)
    by = "said" if said is not None else "code" if in_codes else "nothing"
    suggested = () if referrals else tuple(_suggested(adapter, hospital, examined))
    return LookedAtPdf(name, referrals, by, replace(examined.facts, suggested=suggested), is_known=False)


def facts_for(adapter: Adapter, data: bytes, identity: str) -> DocumentFacts:
    """What is found in a PDF that somebody says is of the referral of that identity. Raises PdfRefused, also
    where its codes say another.
    """
    examined = examine_pdf(data, trusted_roots(adapter))
    named_referrals(identity, identities_in_codes(examined.codes, adapter.settings.centre.identifier_system))
    return examined.facts


def take_pdf(
    adapter: Adapter,
    hospital: str,
    data: bytes,
    *,
    said: str | None = None,
    is_final: bool = False,
    by: str,
    now: datetime,
) -> TakenPdf:
    """Take it in; `by` is who brought it, for the audit. What came before is not stored again. Raises
    PdfRefused, with nothing stored.
    """
    looked = look_at_pdf(adapter, hospital, data, said)
    resource = f"{_TYPE}/{looked.id}"
    if looked.is_known:
        return TakenPdf(resource, is_new=False, looked_at=looked)
    report = report_of(
        data,
        looked.facts,
        system=adapter.settings.centre.identifier_system,
        referrals=looked.referrals,
        is_final=is_final,
    )

    def note(connection: Connection) -> None:
        audit.append(
            connection,
            at=now,
            actor=by,
            action="inbox.pdf-taken",
            hospital=hospital,
            details={"document": looked.id, "referral": looked.by},
        )

    repository = repository_of(adapter, in_transaction=note, is_own=True)
    try:
        repository.perform(hospital, Interaction("PUT", _TYPE, looked.id, resource=report))
    except FhirError as error:
        if error.status >= 500:
            raise
        if error.text == NOT_KEPT:  # which only the code on its page shows
            raise PdfRefused("not_kept") from None
        raise PdfRefused("not_taken", said=str(error)) from None
    return TakenPdf(resource, is_new=True, looked_at=looked)


def _held(adapter: Adapter, hospital: str, name: str) -> Resource | None:
    try:
        held: Resource = loads(repository_of(adapter).read(hospital, _TYPE, name).body)
    except FhirError as error:
        if error.status in _GONE:
            return None
        raise
    return held


def _is_based_on(report: Resource, identity: str) -> bool:
    named = (one.get("identifier", {}).get("value") for one in report.get("basedOn", ()))
    return identity in named


def _suggested(adapter: Adapter, hospital: str, examined: ExaminedPdf) -> Collection[str]:
    """Identities of this hospital's referrals whose number, ours or its own, stands in the text."""
    with read_transaction(adapter.engine) as connection:
        lines = wished_lines(connection, hospital, "ServiceRequest")
        found = lookups.live_records(connection, Referral.kind, [one.key for one in lines])
    numbers = {
        one.name: (one.name, (getattr(found.get(one.key), "hospital_number", None) or "").casefold())
        for one in lines
    }
    return [name for name, said in numbers.items() if examined.words.intersection(filter(None, said))]

"""What the centre itself found out about a document that came, as an extension of its Attachment
(http://hl7.org/fhir/R4/extensibility.html). Only the centre may say it: what hospitals send is refused
with it. Pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapter.fhir.codec import Resource

__all__ = ["FACTS_URL", "DocumentFacts", "DocumentSignature", "facts_extension", "read_facts", "says_facts"]

FACTS_URL: Final = "https://cadre-health.example/fhir/StructureDefinition/document-facts"
_MOST: Final = 100  # of a list


@dataclass(frozen=True, slots=True)
class DocumentSignature:
    """One digital signature (PAdES). `state`: whole (it covers the document as it is), extended (what was
    added after it is allowed: another signature, say), changed (the document was changed after it), broken
    (it does not fit what it covers), unreadable. `signed_at` is what its signer says, or a time stamp.
    `trust`: trusted or untrusted, whether its certificate leads to a root of the settings; "" where there
    are none.
    """

    state: str
    signer: str = ""
    issuer: str = ""
    signed_at: str = ""
    is_stamped: bool = False
    trust: str = ""


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """`remarks` are words `pdf.remark_…`; `suggested` are identities of referrals whose numbers stand in its
    text: a hint for a person, never a match.
    """

    pages: int = 0
    remarks: tuple[str, ...] = ()
    signatures: tuple[DocumentSignature, ...] = ()
    suggested: tuple[str, ...] = ()


def facts_extension(facts: DocumentFacts) -> Resource:
    """The extension that says these."""
    said: list[Resource] = [{"url": "pages", "valueInteger": facts.pages}]
    said += [{"url": "remark", "valueCode": one} for one in facts.remarks]
    said += [{"url": "signature", "extension": list(_of_signature(one))} for one in facts.signatures]
    said += [{"url": "suggested", "valueString": one} for one in facts.suggested]
    return {"url": FACTS_URL, "extension": said}


def _of_signature(one: DocumentSignature) -> Iterator[Resource]:
    yield {"url": "state", "valueCode": one.state}
    for url, words in (("signer", one.signer), ("issuer", one.issuer)):
        if words:
            yield {"url": url, "valueString": words}
    if one.signed_at:
        yield {"url": "signedAt", "valueDateTime": one.signed_at}
        yield {"url": "stamped", "valueBoolean": one.is_stamped}
    if one.trust:
        yield {"url": "trust", "valueCode": one.trust}


def read_facts(attachment: Mapping[str, Any]) -> DocumentFacts | None:
    """What an Attachment says of these; None where it says nothing. No shape of one raises."""
    found = next((one for one in _listed(attachment.get("extension")) if one.get("url") == FACTS_URL), None)
    if found is None:
        return None
    said = _listed(found.get("extension"))
    pages = next((one.get("valueInteger") for one in said if one.get("url") == "pages"), 0)
    return DocumentFacts(
        pages=pages if isinstance(pages, int) else 0,
        remarks=_texts(said, "remark", "valueCode"),
        signatures=tuple(
            _signature(_listed(one.get("extension"))) for one in said if one.get("url") == "signature"
        ),
        suggested=_texts(said, "suggested", "valueString"),
    )


def _signature(said: Sequence[dict[str, Any]]) -> DocumentSignature:
    def text(url: str, value: str) -> str:
        return next(iter(_texts(said, url, value)), "")

    values = {str(one.get("url")): one.get("valueBoolean") for one in said}
    return DocumentSignature(
        state=text("state", "valueCode"),
        signer=text("signer", "valueString"),
        issuer=text("issuer", "valueString"),
        signed_at=text("signedAt", "valueDateTime"),
        is_stamped=values.get("stamped") is True,
        trust=text("trust", "valueCode"),
    )


def says_facts(resource: Resource) -> str | None:
    """Where a resource says such facts (`presentedForm[0].extension`); None where it does not."""
    for place, one in (("", resource), *_contained(resource)):
        for number, form in enumerate(_listed(one.get("presentedForm"))):
            if any(each.get("url") == FACTS_URL for each in _listed(form.get("extension"))):
                return f"{place}presentedForm[{number}].extension"
    return None


def _contained(resource: Resource) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, one in enumerate(_listed(resource.get("contained"))):
        yield f"contained[{number}].", one


def _texts(said: Sequence[dict[str, Any]], url: str, value: str) -> tuple[str, ...]:
    found = (one.get(value) for one in said if one.get("url") == url)
    return tuple(one for one in found if isinstance(one, str))


def _listed(value: object) -> list[dict[str, Any]]:
    return [one for one in value[:_MOST] if isinstance(one, dict)] if isinstance(value, list) else []

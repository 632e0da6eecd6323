"""What a result is called where people read it: by its words; a code alone says of which system it is. Pure.

What is recorded keeps words and codes as they came (`CodedConcept.words`): what was seen is compared by that.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from adapter.insights.person_record import ShownResult
from adapter.result_content import CodedConcept, ResultContent, ResultMember, joined_words

__all__ = ["code_words", "worded", "worded_result"]

_SYSTEMS: Final[Mapping[str, str]] = {
    "http://loinc.org": "LOINC",
    "http://snomed.info/sct": "SNOMED CT",
    "http://hl7.org/fhir/sid/icd-10": "ICD-10",
    "http://hl7.org/fhir/sid/icd-10-cm": "ICD-10-CM",
    "http://www.whocc.no/atc": "ATC",
    "http://dicom.nema.org/resources/ontology/DCM": "DICOM",
}


def code_words(code: str, system: str | None) -> str:
    """A code that nothing else is said of: `2823-3 (LOINC)`, of a list of a hospital's own `K1
    (bv-tinh.example)`; itself where no system is named.
    """
    name = _SYSTEMS.get(system or "") or _place(system or "")
    return f"{code} ({name})" if name else code


def _place(system: str) -> str:
    """Whose list it is: the host of a URL, and of any other URI what stands last."""
    try:
        host = urlsplit(system).hostname
    except ValueError:  # a hospital may write anything there
        host = None
    return host or system.rpartition(":")[2]


def worded(content: ResultContent) -> ResultContent:
    """The content with titles to be read, in all its parts and members."""
    parts = (one.model_copy(update={"code": _worded(one.code)}) for one in content.components)
    return content.model_copy(
        update={
            "code": _worded(content.code),
            "components": tuple(parts),
            "members": tuple(map(_worded_member, content.members)),
        }
    )


def worded_result(shown: ShownResult) -> ShownResult:
    """The same of a result of a person."""
    content = worded(shown.content)
    return replace(shown, title=content.title or shown.title, content=content)


def _worded_member(member: ResultMember) -> ResultMember:
    if member.content is None:
        return member
    return member.model_copy(update={"content": worded(member.content)})


def _worded(code: CodedConcept | None) -> CodedConcept | None:
    if code is None:
        return None
    said = joined_words([code.text, *(one.display for one in code.codings)], " / ")
    alone = (code_words(one.code, one.system) for one in code.codings if one.code)
    return CodedConcept(text=said or joined_words(alone, " / ") or None)

"""What a hospital sends whose every text carries markup that would like to be a page's own: resources of each
type, a message, a file of the insurer. Each text begins with a word of its own, by which it is found again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from html import escape
from typing import Any

from hl7v2_centre import message
from national_xml_centre import CREATININE, SUMMARY, file_of

from adapter.fhir.codec import Resource
from adapter.fhir.definitions.types import Element, elements

__all__ = ["MARKUP", "STRIKE", "MarkedTexts"]

STRIKE = "window.struck=1"
MARKUP = f'"><img src=x onerror={STRIKE}></svg><script>{STRIKE}</script><x-mark>{{{{7*7}}}}'
"""Leaves an attribute, a picture and a script, and is a template's own sign."""

_DEEPEST = 4  # Observation.component.code.coding.display
_LEFT_OUT = frozenset(
    ("id", "meta", "implicitRules", "language", "extension", "modifierExtension", "contained")
)
_FORMS = ("String", "CodeableConcept", "Reference")  # of a choice, unless another is asked for
_PLAIN: Mapping[str, Any] = {
    "boolean": True,
    "decimal": Decimal("7.1"),
    "integer": 7,
    "positiveInt": 7,
    "unsignedInt": 7,
    "time": "08:00:00",
}


@dataclass
class MarkedTexts:
    """Makes them. `places`: where each word stands; `now`: when all of it was."""

    now: datetime
    places: dict[str, str] = field(default_factory=dict)

    def text(self, place: str) -> str:
        """A text for a place, such as `Observation.code.text`."""
        return f"{self._word(place)}{MARKUP}"

    def address(self, place: str) -> str:
        """The same as a URL that is a script."""
        return f"javascript:{STRIKE}//{self._word(place)}"

    def _word(self, place: str) -> str:
        word = f"w{len(self.places):03}w"
        self.places[word] = place
        return word

    def resource(self, type_: str, *, form: str = "String", **given: Any) -> Resource:
        """A resource with all elements that its type has. `form`: of which type its value is, where R4 gives
        a choice; `given` stands in the place of what would be made.
        """
        return {"resourceType": type_, **self._filled(type_, type_, 0, form, given)}

    def _filled(
        self, type_: str, place: str, depth: int, form: str, given: Mapping[str, Any]
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        chosen = _chosen(type_, form)
        for name, one in elements(type_).items():
            if name in given or name in _LEFT_OUT or (one.choice and chosen[one.choice] != name):
                continue
            made = self._made(one, f"{place}.{name}", depth)
            if made is not None:
                found[name] = [made] if one.is_list else made
        return {**found, **given}

    def _made(self, one: Element, place: str, depth: int) -> Any:
        if one.type is None:
            return self._primitive(one, place)
        if one.type == "Narrative":
            said = escape(self.text(place), quote=False)
            return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{said}</div>'}
        if one.type == "Reference":  # it leads nowhere
            return {"display": self.text(f"{place}.display")}
        if one.type in ("Resource", "Extension") or depth >= _DEEPEST:
            return None
        return self._filled(one.type, place, depth + 1, "String", {}) or None

    def _primitive(self, one: Element, place: str) -> Any:
        if one.codes:
            return min(one.codes)
        if one.primitive in ("string", "markdown", "code"):
            return self.text(place)
        if one.primitive in ("uri", "url", "canonical"):
            return self.address(place)
        if one.primitive in ("date", "dateTime", "instant"):
            at = (self.now - timedelta(hours=1)).isoformat(timespec="seconds")
            return at[: len("2026-11-02")] if one.primitive == "date" else at
        return _PLAIN.get(one.primitive)

    # -- by other doors --------------------------------------------------------------------

    def hl7v2(self, identity: str) -> bytes:
        """An ORU^R01 of a referral."""
        at = f"{self.now:%Y%m%d}"
        name, test, said, unit, usual, remark = (
            self.text(f"hl7v2.{place}") for place in ("PID-5", "OBX-3", "OBX-5", "OBX-6", "OBX-7", "NTE-3")
        )
        moments = ["", "", f"{at}080000", *[""] * 14, f"{at}143000", "", "", "F"]
        return message(
            "ORU^R01",
            f"PID|1||BN0001^^^BVT||{name}||19600312|M",
            f"ORC|RE|{identity}|LAB-9",
            "|".join(("OBR", "1", identity, "LAB-9", f"X1^{self.text('hl7v2.OBR-4')}^L", *moments)),
            f"OBX|1|ST|X2^{test}^L||{said}||||||F",
            f"NTE|1||{remark}",
            f"OBX|2|NM|2160-0^Creatinin^LN||104|{unit}|{usual}|N|||F",
            control_id="marked",
            at=f"{at}150500",
        ).encode()

    def national_xml(self, identity: str) -> bytes:
        """A file of the insurer with a result of a referral."""
        texts = {name: self.text(f"xml.{name}") for name in ("TEN_CHI_SO", "DON_VI_DO", "MO_TA", "KET_LUAN")}
        at = f"{self.now:%Y%m%d}"
        moments = {"NGAY_VAO": f"{at}0730", "NGAY_RA": f"{at}1500", "GIAY_CHUYEN_TUYEN": identity}
        summary = {**SUMMARY, **moments, "HO_TEN": self.text("xml.HO_TEN")}
        row = {**CREATININE, **texts, "GIA_TRI": self.text("xml.GIA_TRI"), "NGAY_KQ": f"{at}1000"}
        return file_of({"XML1": [summary], "XML4": [row]})


def _chosen(type_: str, form: str) -> dict[str, str]:
    """The name of the form that is taken of each choice."""
    found: dict[str, list[str]] = {}
    for name, one in elements(type_).items():
        if one.choice:
            found.setdefault(one.choice, []).append(name)
    return {
        choice: next(
            (f"{choice}{each}" for each in (form, *_FORMS) if f"{choice}{each}" in names), sorted(names)[0]
        )
        for choice, names in found.items()
    }

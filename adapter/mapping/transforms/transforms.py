"""The verbs that expressions may use, each a pure function of its input.

`None` in gives `None` out, so that an absent field leaves no element. docs/mapping.md lists them;
a test holds that list and `TRANSFORM_NAMES` together.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from adapter.bounded_cache import BoundedCache
from adapter.fhir.identity import conditional_reference
from adapter.mapping.terminology.code_tables import (
    UNFIT_UNIT,
    CodeTable,
    CodeTables,
    Concept,
    TargetCode,
    valid_on,
)
from adapter.mapping.transforms.measured_values import MeasuredValue, MeasuredValueReader, convert_quantity
from adapter.mapping.transforms.pruning import SharedObject, shared_object

__all__ = [
    "JINJA_FILTERS",
    "TRANSFORM_NAMES",
    "TRANSFORM_SPECS",
    "MeasurementLike",
    "TransformSpec",
    "Transforms",
    "human_name",
    "only_system",
    "or_default",
    "to_fhir_date",
    "to_fhir_instant",
    "without_system",
]

# Of Jinja2's own filters only these: they cannot read attributes by name.
JINJA_FILTERS = frozenset(("capitalize", "first", "int", "join", "last", "length", "list", "lower"))
JINJA_FILTERS |= {"replace", "sort", "string", "trim", "unique", "upper"}


@dataclass(frozen=True, slots=True)
class TransformSpec:
    """What a verb needs and makes, so that a mapping can be checked and traced without running it.

    `fields` are those it reads of a whole record; `tables` those it may read besides. Its first argument
    names a table (`names_table`), or may be a UCUM code (`names_unit`). `gives` is a FHIR type,
    "primitive", or None where that depends on what goes in.
    """

    fields: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    gives: str | None = None
    names_table: bool = False
    names_unit: bool = False


_VALUE = ("measure", "value", "unit")
_UNITS = ("measures", "units")
_WORDS = ("measures", "qualitative")  # and the table that a measure's row names for its values
TRANSFORM_SPECS: Mapping[str, TransformSpec] = {
    "classified": TransformSpec(tables=("systems",), gives="Coding"),
    "code": TransformSpec(gives="primitive", names_table=True),
    "coding": TransformSpec(gives="Coding", names_table=True),
    "column": TransformSpec(gives="primitive", names_table=True),
    "concept": TransformSpec(gives="CodeableConcept", names_table=True),
    "date": TransformSpec(gives="primitive"),
    "default": TransformSpec(),
    "display": TransformSpec(gives="primitive", names_table=True),
    "instant": TransformSpec(gives="primitive"),
    "limits": TransformSpec((*_VALUE, "low", "high"), _UNITS, "Observation.referenceRange", names_unit=True),
    "measured_concept": TransformSpec(_VALUE, _UNITS, "CodeableConcept"),
    "only": TransformSpec(),
    "parts": TransformSpec(_VALUE, ("measures",)),
    "person_name": TransformSpec(gives="HumanName"),
    "qualitative": TransformSpec(_VALUE, _WORDS, "CodeableConcept"),
    "quantity": TransformSpec(_VALUE, _UNITS, "Quantity", names_unit=True),
    "range": TransformSpec(_VALUE, _UNITS, "Range"),
    "ratio": TransformSpec(_VALUE, _UNITS, "Ratio"),
    "reference": TransformSpec(gives="Reference"),
    "text_value": TransformSpec(_VALUE, _WORDS, "primitive"),
    "without": TransformSpec(),
}
TRANSFORM_NAMES = frozenset(TRANSFORM_SPECS)


class MeasurementLike(Protocol):
    """What the value transforms read of a measurement, or of one part of a panel."""

    @property
    def measure(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def unit(self) -> str | None: ...


def to_fhir_instant(value: date | None) -> str | None:
    """A moment with its own offset, to the second or finer: `2026-03-02T08:15:00+07:00`. A date stays one."""
    if value is None:
        return None
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return value.isoformat()


def to_fhir_date(value: date | str | None) -> str | None:
    """A date `YYYY-MM-DD`; text such as `1960` or `1960-05` (a date made coarser) passes as it is."""
    if value is None or isinstance(value, str):
        return value or None
    return value.date().isoformat() if isinstance(value, datetime) else value.isoformat()


def human_name(value: str | None) -> dict[str, Any] | None:
    """HumanName of a Vietnamese name: `text` is authoritative, the first word is the family name."""
    if not value or not value.split():
        return None
    words = value.split()
    name: dict[str, Any] = {"use": "official", "text": value}
    if len(words) > 1:
        name["family"] = words[0]
    name["given"] = words[1:] or words
    return name


def or_default(value: Any, other: Any) -> Any:
    """`other` where there is nothing: None or an empty text, list or object. Zero and false are something."""
    empty = value is None or (isinstance(value, str | list | tuple | dict) and not value)
    return other if empty else value


def without_system(value: dict[str, Any] | None, system: str) -> dict[str, Any] | None:
    """A CodeableConcept without the codings of that system (its text stays), or a Coding of another one."""
    return _choose(value, lambda coding: coding.get("system") != system)


def only_system(value: dict[str, Any] | None, system: str) -> dict[str, Any] | None:
    """A CodeableConcept with the codings of that system alone (its text stays), or a Coding of it."""
    return _choose(value, lambda coding: coding.get("system") == system)


def _choose(value: dict[str, Any] | None, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
    if not value:
        return None
    if "coding" not in value and "text" not in value:
        return value if wanted(value) else None
    kept = [coding for coding in value.get("coding", ()) if wanted(coding)]
    rest = {name: part for name, part in value.items() if name != "coding"}
    return ({"coding": kept} if kept else {}) | rest or None


class Transforms:
    """The verbs for one hospital: they know its code tables, identities and unknown codes so far."""

    def __init__(
        self,
        codes: CodeTables,
        *,
        kinds: Mapping[tuple[str, str | None], str],
        identify: Callable[[str, str, str], str],
        identifier_system: str,
        unknown: Counter[tuple[str, str]],
        refer: Callable[[str, str, str], dict[str, Any]] | None = None,
    ) -> None:
        self._codes = codes
        self._kinds = kinds  # (resource type, name of the mapping) -> kind that its identities are made of
        self._identify = identify
        self._system = identifier_system
        self._refer = refer
        self._unknown = unknown
        self._values = MeasuredValueReader(codes)
        self._concepts: BoundedCache[tuple[object, ...], SharedObject] = BoundedCache(codes.cache_size)

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name in an expression -> function."""
        return {
            "classified": self.classified,
            "code": self.code,
            "coding": self.coding,
            "column": self.column,
            "concept": self.concept,
            "date": to_fhir_date,
            "default": or_default,
            "display": self.display,
            "instant": to_fhir_instant,
            "limits": self.limits,
            "measured_concept": self.measured_concept,
            "only": only_system,
            "parts": lambda m: self._value(m).parts,
            "person_name": human_name,
            "qualitative": self.qualitative,
            "quantity": self.quantity,
            "range": lambda m: _copy(self._value(m).range),
            "ratio": lambda m: _copy(self._value(m).ratio),
            "reference": self.reference,
            "text_value": lambda m: self._value(m).text,
            "without": without_system,
        }

    def code(self, value: str | None, table: str) -> str | None:
        """The FHIR code of a local one; None, and counted, when the table does not know it."""
        concept = self._find(table, value)
        return concept.target if concept else None

    def coding(self, value: str | None, table: str) -> dict[str, Any] | None:
        """One Coding in the table's international system; None, and counted, when it is unknown."""
        concept = self._find(table, value)
        return _target(concept.targets[0]) if concept and concept.targets else None

    def column(self, value: str | None, table: str, name: str) -> str | None:
        """Another column of the table's row of that code; None when there is none."""
        concept = self._codes.tables[table].find(value)
        return (concept.more.get(name) or None) if concept else None

    def display(self, value: str | None, table: str) -> str | None:
        """The Vietnamese name of a local code; an unknown code is its own name, and counted."""
        concept = self._find(table, value)
        return concept.display if concept else value

    def concept(
        self,
        value: str | None,
        table: str,
        text: str | None = None,
        on: date | None = None,
        *,
        fits: bool = True,
    ) -> dict[str, Any] | None:
        """CodeableConcept: local code first, international ones after it, of the row valid `on` that day.

        An unknown code goes as local code and text. `fits=False` leaves the international codes out.
        """
        if not value:
            return {"text": text} if text else None
        concept = self._find(table, value, on)
        if concept is None:
            return self._concept(table, value, None, text, fits=fits)
        text = text or _display(concept, value)
        asked = (table, id(concept), text, fits)
        found = self._concepts.get(asked)
        if found is None:
            made = shared_object(self._concept(table, value, concept, text, fits=fits))
            found = self._concepts.put(asked, made)
        return found

    def _concept(
        self, table: str, value: str, concept: Concept | None, text: str | None, *, fits: bool
    ) -> dict[str, Any]:
        codings = _codings(self._codes.tables[table], value, concept, fits)
        return ({"coding": codings} if codings else {}) | {"text": text or _display(concept, value)}

    def measured_concept(
        self, m: MeasurementLike, text: str | None = None, on: date | None = None
    ) -> dict[str, Any] | None:
        """`concept` of a measurement; no international code where the unit measures another kind of thing,
        or where a number was measured and the code means its presence only.
        """
        return self.concept(m.measure, "measures", text, on, fits=self._fits(m))

    def classified(self, value: str | None, system: str, on: date | None = None) -> dict[str, Any] | None:
        """Coding of a code that is international already, in the version in force `on` that day, as it is
        written; no version without a day. None, and counted, when it has not that system's form.
        """
        if not value:
            return None
        found = self._codes.version(system, on)
        if not found.pattern.fullmatch(value):
            self._unknown[system, value] += 1
            return None
        in_force = on is not None and valid_on((found,), on) is not None
        version = {"version": found.version} if in_force and found.version else {}
        return {"system": found.uri, **version, "code": value}

    def qualitative(self, m: MeasurementLike) -> dict[str, Any] | None:
        """CodeableConcept of a result in words that a table of spellings knows; unknown words as text."""
        value = self._value(m)
        if value.coded:
            return self.concept(value.coded, value.table, m.value)
        if value.word:
            self._unknown["qualitative", value.word] += 1
            return {"text": value.word}
        return None

    def quantity(self, m: MeasurementLike, unit: str | None = None) -> dict[str, object] | None:
        """Quantity of a number; in the UCUM unit asked for where the measured one can be converted, with
        what was measured beside it.
        """
        found = self._value(m).quantity
        return _copy(found if unit is None or found is None else convert_quantity(found, unit))

    def limits(self, m: Any, unit: str | None = None) -> object:
        """`referenceRange` of a measurement from the limits its laboratory gave, in the unit asked for."""
        if m.low is None and m.high is None:
            return None
        found = self._values.limits(m.measure, m.low, m.high, self._value(m).unit or m.unit)
        return [{name: convert_quantity(one, unit) if unit else one for name, one in found.items()}]

    def reference(self, key: str | None, type_: str, name: str | None = None) -> dict[str, Any] | None:
        """Reference to the resource that the mapping of that type (and name) makes from the record of that
        key, by its identity at this hospital.
        """
        if not key:
            return None
        if self._refer is not None:
            return self._refer(type_, self._kinds[type_, name], key)
        identity = self._identify(type_, self._kinds[type_, name], key)
        return {"reference": conditional_reference(type_, self._system, identity)}

    def _value(self, m: MeasurementLike) -> MeasuredValue:
        return self._values.read(m.measure, m.value, m.unit)

    def _fits(self, m: MeasurementLike) -> bool:
        value = self._value(m)
        unit = value.unit or m.unit
        if self._values.unit_fits(m.measure, unit):
            if not value.parts and self.column(m.measure, "measures", "components"):
                return False  # the code of a panel, and no panel: 120/80/60
            if value.off_profile:
                return False
            counted = value.quantity is not None or value.range is not None
            if counted and not unit and self._values.needs_unit(m.measure):
                self._unknown[UNFIT_UNIT, f"{m.measure} -"] += 1
                return False  # mass or moles? the code would say which
            return not (counted and self.column(m.measure, "measures", "type") == "qualitative")
        if unit and self._codes.unit(unit) is None:
            self._unknown["units", unit] += 1
        else:
            self._unknown[UNFIT_UNIT, f"{m.measure} {unit}"] += 1
        return False

    def _find(self, table: str, value: str | None, on: date | None = None) -> Concept | None:
        if not value:
            return None
        found = self._codes.tables[table].find(value, on)
        if found is None:
            self._unknown[table, str(value)] += 1
        return found


def _codings(table: CodeTable, value: str, concept: Concept | None, fits: bool) -> list[dict[str, Any]]:
    codings: list[dict[str, Any]] = []
    if concept is None and table.closed:
        return codings
    if table.system or concept is None:
        local: dict[str, Any] = {"system": table.system} if table.system else {}
        # As it is written, but for white space of any kind, which some servers refuse in a code.
        local["code"] = concept.code if concept is not None else " ".join(str(value).split())
        if concept is not None:
            local["display"] = concept.display
        codings.append(local)
    if concept is not None and fits:
        codings += map(_target, concept.targets)
    return codings


def _display(concept: Concept | None, value: str) -> str:
    return concept.display if concept is not None and concept.display else str(value)


def _target(target: TargetCode) -> dict[str, Any]:
    coding = {"system": target.system, "code": target.code}
    if target.display:
        coding["display"] = target.display
    return coding


def _copy(value: dict[str, object] | None) -> dict[str, object] | None:
    # remembered values are shared between resources; the engine's output must not be
    return None if value is None else dict(value)

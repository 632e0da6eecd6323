"""What FHIR R4 says of each type: elements, cardinality, choice types, required bindings, targets, rules.

All comes from the table that is made out of HL7's own definitions (`table`). Backbone elements are types of
their own, named by their path: "Observation.component".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from adapter.fhir.definitions import table

__all__ = [
    "Element",
    "Invariant",
    "code_systems",
    "elements",
    "invariants",
    "is_resource_type",
    "required_choices",
    "required_elements",
    "resource_types",
    "source_package",
    "types",
]

_ABSTRACT = frozenset(("Element", "BackboneElement", "Resource", "DomainResource"))
_NONE: Mapping[str, "Element"] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a type, by its JSON name ("valueQuantity").

    `type` is the complex type ("Quantity", "Observation.component", "Resource" for any resource), None
    for a primitive; `primitive` is then its R4 name ("dateTime"), otherwise "". `max` is None for `*`.
    `choice` is the name without the type ("value"). `targets` are the types that a Reference may point
    to, empty for any. `codes` are those of a required binding, None without one or for an open one
    (`binding` is the value set's URL in both); `systems` are the same by code system.
    """

    name: str
    min: int
    max: int | None
    type: str | None
    choice: str | None = None
    primitive: str = ""
    targets: frozenset[str] = frozenset()
    codes: frozenset[str] | None = None
    binding: str | None = None
    systems: Mapping[str, frozenset[str]] | None = None

    @property
    def is_list(self) -> bool:
        """Whether JSON has a list here."""
        return self.max is None or self.max > 1

    @property
    def required(self) -> bool:
        """Whether it must be there; of a choice, whether one of its forms must."""
        return self.min > 0

    @property
    def fhirpath_name(self) -> str:
        """Its name in FHIRPath: a choice goes without its type."""
        return self.choice or self.name


@dataclass(frozen=True, slots=True)
class Invariant:
    """An invariant: its key ("obs-6"), "error" or "warning", HL7's words, and its FHIRPath."""

    key: str
    severity: str
    human: str
    expression: str


def source_package() -> tuple[str, str]:
    """Name and version of HL7's package that the tables were made from."""
    made_from = table.load_table()["package"]
    return made_from["name"], made_from["version"]


@cache
def types() -> frozenset[str]:
    """Every type that is not abstract, backbone elements too."""
    return frozenset(table.load_table()["types"].keys() - _ABSTRACT)


@cache
def resource_types() -> frozenset[str]:
    """The names of all resources."""
    listed = table.load_table()["types"]
    return frozenset(name for name in types() if listed[name]["kind"] == "resource")


def is_resource_type(type_name: str) -> bool:
    """Whether R4 has a resource of that name; a data type such as HumanName is none."""
    return type_name in resource_types()


@cache
def elements(type_name: str) -> Mapping[str, Element]:
    """The elements of a type by their JSON name; empty for a type that does not exist."""
    known = table.load_table()["types"].get(type_name)
    if known is None:
        return _NONE
    found = dict(elements(known["base"]))
    for name, said in known["elements"].items():
        found.update((one.name, one) for one in _read(name, said))
    return MappingProxyType(found)


@cache
def code_systems() -> Mapping[str, frozenset[str]]:
    """R4's own code systems by URI, those of which a required binding has the value set of all codes."""
    home = "http://hl7.org/fhir/"
    found = {}
    for bound in table.load_table()["bindings"].values():
        system = bound["valueSet"].partition("|")[0].replace(f"{home}ValueSet/", home)
        if list(bound["codes"]) == [system]:
            found[system] = frozenset(bound["codes"][system])
    return MappingProxyType(found)


@cache
def required_elements(type_name: str) -> tuple[Element, ...]:
    """The elements that a type cannot be without, those of a choice ([x]) left out."""
    return tuple(item for item in elements(type_name).values() if item.required and item.choice is None)


@cache
def required_choices(type_name: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The choices of which one must be there: (name without the type, names of its forms)."""
    forms: dict[str, list[str]] = {}
    for element in elements(type_name).values():
        if element.choice is not None and element.required:
            forms.setdefault(element.choice, []).append(element.name)
    return tuple((choice, tuple(names)) for choice, names in forms.items())


@cache
def invariants(path: str) -> tuple[Invariant, ...]:
    """The invariants of a type, those of its bases first, or of one element ("Organization.address")."""
    known = table.load_table()["types"].get(path)
    inherited = invariants(known["base"]) if known else ()
    own = table.load_table()["rules"].get(path, {})
    return (
        *(rule for rule in inherited if rule.key not in own),
        *(Invariant(key, *said) for key, said in own.items()),
    )


def _read(name: str, said: str) -> list[Element]:
    """The elements that one line of the table tells of: one, or one for each type of a choice."""
    line, _, value_set = said.partition(" = ")
    cardinality, named = line.split(" ")
    low, _, high = cardinality.partition("..")
    common: dict[str, Any] = {"min": int(low), "max": None if high == "*" else int(high)}
    if value_set:
        common |= _binding(value_set)
    if not name.endswith("[x]"):
        return [Element(name=name, **common, **_type(named))]
    choice = name.removesuffix("[x]")
    return [
        Element(name=choice + _capital(one.partition("(")[0]), choice=choice, **common, **_type(one))
        for one in named.split("|")
    ]


def _capital(type_name: str) -> str:
    type_name = "Quantity" if type_name == "SimpleQuantity" else type_name  # a profile, no type of its own
    return type_name[0].upper() + type_name[1:]


def _type(named: str) -> dict[str, Any]:
    if named.startswith("#"):
        return {"type": named[1:]}
    name, _, targets = named.rstrip(")").partition("(")
    if name[0].islower():
        return {"type": None, "primitive": name}
    return {"type": name, "targets": frozenset(targets.split(",")) if targets else frozenset()}


@cache
def _binding(name: str) -> dict[str, Any]:
    known = table.load_table()["bindings"][name]
    systems = {system: frozenset(codes) for system, codes in known["codes"].items()}
    return {
        "binding": known["valueSet"],
        "codes": frozenset().union(*systems.values()) if systems else None,
        "systems": MappingProxyType(systems) if systems else None,
    }

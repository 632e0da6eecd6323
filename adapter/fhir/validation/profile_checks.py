"""Whether a resource keeps the profiles that it claims, and those that R4 itself binds it to.

An Observation with one of R4's LOINC codes for vital signs keeps the profile of that vital sign, whether it
claims to or not (http://hl7.org/fhir/R4/observation-vitalsigns.html). What `meta.profile` claims is looked at
where the profile is known (`adapter.fhir.definitions.profiles`); one that is not is mentioned to whoever asks
for a check against profiles, and is nothing to the others.
Rules in FHIRPath are those of R4's vital signs; a guide's own are not evaluated. No shape raises here.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from adapter.fhir.definitions import types
from adapter.fhir.definitions.profiles import KnownProfiles, core_profiles
from adapter.fhir.validation.profile_walk import ReadyProfile, ready_profile
from adapter.fhir.validation.walk import LinkedPath, ResourceWalk

__all__ = ["profile_check"]

Json = dict[str, Any]

_SPEC: Final = "http://hl7.org/fhir/StructureDefinition/"
_LOINC: Final = "http://loinc.org"
_VITAL_SIGNS: Final = {
    "85353-1": f"{_SPEC}vitalspanel",
    "9279-1": f"{_SPEC}resprate",
    "8867-4": f"{_SPEC}heartrate",
    "2708-6": f"{_SPEC}oxygensat",
    "8310-5": f"{_SPEC}bodytemp",
    "8302-2": f"{_SPEC}bodyheight",
    "9843-4": f"{_SPEC}headcircum",
    "29463-7": f"{_SPEC}bodyweight",
    "39156-5": f"{_SPEC}bmi",
    "85354-9": f"{_SPEC}bp",
    "8480-6": f"{_SPEC}vitalsigns",
    "8462-4": f"{_SPEC}vitalsigns",
    "8478-0": f"{_SPEC}vitalsigns",
}


def profile_check(
    tables: KnownProfiles | None = None,
) -> Callable[[ResourceWalk, Json, str, LinkedPath], None]:
    """What is called with each resource that was walked; HL7's own profiles where no others are given."""

    ready: dict[str, ReadyProfile | None] = {}  # as many as there are profiles

    def check(walk: ResourceWalk, resource: Json, type_name: str, path: LinkedPath) -> None:
        vital_signs = _implied(resource) if type_name == "Observation" else None
        if vital_signs is None and "meta" not in resource:
            return
        known = core_profiles() if tables is None else tables
        wanted = dict.fromkeys(vital_signs or ())
        for place, canonical in _claimed(resource, path):
            profile = known.find(canonical)
            type_ = _type_of(canonical) if profile is None else profile.type
            if type_ is None and tables is not None:
                walk.add("not-found", "profile", "validation.profile_unknown", place, severity="warning")
            elif type_ is not None and type_ not in (type_name, "Resource", "DomainResource"):
                walk.add("invalid", "profile", "validation.profile_of_other_type", place, type=type_)
            elif profile is not None:
                wanted[canonical] = None
        for canonical in wanted:
            if canonical not in ready:
                ready[canonical] = _ready(known, canonical)
            if (element := ready[canonical]) is not None:
                element.check(walk, resource, path)

    return check


def _implied(resource: Json) -> list[str] | None:
    """The profiles of the vital signs that the code of an Observation names; None for none."""
    code = resource.get("code")
    codings = code.get("coding") if type(code) is dict else None
    if type(codings) is not list:
        return None
    found = None
    for coding in codings:
        named = coding.get("code") if type(coding) is dict else None
        if type(named) is str and named in _VITAL_SIGNS and coding.get("system") == _LOINC:
            found = [*(found or ()), _VITAL_SIGNS[named]]
    return found


def _claimed(resource: Json, path: LinkedPath) -> Iterator[tuple[LinkedPath, str]]:
    meta = resource.get("meta")
    listed = meta.get("profile") if type(meta) is dict else None
    for index, canonical in enumerate(listed if type(listed) is list else ()):
        if type(canonical) is str:
            yield (((path, "meta"), "profile"), index), canonical


def _ready(known: KnownProfiles, canonical: str) -> ReadyProfile | None:
    profile = known.find(canonical)
    return None if profile is None else ready_profile(profile)


def _type_of(canonical: str) -> str | None:
    """The type that stands as its own profile: `http://hl7.org/fhir/StructureDefinition/Patient`."""
    name = canonical.partition("|")[0].removeprefix(_SPEC)
    return name if types.elements(name) else None

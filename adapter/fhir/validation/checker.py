"""One checker for what leaves and what comes in: `check_resource` a resource, `check_bundle` a Bundle.

The walk over R4's own definitions decides. The R4B models of `fhir.resources` are the second opinion
(`adapter.fhir.validation.second_opinion`), asked of what comes in where the walk found no error.
"""

from typing import Any

from adapter.bounded_cache import BoundedCache
from adapter.fhir.codec import SerialisedElements, is_worth_caching
from adapter.fhir.definitions import types
from adapter.fhir.definitions.profiles import KnownProfiles
from adapter.fhir.operation_outcome import Issue
from adapter.fhir.validation.profile_checks import profile_check
from adapter.fhir.validation.type_shapes import type_shape
from adapter.fhir.validation.walk import MAX_ISSUES, ResourceWalk, TooDeepError, error_issue

__all__ = ["MAX_ISSUES", "check_bundle", "check_resource"]

_REMEMBERED = 10_000  # elements
# (type, name, bytes) of elements in which nothing was wrong: nothing of another element changes that,
# but for the extensions in `_name` and what points into the resource itself.
_right: BoundedCache[tuple[str, str, bytes], bool] = BoundedCache(_REMEMBERED)
_core = profile_check()


def check_resource(
    resource: object,
    *,
    second_opinion: bool = True,
    parts: SerialisedElements | None = None,
    profiles: KnownProfiles | None = None,
) -> list[Issue]:
    """The issues of one resource of any shape; [] when nothing is wrong. Warnings refuse nothing.
    Never raises.

    `expression` is FHIRPath from the resource's own type: `Observation.component[0].value`. What is in
    a Bundle's entries is checked too, at `Bundle.entry[2].resource.status`. Without `second_opinion`
    it takes a fraction of the time; for what our own mappings made. With `parts`, the resource's elements
    as bytes, those that came before and were right are not looked at again. With `profiles`, those of a guide
    beside HL7's own, a claim to one that is not among them is warned of.
    """
    if not isinstance(resource, dict):
        return [error_issue("structure", "validation.not_object")]
    type_name = resource.get("resourceType")
    if not isinstance(type_name, str) or not types.is_resource_type(type_name):
        return [error_issue("structure", "validation.no_type")]
    try:
        issues = _walk(resource, type_name, parts, profiles)
    except TooDeepError:
        return [error_issue("too-long", "validation.too_deep", type_name)]
    if second_opinion and not any(issue.is_error for issue in issues):
        from adapter.fhir.validation.second_opinion import second_opinion as opinion

        issues += opinion(resource, type_name)
    return _unique(issues) if len(issues) > 1 else issues


def _walk(
    resource: dict[str, Any],
    type_name: str,
    parts: SerialisedElements | None,
    profiles: KnownProfiles | None,
) -> list[Issue]:
    walk = ResourceWalk(type_shape, _core if profiles is None else profile_check(profiles))
    if parts is None or any(name.startswith("_") for name in resource):
        return walk.run(resource)
    new = {name: item for name, item in resource.items() if (type_name, name, parts[name]) not in _right}
    issues = walk.run(resource, new)
    if not issues and not walk.has_internal_references:
        for name, item in new.items():
            if is_worth_caching(name, item):
                _right.put((type_name, name, parts[name]), True)
    return issues


def check_bundle(bundle: object) -> list[Issue]:
    """The issues of a Bundle and of every resource in it: `Bundle.entry[2].resource.status`. Never raises."""
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        return [error_issue("structure", "validation.not_bundle")]
    return check_resource(bundle)


def _unique(issues: list[Issue]) -> list[Issue]:
    """One issue for each rule and element, the first."""
    by_place: dict[tuple[str | None, str | None], Issue] = {}
    for issue in issues:
        by_place.setdefault((issue.expression, issue.rule), issue)
    return list(by_place.values())

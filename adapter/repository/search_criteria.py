"""What a search asks for, parsed from one parameter (http://hl7.org/fhir/R4/search.html). Pure."""

import re
from collections.abc import Callable, Sequence
from typing import Final, Literal

from adapter.errors import FhirError
from adapter.fhir.definitions.search_parameters import SearchParameter, search_parameters_of
from adapter.repository.interaction_errors import interaction_error
from adapter.repository.resource_types import ID_PATTERN, RESOURCE_TYPES
from adapter.repository.search_extraction import folded, index_value, modified_name, relative_reference
from adapter.repository.search_matches import (
    ChainMatch,
    Criterion,
    HasMatch,
    IdMatch,
    Match,
    MissingMatch,
    PairMatch,
    ReferenceMatch,
    TextMatch,
    TokenCriterion,
    UpdatedMatch,
    UriMatch,
)
from adapter.repository.search_values import RangeMatch, date_match, instant_match, number_match

__all__ = ["parse_criterion", "parse_token", "split_escaped", "unescape"]

_HAS: Final = "_has:"


def split_escaped(value: str, separator: str) -> list[str]:
    r"""Split at `separator` except where `\` stands before it; escapes stay in the parts."""
    parts, begin, place = [], 0, 0
    while place < len(value):
        if value[place] == "\\":
            place += 1
        elif value[place] == separator:
            parts.append(value[begin:place])
            begin = place + 1
        place += 1
    return [*parts, value[begin:]]


def unescape(value: str) -> str:
    r"""Undo `\,` `\|` `\$` `\\` (http://hl7.org/fhir/R4/search.html#escaping)."""
    return re.sub(r"\\([\\,|$])", r"\1", value)


def parse_token(item: str, where: str) -> TokenCriterion:
    """`[system|]value`. Raises FhirError 400 for neither."""
    parts = split_escaped(item, "|")
    if len(parts) == 1:
        return TokenCriterion(None, unescape(item))
    # A value may hold a raw `|`; only the first one separates.
    system, value = unescape(parts[0]), unescape("|".join(parts[1:]))
    if not system and not value:
        raise interaction_error(400, "invalid", "bad_token", where)
    return TokenCriterion(system, value or None)


def parse_criterion(
    resource_type: str, name: str, value: str, where: str, base: str | None, *, is_inner: bool = False
) -> Criterion | None:
    """What one parameter asks of `resource_type`; None when R4 has no parameter of that name for it.

    `is_inner`: it stands in a chain already, which has one hop. Raises FhirError 400 at `where`.
    """
    if name.startswith(_HAS):
        return None if is_inner else _has(name, value, where, base)
    head, dot, inner = name.partition(".")
    plain, _, modifier = head.partition(":")
    if plain in ("_id", "_lastUpdated") and not dot:
        return _of_every_resource(plain, modifier, value, where)
    parameter = search_parameters_of(resource_type).get(plain)
    if parameter is None:
        return None
    if dot:
        return None if is_inner else _chain(parameter, (modifier, inner), value, where, base)
    if modifier == "missing":
        return _missing(parameter, value, where)
    values = [item for item in split_escaped(value, ",") if item]
    if not values:
        raise interaction_error(400, "invalid", "empty_parameter", where, name=name)
    return _PARSERS[parameter.kind](parameter, modifier, values, where, base)


def _names(parameter: SearchParameter, modifier: str = "") -> tuple[str, ...]:
    listed = (source.name for source in parameter.sources)
    return tuple(modified_name(name, modifier) if modifier else name for name in listed)


def _bad_modifier(parameter: SearchParameter | None, modifier: str, where: str) -> FhirError:
    name = parameter.code if parameter else ""
    return interaction_error(400, "not-supported", "bad_modifier", where, name=name, modifier=modifier)


def _of_every_resource(name: str, modifier: str, value: str, where: str) -> Criterion:
    if modifier not in ("", "not" if name == "_id" else ""):
        raise interaction_error(400, "not-supported", "bad_modifier", where, name=name, modifier=modifier)
    items = [unescape(item) for item in split_escaped(value, ",") if item]
    if not items:
        raise interaction_error(400, "invalid", "empty_parameter", where, name=name)
    if name == "_id":
        return Criterion((), tuple(IdMatch(item) for item in items), is_negated=modifier == "not")
    found = [instant_match(item) for item in items]
    if None in found:
        raise interaction_error(400, "invalid", "bad_date", where)
    return Criterion((), tuple(UpdatedMatch(one) for one in found if one))


def _missing(parameter: SearchParameter, value: str, where: str) -> Criterion:
    if value not in ("true", "false") or not parameter.sources:
        raise interaction_error(400, "invalid", "bad_missing", where)
    is_narrowed = parameter.kind == "reference" and len(parameter.targets) == 1
    match = MissingMatch(parameter.targets if is_narrowed else ())
    return Criterion(_names(parameter), (match,), is_negated=value == "false")


# Chains


def _chain(
    parameter: SearchParameter, steps: tuple[str, str], value: str, where: str, base: str | None
) -> Criterion | None:
    """`steps`: the type that is meant ("" for any), and what is asked of it."""
    target, inner = steps
    if parameter.kind != "reference" or (target and target not in RESOURCE_TYPES):
        return None
    targets = (target,) if target else parameter.targets
    found = []
    for kind in targets:
        criterion = parse_criterion(kind, inner, value, where, base, is_inner=True)
        if criterion is not None:
            found.append(ChainMatch(kind, criterion))
    return Criterion(_names(parameter), tuple(found)) if found else None


def _has(name: str, value: str, where: str, base: str | None) -> Criterion | None:
    """`_has:Observation:patient:code=…`: whether an Observation refers here by patient, and has the code."""
    parts = name.split(":", 3)
    if len(parts) != 4 or parts[1] not in RESOURCE_TYPES:
        return None
    _, kind, link, inner = parts
    parameter = search_parameters_of(kind).get(link)
    if parameter is None or parameter.kind != "reference":
        return None
    criterion = parse_criterion(kind, inner, value, where, base, is_inner=True)
    return criterion and Criterion((), (HasMatch(kind, _names(parameter), criterion),))


# By type of parameter


def _tokens(
    parameter: SearchParameter, modifier: str, values: Sequence[str], where: str, _: str | None
) -> Criterion:
    if modifier == "of-type":
        return Criterion(_names(parameter, modifier), tuple(_of_type(item, where) for item in values))
    if modifier not in ("", "not"):
        raise _bad_modifier(parameter, modifier, where)
    found = (_implied(parameter, parse_token(item, where)) for item in values)
    return Criterion(_names(parameter), tuple(found), is_negated=modifier == "not")


def _implied(parameter: SearchParameter, token: TokenCriterion) -> TokenCriterion:
    """The token as it is stored: a `code` has no system in JSON, but a value set that says which it is; and
    of a phone number, `phone` is the system.
    """
    if parameter.system is not None:
        return TokenCriterion(parameter.system, token.value)
    systems = {
        one for source in parameter.sources for path in source.paths for one in path.element.systems or ()
    }
    is_code = all(path.element.type is None for source in parameter.sources for path in source.paths)
    return TokenCriterion(None, token.value) if is_code and token.system in systems else token


def _of_type(item: str, where: str) -> TokenCriterion:
    parts = split_escaped(item, "|")
    if len(parts) != 3 or not parts[1] or not parts[2]:
        raise interaction_error(400, "invalid", "bad_of_type", where)
    system, code, value = map(unescape, parts)
    return TokenCriterion(f"{system}|{code}", value)


def _strings(
    parameter: SearchParameter, modifier: str, values: Sequence[str], where: str, _: str | None
) -> Criterion:
    if modifier not in ("", "exact", "contains"):
        raise _bad_modifier(parameter, modifier, where)
    found = []
    for item in values:
        text = unescape(item)
        how: Literal["begins", "contains", "exact"] = (
            "exact" if modifier == "exact" else "contains" if modifier else "begins"
        )
        found.append(TextMatch(folded(text), how, index_value(text) if how == "exact" else ""))
    return Criterion(_names(parameter), tuple(found))


def _uris(
    parameter: SearchParameter, modifier: str, values: Sequence[str], where: str, _: str | None
) -> Criterion:
    if modifier not in ("", "below", "above"):
        raise _bad_modifier(parameter, modifier, where)
    how: Literal["exact", "below", "above"] = (
        "below" if modifier == "below" else "above" if modifier else "exact"
    )
    return Criterion(_names(parameter), tuple(UriMatch(unescape(item), how) for item in values))


def _references(
    parameter: SearchParameter, modifier: str, values: Sequence[str], where: str, base: str | None
) -> Criterion:
    if modifier == "identifier":
        return Criterion(_names(parameter, modifier), tuple(parse_token(item, where) for item in values))
    if modifier and (
        modifier not in RESOURCE_TYPES or (parameter.targets and modifier not in parameter.targets)
    ):
        raise _bad_modifier(parameter, modifier, where)
    targets = (modifier,) if modifier else parameter.targets or tuple(sorted(RESOURCE_TYPES))
    as_written = values if _is_canonical(parameter) else ()  # any text may be one
    found = (
        form
        for form in (
            *(form for item in values for form in _reference_forms(unescape(item), targets, base)),
            *map(unescape, as_written),
        )
        if form.partition("/")[0] in targets or form.partition("/")[0] not in RESOURCE_TYPES
    )
    return Criterion(_names(parameter), tuple(map(ReferenceMatch, dict.fromkeys(found))))


def _is_canonical(parameter: SearchParameter) -> bool:
    paths = (path for source in parameter.sources for path in source.paths)
    return any(path.element.primitive == "canonical" for path in paths)


def _reference_forms(value: str, targets: Sequence[str], base: str | None) -> list[str]:
    if ID_PATTERN.fullmatch(value):
        return [f"{target}/{value}" for target in targets]
    return [relative_reference(value, base)]


def _date(item: str, where: str) -> RangeMatch:
    if (found := date_match(item)) is None:
        raise interaction_error(400, "invalid", "bad_date", where)
    return found


def _dates(
    parameter: SearchParameter, modifier: str, values: Sequence[str], where: str, _: str | None
) -> Criterion:
    if modifier:
        raise _bad_modifier(parameter, modifier, where)
    return Criterion(_names(parameter), tuple(_date(item, where) for item in values))


def _numbers(
    parameter: SearchParameter, modifier: str, values: Sequence[str], where: str, _: str | None
) -> Criterion:
    if modifier:
        raise _bad_modifier(parameter, modifier, where)
    return Criterion(_names(parameter), tuple(_quantity(item, where) for item in values))


def _quantity(item: str, where: str) -> RangeMatch:
    """`[prefix]number[|system|code]`; without a system, the code may be the unit as it is shown."""
    number, *unit = map(unescape, split_escaped(item, "|"))
    if len(unit) not in (0, 2):
        raise interaction_error(400, "invalid", "bad_quantity", where)
    system, code = unit or ("", "")
    found = number_match(
        number, system=index_value(system) if system else None, unit=index_value(code) if code else None
    )
    if found is None:
        raise interaction_error(400, "invalid", "bad_quantity", where)
    return found


def _composites(
    parameter: SearchParameter, modifier: str, values: Sequence[str], where: str, base: str | None
) -> Criterion:
    if modifier:
        raise _bad_modifier(parameter, modifier, where)
    found: list[Match] = []
    for item in values:
        parts = split_escaped(item, "$")
        if len(parts) != 2 or not all(parts):
            raise interaction_error(400, "invalid", "bad_composite", where)
        first, second = (
            _PARSERS[component.kind](component, "", [part], where, base)
            for component, part in zip(parameter.components, parts, strict=True)
        )
        if parameter.of_resource:
            found.append(PairMatch(first, second))
        if parameter.sources:
            key = unescape(parts[0])
            found += (_beside(key, match, unescape(parts[1])) for match in second.matches)
    return Criterion(_names(parameter), tuple(found))


def _beside(key: str, match: Match, written: str) -> Match:
    if isinstance(match, RangeMatch):
        return RangeMatch(match.alternatives, match.system, match.unit, index_value(key))
    second = match.reference if isinstance(match, ReferenceMatch) else written
    return ReferenceMatch(f"{key}${second}")


_Parser = Callable[[SearchParameter, str, Sequence[str], str, str | None], Criterion]
_PARSERS: Final[dict[str, _Parser]] = {
    "token": _tokens,
    "string": _strings,
    "uri": _uris,
    "reference": _references,
    "date": _dates,
    "number": _numbers,
    "quantity": _numbers,
    "composite": _composites,
}

"""500 mutants that the official engine refuses are refused, 200 odd ones that it takes are taken."""

import re
from collections import Counter
from functools import cache
from typing import Any

from conformance.export import fixtures
from conformance.mutants import BREAKING, ODD, mutants
from conformance.test_examples import IN_USE, KNOWN_BAD, chosen
from conformance.validators import hapi, resolved

from adapter.fhir import codec
from adapter.fhir.validation.checker import check_resource

MUTANTS, ODD_ONES = 500, 300
_LARGEST = 12_000  # bytes of an example
# What the engine calls an error and the checker only warns of, since real senders do it: codes that are not
# in HL7's own code systems or not in UCUM, HL7's extensions with a value of another type, language tags,
# relative systems and canonicals (many of HL7's examples have those), profiles that are not known.
WARNED = re.compile(
    r"Unknown code|Error processing unit|Extension_EXT_Type|ValueSet/languages"
    r"|System_Relative|CANONICAL_ABSOLUTE|Profile_Unknown"
)
Json = dict[str, Any]


@cache
def sources() -> tuple[Json, ...]:
    """Examples of HL7's and what leaves here, that the engine takes."""
    files = [
        path for path in chosen() if path.name.partition("-")[0] in IN_USE and path.name not in KNOWN_BAD
    ]
    lines = [path.read_bytes() for path in files]
    made = [codec.loads(line) for line in [*map(resolved, fixtures()), *lines] if len(line) < _LARGEST]
    taken = hapi([codec.dumps(one) for one in made])
    return tuple(one for one, errors in zip(made, taken, strict=True) if not errors)


def refuses(resource: Json) -> bool:
    return any(issue.is_error for issue in check_resource(resource))


def test_sources_are_taken() -> None:
    assert len(sources()) > 400
    assert [one["resourceType"] for one in sources() if refuses(one)] == []


def test_broken_mutants_are_refused(figures: list[str]) -> None:
    made = list(mutants(sources(), BREAKING, 2 * MUTANTS, "broken"))
    errors = hapi([codec.dumps(mutant) for _, _, mutant in made])
    broken = [
        (name, mutant, found)
        for (name, _, mutant), found in zip(made, errors, strict=True)
        if any(WARNED.search(one) is None for one in found)
    ][:MUTANTS]
    assert len(broken) == MUTANTS
    assert len({name for name, _, _ in broken}) > 50
    missed = [(name, found) for name, mutant, found in broken if not refuses(mutant)]
    figures.append(f"mutants that HAPI refuses, refused by the checker: {MUTANTS - len(missed)} of {MUTANTS}")
    assert len(missed) <= MUTANTS // 20, Counter(name for name, _ in missed)
    for name, found in missed[:30]:
        figures.append(f"  missed: {name}: {found[0][:150]}")


def test_odd_mutants_are_taken(figures: list[str]) -> None:
    made = list(mutants(sources(), ODD, 2 * ODD_ONES, "odd"))
    errors = hapi([codec.dumps(mutant) for _, _, mutant in made])
    odd = [(name, one) for (name, _, one), found in zip(made, errors, strict=True) if not found][:ODD_ONES]
    assert len(odd) == ODD_ONES
    assert len({name for name, _ in odd}) > 18
    refused = [name for name, mutant in odd if refuses(mutant)]
    figures.append(
        f"odd mutants that HAPI takes, taken by the checker: {ODD_ONES - len(refused)} of {ODD_ONES}"
    )
    assert refused == []

"""Every line of the table of broken resources is refused, with the expression that the table says."""

from collections import Counter

import pytest
from conformance.bases import BASES, Json
from conformance.broken import BROKEN, Broken
from conformance.validators import hapi, is_refused_by_models, medplum

from adapter.fhir import codec
from adapter.fhir.validation.checker import check_resource

# An element with an `id` alone has no content: ele-1 counts the children that are not `id`. Neither of the
# other validators evaluates ele-1 there, so this line stands on the specification's expression alone:
# hasValue() or (children().count() > id.count()).
ONLY_BY_THE_SPECIFICATION = {"ele-1: Patient maritalStatus"}
# A checker may say more precisely where: the contained resource, the entry, the reference's own text.
MORE_PRECISE = {"dom": ".contained[0]", "bdl": ".entry[0]", "reference": ".reference"}


def accepted(broken: Broken) -> set[str]:
    more = MORE_PRECISE.get(broken.rule.partition("-")[0])
    return {broken.expression} | ({broken.expression + more} if more else set())


def lines(resources: list[Json]) -> list[bytes]:
    return [codec.dumps(resource) for resource in resources]


@pytest.mark.parametrize("name", BASES)
def test_a_base_is_valid(name: str) -> None:
    assert [issue for issue in check_resource(BASES[name]) if issue.is_error] == []


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_it_is_refused_where_it_is_broken(broken: Broken) -> None:
    found = {issue.expression for issue in check_resource(broken.resource) if issue.is_error}
    assert found & accepted(broken), f"{broken.expression} is not among {found}"


def test_the_table_is_large_and_its_lines_differ() -> None:
    assert len(BROKEN) >= 250
    assert len({broken.name for broken in BROKEN}) == len(BROKEN)
    assert len({codec.dumps(broken.resource) for broken in BROKEN}) == len(BROKEN)
    assert len({broken.rule for broken in BROKEN}) >= 70


def test_other_validators_confirm_the_table(figures: list[str]) -> None:
    resources = [broken.resource for broken in BROKEN]
    assert not any(hapi(lines(list(BASES.values()))))
    assert not any(medplum(lines(list(BASES.values()))))
    by_hapi, by_medplum = hapi(lines(resources)), medplum(lines(resources))
    confirmed = [bool(first or second) for first, second in zip(by_hapi, by_medplum, strict=True)]
    alone = {broken.name for broken, known in zip(BROKEN, confirmed, strict=True) if not known}
    assert {name.partition(" ")[2] for name in alone} == ONLY_BY_THE_SPECIFICATION
    by_key = Counter(
        broken.rule in " ".join(found)
        for broken, found in zip(BROKEN, by_hapi, strict=True)
        if "-" in broken.rule
    )
    assert by_key[True] >= 80  # it names the same invariant; dom-3, ele-1 and ref-1 have words of their own
    ours = sum(
        any(issue.is_error for issue in check_resource(one, second_opinion=False)) for one in resources
    )
    figures.append(
        f"broken resources refused, of {len(BROKEN)}: checker {ours}, HAPI {sum(map(bool, by_hapi))}, "
        f"medplum {sum(map(bool, by_medplum))}, fhir.resources {sum(map(is_refused_by_models, resources))}"
    )

"""Differences between two versions of a resource, element by element."""

from typing import Any

import pytest

from adapter.fhir.codec import loads
from adapter.fhir.difference import Difference, differences, without_positions


def lines(before: str | None, after: str | None) -> list[tuple[str, str | None, str | None]]:
    parsed: list[Any] = [loads(one) if one else None for one in (before, after)]
    return [(one.path, one.before, one.after) for one in differences(*parsed)]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (
            '{"resourceType":"Observation","code":{"coding":[{"code":"a"},{"code":"b"}]}}',
            '{"resourceType":"Observation","code":{"coding":[{"code":"a"},{"code":"c"}]}}',
            [("Observation.code.coding[1].code", "b", "c")],
        ),
        (  # digits count, and so does what JSON calls a value
            '{"resourceType":"X","a":5.3,"b":true,"c":1}',
            '{"resourceType":"X","a":5.30,"b":1,"c":1}',
            [("X.a", "5.3", "5.30"), ("X.b", "true", "1")],
        ),
        (  # what is put in between moves nothing else
            '{"resourceType":"X","a":["one","two","three"]}',
            '{"resourceType":"X","a":["one","new","two","three"]}',
            [("X.a[1]", None, "new")],
        ),
        (
            '{"resourceType":"X","a":[{"b":1},{"b":2},{"b":3}]}',
            '{"resourceType":"X","a":[{"b":1},{"b":4}]}',
            [("X.a[1].b", "2", "4"), ("X.a[2].b", "3", None)],
        ),
        (
            '{"resourceType":"X","a":{"b":{"c":1}}}',
            '{"resourceType":"X","a":{"d":"e"}}',
            [("X.a.b.c", "1", None), ("X.a.d", None, "e")],
        ),
        (None, '{"resourceType":"X","a":["b"]}', [("X.resourceType", None, "X"), ("X.a[0]", None, "b")]),
        ('{"resourceType":"X"}', None, [("X.resourceType", "X", None)]),
        ('{"resourceType":"X","a":[1,2]}', '{"resourceType":"X","a":[1,2]}', []),
    ],
)
def test_each_value_that_differs_is_a_line(before: str | None, after: str | None, found: list[Any]) -> None:
    assert lines(before, after) == found


def test_an_element_has_one_name_whatever_its_position() -> None:
    assert without_positions("X.a[12].b[0]") == "X.a.b"
    assert Difference("X.a", None, "b") == Difference("X.a", None, "b")

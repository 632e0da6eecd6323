"""Removing test resources: those of this run, and what an earlier one had to leave behind.

Only what carries an identifier of the test resources' own system is deleted, whatever a search gives.
"""

from collections.abc import Iterable, Sequence

from adapter.delivery.doctor.evaluation import succeeded
from adapter.delivery.doctor.session import (
    TEST_TAG,
    TEST_TYPES,
    Inconclusive,
    ProbeSession,
    bundle_entry,
    identifier_query,
    is_test_resource,
)
from adapter.delivery.http.client import HttpResponse

__all__ = ["remove_created", "remove_leftovers"]

_TRIES = 3
_PAUSE = 0.5  # seconds
_A_BUNDLE = 20
_GONE = (404, 410)


def remove_leftovers(bench: ProbeSession) -> int:
    """Remove what earlier examinations left, found by tag and by the identifiers' system. How many."""
    there = _left_before(bench)
    _delete(bench, there)
    return len(there)


def remove_created(bench: ProbeSession) -> list[str]:
    """Remove all that this examination made; what is still there, as "Patient/1"."""
    there = list(bench.ids)
    for _ in range(_TRIES):
        _delete(bench, there)
        there = _still_there(bench)
        if not there:
            return []
        bench.sleep(_PAUSE + bench.search_lag)
    return there


def _left_before(bench: ProbeSession) -> list[str]:
    found: dict[str, None] = {}
    tag = identifier_query(bench.system, TEST_TAG).replace("identifier=", "_tag=", 1)
    for kind in TEST_TYPES:
        for condition in (tag, identifier_query(bench.system, "")):
            found |= dict.fromkeys(_ours(bench, f"{kind}?{condition}&_count=50", kind))
    return list(found)


def _ours(bench: ProbeSession, url: str, kind: str) -> list[str]:
    """The test resources that a search gives; none where it cannot be asked so. It ends where the server
    shows anything else, as that one does not look at the condition.
    """
    found: list[str] = []
    for page in bench.client.pages(url, max_pages=20):
        if not isinstance(page, HttpResponse) or not isinstance(page.body, list):
            break
        ours = [
            one
            for one in page.body
            if is_test_resource(one, bench.system) and one.get("resourceType") == kind
        ]
        found += [f"{kind}/{one.get('id')}" for one in ours]
        if len(ours) < len(page.body):
            break
    return found


def _still_there(bench: ProbeSession) -> list[str]:
    if bench.search_lag:
        bench.sleep(bench.search_lag)
    found = [place for place in bench.ids if not bench.search_trusted and _is_there(bench, place)]
    for values in bench.identifier_chunks():
        for kind in TEST_TYPES:
            listed = _ours(bench, f"{kind}?{bench.query(*values)}", kind)
            found += [place for place in listed if place not in found and _is_there(bench, place)]
    return found


def _is_there(bench: ProbeSession, place: str) -> bool:
    """Whether it can be read: a search may be late."""
    try:
        return _patiently(bench, "GET", place).status not in _GONE
    except Inconclusive:
        return True


def _delete(bench: ProbeSession, places: Iterable[str]) -> None:
    """Delete these, what refers to something first; in Bundles where they are taken."""
    ordered = sorted(dict.fromkeys(places), key=lambda place: TEST_TYPES.index(place.split("/")[0]))
    for start in range(0, len(ordered), _A_BUNDLE):
        part = ordered[start : start + _A_BUNDLE]
        if bench.bundle_type is None or not _deleted_together(bench, part):
            for place in part:
                try:
                    _patiently(bench, "DELETE", place)
                except Inconclusive:
                    continue  # it is looked for afterwards


def _deleted_together(bench: ProbeSession, places: Sequence[str]) -> bool:
    if bench.bundle_type is None:
        return False
    try:
        answer = bench.bundle(bench.bundle_type, [bundle_entry("DELETE", place) for place in places])
    except Inconclusive:
        return False
    return succeeded(answer.status)


def _patiently(bench: ProbeSession, method: str, place: str) -> HttpResponse:
    for left in reversed(range(_TRIES)):
        try:
            return bench.request(method, place)
        except Inconclusive:
            if not left:
                raise
            bench.sleep(_PAUSE)
    raise Inconclusive("busy")

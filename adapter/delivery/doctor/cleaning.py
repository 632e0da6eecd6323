"""Removing test resources: those of this run, and what an earlier one had to leave behind.

Only what carries an identifier of the test resources' own system is deleted, whatever a search gives.
"""

from collections.abc import Iterable, Sequence

from adapter.delivery.client import Answer
from adapter.delivery.doctor.bench import TAG, TYPES, Bench, Unclear, entry, is_ours, query
from adapter.delivery.doctor.judge import succeeded

__all__ = ["clean", "sweep"]

_TRIES = 3
_PAUSE = 0.5  # seconds
_A_BUNDLE = 20
_GONE = (404, 410)


def sweep(bench: Bench) -> int:
    """Remove what earlier examinations left, found by tag and by the identifiers' system. How many."""
    there = _left_before(bench)
    _delete(bench, there)
    return len(there)


def clean(bench: Bench) -> list[str]:
    """Remove all that this examination made; what is still there, as "Patient/1"."""
    there = list(bench.ids)
    for _ in range(_TRIES):
        _delete(bench, there)
        there = _still_there(bench)
        if not there:
            return []
        bench.sleep(_PAUSE + bench.lag)
    return there


def _left_before(bench: Bench) -> list[str]:
    found: dict[str, None] = {}
    tag = query(bench.system, TAG).replace("identifier=", "_tag=", 1)
    for kind in TYPES:
        for condition in (tag, query(bench.system, "")):
            found |= dict.fromkeys(_ours(bench, f"{kind}?{condition}&_count=50", kind))
    return list(found)


def _ours(bench: Bench, url: str, kind: str) -> list[str]:
    """The test resources that a search gives; none where it cannot be asked so. It ends where the server
    shows anything else, as that one does not look at the condition.
    """
    found: list[str] = []
    for page in bench.client.pages(url, max_pages=20):
        if not isinstance(page, Answer) or not isinstance(page.body, list):
            break
        ours = [one for one in page.body if is_ours(one, bench.system) and one.get("resourceType") == kind]
        found += [f"{kind}/{one.get('id')}" for one in ours]
        if len(ours) < len(page.body):
            break
    return found


def _still_there(bench: Bench) -> list[str]:
    if bench.lag:
        bench.sleep(bench.lag)
    found = [place for place in bench.ids if not bench.trusted and _is_there(bench, place)]
    for values in bench.chunks():
        for kind in TYPES:
            listed = _ours(bench, f"{kind}?{bench.query(*values)}", kind)
            found += [place for place in listed if place not in found and _is_there(bench, place)]
    return found


def _is_there(bench: Bench, place: str) -> bool:
    """Whether it can be read: a search may be late."""
    try:
        return _patiently(bench, "GET", place).status not in _GONE
    except Unclear:
        return True


def _delete(bench: Bench, places: Iterable[str]) -> None:
    """Delete these, what refers to something first; in Bundles where they are taken."""
    ordered = sorted(dict.fromkeys(places), key=lambda place: TYPES.index(place.split("/")[0]))
    for start in range(0, len(ordered), _A_BUNDLE):
        part = ordered[start : start + _A_BUNDLE]
        if bench.container is None or not _deleted_together(bench, part):
            for place in part:
                try:
                    _patiently(bench, "DELETE", place)
                except Unclear:
                    continue  # it is looked for afterwards


def _deleted_together(bench: Bench, places: Sequence[str]) -> bool:
    if bench.container is None:
        return False
    try:
        answer = bench.bundle(bench.container, [entry("DELETE", place) for place in places])
    except Unclear:
        return False
    return succeeded(answer.status)


def _patiently(bench: Bench, method: str, place: str) -> Answer:
    for left in reversed(range(_TRIES)):
        try:
            return bench.ask(method, place)
        except Unclear:
            if not left:
                raise
            bench.sleep(_PAUSE)
    raise Unclear("busy")

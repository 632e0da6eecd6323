"""All checks of the demo in one list: hospitals against workbook, report against workbook, files."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from adapter.demo.checks import Check, find_in_files, find_in_resources, same_counts
from adapter.demo.expected import Expected
from adapter.demo.hospital import HospitalView
from adapter.texts import say

__all__ = ["figures_of", "inspect"]


def inspect(
    folder: Path,
    views: Sequence[HospitalView],
    expected: Expected,
    report: Mapping[str, Any],
    *,
    system: str,
    workbook: Path,
) -> Iterator[Check]:
    """Check everything that can be seen from outside."""
    yield same_counts(say("demo.check_report"), expected.figures, figures_of(report))
    for view in views:
        held = find_in_resources(view, system, expected.hidden)
        name = view.name
        yield same_counts(say("demo.check_counts", hospital=name), expected.types[name], held.counts)
        yield _none(say("demo.check_duplicates", hospital=name), held.strays)
        yield _none(say("demo.check_references", hospital=name), held.dangling)
        yield _none(say("demo.check_hidden", hospital=name), held.telling)
    found = find_in_files(folder, expected.secret, leave_out=[workbook])
    title = say("demo.check_secret", texts=len(expected.secret))
    yield Check(title, not found and bool(expected.secret), ", ".join(found) or "0")


def figures_of(report: Mapping[str, Any]) -> dict[str, int]:
    """The figures that the workbook can be held against, out of `adapter report --json`."""
    return {
        "managed": report["managed_total"],
        "abnormal": report["abnormal"],
        "worked_up": report["worked_up"],
        "treated": report["treated"],
        "home_visits": report["home_visits"],
        "trips": report["trips"],
    }


def _none(title: str, count: int) -> Check:
    return Check(title, count == 0, str(count))

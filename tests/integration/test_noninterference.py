"""What is withheld cannot be told from what leaves: centres that differ only in withheld facts give the same
bytes to every hospital, and the same logs, problems, metrics and exit codes.

`make noninterference PAIRS=20000` tries as many; each is a seed, which a failure names.
"""

import csv
import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from withheld_worlds import HOSPITALS, MUTATIONS, Rows, pair

from adapter.database import open_database
from adapter.insights.problems import current_problems
from adapter.operations.import_records import ImportRecords
from adapter.operations.operation import OperationContext
from adapter.pipeline.application import Adapter
from adapter.pipeline.mappings.activation import choose_mapping, record_choice
from adapter.pipeline.outbound.planning import update_ledger, write_bundles
from adapter.settings import HospitalSettings, Settings
from adapter.telemetry import configure_logging

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
PAIRS = int(os.environ.get("ADAPTER_PAIRS", "80"))
GROUPS = 8  # tests that share the pairs, for as many processes
# Where two centres that differ in withheld facts may differ all the same, and why nobody outside sees it.
MAY_DIFFER = {
    "the records, and what an import says of them to who starts it": "they are the centre's own",
    "the order in which people go": "it is that in which anything of them was recorded, withheld or not",
    "the ledger's count of what policy withholds, and the audit": "read by the centre alone",
}


@dataclass(frozen=True)
class Seen:
    """What anybody but the centre's own staff can see."""

    sent: dict[str, list[bytes]]
    log: str
    problems: list[tuple[str, str, int]]
    metrics: dict[str, float]
    exit_code: int


def _make_folder(folder: Path, empty: Path) -> None:
    """Where a centre begins that has seen nothing."""
    folder.mkdir()
    (folder / "identity.key").write_text("0123456789abcdef0123456789abcdef")
    shutil.copy(empty, folder / "adapter.db")


@contextmanager
def _centre(folder: Path) -> Iterator[Adapter]:
    engine = open_database(f"sqlite:///{folder / 'adapter.db'}")
    hospitals = {
        name: HospitalSettings(name=name, display=name, level=level, base_url="http://hospital.test/fhir")
        for name, level in HOSPITALS.items()
    }
    settings = Settings(
        identity_key=f"file:{folder / 'identity.key'}",
        database_url=f"sqlite:///{folder / 'adapter.db'}",
        hospitals=hospitals,
        max_deletions_percent=100,
    )
    yield Adapter(settings, engine)
    engine.dispose()


def _metrics() -> dict[str, float]:
    return {
        f"{one.name}{sorted(one.labels.items())}": one.value
        for family in REGISTRY.collect()
        if family.name.startswith("adapter_")
        for one in family.samples
        if not one.name.endswith("_created")
    }


def _write(rows: Rows, folder: Path) -> list[Path]:
    folder.mkdir()
    for sheet, listed in rows.items():
        out = io.StringIO()
        writer = csv.DictWriter(out, list(dict.fromkeys(name for row in listed for name in row)))
        writer.writeheader()
        writer.writerows(listed)
        (folder / f"{sheet}.csv").write_text(out.getvalue(), "utf-8")
    return sorted(folder.iterdir())


def _see_both(first: list[Rows], second: list[Rows], place: Path, empty: Path) -> tuple[Seen, Seen]:
    """What is seen of two centres from where their ways part: before, they are one."""
    together = sum(1 for _ in takewhile(lambda two: two[0] is two[1], zip(first, second, strict=True)))
    begun = place / "both"
    _make_folder(begun, empty)
    if together:
        _see(first[:together], begun)
    for name in ("a", "b"):
        shutil.copytree(begun, place / name)
    return _see(first, place / "a", after=together), _see(second, place / "b", after=together)


def _see(states: list[Rows], folder: Path, *, after: int = 0) -> Seen:
    """What is seen of a centre that imports these states one after another, and plans after each. The first
    of them, `after`, are behind it.
    """
    log, before, exit_code = io.StringIO(), _metrics(), 0
    configure_logging(level="debug", json=False, stream=log)
    with _centre(folder) as adapter:
        for number, rows in enumerate(states[after:], after):
            now = NOW + timedelta(days=number)
            files = tuple(_write(rows, folder / f"csv{number}"))
            report = ImportRecords(files).perform(OperationContext(adapter, "test", lambda now=now: now))
            exit_code = exit_code * 10 + bool(report.rejected or report.held)
            for name in HOSPITALS:
                choice = choose_mapping(adapter, name)  # as a sync does first
                record_choice(adapter, choice, now, "test")
                update_ledger(adapter, choice.destination, now, lambda *_: None)
        sent: dict[str, list[bytes]] = {}
        for name in HOSPITALS:
            write_bundles(adapter, name, folder / name)
            sent[name] = sorted(file.read_bytes() for file in (folder / name).iterdir())
            entries = [one for of_one in _entries(adapter, name) for one in of_one]
            sent[f"{name}, ledger"] = sorted(one.identity.encode() for one in entries)
        problems = [(one.code, one.hospital, one.count) for one in current_problems(adapter, NOW)]
    after = _metrics()
    metrics = {name: value - before.get(name, 0) for name, value in after.items()}
    told = "\n".join(line.partition(" ")[2] for line in log.getvalue().splitlines())  # without the time
    return Seen(sent, told, problems, metrics, exit_code)


def _see_new(states: list[Rows], folder: Path, empty: Path) -> Seen:
    _make_folder(folder, empty)
    return _see(states, folder)


def _entries(adapter: Adapter, name: str) -> Iterator[list[object]]:
    people = [cadre for cadre, _ in adapter.records.changed_cadres(0, 1000)]
    yield from adapter.ledger.entries(name, people).values()


def _ways(one: Rows, other: Rows) -> dict[str, tuple[list[Rows], list[Rows]]]:
    """Orders of events: from the start; later; and back again."""
    return {
        "from the start": ([one], [other]),
        "later": ([one, one], [one, other]),
        "back again": ([one, one, one], [one, other, one]),
    }


@pytest.mark.parametrize("group", range(GROUPS))
def test_what_is_withheld_cannot_be_told_from_what_is_seen(
    group: int, tmp_path: Path, empty_sqlite: Path
) -> None:
    for seed in range(group, PAIRS, GROUPS):
        one, other, chosen = pair(seed)
        ways = _ways(one, other)
        way = sorted(ways)[seed % len(ways)]
        first, second = ways[way]
        place = tmp_path / str(seed)
        place.mkdir()
        seen, seen_too = _see_both(first, second, place, empty_sqlite)
        assert seen == seen_too, f"seed {seed}, {way}: {', '.join(chosen)}"
        shutil.rmtree(place)


def test_every_withheld_fact_is_tried_and_something_leaves(tmp_path: Path, empty_sqlite: Path) -> None:
    tried = {name for seed in range(PAIRS) for name in pair(seed)[2]}
    assert tried == MUTATIONS.keys()
    assert all(MAY_DIFFER.values())
    full = [_see_new([pair(seed)[0]], tmp_path / str(seed), empty_sqlite) for seed in range(6)]
    assert all(any(seen.sent.values()) for seen in full)


def test_it_would_notice_what_leaves(tmp_path: Path, empty_sqlite: Path) -> None:
    """Where a fact that goes differs, what is seen does."""
    one, other, _ = pair(1)
    other = {**one, "Chỉ số": [{**row, "Giá trị": "6,1"} for row in one["Chỉ số"]]}
    seen, seen_too = _see_both([one], [other], tmp_path, empty_sqlite)
    assert seen.sent != seen_too.sent

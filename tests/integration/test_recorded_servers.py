"""One sync after another against servers that cannot be run here, as they were recorded: with nothing known
of them, and with the card that `adapter doctor` measures. Each ends with exactly what should be there.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx
from contents import desired, difference, holding, opened
from recorded.products import PRODUCTS, Blaze, Microsoft
from recorded.server import RecordedServer, Resource
from sample import SMALL

from adapter.ledger.schema.values import LedgerEntry
from adapter.ledger.server_cards.card import ServerCard
from adapter.operations.measure import measure_server
from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound.sync import HospitalSyncSummary
from adapter.pipeline.outbound.sync import sync as run_sync
from adapter.records.importing import importer
from adapter.settings import HospitalSettings, Settings
from adapter.testing import ManualClock, first_people, with_cells

NAME = "bv-tinh"
SYSTEM = "https://centre.test/sid"
PULSE = "8867-4"


def silent(_stage: str, _hospital: str | None, _done: int, _total: int) -> None:
    """No progress bar."""


class Centre:
    """The adapter in this process, with a clock that is set forward between syncs."""

    def __init__(self, server: RecordedServer, folder: Path, database_url: str) -> None:
        self.server = server
        self.folder = folder
        self.clock = ManualClock(datetime(2026, 11, 22, 8, 0, tzinfo=UTC), step=timedelta(milliseconds=1))
        (folder / "identity.key").write_text("0123456789abcdef" * 2)
        hospital = HospitalSettings(display="BV", level="provincial", base_url=server.base, concurrency=1)
        self.settings = Settings(
            database_url=database_url,
            identity_key=f"file:{folder / 'identity.key'}",
            mappings=opened(folder / "mappings"),
            hospitals={NAME: hospital, "bv-trung-uong": hospital.model_copy(update={"level": "central"})},
            centre={"identifier_system": SYSTEM},
            patience_seconds=0,
        )
        self.adapter = Adapter.open(self.settings)

    def take(self, workbook: Path) -> None:
        """Import a workbook, deletions and all."""
        importer.run_import(
            self.adapter.engine,
            [workbook],
            max_deletions_percent=100,
            known_hospitals=frozenset(self.settings.hospitals),
            now=self.clock(),
        )

    def sync(self) -> HospitalSyncSummary:
        """One sync."""
        return run_sync(self.adapter, [NAME], self.clock, silent).hospitals[NAME]

    def settle(self) -> HospitalSyncSummary:
        """Syncs, an hour apart, until nothing waits."""
        for _ in range(12):
            found = self.sync()
            assert found.problems == ()
            if not (found.waiting or found.unknown):
                return found
            self.clock.advance(hours=1)
        raise AssertionError(f"it never ends: {found}")

    def parked(self) -> list[LedgerEntry]:
        """What waits for a person."""
        return list(self.adapter.ledger.parked(NAME))

    def gap(self) -> dict[str, list[object]]:
        """How what the server holds differs from what the records make, by way of an empty ledger."""
        wanted = desired(self.settings, NAME, self.folder / f"wanted-{self.clock.now.timestamp()}")
        return difference(wanted, holding(self.server.of(), SYSTEM))

    def pulse(self) -> Resource:
        """The one Observation of the heart rate."""
        (found,) = [one for one in self.server.of("Observation") if PULSE in str(one["code"])]
        return found


@contextmanager
def _up(server: RecordedServer) -> Iterator[RecordedServer]:
    """The server, answering for the block."""
    with respx.mock(assert_all_called=False) as router:
        router.route(url__startswith=server.base).mock(side_effect=server)
        yield server


_CARDS: dict[type[RecordedServer], ServerCard] = {}  # measured once: the same server gives the same card


def _measured(centre: Centre) -> ServerCard:
    """The card that the doctor makes of the server, which it leaves as it was."""
    kind = type(centre.server)
    if kind not in _CARDS:
        diagnosis = measure_server(centre.adapter, NAME, centre.clock)
        assert diagnosis.examined is not None
        assert (diagnosis.examined.trouble, diagnosis.examined.left) == (None, ())
        assert centre.server.of() == []
        _CARDS[kind] = diagnosis.card
    return _CARDS[kind]


@contextmanager
def _centre(server: RecordedServer, folder: Path, url: str, *, known: bool) -> Iterator[Centre]:
    """A centre that sends to the server; its card is measured first if it is to be `known`."""
    centre = Centre(server, folder, url)
    if known:
        centre.adapter.cards.put(NAME, _measured(centre), centre.clock())
    server.requests.clear()
    yield centre
    centre.adapter.close()


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workbook of one person with a dozen measurements."""
    return first_people(SMALL, tmp_path_factory.mktemp("records") / "one.xlsx", measures=12)


@pytest.fixture
def changed(records: Path, tmp_path: Path) -> Path:
    """The same with another heart rate, and without the blood pressure."""

    def keep(_sheet: str, row: dict[str, Any]) -> bool:
        if row.get("Mã chỉ số") == "VS-HR":
            row["Giá trị"] = 91
        return row.get("Mã chỉ số") != "VS-BP"

    return with_cells(records, tmp_path / records.name, keep)


@pytest.fixture(
    params=PRODUCTS,
    ids=lambda product: product.__name__,
)
def server(request: pytest.FixtureRequest) -> Iterator[RecordedServer]:
    """Each product, up."""
    with _up(request.param()) as server:
        yield server


@pytest.fixture(params=["no card", "measured"])
def known(request: pytest.FixtureRequest) -> bool:
    """Whether the server's card is measured first."""
    return bool(request.param == "measured")


@pytest.fixture
def centre(server: RecordedServer, known: bool, tmp_path: Path, sqlite_url: str) -> Iterator[Centre]:
    """A centre that sends to the server."""
    with _centre(server, tmp_path, sqlite_url, known=known) as found:
        yield found


def test_all_arrives_once_and_is_not_sent_again(centre: Centre, records: Path) -> None:
    centre.take(records)
    assert centre.settle().parked == 0
    assert centre.gap() == {}
    centre.server.requests.clear()
    assert centre.sync().requests == 0
    assert centre.server.requests == []


def test_a_change_replaces_and_a_deletion_deletes(centre: Centre, records: Path, changed: Path) -> None:
    centre.take(records)
    centre.settle()
    centre.take(changed)
    found = centre.settle()
    assert (found.parked, found.delivered, found.retracted) == (0, 2, 2)  # each with its Provenance
    assert centre.gap() == {}


def test_answers_that_never_came_double_nothing(centre: Centre, records: Path) -> None:
    centre.take(records)
    centre.server.faults = [centre.server.lose] * 4
    centre.settle()
    assert centre.gap() == {}


def test_what_was_deleted_there_comes_back_with_its_next_change(
    centre: Centre, records: Path, changed: Path
) -> None:
    centre.take(records)
    centre.settle()
    gone = centre.pulse()
    del centre.server.resources["Observation", gone["id"]]
    centre.server.deleted.add(("Observation", gone["id"]))
    centre.take(changed)
    centre.settle()
    assert [(one.type, one.reason, one.detail) for one in centre.parked()] == []
    assert centre.pulse()["valueQuantity"]["value"] == 91
    assert centre.gap() == {}


def test_what_was_changed_there_is_overwritten_by_our_next_change(
    centre: Centre, records: Path, changed: Path
) -> None:
    centre.take(records)
    centre.settle()
    theirs = centre.pulse()
    theirs["valueQuantity"] = {"value": 33}
    theirs["meta"]["versionId"] = "7"
    centre.take(changed)
    assert centre.settle().parked == 0
    assert centre.gap() == {}


def test_a_duplicate_there_parks_that_alone(centre: Centre, records: Path) -> None:
    centre.take(records)
    wanted = desired(centre.settings, NAME, centre.folder / "wanted")
    pulse, one = next((name, found) for name, found in wanted.items() if PULSE in str(found.get("code")))
    bare = {name: one[name] for name in ("resourceType", "identifier", "status", "code")}
    doubled = [centre.server.put(dict(bare)) for _ in range(2)]
    for _ in range(3):
        found = centre.sync()
        centre.clock.advance(hours=1)
    assert (found.parked, found.unknown, found.waiting) == (1, 0, 1)  # its Provenance waits for it
    (parked,) = centre.parked()
    assert parked.reason in ("multiple-matches", "duplicates")  # as the server said, or as it was seen
    assert parked.identity == pulse
    for extra in doubled:
        del centre.server.resources["Observation", extra["id"]]
    missing = difference(wanted, holding(centre.server.of(), SYSTEM)).get("missing", [])
    told = {(found["resourceType"], PULSE in str(found)) for found in missing}
    assert told <= {("Observation", True), ("Provenance", False)}  # itself, and what says where it came from


def test_a_server_that_takes_fewer_entries_gets_fewer(centre: Centre, records: Path) -> None:
    centre.server.most_entries = 3
    centre.take(records)
    assert centre.settle().parked == 0
    assert centre.gap() == {}


def _throttled(_request: httpx.Request) -> httpx.Response:
    """Microsoft's middleware: milliseconds too, and a body without resourceType (fhir-server#2607)."""
    body = {"severity": "Error", "code": "Throttled", "diagnostics": "Too many requests"}
    headers = {"Retry-After": "1", "x-ms-retry-after-ms": "30"}
    return httpx.Response(429, json=body, headers=headers)


def _each_entry(request: httpx.Request, response: Resource) -> httpx.Response | None:
    """A 200 that says the same of every entry; a request that is no Bundle goes through."""
    if request.method == "GET" or b'"entry"' not in request.content:
        return None
    entries = [{"response": response} for _ in json.loads(request.content)["entry"]]
    bundle = {"resourceType": "Bundle", "type": "batch-response", "entry": entries}
    return httpx.Response(200, json=bundle, headers={"Retry-After": "1", "x-ms-retry-after-ms": "30"})


def _throttled_inside(request: httpx.Request) -> httpx.Response | None:
    """A batch in which the store was too busy: the first entry and all after it (fhir-server#1658)."""
    return _each_entry(request, {"status": "429", "outcome": _outcome("throttled")})


def _not_executed(request: httpx.Request) -> httpx.Response | None:
    """424: not done because another entry failed."""
    return _each_entry(request, {"status": "424"})


def _too_many(_request: httpx.Request) -> httpx.Response:
    """Blaze: too many requests in flight."""
    return httpx.Response(503, json=_outcome("too-costly"))


def _outcome(code: str) -> Resource:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code}]}


@pytest.mark.parametrize("server", [Microsoft, Blaze], indirect=True)
@pytest.mark.parametrize(
    "fault", [_throttled, _throttled_inside, _not_executed, _too_many], ids=lambda fault: fault.__name__
)
def test_a_busy_server_costs_time_and_nothing_else(
    centre: Centre, fault: Callable[[httpx.Request], httpx.Response | None], records: Path
) -> None:
    centre.take(records)
    centre.server.faults = [None, *[fault] * 5]
    assert centre.settle().parked == 0
    assert centre.gap() == {}


class Ignoring(Blaze):
    """A server whose search does not know `identifier`, says nothing, and gives everything."""

    def search(self, kind: str, parameters: Any) -> list[Resource]:
        return super().search(kind, [(n, v) for n, v in parameters if n not in ("identifier", "_tag")])


def test_a_search_that_ignores_the_identifier_overwrites_nobody(
    records: Path, tmp_path: Path, sqlite_url: str
) -> None:
    with _up(Ignoring()) as server:
        others = [server.put({"resourceType": kind}) for kind in ("Patient", "Observation", "Encounter") * 2]
        before = {one["id"]: dict(one) for one in others}
        with _centre(server, tmp_path, sqlite_url, known=False) as centre:
            centre.take(records)
            for _ in range(3):
                centre.sync()
                centre.clock.advance(hours=1)
            assert {one["id"]: one for one in server.of() if one["id"] in before} == before
            ours = [one for one in server.of() if one["id"] not in before]
            assert {"Patient", "Observation", "Encounter"}.isdisjoint(one["resourceType"] for one in ours)

"""`adapter doctor` as a person meets it: the card is kept, shown, compared, measured again."""

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deviant import Deviant
from filelock import FileLock
from sqlalchemy import Engine

from adapter.cli import main
from adapter.database import open_database
from adapter.errors import Busy
from adapter.ledger.hospitals.circuit_breaker import HospitalMode
from adapter.ledger.server_cards.card import ServerCard
from adapter.ledger.server_cards.store import ServerCardStore
from adapter.operations.hospital_mode import SetHospitalMode
from adapter.operations.measure import remeasure_server
from adapter.operations.operation import OperationContext
from adapter.pipeline.application import Adapter
from adapter.sandbox.app import SandboxHospital
from adapter.settings import load_settings
from adapter.testing import ADAPTER, serving, until
from adapter.texts import set_language

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FIRST = ServerCard(fhir_version="4.0.1", software="X", atomic=True, deletes=True)


class Site:
    """A centre in a folder with one hospital, whose server can be made to deviate."""

    def __init__(self, folder: Path, base_url: str, deviant: Deviant) -> None:
        self.file = folder / "adapter.toml"
        self.deviant = deviant
        (folder / "data").mkdir()
        (folder / "data" / "identity.key").write_text("0123456789abcdef" * 4)
        self.file.write_text(
            f'[hospitals.bv]\ndisplay = "Bệnh viện"\nlevel = "central"\nbase_url = "{base_url}"\n'
            "max_entries = 10\nmax_bytes = 100000\n"
        )

    def run(self, *arguments: str) -> int:
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--config", str(self.file)])
        return int(ended.value.code or 0)

    def adapter(self) -> Adapter:
        return Adapter.open(load_settings(self.file))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    store = open_database(f"sqlite:///{tmp_path / 'hospital.db'}")
    deviant = Deviant(SandboxHospital(store, "bv").app)
    with serving(deviant) as url:
        yield Site(tmp_path, f"{url}/fhir", deviant)
    store.dispose()
    set_language("en")


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADAPTER_LANG", raising=False)
    monkeypatch.delenv("ADAPTER_CONFIG", raising=False)


def test_a_hospital_without_a_card_is_named_until_it_is_measured(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    hint = "bv: its server was never measured, so all is sent in the safest, slowest way"
    for command in ("plan", "sync"):
        site.run(command)
        assert hint in capsys.readouterr().err
    site.run("status")
    assert hint in capsys.readouterr().out
    assert site.run("doctor", "--show", "bv") == 1
    assert "there is no card" in capsys.readouterr().out
    assert site.run("doctor", "bv") == 0
    said = capsys.readouterr()
    assert "nothing else is touched" in said.err
    assert "transactions whose entries refer to each other; each write conditional" in said.out
    assert "at most 10 entries and 100 kB a request" in said.out
    assert "Nothing here needs a person." in said.out
    for command in ("plan", "sync", "status"):
        site.run(command)
        said = capsys.readouterr()
        assert "never measured" not in said.out + said.err
    assert site.run("doctor", "--show", "bv", "--json") == 0
    facts = json.loads(capsys.readouterr().out)["bv"]
    assert facts["card"]["atomic"] is True
    assert facts["card"]["max_entries"] == 10
    assert {"behaviour": "atomic", "does": True, "level": "good"}.items() <= _line(facts, "atomic").items()


def _line(facts: dict[str, list[dict[str, object]]], behaviour: str) -> dict[str, object]:
    return next(line for line in facts["lines"] if line["behaviour"] == behaviour)


def test_what_changed_at_a_server_is_said_until_a_person_has_seen_it(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert site.run("doctor", "bv") == 0
    site.deviant.ways.add("non-atomic")
    assert site.run("doctor", "bv") == 1
    said = capsys.readouterr().out
    assert "All of a transaction or nothing: yes, now no" in said
    assert "is written to: batches without references between their entries" in said
    assert site.run("doctor", "bv") == 1  # nothing new, and still not seen
    assert "yes, now no" in capsys.readouterr().out
    assert site.run("doctor", "--seen", "bv") == 0
    assert site.run("doctor", "--show", "bv") == 1  # it costs something
    said = capsys.readouterr().out
    assert "since it was last looked at" not in said
    assert " ! " in said


def test_a_card_in_vietnamese_and_as_a_page(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.deviant.ways.add("non-atomic")
    assert site.run("doctor", "bv", "--lang", "vi") == 1
    assert "Giao dịch được nhận trọn hoặc không gì cả" in capsys.readouterr().out
    assert site.run("doctor", "bv", "--markdown", "--lang", "en") == 1
    page = capsys.readouterr().out
    assert page.startswith("# Bệnh viện\n")
    assert "| All of a transaction or nothing | - | no | reads what became of each entry" in page


def test_reading_only_keeps_what_needed_writing(site: Site) -> None:
    assert site.run("doctor", "bv", "--read-only") == 0
    with site.adapter() as adapter:
        assert adapter.cards.get("bv") is None
    assert site.run("doctor", "bv") == 0
    written = sum(method != "GET" for method, _ in site.deviant.requests)
    assert site.run("doctor", "bv", "--dry-run") == 0
    assert sum(method != "GET" for method, _ in site.deviant.requests) == written
    with site.adapter() as adapter:
        kept = adapter.cards.get("bv")
    assert kept is not None
    assert (kept.card.atomic, kept.drift) == (True, None)


def test_a_server_that_is_away_keeps_its_card(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.run("doctor", "bv") == 0
    site.deviant.ways.add("html")
    assert site.run("doctor", "bv") == 1
    assert "what answers there is no FHIR server" in capsys.readouterr().out
    with site.adapter() as adapter:
        kept = adapter.cards.get("bv")
    assert kept is not None
    assert (kept.card.atomic, kept.drift) == (True, None)


@pytest.mark.parametrize(
    "arguments", [("--seen",), ("bv", "--seen", "--show"), ("bv", "--show", "--read-only"), ("nowhere",)]
)
def test_options_that_do_not_go_together_are_wrong_usage(site: Site, arguments: tuple[str, ...]) -> None:
    assert site.run("doctor", *arguments) == 2


def test_it_is_measured_again_only_where_a_person_once_did_and_it_is_served(site: Site) -> None:
    ahead = timedelta()

    def clock() -> datetime:
        return datetime.now(UTC) + ahead

    with site.adapter() as adapter:
        assert remeasure_server(adapter, "bv", clock) is False
        assert site.deviant.requests == []
        assert site.run("doctor", "bv") == 0
        asked = len(site.deviant.requests)
        assert remeasure_server(adapter, "bv", clock) is False
        assert len(site.deviant.requests) == asked
        ahead = timedelta(days=7)
        site.deviant.ways.add("ignores-if-match")
        assert remeasure_server(adapter, "bv", clock) is True
        kept = adapter.cards.get("bv")
        assert kept is not None
        assert "if_match: true -> false" in (kept.drift or "")
        asked = len(site.deviant.requests)
        ahead = timedelta(days=14)
        SetHospitalMode("bv", HospitalMode.PAUSED).perform(OperationContext(adapter, "test", clock))
        assert remeasure_server(adapter, "bv", clock) is False
        assert len(site.deviant.requests) == asked
        SetHospitalMode("bv", HospitalMode.RUNNING).perform(OperationContext(adapter, "test", clock))
        with FileLock(adapter.settings.data_folder / "doctor-bv.lock"), pytest.raises(Busy):
            remeasure_server(adapter, "bv", clock)


@pytest.mark.parametrize(("cron", "code"), [("", 0), ("0 3 1 * *", 0), ("at night", 2)])
def test_the_schedule_may_be_never(site: Site, cron: str, code: int) -> None:
    site.file.write_text(f'{site.file.read_text()}doctor_schedule = "{cron}"\n')
    assert site.run("status") == code


def test_the_services_measure_again_on_the_hospitals_schedule(site: Site) -> None:
    """Every second here; what a person measured two hours ago is old enough."""
    site.file.write_text(f'{site.file.read_text()}doctor_schedule = "* * * * * *"\n')
    before = datetime.now(UTC)
    with site.adapter() as adapter:
        adapter.cards.put("bv", FIRST, before - timedelta(hours=2))
        service = subprocess.Popen([ADAPTER, "schedule", "--config", site.file])
        try:

            def measured() -> bool:
                kept = adapter.cards.get("bv")
                return kept is not None and kept.measured_at > before

            assert until(measured, 60)
        finally:
            service.terminate()
            assert service.wait(30) == 0
        kept = adapter.cards.get("bv")
    assert kept is not None
    assert kept.card.max_entries == 10


def test_a_card_is_compared_with_the_one_that_was_last_seen(engine: Engine) -> None:
    store = ServerCardStore(engine)
    assert store.get("bv") is None
    assert store.put("bv", FIRST, NOW) is None
    changed = ServerCard(fhir_version="4.0.1", software="X", atomic=False)
    assert store.put("bv", changed, NOW + timedelta(days=7)) == "atomic: true -> false"
    kept = store.get("bv")
    assert kept is not None
    assert (kept.card.atomic, kept.card.deletes) == (False, True)
    assert kept.measured_at == NOW + timedelta(days=7)
    assert store.put("bv", FIRST, NOW) is None  # it is again as it was
    assert store.put("bv", changed, NOW) is not None
    store.acknowledge("bv")
    kept = store.get("bv")
    assert kept is not None
    assert kept.drift is None
    assert store.put("bv", FIRST, NOW) == "atomic: false -> true"

"""`adapter hospital …`: a person stops and resumes a hospital, and sees how it is served."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from adapter import audit
from adapter.cli import main
from adapter.database import read_transaction
from adapter.insights.hospital_service import hospital_service
from adapter.ledger.hospitals.circuit_breaker import HospitalMode
from adapter.operations.hospital_mode import SetHospitalMode
from adapter.operations.operation import OperationContext
from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound.planning import update_ledger
from adapter.settings import load_settings
from adapter.texts import set_language

SETTINGS = """
[hospitals.bv-tinh]
display = "Bệnh viện tỉnh"
level = "provincial"
base_url = "http://127.0.0.1:9/fhir"
concurrency = 8
requests_per_second = 5
maintenance = ["2030-01-01"]

[hospitals.bv-trung-uong]
display = "Bệnh viện trung ương"
level = "central"
base_url = "http://127.0.0.1:9/fhir"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in ("ADAPTER_LANG", "ADAPTER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "adapter.toml").write_text(SETTINGS, "utf-8")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "identity.key").write_text("0123456789abcdef" * 2)
    yield tmp_path
    set_language("en")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert not ended.value.code
    return capsys.readouterr().out


def test_a_hospital_is_paused_with_a_note_shown_and_resumed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "resume bv-tinh" in run(capsys, "hospital", "pause", "bv-tinh", "--note", "new server on Monday")
    shown = run(capsys, "hospital", "show", "bv-tinh")
    assert "paused by cli:" in shown
    assert "new server on Monday" in shown
    assert "0 of 8" in shown
    assert "2030-01-01" in shown
    assert "new server on Monday" in run(capsys, "status")
    facts = json.loads(run(capsys, "hospital", "show", "bv-tinh", "--json"))
    assert (facts["mode"], facts["admits"], facts["why"], facts["in_flight"]) == ("paused", 0, "paused", 4)
    run(capsys, "hospital", "resume", "bv-tinh")
    assert "paused" not in run(capsys, "status")
    assert "tạm dừng" in run(capsys, "--lang", "vi", "hospital", "pause", "bv-tinh") + run(
        capsys, "--lang", "vi", "hospital", "show", "bv-tinh"
    )


def test_an_open_breaker_is_explained_and_closed_by_hand(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Adapter.open(load_settings(folder / "adapter.toml")) as adapter:
        adapter.ledger.hospitals.record_failure("bv-tinh", "auth", now=datetime.now(UTC))
        assert "refuses our token" in run(capsys, "status")
        assert "open" in run(capsys, "hospital", "show", "bv-tinh")
        run(capsys, "hospital", "reset", "bv-tinh")
        assert hospital_service(adapter, "bv-tinh", datetime.now(UTC)).admits == 4
        with read_transaction(adapter.engine) as connection:
            rows = connection.execute(select(audit.audit.c.action, audit.audit.c.hospital)).all()
    assert rows == [("hospital.reset", "bv-tinh")]
    assert "refuses" not in run(capsys, "status")


def test_nothing_new_is_planned_for_a_hospital_that_is_drained(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Adapter.open(load_settings(folder / "adapter.toml")) as adapter:
        now = datetime.now(UTC)
        SetHospitalMode("bv-tinh", HospitalMode.DRAINING).perform(
            OperationContext(adapter, "cli:an", lambda: now)
        )
        assert hospital_service(adapter, "bv-tinh", now).mode == "paused"  # nothing is left to send
        run(capsys, "sample", "year.xlsx", "--small")
        run(capsys, "import", "year.xlsx")
        outlet = adapter.destination("bv-tinh")
        assert update_ledger(adapter, outlet, now, lambda *_: None) == 0
        SetHospitalMode("bv-tinh", HospitalMode.RUNNING).perform(
            OperationContext(adapter, "cli:an", lambda: now)
        )
        assert update_ledger(adapter, outlet, now, lambda *_: None) > 0
        SetHospitalMode("bv-tinh", HospitalMode.DRAINING).perform(
            OperationContext(adapter, "cli:an", lambda: now)
        )
        assert hospital_service(adapter, "bv-tinh", now).mode == "draining"


def test_a_hospital_whose_token_is_missing_keeps_no_other_from_being_measured(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = 'level = "provincial"\n'
    (folder / "adapter.toml").write_text(
        SETTINGS.replace(line, f'{line}token = "env:NOWHERE_TO_BE_FOUND"\n'), "utf-8"
    )
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--read-only", "--json"])
    said = capsys.readouterr()
    assert ended.value.code
    assert "NOWHERE_TO_BE_FOUND" in said.err
    assert list(json.loads(said.out)) == ["bv-trung-uong"]

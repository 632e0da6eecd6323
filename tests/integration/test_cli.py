"""The command line: languages, exit codes, one clear line per error, JSON that parses."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from centre_states import CentreStates
from sample import ROOT, SMALL
from sqlalchemy import insert, select

from adapter import audit
from adapter.cli import main
from adapter.database import read_transaction, write_transaction
from adapter.ledger.schema import tables
from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound.planning import update_ledger
from adapter.settings import load_settings
from adapter.testing import ADAPTER, Centre, until
from adapter.texts import set_language


@pytest.fixture
def centre(tmp_path: Path, centre_states: CentreStates) -> Iterator[Centre]:
    """A centre with an empty database."""
    centre_states.put_empty(tmp_path)
    centre = Centre(tmp_path)
    yield centre
    centre.close()


@pytest.fixture
def new_centre(tmp_path: Path) -> Iterator[Centre]:
    """A centre in whose folder no database was made yet."""
    centre = Centre(tmp_path)
    yield centre
    centre.close()


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("ADAPTER_LANG", raising=False)
    monkeypatch.delenv("ADAPTER_CONFIG", raising=False)
    yield
    set_language("en")


def _exit(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


def test_init_writes_settings_and_a_key_that_only_its_account_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _exit("init") == 0
    key = tmp_path / "data" / "identity.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(key.read_text().strip()) == 64
    before = key.read_text(), (tmp_path / "adapter.toml").read_text("utf-8")
    assert _exit("init") == 2
    assert "there already" in capsys.readouterr().err
    assert before == (key.read_text(), (tmp_path / "adapter.toml").read_text("utf-8"))


def test_init_in_vietnamese_keeps_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _exit("init", "--lang", "vi") == 0
    capsys.readouterr()
    assert _exit("status") == 0
    assert "Chưa có bệnh viện nào" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("status", "--config", "nowhere.toml"), 2, "nowhere.toml"),
        (("--lang", "fr", "status"), 2, "fr"),
        (("sync", "bv-khac"), 2, "bv-khac"),
        (("import", "nowhere.xlsx"), 1, "nowhere.xlsx"),
        (("explain", "no-such-key"), 2, "no-such-key"),
        (("inbox", "--state", "lost"), 2, "lost"),
        (("inbox", "link", "7", "CB-1"), 2, "7"),
        (("hospital", "token", "bv-khac"), 2, "bv-khac"),
        (("report",), 2, "no visits"),
        (("status", "--problems", "--workers"), 2, "two tables"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    centre: Centre, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = centre.attempt(*arguments)
    assert done.returncode == code, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_usage_exits_with_2(centre: Centre) -> None:
    assert centre.attempt("import").returncode == 2
    assert centre.attempt("launch").returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("template", "no-folder/x.xlsx"),
        ("sample", "no-folder/x.xlsx", "--small"),
        ("--config", "/proc/none/adapter.toml", "init"),
        ("plan", "--out", "/proc/none"),
        ("plan", "--out", "adapter.toml"),
        ("sandbox", "--name", "bv-a", "--port", "9", "--data", "/proc/none"),
    ],
)
def test_a_place_where_nothing_can_be_written_is_said_in_one_line(
    centre: Centre, arguments: tuple[str, ...]
) -> None:
    done = centre.attempt(*arguments, "--lang", "vi")
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "hãy" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("sample", "x.xlsx", "--small", "--year", "1"),
        ("report", "--year", "99999"),
        ("serve", "--port", "99999"),
        ("sandbox", "--name", "bv-a", "--port", "0"),
    ],
)
def test_a_number_out_of_range_is_wrong_usage(centre: Centre, arguments: tuple[str, ...]) -> None:
    done = centre.attempt(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("url", ["postgresql://u:geheim@127.0.0.1:1/x", "sqlite:////proc/none/x.db"])
def test_a_database_that_is_not_there_is_said_in_one_line(centre: Centre, url: str) -> None:
    centre.environment["ADAPTER_DATABASE_URL"] = url
    done = centre.attempt("status")
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "geheim" not in done.stderr


def test_a_database_that_another_process_holds_is_said_in_one_line(
    centre: Centre, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import sqlite3

    from adapter import database

    centre.run("status")
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.1)
    other = sqlite3.connect(centre.folder / "data" / "adapter.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        code = _exit("--config", str(centre.folder / "adapter.toml"), "import", str(SMALL), "--dry-run")
    finally:
        other.close()
    complaint = capsys.readouterr().err.strip().splitlines()[-1]
    assert code == 1
    assert complaint.startswith("adapter: The database is busy")


def test_what_is_written_is_for_its_account_alone(centre: Centre) -> None:
    centre.run("import", str(SMALL))
    centre.run("plan", "--out", "bundles")
    centre.run("template", "template.xlsx")
    made = [*(centre.folder / "data").rglob("*"), *(centre.folder / "bundles").rglob("*")]
    assert any(path.suffix == ".json" for path in made)
    assert any(path.name == "adapter.db" for path in made)
    made += [centre.folder / "data", centre.folder / "bundles", centre.folder / "template.xlsx"]
    assert [path.name for path in made if path.stat().st_mode & 0o077] == []


def test_an_interrupted_sync_says_so(centre: Centre) -> None:
    centre.run("import", str(SMALL))
    try:
        view = centre.start_hospital("bv-tinh", "--fault", "slow:1:0.5s")
        centre.start("sync", "sync", "bv-tinh")
        assert until(lambda: view.stats()["write_requests"] > 0, 30)
        assert centre.stop("sync") == 1
    finally:
        centre.close()
    said = (centre.folder / "sync.log").read_text("utf-8")
    (count,) = re.findall(r"Stopped before all was done; (\d+) wait", said)
    assert int(count) > 0
    assert "All delivered" not in said


def test_wrong_settings_are_named(centre: Centre) -> None:
    file = centre.folder / "adapter.toml"
    file.write_text(
        "listen_port = 'many'\n" + file.read_text("utf-8").replace("listen_port", "#listen_port"), "utf-8"
    )
    done = centre.attempt("status")
    assert done.returncode == 2
    assert "listen_port" in done.stderr


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('schedule = "99 * * * *"', "hospitals.bv-x.schedule: Lịch"),
        ('colour = "red"', "hospitals.bv-x.colour: không có thiết lập này"),
        ("concurrency = 0", "hospitals.bv-x.concurrency: ít nhất phải là 1"),
        ('concurrency = "many"', "hospitals.bv-x.concurrency: cần một số nguyên"),
        ('token = "geheim"', "hospitals.bv-x.token: hãy viết bí mật"),
        ("", "hospitals.bv-x.display: còn thiếu"),
        ("", "hospitals.bv-x.level: cần một trong: 'provincial', 'central'"),
        ("", "hospitals.bv-x.base_url: không đúng dạng"),
    ],
)
def test_wrong_settings_are_said_in_the_language_chosen(centre: Centre, line: str, words: str) -> None:
    file = centre.folder / "adapter.toml"
    wrong = f'[hospitals.bv-x]\nlevel = "other"\nbase_url = "ftp://x"\n{line}\n'
    file.write_text(f"{file.read_text('utf-8')}\n{wrong}", "utf-8")
    done = centre.attempt("hospital", "list", "--lang", "vi")
    assert done.returncode == 2
    assert words in done.stderr
    assert "geheim" not in done.stderr


def test_a_wrong_variable_is_blamed_and_not_the_file(centre: Centre) -> None:
    centre.environment["ADAPTER_LOG_LEVEL"] = "loud"
    done = centre.attempt("hospital", "list")
    assert done.returncode == 2
    assert "ADAPTER_LOG_LEVEL: expected 'debug'" in done.stderr
    assert "adapter.toml" not in done.stderr
    centre.environment["ADAPTER_CENTRE"] = "no JSON"
    done = centre.attempt("hospital", "list")
    assert done.returncode == 2
    assert "TOML" not in done.stderr


def test_json_is_all_that_standard_output_holds(centre: Centre) -> None:
    report = centre.run_json("import", str(SMALL))
    assert report["kinds"]["cadre"]["created"] == 20
    assert centre.run_json("import", str(SMALL))["kinds"]["cadre"] == {
        "created": 0, "changed": 0, "unchanged": 20, "deleted": 0, "rejected": 0, "waiting": 0, "withheld": 0,
        "held": 0, "dropped": 0, "marked": 0,
    }  # fmt: skip
    assert [line["hospital"] for line in centre.run_json("status")] == ["bv-tinh", "bv-trung-uong"]
    assert centre.run_json("plan")["bv-tinh"]["types"]["Patient"] == {"create": 14}
    assert centre.run_json("report")["managed_total"] == 20
    assert centre.run_json("inbox")["counts"]["new"] == 0
    assert [line["name"] for line in centre.run_json("hospital", "list")] == ["bv-tinh", "bv-trung-uong"]


def test_explain_says_where_it_came_from_and_why_it_was_not_sent(centre: Centre) -> None:
    centre.run("import", str(SMALL))
    held = _key_of_tier(centre, "T1")
    (found,) = [one for one in centre.run_json("explain", held) if one["kind"] == "cadre"]
    assert found["sheet"] == "Cán bộ"
    assert {(at["state"], at["reason"]) for at in found["hospitals"]} == {("withheld", "tier-held")}
    assert "leave only after a decision" in centre.run("explain", held)


def test_explain_tells_what_became_of_a_record_and_that_it_is_gone(centre: Centre) -> None:
    centre.run("import", str(SMALL))
    person = _key_of_tier(centre, "T5")
    settings = load_settings(centre.folder / "adapter.toml")
    at = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
    with Adapter.open(settings) as adapter:
        update_ledger(adapter, adapter.destination("bv-tinh"), at, lambda *_: None)
        gone = {"hospital": "bv-tinh", "identity": "x", "type": "Patient", "kind": "cadre", "key": person}
        with write_transaction(adapter.engine) as connection:
            connection.execute(
                insert(tables.receipt).values(**gone, proved_at=at, remote_id="77", how="deleted")
            )
    [found] = [one for one in centre.run_json("explain", person) if one["kind"] == "cadre"]
    assert [one["how"] for one in found["receipts"]] == ["deleted"]
    [there] = [one for one in found["hospitals"] if one["hospital"] == "bv-tinh"]
    assert there["history"] == [
        {"at": "2026-11-22T08:00:00+00:00", "before": None, "after": "pending", "reason": None}
    ]
    said = centre.run("explain", person, "--lang", "vi")
    assert "Diễn biến" in said
    assert "không còn giữ Patient 77" in said


def test_explain_of_a_resource_leads_every_value_back(centre: Centre) -> None:
    centre.run("import", str(SMALL))
    person = _key_of_tier(centre, "T5")
    [found] = centre.run_json("explain", "Patient", person, "--hospital", "bv-tinh")
    assert found["resource"]["resourceType"] == "Patient"
    birth = next(leaf for leaf in found["leaves"] if leaf["path"] == "Patient.birthDate")
    assert (birth["by"], birth["file"], birth["verbs"]) == ("mapping", "patient.yaml", ["date"])
    [cell] = birth["fields"]
    assert (cell["column"], cell["sheet"], cell["row"]) == ("Ngày sinh", "Cán bộ", found["row"])
    printed = centre.run("explain", "Patient", person, "--lang", "vi")
    assert f"Cán bộ dòng {found['row']}: Ngày sinh" in printed
    wrong = centre.attempt("explain", "Patien", person)
    assert (wrong.returncode, "nearest: Patient" in wrong.stderr) == (2, True)


def _key_of_tier(centre: Centre, tier: str) -> str:
    from adapter.records.synthetic import sample_year

    del centre
    return next(
        row["key"] for kind, row in sample_year(1, 20, 2026) if kind == "cadre" and row["tier"] == tier
    )


def test_the_year_of_the_sample_and_its_seed_decide_its_bytes(centre: Centre) -> None:
    facts = centre.run_json("sample", "one.xlsx", "--small")
    centre.run("sample", "two.xlsx", "--small")
    assert (centre.folder / "one.xlsx").read_bytes() == (centre.folder / "two.xlsx").read_bytes()
    assert facts["rows"]["cadre"] == 23
    assert centre.attempt("sample", "one.xlsx").returncode == 2
    centre.run("sample", "folder", "--small")
    assert any((centre.folder / "folder").glob("*.csv"))


def test_a_template_can_be_imported_as_it_is(centre: Centre) -> None:
    centre.run("template", "empty.xlsx", "--lang", "vi")
    report = centre.run_json("import", "empty.xlsx")
    assert (report["problem_count"], report["rows"]) == (0, 0)


def test_help_is_in_both_languages() -> None:
    def help_in(lang: str) -> str:
        done = subprocess.run([ADAPTER, "--help", "--lang", lang], capture_output=True, text=True, check=True)
        return done.stdout

    assert "hospitals it works with" in " ".join(help_in("en").split())
    assert "Bộ kết nối FHIR R4" in help_in("vi")


@pytest.mark.parametrize(
    "options",
    [
        ("--name", "../bv"),
        ("--name", "bv-a", "--fault", "foo"),
        ("--name", "bv-a", "--token", "env:NOTHING_HERE"),
        ("--name", "bv-a", "--doctor", "--push-token", "env:NOTHING_HERE"),
    ],
)
def test_a_sandbox_checks_what_it_was_told_before_it_says_where_it_is(
    new_centre: Centre, options: tuple[str, ...]
) -> None:
    done = new_centre.attempt("sandbox", *options, "--port", str(new_centre.port), "--data", "inside/data")
    assert done.returncode == 2
    assert (done.stdout, len(done.stderr.strip().splitlines())) == ("", 1)
    assert list(new_centre.folder.rglob("*.db")) == []


def test_a_port_that_is_taken_is_said_in_words(centre: Centre) -> None:
    import socket

    with socket.create_server(("127.0.0.1", centre.port)):
        done = centre.attempt("serve")
    assert done.returncode == 2
    assert str(centre.port) in done.stderr


def test_mapping_check_names_types(centre: Centre) -> None:
    said = centre.run("mapping", "check")
    assert "Patient, " in said
    assert "ServiceRequest, " in said
    assert "(version " in said


def test_mapping_check_lists_all_that_is_missing(centre: Centre) -> None:
    facts = centre.run_json("mapping", "check")
    assert facts["problems"] == []
    assert "Patient" in facts["types"]
    (centre.folder / "identity.key").unlink()
    centre.environment["ADAPTER_MAPPINGS"] = str(centre.folder)
    done = centre.attempt("mapping", "check")
    assert done.returncode == 2
    assert "identity.key" in done.stderr
    assert "disclosure.yaml" in done.stderr
    assert len(centre.run_json("mapping", "check", code=2)["problems"]) >= 2


def test_tokens_as_json(centre: Centre) -> None:
    assert len(centre.run_json("hospital", "token", "bv-tinh")["token"]) > 40
    assert centre.run_json("hospital", "token", "bv-tinh", "--revoke") == {
        "hospital": "bv-tinh",
        "revoked": 1,
    }


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_table_never_splits_a_name_or_an_id(width: int) -> None:
    from io import StringIO

    from rich.console import Console

    from adapter.cli.terminal.output import rows, table

    cells = ["bv-trung-uong", "2026-11-02 12:00:00", "0b6f6d5e-7d0f-4a39-9df5-7f6f2f0c9f10", "x" * 20]
    written = StringIO()
    out = Console(file=written, width=width, force_terminal=False)
    out.print(rows(table("Hospital", "Last contact", "At the hospital", "Why"), [cells]))
    assert [cell for cell in cells if cell not in written.getvalue()] == []


def test_a_pipe_gets_whole_lines_in_the_language_chosen(centre: Centre) -> None:
    centre.run("import", str(SMALL))
    said = centre.run("explain", _key_of_tier(centre, "T1"), "--lang", "vi")
    assert said.startswith("Cán bộ ")
    assert "tuyến tỉnh" in centre.run("hospital", "list", "--lang", "vi")


def test_a_token_is_shown_once_and_stored_hashed(centre: Centre) -> None:
    done = centre.attempt("hospital", "token", "bv-tinh")
    token = done.stdout.strip()
    assert len(token) > 40
    stored = b"".join(path.read_bytes() for path in (centre.folder / "data").glob("adapter.db*"))
    assert token.encode() not in stored
    assert "1 token" in centre.run("hospital", "token", "bv-tinh", "--revoke")


def test_a_token_of_a_hospital_that_left_the_settings_can_be_revoked(centre: Centre) -> None:
    centre.run("hospital", "token", "bv-tinh")
    file = centre.folder / "adapter.toml"
    file.write_text(file.read_text("utf-8").replace("[hospitals.bv-tinh", "[hospitals.bv-khac"), "utf-8")
    assert centre.attempt("hospital", "token", "bv-tinh").returncode == 2
    assert centre.run_json("hospital", "token", "bv-tinh", "--revoke")["revoked"] == 1
    assert "bv-khac" in centre.attempt("hospital", "token", "bv-nie", "--revoke").stderr


def test_json_holds_vietnamese_as_it_is(centre: Centre) -> None:
    assert json.loads(centre.run("hospital", "list", "--json"))[0]["display"] == "bv-tinh"


def test_a_changed_mapping_is_shown_refused_and_accepted(centre: Centre) -> None:
    shutil.copytree(ROOT / "mappings", centre.folder / "mappings")
    file = centre.folder / "adapter.toml"
    file.write_text(f'mappings = "mappings"\n{file.read_text("utf-8")}', "utf-8")
    centre.start_hospital("bv-tinh")
    centre.run("import", str(SMALL), "--rejects", str(centre.folder / "rejects.xlsx"))
    centre.put_server_cards()
    centre.run("sync", "bv-tinh")
    assert "nothing changes" in centre.run("mapping", "diff", "bv-tinh")
    changed = centre.folder / "mappings" / "patient.yaml"
    changed.write_text(changed.read_text("utf-8").replace("body:", "body:\n  language: vi", 1), "utf-8")
    changed = centre.folder / "mappings" / "observation.yaml"
    changed.write_text(changed.read_text("utf-8").replace("body:", "body:\n  language: vi", 1), "utf-8")
    shown = centre.run("mapping", "diff", "bv-tinh", "--sample", "1")
    assert "Patient.language: - → vi" in shown
    assert "adapter sync bv-tinh --accept" in shown
    facts = centre.run_json("mapping", "diff", "bv-tinh")["bv-tinh"]
    assert facts["needs_accepting"]
    assert {kind["file"] for kind in facts["kinds"]} == {"patient.yaml", "observation.yaml"}
    refused = centre.run("sync", "bv-tinh", code=1)
    assert f"{facts['resend']} of {facts['held']}" in refused
    assert "is unreachable" not in refused
    assert f"{facts['resend']} of {facts['held']}" in centre.run("status")
    accepted = centre.run_json("sync", "bv-tinh", "--accept")["hospitals"]["bv-tinh"]
    assert (accepted["delivered"], accepted["write_requests"]) == (facts["resend"], facts["requests"])
    assert centre.run_json("sync", "bv-tinh")["hospitals"]["bv-tinh"]["requests"] == 0


def test_who_looked_at_a_person_is_in_the_audit_and_no_value_is(centre: Centre, tmp_path: Path) -> None:
    centre.run("import", str(SMALL))
    person = _key_of_tier(centre, "T5")
    centre.run("explain", person)
    centre.run("explain", "Patient", person, "--hospital", "bv-tinh", "--json")
    centre.attempt("explain", "Patien", person)  # shows nothing
    centre.run("plan", "bv-tinh", "--out", str(tmp_path / "out"))
    settings = load_settings(tmp_path / "adapter.toml")
    with Adapter.open(settings) as adapter, read_transaction(adapter.engine) as connection:
        rows = connection.execute(select(audit.audit).order_by(audit.audit.c.seq)).all()
        subject = adapter.audit_subject(person)
        assert audit.verify_chain(adapter.engine) is None
    noted = [(row.action, row.subject, row.hospital, row.details) for row in rows if row.actor[:3] == "cli"]
    assert noted == [
        ("record.read", subject, None, '{"command":"explain"}'),
        ("record.read", subject, None, '{"command":"explain"}'),
        ("record.exported", None, "bv-tinh", '{"command":"plan"}'),
    ]
    assert person not in str(rows)


def test_a_persons_sex_visits_and_states_are_in_the_language_of_the_reader(
    centre: Centre, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for sheet, text in (
        (
            "Cán bộ",
            "Mã cán bộ,Họ và tên,Giới tính,Ngày sinh,Diện quản lý,Số thẻ BHYT\n"
            "M-1,Lê Thị Một,Nữ,01/02/1960,T4,DN4010198765432\nM-2,Lê Văn Hai,Nam,01/02/1961,T4,0198765432\n",
        ),
        ("Lượt khám", "Mã lượt khám,Mã cán bộ,Loại,Bắt đầu\nV-1,M-1,Khám định kỳ,02/03/2026\n"),
        (
            "Chuyển khám",
            "Mã phiếu,Mã cán bộ,Bệnh viện,Dịch vụ,Ngày chỉ định\nP-1,M-1,bv-tinh,CK-TIM,03/03/2026\n",
        ),
    ):
        (folder / f"{sheet}.csv").write_text(text, "utf-8")
    centre.run("import", str(folder))
    said = centre.run("cadre", "show", "M-1", "--lang", "vi")
    for words in ("nữ", "khám định kỳ", "đang hiệu lực", "chưa có"):
        assert words in said
    assert not re.search(r"\b(female|checkup|active|none)\b", said)
    doubles = centre.attempt("cadre", "doubles", "--lang", "vi")
    assert (doubles.returncode, "nữ" in doubles.stdout, "male" in doubles.stdout) == (1, True, False)
    assert "periodic check-up" in centre.run("cadre", "show", "M-1", "--lang", "en")

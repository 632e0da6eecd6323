"""`adapter audit`: who did what is shown, what is looked at is noted, and what was cut off is noticed."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from inspect import getsource
from pathlib import Path
from typing import Any

import pytest
from sample import ROOT, SMALL

from adapter import audit
from adapter.database import write_transaction
from adapter.duties.audit_head import TellAuditHead
from adapter.insights.insights import Insights
from adapter.operations import alarms
from adapter.pipeline.configuration_changes import configuration_digests, note_configuration
from adapter.settings import Settings
from adapter.testing import Centre

NOW = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)


@pytest.fixture
def centre(tmp_path: Path, database_url: str) -> Iterator[Centre]:
    """A centre without records, on each system."""
    with Centre(tmp_path / "centre", database_url=database_url) as centre:
        yield centre


def _rows(centre: Centre, *arguments: str) -> list[dict[str, Any]]:
    rows = centre.run_json("audit", "show", *arguments)["rows"]
    assert isinstance(rows, list)
    return rows


def _actions(centre: Centre) -> list[str]:
    return [row["action"] for row in reversed(_rows(centre))]


def test_what_people_look_at_is_in_the_audit(centre: Centre) -> None:
    centre.import_sample(cadres=4)
    centre.run("inbox")
    centre.run("referral", "list")
    centre.run("report", "--for-outsiders")
    token = centre.run("hospital", "token", "bv-tinh").strip()
    centre.run("hospital", "token", "bv-tinh", "--revoke")
    centre.run("source", "check", str(SMALL))
    centre.run("audit", "show")
    assert _actions(centre) == [
        "import.done",
        "inbox.listed",
        "referrals.listed",
        "report.read",
        "token.issued",
        "token.revoked",
        "source.read",
        "audit.read",
    ]
    said = json.dumps(_rows(centre), ensure_ascii=False)
    assert token not in said
    assert "CB-000" not in said
    assert all(row["actor"].startswith(("cli", "import")) for row in _rows(centre))


# Views that tell of no person: how things stand, counts, a file of the viewer's own, the audit's own numbers.
OF_NOBODY = {
    *("status", "hospital", "server_card", "unmeasured", "workers", "problems", "configuration_problems"),
    *("parked", "survivor", "imports", "sheet_layouts", "sources", "as_resources", "identity_key"),
    *("audit_chain", "audit_head", "audit_hash", "audit_subjects", "audit_read"),
    *("today", "hospital_traffic", "change_mark", "import_drafts", "staff", "service_names"),
}


def test_every_view_of_people_is_audited() -> None:
    rooms = [one for one in reversed(Insights.__mro__) if one is not object]
    offered = {name: view for room in rooms for name, view in vars(room).items()}
    views = {name: view for name, view in offered.items() if name[0] != "_" and callable(view)}
    noting = ("self.audit_read(", "self._note_look(", "audit_export(")
    silent = {name for name, view in views.items() if not any(one in getsource(view) for one in noting)}
    assert silent == OF_NOBODY
    assert len(views) > 30


def test_rows_are_found_by_who_what_whose_and_when(centre: Centre) -> None:
    with centre.open() as adapter, write_transaction(adapter.engine) as connection:
        subject = adapter.audit_subject("CB-1")
        for number, (who, action) in enumerate(
            [
                ("cli:lan", "record.read"),
                ("cli:an", "inbox.linked"),
                ("client", "recording"),
                ("sync", "record.read"),
            ]
        ):
            audit.append(
                connection,
                at=NOW + timedelta(days=number),
                actor=who,
                action=action,
                subject=subject if number == 1 else None,
                hospital="bv-tinh" if number == 3 else None,
            )

    def numbers(*arguments: str) -> list[int]:
        return [row["seq"] for row in _rows(centre, *arguments, "--until", "2026-11-20")]

    assert numbers() == [4, 3, 2, 1]
    assert numbers("--who", "cli") == [2, 1]
    assert numbers("--who", "cli:") == [2, 1]
    assert numbers("--who", "cli:lan") == [1]
    assert numbers("--action", "record") == [4, 1]
    assert numbers("--action", "record.read") == [4, 1]
    assert numbers("--who", "%") == []
    assert numbers("--hospital", "bv-tinh") == [4]
    assert numbers("--cadre", "CB-1") == [2]
    assert numbers("--cadre", "CB-2") == []
    assert numbers("--since", "2026-11-04") == [4, 3]
    assert numbers("--since", "2026-11-04T15:30") == [4, 3]
    assert numbers("--since", "2026-11-04T15:31") == [4]  # Viet Nam's time
    page = centre.run_json("audit", "show", "--until", "2026-11-20", "--limit", "3")
    assert [row["seq"] for row in page["rows"]] == [4, 3, 2]
    assert page["older"] == 2
    rest = centre.run_json("audit", "show", "--until", "2026-11-20", "--limit", "3", "--before", "2")
    assert ([row["seq"] for row in rest["rows"]], rest["older"]) == ([1], None)
    # that somebody looked for one person is said of that person
    assert [row["action"] for row in _rows(centre, "--cadre", "CB-1")] == ["audit.read", "inbox.linked"]


def test_verify_and_head_say_how_it_stands(centre: Centre) -> None:
    assert centre.run_json("audit", "verify")["holds"] is True
    centre.import_sample(cadres=4)
    facts = centre.run_json("audit", "verify")
    assert (facts["holds"], facts["chain"]["rows"], facts["chain"]["keyed_from"]) == (True, 1, 1)
    head = centre.run_json("audit", "head")
    assert (head["seq"], head["remembered"], head["trouble"]) == (1, 1, "")
    assert centre.run_json("audit", "head", "--at", "1")["hash"] == head["hash"]
    assert "còn nguyên" in centre.run("audit", "verify", "--lang", "vi")
    (centre.folder / "identity.key").rename(centre.folder / "away.key")
    assert centre.run_json("audit", "verify", code=1)["chain"]["without_key"] is True
    refused = centre.attempt("report")
    assert refused.returncode == 2
    assert "audit is keyed" in refused.stderr


def test_a_database_put_back_is_a_problem_until_a_person_says_that_it_is_right(tmp_path: Path) -> None:
    with Centre(tmp_path / "centre") as centre:
        centre.import_sample(cadres=4)
        centre.run("backup", str(tmp_path / "copy"))
        centre.run("report")
        assert "audit" not in [one["code"] for one in centre.run_json("status", "--problems")]
        for file in (centre.folder / "data").glob("adapter.db*"):
            file.unlink()
        (tmp_path / "copy").rename(centre.folder / "data" / "adapter.db")
        [problem] = [one for one in centre.run_json("status", "--problems", code=1) if one["code"] == "audit"]
        assert (problem["cause"], problem["command"]) == ("back", "adapter audit head")
        assert centre.run_json("audit", "verify", code=1)["head"]["trouble"] == "back"
        centre.run("report")
        centre.run("report")  # by now it is longer than what is remembered, and another
        assert centre.run_json("audit", "head", code=1)["trouble"] == "other"
        assert centre.run_json("audit", "head", "--accept")["trouble"] == ""
        assert "audit" not in [one["code"] for one in centre.run_json("status", "--problems")]
        assert centre.run_json("audit", "verify")["holds"] is True
        assert "audit.head-accepted" in _actions(centre)


def test_who_rewrites_the_database_is_found(tmp_path: Path) -> None:
    with Centre(tmp_path / "centre") as centre:
        centre.import_sample(cadres=4)
        centre.run("report")
        with closing(sqlite3.connect(centre.folder / "data" / "adapter.db", isolation_level=None)) as thief:
            thief.execute("DROP TRIGGER audit_no_delete")
            thief.execute("DELETE FROM audit WHERE action = 'report.read'")
        assert centre.run_json("audit", "verify", code=1)["chain"]["broken"] == 2


def test_settings_and_policy_that_change_are_audited(tmp_path: Path, database_url: str) -> None:
    with Centre(tmp_path / "centre", database_url=database_url) as centre:

        def note() -> None:
            with centre.open() as adapter:
                note_configuration(adapter, NOW, by="sync")

        note()
        note()
        file = centre.settings_file
        text = file.read_text("utf-8")
        file.write_text(
            "max_resend_percent = 100\n" + text.replace('display = "bv-tinh"', 'display = "khác"'), "utf-8"
        )
        note()
        file.write_text(text.replace("bv-trung-uong", "bv-moi"), "utf-8")
        note()
        rows = [row for row in reversed(_rows(centre)) if row["action"].startswith("configuration")]
        assert [row["action"] for row in rows] == ["configuration.noted", *["configuration.changed"] * 2]
        first, second, third = ([part for part, *_ in row["details"]["parts"]] for row in rows)
        hospitals = ["hospitals.bv-tinh", "hospitals.bv-trung-uong"]
        assert first == ["alarm", "centre", "general", *hospitals, "policy"]
        assert second == ["general", "hospitals.bv-tinh"]
        assert third == ["general", "hospitals.bv-moi", *hospitals]
        before_and_after = {part: values for part, *values in rows[2]["details"]["parts"]}
        assert before_and_after["hospitals.bv-moi"][0] is None
        assert before_and_after["hospitals.bv-trung-uong"][1] is None


def test_a_changed_policy_is_audited(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "mappings", tmp_path / "mappings")
    with Centre(tmp_path / "centre", settings={"mappings": str(tmp_path / "mappings")}) as centre:
        centre.import_sample(cadres=4)
        centre.attempt("sync", "bv-tinh")
        with (tmp_path / "mappings" / "disclosure.yaml").open("a") as policy:
            policy.write("# another byte\n")
        centre.attempt("sync", "bv-tinh")
        parts = [row["details"]["parts"] for row in _rows(centre, "--action", "configuration.changed")]
        assert [[one[0] for one in part] for part in parts] == [["policy"]]


def test_what_says_nothing_about_data_is_no_change() -> None:
    plain = Settings(identity_key="env:KEY")
    other = plain.model_copy(
        update={"lang": "vi", "log_level": "debug", "database_url": "postgresql://u:p@h/d"}
    )
    assert configuration_digests(plain) == configuration_digests(other)
    assert configuration_digests(plain) != configuration_digests(
        plain.model_copy(update={"max_resend_percent": 9})
    )


def test_the_head_is_mailed_each_day(centre: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, str]] = []
    monkeypatch.setattr(alarms, "send_mail", lambda subject, body, **_: sent.append((subject, body)))
    centre.import_sample(cadres=4)
    with centre.open() as adapter:
        TellAuditHead(adapter, lambda: NOW).run()
    assert sent == []  # nobody is named
    mail = {"host": "mail.example", "sender": "a@b.example", "to": ["it@b.example"]}
    with centre.settings_file.open("a") as file:
        file.write(
            "[alarm.mail]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in mail.items())
        )
    with centre.open() as adapter:
        TellAuditHead(adapter, lambda: NOW).run()
        head = audit.newest(adapter.engine)
    [(subject, body)] = sent
    assert subject.endswith(f"row {head.seq}")
    assert head.hash in body

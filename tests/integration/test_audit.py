"""The audit: appended in order, unchangeable through the adapter, and any forgery shows."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import Engine, event, select, text
from sqlalchemy.exc import DBAPIError

from adapter.audit import append, chain_head, verify_chain
from adapter.database import read_transaction, write_transaction
from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound.planning import update_ledger
from adapter.records.importing.import_writer import ImportWriter
from adapter.records.model import Cadre
from adapter.settings import HospitalSettings, Settings
from adapter.withheld import disclosure_refusal, set_withheld, withheld_counts, withheld_of_subject

NOW = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)
A, B, C, D = (letter * 32 for letter in "abcd")


def _append(engine: Engine, count: int, actor: str = "test") -> None:
    for number in range(count):
        with write_transaction(engine) as connection:
            append(
                connection,
                at=NOW + timedelta(seconds=number, microseconds=7),
                actor=actor,
                action="disclosure.refused",
                subject="5f" * 16,
                hospital="bv-tinh",
                details={"kind": "measurement", "count": number},
            )


def _forge(engine: Engine, statement: str) -> None:
    """Change the table as somebody with the database's password could, triggers off."""
    with write_transaction(engine) as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(text("DROP TRIGGER IF EXISTS audit_no_update"))
            connection.execute(text("DROP TRIGGER IF EXISTS audit_no_delete"))
        else:
            connection.execute(text("DROP TRIGGER IF EXISTS audit_no_change ON audit"))
        connection.execute(text(statement))


def test_empty_audit_holds(engine: Engine) -> None:
    assert verify_chain(engine) is None
    assert chain_head(engine) == (0, "0" * 64)


def test_chain_holds_and_counts_from_one(engine: Engine) -> None:
    _append(engine, 5)
    assert verify_chain(engine) is None
    assert chain_head(engine)[0] == 5


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE audit SET actor = 'somebody' WHERE seq = 3", 3),
        ("UPDATE audit SET details = '{}' WHERE seq = 2", 2),
        ("DELETE FROM audit WHERE seq = 4", 4),
        ("DELETE FROM audit WHERE seq = 1", 1),
        ("DELETE FROM audit WHERE seq >= 4", 4),
        ("DELETE FROM audit", 1),
        ("DELETE FROM audit_head", 6),
    ],
)
def test_forgery_shows(engine: Engine, statement: str, broken: int) -> None:
    _append(engine, 5)
    _forge(engine, statement)
    assert verify_chain(engine) == broken


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"])
def test_database_refuses_changes(engine: Engine, statement: str) -> None:
    _append(engine, 1)
    with pytest.raises(DBAPIError, match="append-only"), write_transaction(engine) as connection:
        connection.execute(text(statement))
    assert verify_chain(engine) is None


def test_rolled_back_work_leaves_no_row(engine: Engine) -> None:
    _append(engine, 1)
    with pytest.raises(RuntimeError), write_transaction(engine) as connection:  # noqa: PT012 - both belong to it
        append(connection, at=NOW, actor="test", action="lost")
        raise RuntimeError
    assert chain_head(engine)[0] == 1


def test_concurrent_appends_keep_one_chain(engine: Engine) -> None:
    threads = [Thread(target=_append, args=(engine, 10, f"worker-{number}")) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert chain_head(engine)[0] == 40
    assert verify_chain(engine) is None


def test_refusals_are_stated_once_and_counted(engine: Engine) -> None:
    first = {("measurement", "consent.hiv"): 2, ("cadre", "tier.held"): 1}
    with write_transaction(engine) as connection:
        assert set_withheld(connection, "bv-tinh", {A: first}, NOW) == [A]
    with write_transaction(engine) as connection:
        assert set_withheld(connection, "bv-tinh", {A: first}, NOW) == []
        assert set_withheld(connection, "bv-tinh", {B: {("measurement", "consent.hiv"): 3}}, NOW) == [B]
        assert set_withheld(connection, "bv-trung-uong", {A: first}, NOW) == [A]
        assert set_withheld(connection, "bv-trung-uong", {}, NOW) == []
    assert withheld_counts(engine, "bv-tinh") == [
        ("measurement", "consent.hiv", 5, 2),
        ("cadre", "tier.held", 1, 1),
    ]
    assert withheld_of_subject(engine, "bv-tinh", A) == first
    assert withheld_of_subject(engine, "bv-tinh", C) == {}
    assert chain_head(engine)[0] == 3  # the repetition is not audited


def test_refusals_that_end_are_cleared_and_audited(engine: Engine) -> None:
    with write_transaction(engine) as connection:
        set_withheld(connection, "bv-tinh", {A: {("cadre", "tier.held"): 1}}, NOW)
    with write_transaction(engine) as connection:
        assert set_withheld(connection, "bv-tinh", {A: {("cadre", "tier.held"): 0}}, NOW) == [A]
    assert withheld_counts(engine, "bv-tinh") == []
    with read_transaction(engine) as connection:
        actions = connection.execute(text("SELECT action FROM audit ORDER BY seq")).scalars().all()
    assert actions == ["disclosure.refused", "disclosure.cleared"]


def test_refusals_of_many_are_audited_in_their_order_and_of_those_alone_that_differ(engine: Engine) -> None:
    held, spoken = ("cadre", "tier.held"), ("visit", "free-text")
    with write_transaction(engine) as connection:
        stated = {A: {held: 1}, B: {held: 1}, C: {held: 1, spoken: 2}, D: {}}
        assert set_withheld(connection, "bv-tinh", stated, NOW) == [A, B, C]
        set_withheld(connection, "bv-trung-uong", {B: {held: 1}}, NOW)
    later = NOW + timedelta(hours=1)
    with write_transaction(engine) as connection:
        stated = {D: {held: 4}, C: {spoken: 3, held: 1}, B: {}, A: {held: 1}}
        assert set_withheld(connection, "bv-tinh", stated, later) == [D, C, B]
    with read_transaction(engine) as connection:
        query = text("SELECT action, subject, details FROM audit WHERE seq > 4 ORDER BY seq")
        told = [tuple(row) for row in connection.execute(query)]
        since = connection.execute(select(disclosure_refusal.c.subject, disclosure_refusal.c.since)).all()
    assert told == [
        ("disclosure.refused", D, '{"refused":[["cadre","tier.held",4]]}'),
        ("disclosure.refused", C, '{"refused":[["cadre","tier.held",1],["visit","free-text",3]]}'),
        ("disclosure.cleared", B, '{"refused":[]}'),
    ]
    assert {subject: at for subject, at in since if subject != B} == {A: NOW, C: later, D: later}
    assert withheld_of_subject(engine, "bv-trung-uong", B) == {held: 1}
    assert verify_chain(engine) is None


def test_a_plan_writes_in_the_audit_last_as_all_others_do(engine: Engine, tmp_path: Path) -> None:
    # Who held the audit and then waited for a hospital's row or a shipment would meet, the other way round,
    # whoever pauses the hospital, releases what is parked or merges people.
    (tmp_path / "identity.key").write_text("0123456789abcdef0123456789abcdef")
    hospital = HospitalSettings(display="bv-tinh", level="provincial", base_url="http://hospital.test/fhir")
    settings = Settings(identity_key=f"file:{tmp_path / 'identity.key'}", hospitals={"bv-tinh": hospital})
    adapter = Adapter(settings, engine)
    given = {"key": "C1", "name": "Nguyễn Văn A", "sex": "male", "birth_date": "1950-01-01", "tier": "T1"}
    with write_transaction(engine) as connection:
        changes = ImportWriter(connection, NOW)
        changes.upsert([(Cadre.model_validate(given), 2)], "new.xlsx", "sheet", NOW)
        changes.close()
    seen: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def _see(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    update_ledger(adapter, adapter.destination("bv-tinh"), NOW, lambda *_: None)
    refused = next(at for at, one in enumerate(seen) if "audit_head" in one)
    planned = [at for at, one in enumerate(seen) if one.startswith("UPDATE ledger_hospital")]
    assert planned
    assert max(planned) < refused
    assert withheld_of_subject(engine, "bv-tinh", adapter.audit_subject("C1"))

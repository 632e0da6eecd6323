"""The audit's hashes are keyed by a secret outside the database, and its head is remembered outside it."""

import json
import os
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

import orjson
import pytest
from sqlalchemy import Engine, select, text, update

from adapter import audit
from adapter.database import read_transaction, write_transaction
from adapter.errors import SettingsError
from adapter.pipeline.application import Adapter
from adapter.pipeline.remembered_head import HEAD_FILE, AuditKey, RememberedHead
from adapter.settings import Settings

NOW = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)
KEY = b"k" * 32


@pytest.fixture
def upgraded(engine: Engine) -> Engine:
    """Three rows from before there was a key, two from afterwards."""
    _append(engine, 3)
    audit.use_key(engine, lambda: KEY)
    _append(engine, 2)
    return engine


def _append(engine: Engine, count: int, actor: str = "test") -> None:
    for _ in range(count):
        with write_transaction(engine) as connection:
            audit.append(connection, at=NOW, actor=actor, action="tested", details={"n": 1})


def _without_triggers(engine: Engine) -> None:
    sqlite = ("DROP TRIGGER IF EXISTS audit_no_update", "DROP TRIGGER IF EXISTS audit_no_delete")
    server = ("DROP TRIGGER IF EXISTS audit_no_change ON audit",)
    with write_transaction(engine) as connection:
        for statement in sqlite if engine.dialect.name == "sqlite" else server:
            connection.execute(text(statement))


def _rebuild(engine: Engine, actor: str, *, until: int = 1_000) -> None:
    """What somebody with the database's password and this source, but without the key, can do: drop the
    triggers, write another actor, and make every hash anew.
    """
    _without_triggers(engine)
    table, previous, seq = audit.audit, "0" * 64, 0
    with write_transaction(engine) as connection:
        connection.execute(table.delete().where(table.c.seq > until))
        for row in connection.execute(select(table).order_by(table.c.seq)).all():
            at = row.at.astimezone(UTC).isoformat(timespec="microseconds")
            parts = [row.seq, at, actor, row.action, row.subject, row.hospital, row.details, previous]
            made = blake2b(orjson.dumps(parts), digest_size=32).hexdigest()
            values = {"actor": actor, "previous": previous, "hash": made}
            connection.execute(update(table).where(table.c.seq == row.seq).values(values))
            previous, seq = made, row.seq
        connection.execute(update(audit.audit_head).values(seq=seq, hash=previous))


def test_what_was_there_before_the_key_stays_verifiable(upgraded: Engine) -> None:
    found = audit.check_chain(upgraded)
    assert (found.rows, found.broken, found.keyed_from, found.without_key) == (5, None, 4, False)


def test_a_chain_that_was_made_anew_without_the_key_does_not_hold(upgraded: Engine) -> None:
    _rebuild(upgraded, "somebody else")
    assert audit.verify_chain(upgraded) == 4


def test_a_changed_keyed_row_is_found(upgraded: Engine) -> None:
    _without_triggers(upgraded)
    with write_transaction(upgraded) as connection:
        connection.execute(text("UPDATE audit SET actor = 'x' WHERE seq = 5"))
    assert audit.verify_chain(upgraded) == 5


def test_nothing_is_appended_without_the_key_once_there_was_one(upgraded: Engine) -> None:
    audit.use_key(upgraded, lambda: None)
    with pytest.raises(SettingsError, match="keyed"):
        _append(upgraded, 1)
    found = audit.check_chain(upgraded)
    assert (found.rows, found.broken, found.without_key) == (5, None, True)


def test_another_key_does_not_fit(upgraded: Engine) -> None:
    audit.use_key(upgraded, lambda: b"o" * 32)
    assert audit.verify_chain(upgraded) == 4


@pytest.mark.parametrize("until", [4, 3, 1])
def test_a_cut_off_end_is_seen_by_what_is_remembered(upgraded: Engine, tmp_path: Path, until: int) -> None:
    head = RememberedHead(upgraded, tmp_path, lambda: KEY)
    head.remember()
    assert head.trouble() == ""
    _without_triggers(upgraded)
    with write_transaction(upgraded) as connection:
        connection.execute(audit.audit.delete().where(audit.audit.c.seq > until))
        last = connection.execute(select(audit.audit.c.hash).where(audit.audit.c.seq == until)).scalar_one()
        connection.execute(update(audit.audit_head).values(seq=until, hash=last))
    assert audit.verify_chain(upgraded) is None  # in itself it holds
    assert head.trouble() == "back"
    _append(upgraded, 9, "later")  # and however much comes after
    assert head.trouble() == "other"
    head.remember()
    assert head.trouble() == "other"  # it is not overwritten by itself
    head.accept()
    assert head.trouble() == ""


def test_saying_that_there_never_was_a_key_does_not_help(upgraded: Engine, tmp_path: Path) -> None:
    head = RememberedHead(upgraded, tmp_path, lambda: KEY)
    head.remember()
    _rebuild(upgraded, "somebody else")
    with write_transaction(upgraded) as connection:
        connection.execute(update(audit.audit_head).values(keyed_from=None))
    assert audit.verify_chain(upgraded) is None
    assert head.trouble() == "other"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[1]",
        b"\xff",
        b'{"seq": 0, "hash": "", "keyed_from": null, "seal": ""}',
        b'{"seq": 1, "hash": "x", "keyed_from": 1, "seal": "00"}',
        b'{"seq": "many"}',
    ],
)
def test_what_is_remembered_cannot_be_written_without_the_key(
    upgraded: Engine, tmp_path: Path, content: bytes
) -> None:
    head = RememberedHead(upgraded, tmp_path, lambda: KEY)
    (tmp_path / HEAD_FILE).write_bytes(content)
    assert head.trouble() == "unsealed"
    head.remember()
    assert (tmp_path / HEAD_FILE).read_bytes() == content


def test_an_older_head_is_no_trouble(upgraded: Engine, tmp_path: Path) -> None:
    """Killed between a commit and the writing down."""
    head = RememberedHead(upgraded, tmp_path, lambda: KEY)
    head.remember()
    _append(upgraded, 3)
    assert head.trouble() == ""
    head.remember()
    assert json.loads((tmp_path / HEAD_FILE).read_bytes())["seq"] == 8
    assert (tmp_path / HEAD_FILE).stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.glob("audit*")] == [HEAD_FILE]


def test_nothing_is_remembered_without_a_key(engine: Engine, tmp_path: Path) -> None:
    _append(engine, 1)
    RememberedHead(engine, tmp_path, lambda: None).remember()
    assert list(tmp_path.glob("audit*")) == []


def test_the_adapter_keys_what_it_appends_and_remembers_it_when_it_closes(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("A_KEY", "f3" * 32)
    settings = Settings(database_url=database_url, identity_key="env:A_KEY")
    file = settings.data_folder / HEAD_FILE
    file.parent.mkdir(exist_ok=True)
    with Adapter.open(settings):
        pass
    assert not file.exists()  # whoever only looks writes nothing
    with Adapter.open(settings) as adapter:
        _append(adapter.engine, 2)
    assert json.loads(file.read_bytes())["seq"] == 2
    with Adapter.open(settings) as adapter:
        assert audit.check_chain(adapter.engine) == audit.ChainReading(2, None, 1, without_key=False)
        assert adapter.remembered_head.trouble() == ""


def test_the_old_identity_key_can_stay_the_audits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLD", "a1" * 32)
    monkeypatch.setenv("NEW", "b2" * 32)
    before = AuditKey(Settings(identity_key="env:OLD"))()
    assert before != AuditKey(Settings(identity_key="env:NEW"))()
    assert before == AuditKey(Settings(identity_key="env:NEW", audit_key="env:OLD"))()
    assert before is not None
    assert os.environ["OLD"].encode() not in before
    assert AuditKey(Settings(identity_key="env:NOWHERE"))() is None


def test_a_database_put_back_is_seen(upgraded: Engine, tmp_path: Path) -> None:
    """Somebody puts last week's copy back, rows and head and all."""
    head = RememberedHead(upgraded, tmp_path, lambda: KEY)
    with read_transaction(upgraded) as connection:
        before = connection.execute(select(audit.audit_head)).one()._asdict()
    _append(upgraded, 4)
    head.remember()
    _without_triggers(upgraded)
    with write_transaction(upgraded) as connection:
        connection.execute(audit.audit.delete().where(audit.audit.c.seq > before["seq"]))
        connection.execute(update(audit.audit_head).values(before))
    assert audit.verify_chain(upgraded) is None
    assert head.trouble() == "back"

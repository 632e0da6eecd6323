"""`adapter backup` and `adapter restore --check`: whole, private, and what is wrong with one is said."""

import json
import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from centre_states import CentreStates
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from adapter.database import known_versions
from adapter.errors import UsageError
from adapter.operations.backup import _dump
from adapter.pipeline.outbound.planning import update_ledger
from adapter.testing import Centre


@pytest.fixture
def centre(tmp_path: Path, database_url: str) -> Iterator[Centre]:
    """Four people, on each system."""
    folder = tmp_path / "centre"
    with Centre(folder, database_url=database_url) as centre:
        centre.import_sample(cadres=4)
        yield centre


@pytest.fixture
def small(tmp_path: Path, centre_states: CentreStates) -> Iterator[Centre]:
    """Four people on SQLite, with what was planned for a hospital."""
    centre_states.put("four people, planned", tmp_path / "centre", _four_people_planned)
    with Centre(tmp_path / "centre") as centre:
        yield centre


def _four_people_planned(centre: Centre) -> None:
    centre.import_sample(cadres=4)
    with centre.open() as adapter:
        update_ledger(adapter, adapter.destination("bv-tinh"), datetime.now(UTC), lambda *_: None)


def _check(centre: Centre, file: Path) -> tuple[int, dict[str, object]]:
    done = centre.attempt("restore", "--check", str(file), "--json")
    return done.returncode, json.loads(done.stdout)


def test_a_backup_is_private_checked_and_audited(centre: Centre, tmp_path: Path) -> None:
    file = tmp_path / "copy"
    made = centre.run_json("backup", str(file))
    assert made["bytes"] == file.stat().st_size > 1000
    assert file.stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob("copy?*"))
    code, found = _check(centre, file)
    assert (code, found["problems"], found["system"]) == (0, [], made["system"])
    said = centre.run("restore", "--check", str(file))
    assert "It can be put back." in said


def test_a_backup_never_overwrites(centre: Centre, tmp_path: Path) -> None:
    file = tmp_path / "copy"
    file.write_text("mine")
    assert centre.attempt("backup", str(file)).returncode == 2
    assert file.read_text() == "mine"
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert centre.attempt("backup", str(tmp_path / "link")).returncode == 2
    assert centre.attempt("backup", str(tmp_path / "no" / "folder")).returncode == 1
    assert not (tmp_path / "no").exists()


def test_what_was_put_back_is_what_it_was(centre: Centre, tmp_path: Path, postgres_url: str) -> None:
    file = tmp_path / "copy"
    centre.run("backup", str(file))
    before = centre.run_json("status"), centre.run_json("report")
    if centre.settings().database_file:
        url = f"sqlite:///{shutil.copy(file, tmp_path / 'other.db')}"
    else:
        url = postgres_url
        plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        subprocess.run(
            ["/usr/bin/env", "pg_restore", "--clean", "--if-exists", "--no-owner", f"--dbname={plain}", file],
            check=True,
        )
    with Centre(tmp_path / "new", database_url=url) as other:
        other.environment["ADAPTER_LANG"] = "en"
        assert (other.run_json("status"), other.run_json("report")) == before


def test_it_is_made_while_others_write(small: Centre, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(small.folder / "data" / "adapter.db", timeout=30)) as other:
            while not stop.is_set():
                other.execute("UPDATE ledger_hospital SET mode_note = hex(randomblob(20))")
                other.commit()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        small.run("backup", str(tmp_path / "copy"))
    finally:
        stop.set()
        writer.join()
    assert _check(small, tmp_path / "copy")[1]["problems"] == []


def test_what_is_in_it_is_counted_and_the_key_fits(small: Centre, tmp_path: Path) -> None:
    small.run("backup", str(tmp_path / "copy"))
    code, found = _check(small, tmp_path / "copy")
    assert code == 0
    assert isinstance(found["counts"], dict)
    assert found["counts"]["people"] == 4
    assert found["counts"]["resources"] > 4
    assert found["key_fits"] is True
    assert found["audit_rows_keyed_from"] == 1


def test_another_key_does_not_fit(small: Centre, tmp_path: Path) -> None:
    small.run("backup", str(tmp_path / "copy"))
    (small.folder / "identity.key").write_text("fedcba9876543210" * 4)
    code, found = _check(small, tmp_path / "copy")
    assert (code, found["key_fits"]) == (1, False)
    assert found["problems"] == ["audit", "key"]
    (small.folder / "identity.key").unlink()
    assert _check(small, tmp_path / "copy")[1]["key_fits"] is None


def test_a_key_of_the_audits_own_is_told_from_the_identity_key(small: Centre, tmp_path: Path) -> None:
    small.run("backup", str(tmp_path / "copy"))
    (small.folder / "old.key").write_text((small.folder / "identity.key").read_text())
    (small.folder / "identity.key").write_text("fedcba9876543210" * 4)
    small.environment["ADAPTER_AUDIT_KEY"] = f"file:{small.folder / 'old.key'}"
    assert _check(small, tmp_path / "copy")[1]["problems"] == ["key"]


def _cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _scratched(file: Path) -> None:
    content = bytearray(file.read_bytes())
    for place in range(8192, len(content), 4096):  # the head of every page but the first two
        content[place : place + 12] = b"\x77" * 12
    file.write_bytes(bytes(content))


def _emptied(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as made:
        made.execute("CREATE TABLE something_else (id INTEGER)")
    file.chmod(0o600)


def _forged(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as made:
        made.execute("DROP TRIGGER audit_no_update")
        made.execute("UPDATE audit SET actor = 'nobody' WHERE seq = 1")


def _newer(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as made:
        made.execute("UPDATE alembic_version SET version_num = '9999'")


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (_cut, "damaged"),
        (_scratched, "damaged"),
        (_emptied, "foreign"),
        (_forged, "audit"),
        (_newer, "newer"),
        (lambda file: file.chmod(0o644), "open"),
        (lambda file: file.with_name(f"{file.name}-wal").write_bytes(b"x"), "live"),
    ],
    ids=["cut", "scratched", "foreign", "forged", "newer", "open", "live"],
)
def test_what_is_wrong_with_a_backup_is_said(
    small: Centre, tmp_path: Path, spoil: "object", problem: str
) -> None:
    file = tmp_path / "copy"
    small.run("backup", str(file))
    assert callable(spoil)
    spoil(file)
    content = file.read_bytes()
    code, found = _check(small, file)
    assert code == 1
    assert isinstance(found["problems"], list)
    assert problem in found["problems"]
    assert file.read_bytes() == content
    assert sorted(one.name for one in tmp_path.glob("copy*") if "wal" not in one.name) == ["copy"]
    assert small.attempt("restore", "--check", str(file), "--lang", "vi").stdout.count("!!") >= 1


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", b"SQLite"])
def test_what_is_no_backup_is_refused(small: Centre, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other").write_bytes(content)
    assert small.attempt("restore", "--check", str(tmp_path / "other")).returncode == 2
    assert small.attempt("restore", "--check", str(tmp_path / "nowhere")).returncode == 1


def test_a_check_needs_no_database(small: Centre, tmp_path: Path) -> None:
    """The database may be the one that was lost."""
    small.run("backup", str(tmp_path / "copy"))
    shutil.rmtree(small.folder / "data")
    assert _check(small, tmp_path / "copy")[0] == 0
    assert not (small.folder / "data").exists()


def test_an_older_schema_is_not_refused(small: Centre, tmp_path: Path) -> None:
    small.run("backup", str(tmp_path / "copy"))
    with closing(sqlite3.connect(tmp_path / "copy", isolation_level=None)) as made:
        made.execute("UPDATE alembic_version SET version_num = ?", (known_versions()[-2],))
        made.execute("ALTER TABLE audit_head DROP COLUMN keyed_from")
    code, found = _check(small, tmp_path / "copy")
    assert (code, found["schema"], found["key_fits"]) == (0, known_versions()[-2], True)


def test_restoring_itself_is_done_by_hand(small: Centre, tmp_path: Path) -> None:
    done = small.attempt("restore", str(tmp_path / "copy"))
    assert done.returncode == 2
    assert "docs/operating.md" in done.stderr


def test_what_was_deleted_is_not_in_a_backup(small: Centre, tmp_path: Path) -> None:
    word = b"UNGVIENBIMAT"
    with closing(sqlite3.connect(small.folder / "data" / "adapter.db", isolation_level=None)) as there:
        there.execute("CREATE TABLE scratch (words TEXT)")
        there.execute("INSERT INTO scratch VALUES (?)", (word.decode() * 1000,))
        there.execute("DELETE FROM scratch")
        there.execute("DROP TABLE scratch")
    small.run("backup", str(tmp_path / "copy"))
    assert word not in (tmp_path / "copy").read_bytes()


def test_a_password_is_neither_shown_nor_an_argument(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    fake = programs / "pg_dump"
    fake.write_text(
        '#!/bin/sh\necho "$@" > "$ARGS"; echo "$PGPASSWORD" > "$ENVS"; echo "no server" >&2; exit 1\n'
    )
    fake.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        patch.setenv("ARGS", str(tmp_path / "args"))
        patch.setenv("ENVS", str(tmp_path / "envs"))
        with pytest.raises(UsageError, match="no server") as raised:
            _dump("postgresql+psycopg://adapter:s3cr3t@db.example:5433/centre", tmp_path / "part")
    assert "s3cr3t" not in (tmp_path / "args").read_text() + str(raised.value)
    assert "postgresql://adapter@db.example:5433/centre" in (tmp_path / "args").read_text()
    assert (tmp_path / "envs").read_text() == "s3cr3t\n"


# -- PostgreSQL: a dump is put into a throw-away database -------------------------------------------


@pytest.fixture
def served(tmp_path: Path, postgres_url: str) -> Iterator[Centre]:
    with Centre(tmp_path / "centre", database_url=postgres_url) as centre:
        centre.import_sample(cadres=4)
        with centre.open() as adapter:
            update_ledger(adapter, adapter.destination("bv-tinh"), datetime.now(UTC), lambda *_: None)
        yield centre


def _autocommit(url: str) -> Engine:
    return create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)


def _databases(url: str) -> set[str]:
    with create_engine(url, poolclass=NullPool).connect() as connection:
        return set(connection.execute(text("SELECT datname FROM pg_database")).scalars())


def test_a_dump_is_looked_at_in_a_database_that_is_dropped_again(
    served: Centre, tmp_path: Path, postgres_url: str
) -> None:
    served.run("backup", str(tmp_path / "copy"))
    code, found = _check(served, tmp_path / "copy")
    assert (code, found["problems"], found["untried"]) == (0, [], "")
    assert isinstance(found["counts"], dict)
    assert found["counts"]["people"] == 4
    assert (found["key_fits"], found["audit_rows_keyed_from"]) == (True, 1)
    assert not [one for one in _databases(postgres_url) if one.startswith("adapter_restore_check")]


@pytest.mark.parametrize("wrong", ["audit", "key"])
def test_what_is_wrong_in_a_dump_is_found(
    served: Centre, tmp_path: Path, postgres_url: str, wrong: str
) -> None:
    if wrong == "audit":
        with create_engine(postgres_url, poolclass=NullPool).begin() as connection:
            connection.execute(text("DROP TRIGGER audit_no_change ON audit"))
            connection.execute(text("UPDATE audit SET actor = 'nobody' WHERE seq = 1"))
    served.run("backup", str(tmp_path / "copy"))
    if wrong == "key":
        (served.folder / "identity.key").write_text("another-Key-4711-zyx-0815-abcdef")
    code, found = _check(served, tmp_path / "copy")
    assert code == 1
    assert isinstance(found["problems"], list)
    assert wrong in found["problems"]
    assert not [one for one in _databases(postgres_url) if one.startswith("adapter_restore_check")]


def test_what_cannot_be_tried_is_said(served: Centre, tmp_path: Path, postgres_url: str) -> None:
    """Another account may not make a database; and the settings may name no server at all."""
    served.run("backup", str(tmp_path / "copy"))
    with _autocommit(postgres_url).connect() as connection:
        connection.execute(text("DROP ROLE IF EXISTS poor_reader"))
        connection.execute(text("CREATE ROLE poor_reader LOGIN"))
    poor = make_url(postgres_url).set(username="poor_reader").render_as_string(hide_password=False)
    with Centre(tmp_path / "poor", database_url=poor) as other:
        code, found = _check(other, tmp_path / "copy")
        assert (code, found["untried"], found["counts"]) == (0, "no-right", {})
        assert "no more is proved" in other.run("restore", "--check", str(tmp_path / "copy"))
    with Centre(tmp_path / "none") as other:
        code, found = _check(other, tmp_path / "copy")
        assert (code, found["untried"]) == (0, "no-server")

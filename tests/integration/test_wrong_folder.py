"""A command that runs where no settings are makes nothing, and says which file it looked for."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sample import SMALL

from adapter.errors import SettingsError
from adapter.pipeline.application import Adapter
from adapter.settings import load_settings
from adapter.testing import Centre
from adapter.testing.commands import Commands


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Commands]:
    """Somebody in a folder without anything in it, whose environment names nothing."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    with Commands(folder) as commands:
        yield commands


@pytest.mark.parametrize(
    "arguments",
    [
        ("sync",),
        ("status",),
        ("status", "--json"),
        ("status", "--problems"),
        ("status", "--where"),
        ("import", str(SMALL)),
        ("import", str(SMALL), "--dry-run"),
        ("plan",),
        ("inbox",),
        ("report",),
        ("alarm",),
        ("parked",),
        ("serve",),
        ("schedule",),
        ("worker", "--once"),
        ("explain", "CB-0001"),
        ("hospital", "list"),
        ("hospital", "token", "bv-tinh"),
        ("cadre", "merges"),
        ("source", "list"),
    ],
    ids=" ".join,
)
def test_nothing_is_made_where_no_settings_are(elsewhere: Commands, arguments: tuple[str, ...]) -> None:
    done = elsewhere.attempt(*arguments)
    assert done.returncode == 2
    assert str(elsewhere.folder / "adapter.toml") in done.stderr
    assert "adapter init" in done.stderr
    assert done.stdout == ""
    assert list(elsewhere.folder.iterdir()) == []


def test_a_folder_of_that_name_is_no_settings_file(elsewhere: Commands) -> None:
    (elsewhere.folder / "adapter.toml").mkdir()
    assert elsewhere.attempt("sync").returncode == 2
    assert [one.name for one in elsewhere.folder.iterdir()] == ["adapter.toml"]


def test_it_is_said_in_vietnamese(elsewhere: Commands) -> None:
    said = elsewhere.attempt("sync", "--lang", "vi").stderr
    assert "Không có cấu hình" in said
    assert str(elsewhere.folder / "adapter.toml") in said


def test_a_variable_that_names_the_database_is_enough(elsewhere: Commands) -> None:
    elsewhere.environment["ADAPTER_DATABASE_URL"] = f"sqlite:///{elsewhere.folder / 'named.db'}"
    first = elsewhere.attempt("status")
    assert first.returncode == 0
    assert str(elsewhere.folder / "named.db") in first.stderr  # a new one is never made in silence
    assert "A new, empty database" in first.stderr
    assert "A new, empty database" not in elsewhere.attempt("status").stderr
    assert [one for one in elsewhere.folder.iterdir() if not one.name.startswith("named.db")] == []


def test_a_variable_for_something_else_is_not_enough(elsewhere: Commands) -> None:
    elsewhere.environment["ADAPTER_LANG"] = "en"
    elsewhere.environment["ADAPTER_IDENTITY_KEY"] = "env:KEY"
    assert elsewhere.attempt("sync").returncode == 2
    assert list(elsewhere.folder.iterdir()) == []


def test_no_code_path_opens_a_database_that_nobody_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ADAPTER_CONFIG", raising=False)
    with pytest.raises(SettingsError):
        Adapter.open(load_settings())
    assert list(tmp_path.iterdir()) == []


def test_status_says_what_it_looks_at(tmp_path: Path) -> None:
    with Centre(tmp_path / "centre") as centre:
        before = centre.run_json("status", "--where")
        assert before["database_found"] is False
        assert not Path(before["database"]).exists()
        centre.run("import", str(SMALL))
        used = centre.run_json("status", "--where")
        assert used["settings"] == str(centre.settings_file)
        assert used["settings_found"] is used["database_found"] is True
        assert Path(used["database"]).is_file()
        for arguments in (("status",), ("status", "--json")):
            said = centre.attempt(*arguments).stderr
            assert used["settings"] in said
            assert used["database"] in said
        assert isinstance(centre.run_json("status"), list)


def test_a_password_of_the_database_is_not_shown(tmp_path: Path) -> None:
    with Centre(tmp_path, database_url="postgresql://adapter:s3cr3t@db.example/adapter") as centre:
        said = centre.run("status", "--where")
        assert "db.example" in said
        assert "s3cr3t" not in said


def test_story_cron_in_the_wrong_folder(tmp_path: Path, elsewhere: Commands) -> None:
    """The cron line lost its `cd`: the run says so with 2 and leaves nothing; put right, the work goes on."""
    with Centre(tmp_path / "centre") as centre:
        centre.start_hospital("bv-tinh")
        centre.put_server_cards()
        centre.import_sample(cadres=4)
        sent = centre.run_json("sync", "bv-tinh")["hospitals"]["bv-tinh"]["delivered"]
        assert sent > 0
        lost = elsewhere.attempt("sync")
        assert lost.returncode == 2
        assert str(elsewhere.folder / "adapter.toml") in lost.stderr
        assert list(elsewhere.folder.iterdir()) == []
        again = elsewhere.attempt("sync", "bv-tinh", "--json", "--config", str(centre.settings_file))
        assert again.returncode == 0
        assert json.loads(again.stdout)["hospitals"]["bv-tinh"]["requests"] == 0

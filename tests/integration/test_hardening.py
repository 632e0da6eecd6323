"""Services and what they hold: not root unasked, no key that can be guessed, nothing readable by others."""

import os
import pwd
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapter.errors import SettingsError
from adapter.insights.open_files import readable_by_others
from adapter.testing import Centre

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be refused")


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    """A centre without records."""
    with Centre(tmp_path / "centre") as centre:
        yield centre


@AS_ROOT
@pytest.mark.parametrize("command", [("serve",), ("schedule",), ("worker", "--once")], ids=" ".join)
def test_a_service_does_not_run_as_root_unasked(centre: Centre, command: tuple[str, ...]) -> None:
    del centre.environment["ADAPTER_ALLOW_ROOT"]
    done = centre.attempt(*command)
    assert done.returncode == 2
    assert "root" in done.stderr
    assert not (centre.folder / "data").exists()


@AS_ROOT
def test_a_setting_lets_it(centre: Centre) -> None:
    del centre.environment["ADAPTER_ALLOW_ROOT"]
    text = centre.settings_file.read_text("utf-8")
    centre.settings_file.write_text(f"allow_root = true\n{text}", "utf-8")
    assert centre.attempt("worker", "--once").returncode == 0


@AS_ROOT
def test_a_command_for_a_person_is_no_service(centre: Centre) -> None:
    del centre.environment["ADAPTER_ALLOW_ROOT"]
    assert centre.attempt("status").returncode == 0


@pytest.mark.parametrize("key", ["a" * 64, "kurz", "changeme-and-so-on-and-on"])
def test_a_weak_key_sends_nothing(centre: Centre, key: str) -> None:
    centre.import_sample(cadres=4)
    (centre.folder / "identity.key").write_text(key)
    done = centre.attempt("sync")
    assert done.returncode == 2
    assert "identity key" in done.stderr
    assert key not in done.stderr
    with centre.open() as adapter, pytest.raises(SettingsError):
        _ = adapter.identities


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_service_leaves_no_core(centre: Centre) -> None:
    centre.start_endpoint()
    limits = Path(f"/proc/{centre.processes['serve'].pid}/limits").read_text()
    [core] = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert core.split()[4:6] == ["0", "0"]


def test_what_others_can_read_is_found(centre: Centre, tmp_path: Path) -> None:
    """As far as somebody can get there at all: pytest's own folder is closed, so the judge is asked with it
    opened in his mind.
    """
    centre.import_sample(cadres=4)
    settings = centre.settings()
    assert readable_by_others(settings) == []
    key, database = centre.folder / "identity.key", settings.database_file
    assert database is not None
    centre.folder.chmod(0o755)  # whatever the tests before left as the umask
    with _reached(tmp_path):
        assert readable_by_others(settings) == []
        key.chmod(0o640)
        assert readable_by_others(settings) == [key]
        database.chmod(0o604)
        assert readable_by_others(settings) == [key]  # the data folder is closed
        database.parent.chmod(0o755)
        assert readable_by_others(settings) == [key, database.parent, database]
        [problem] = [
            one for one in centre.run_json("status", "--problems", code=1) if one["code"] == "open-files"
        ]
        assert problem["count"] == 3
        assert str(key) in centre.run("status", "--where")
    assert readable_by_others(settings) == []


def _reached(folder: Path) -> "_Opened":
    return _Opened(folder)


class _Opened:
    """All folders above can be passed by everybody, for the length of a `with`."""

    def __init__(self, folder: Path) -> None:
        self._before = [(one, one.stat().st_mode) for one in folder.resolve().parents if one.owner() == _me()]
        self._before.append((folder, folder.stat().st_mode))

    def __enter__(self) -> None:
        for path, mode in self._before:
            path.chmod(mode | 0o011)

    def __exit__(self, *_: object) -> None:
        for path, mode in self._before:
            path.chmod(mode)


def _me() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name

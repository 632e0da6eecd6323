"""The README's commands, run one after the other, print what it says they print; in Vietnamese too."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import forking
import pytest

from adapter.testing import free_port, until

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
VIETNAMESE = (ROOT / "docs" / "vi" / "README.md").read_text("utf-8")
ADAPTER = Path(sys.executable).with_name("adapter")
PORTS = ("9101", "9102", "8080")


def _blocks(page: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


def _steps(page: str) -> list[tuple[str, list[str]]]:
    """(command, lines that the page shows below it), in order."""
    steps: list[tuple[str, list[str]]] = []
    for line in "".join(_blocks(page, "console")).splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        elif line.strip():
            steps[-1][1].append(" ".join(line.split()))
    return steps


class Shell:
    """Runs the README's commands in a folder of their own, on ports that are free here."""

    def __init__(self, folder: Path, command: Path = ADAPTER) -> None:
        self.folder = folder
        self.ports = {port: str(free_port()) for port in PORTS}
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ADAPTER_")},
            "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}",
            "ADAPTER_LISTEN_PORT": self.ports["8080"],
            "ADAPTER_ALLOW_ROOT": "true",
        }
        self.background: list[subprocess.Popen[bytes]] = []

    def moved(self, text: str) -> str:
        for port, free in self.ports.items():
            text = re.sub(rf"\b{port}\b", free, text)
        return text

    def run(self, command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", self.moved(command)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def start(self, command: str) -> Path:
        log = self.folder / f"background-{len(self.background)}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {self.moved(command.removesuffix('&'))}"],
                cwd=self.folder,
                env=self.environment,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        self.background.append(process)
        return log

    def stop(self) -> list[int]:
        for process in self.background:
            process.send_signal(signal.SIGTERM)
        return [process.wait(30) for process in self.background]


@pytest.fixture
def shell(tmp_path: Path, page: str) -> Iterator[Shell]:
    """Of the English page the commands are started as a person starts them, of the other they are forked."""
    (tmp_path / "fixtures").symlink_to(ROOT / "fixtures")
    shell = Shell(tmp_path, ADAPTER if page == README else forking.executable(tmp_path))
    yield shell
    for process in shell.background:
        process.kill()
        process.wait()


@pytest.mark.parametrize("page", [README, VIETNAMESE], ids=["en", "vi"])
def test_the_commands_do_what_the_readme_says(shell: Shell, page: str) -> None:
    steps = _steps(page)
    assert len(steps) > 8
    for command, shown in steps:
        if command.endswith("&"):
            log = shell.start(command)
            assert until(lambda log=log, shown=shown: _shows(log.read_text("utf-8"), shown, shell), 30), (
                command
            )
        elif command == "adapter report":  # the hospitals examine meanwhile
            assert until(lambda shown=shown: _shows(shell.run("adapter report"), shown, shell), 60, every=1)
        else:
            output = shell.run(command)
            # How many tests a hospital makes of a referral, it draws by lot.
            by_lot = command == "adapter inbox"
            assert _missing(output, shown, shell, numbers=not by_lot) == [], f"{command}\n{output}"
        if command.startswith("adapter init"):
            settings = shell.folder / "adapter.toml"
            settings.write_text(settings.read_text("utf-8") + shell.moved(_blocks(page, "toml")[0]), "utf-8")
    assert shell.stop() == [0] * len(shell.background)


def _shows(output: str, shown: list[str], shell: Shell) -> bool:
    return not _missing(output, shown, shell)


def _missing(output: str, shown: list[str], shell: Shell, *, numbers: bool = True) -> list[str]:
    """Lines that the README shows and the output lacks; spaces do not matter, numbers if asked."""

    def plain(line: str) -> str:
        line = " ".join(shell.moved(line).split())
        return line if numbers else re.sub(r"\d+", "#", line)

    printed = {plain(line) for line in output.splitlines()}
    return [line for line in shown if plain(line) not in printed]


def test_both_readmes_have_the_same_commands_and_settings() -> None:
    english, vietnamese = ([command for command, _ in _steps(page)] for page in (README, VIETNAMESE))
    assert [command.replace(" --lang vi", "") for command in vietnamese] == english
    assert _blocks(VIETNAMESE, "toml") == _blocks(README, "toml")


@pytest.mark.parametrize("target", ["demo", "test", "conformance", "lint", "bench", "clean", "help"])
def test_make_has_the_targets(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_the_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert link.startswith("http") or (ROOT / link).exists(), link

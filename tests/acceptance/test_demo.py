"""The demo passes, with hospitals of every kind, and its check notices what is spoiled on purpose."""

import subprocess
import sys
from pathlib import Path

import forking

ADAPTER = Path(sys.executable).with_name("adapter")


def _demo(folder: Path, *options: str, command: Path = ADAPTER) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [command, "demo", "--small", "--folder", folder, *options],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_demo_passes(tmp_path: Path) -> None:
    done = _demo(tmp_path / "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✗" not in done.stdout
    assert done.stdout.count("✓") == 14
    _, _, doors = done.stdout.partition("[11/11]")
    for answered in (
        'the page now says "finished"',
        "over MLLP; answered: AA",
        "bv-huyen: its referral is completed",
        "completed; 3 of 3 values",
        "bv-khu-vuc: its referral is completed",
        "completed; 2 of 2 values",
    ):
        assert answered in doors, done.stdout


def test_its_check_notices_what_is_spoiled(tmp_path: Path) -> None:
    """A referral skipped, an Observation sent twice, a person let through who must not leave."""
    forked = forking.executable(tmp_path)  # how it is started is as it is above
    done = _demo(tmp_path / "demo", "--sabotage", "skip,twice,secret", command=forked)
    assert done.returncode == 1
    failed = "\n".join(line for line in done.stdout.splitlines() if "✗" in line)
    for notice in (
        "ServiceRequest 2 instead of 3",
        "Observation 900 instead of 899",
        "Patient 15 instead of 14",
        "identifier: 1",
        "Files that hold",
    ):
        assert notice in failed, done.stdout


def test_it_removes_no_folder_that_is_not_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    done = _demo(folder)
    assert done.returncode == 2
    assert (folder / "thesis.txt").read_text() == "mine"

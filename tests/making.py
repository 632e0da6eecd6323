"""What is not Python, made once for the tests in a folder of its own, and again when its sources change."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["is_made", "mark", "maven", "npm", "run"]


def run(*command: str, folder: Path) -> None:
    """Run a command that must succeed; what it says goes to standard error."""
    subprocess.run(command, cwd=folder, check=True, stdout=sys.stderr)


def npm(source: Path, folder: Path) -> None:
    """Copy `source` to `folder` and install there what its package-lock.json names."""
    if is_made(folder, source):
        return
    shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
    run("npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", folder=folder)
    mark(folder, source)


def maven(source: Path, folder: Path, *goals: str) -> None:
    """Reach Maven's `goals` for the project in `source`, building in `folder`, not in the work tree."""
    if is_made(folder, source):
        return
    run("mvn", "--quiet", "--batch-mode", f"-Dbuild.folder={folder}", *goals, folder=source)
    mark(folder, source)


def is_made(folder: Path, source: Path) -> bool:
    """Whether `folder` was made from `source` as it is now."""
    mark = folder / "made-from"
    return mark.is_file() and mark.read_text() == _digest(source)


def mark(folder: Path, source: Path) -> None:
    """Note what `folder` was made from."""
    (folder / "made-from").write_text(_digest(source))


def _digest(source: Path) -> str:
    files = sorted(path for path in source.rglob("*") if path.is_file() and "node_modules" not in path.parts)
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()

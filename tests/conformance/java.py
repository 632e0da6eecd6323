"""HL7's own engines: lines in, a line of answer for each."""

import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from conformance.fetch import HAPI

__all__ = ["command", "java"]

_FEW = 500  # lines: so few are over before the better compiler has paid
_QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
_LASTING = ("-XX:+UseParallelGC",)


def command(name: str, *first: Path, lasting: bool = True) -> list[str]:
    """How a class of tests/conformance/hapi is run; `first` are folders that its classpath begins with."""
    classpath = ":".join((*map(str, first), str(HAPI / "classes"), (HAPI / "classpath").read_text().strip()))
    return ["java", *(_LASTING if lasting else _QUICK), "-cp", classpath, name]


def java(name: str, lines: Iterable[bytes]) -> Sequence[bytes]:
    """What the class says to each line."""
    listed = list(lines)
    started = command(name, lasting=len(listed) > _FEW)
    done = subprocess.run(started, input=b"\n".join(listed) + b"\n", capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    answers = done.stdout.splitlines()
    assert len(answers) == len(listed)
    return answers

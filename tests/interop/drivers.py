"""Other people's FHIR clients, each in a process of its own that speaks lines of JSON.

A line in is one step: `{"step": "read", "type": "Patient", "id": "1"}`. A line out is its answer, one of

    {"ok": ANY}                                         what the client gave back
    {"refused": {"status": 412, "outcome": {...}}}      the server said no; null: the client does not tell
    {"cannot": true}                                    the client has no means for that step
    {"broken": "Traceback ..."}                         anything else that the client raised

The steps are said in `scenario.py`. A driver only translates; what is right is judged there.
"""

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Self

from interop.fetch import JAVA_CLIENTS, NODE_CLIENTS, PYTHON_CLIENTS, node
from interop.servers import CHEAP

__all__ = ["DRIVERS", "Answer", "Driver"]

# What an outcome says; of some clients' answers there is nothing else.
_CODES = {
    400: ("invalid", "invariant"),
    401: ("login",),
    404: ("not-found",),
    405: ("not-supported",),
    409: ("conflict",),
    412: ("conflict", "multiple-matches"),
    422: ("invariant", "not-supported"),
    429: ("throttled",),
}
_PYTHON = Path(__file__).parent / "clients" / "python"


@dataclass(frozen=True)
class Answer:
    """What came of a step."""

    said: dict[str, Any]

    @property
    def cannot(self) -> bool:
        return "cannot" in self.said

    @property
    def value(self) -> Any:
        """What the client gave back. AssertionError when there is none."""
        assert "ok" in self.said, self.said.get("broken") or self.said
        return self.said["ok"]

    def refused(self, *statuses: int) -> str:
        """The words of the refusal, which must have one of these statuses where the client tells any, and an
        OperationOutcome with an error.
        """
        assert "refused" in self.said, self.said.get("broken") or self.said
        status, outcome = self.said["refused"]["status"], self.said["refused"].get("outcome")
        assert status is None or status in statuses, self.said
        assert outcome["resourceType"] == "OperationOutcome", self.said
        codes = [issue["code"] for issue in outcome["issue"] if issue["severity"] in ("error", "fatal")]
        assert codes, outcome
        assert all(any(code in _CODES[status] for status in statuses) for code in codes), outcome
        return json.dumps(outcome, ensure_ascii=False)


@dataclass
class Driver:
    """A client that calls the endpoint at `base`; for `with`. `steps` are those that it took."""

    name: str
    base: str
    steps: int = 0
    cannot: set[str] = field(default_factory=set)

    def __enter__(self) -> Self:
        self._log: IO[bytes] = TemporaryFile()
        self._process = subprocess.Popen(
            DRIVERS[self.name](self.base),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            encoding="utf-8",
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def take(self, step: str, **more: Any) -> Answer:
        """Have it take a step. AssertionError, with what it wrote, when it does not answer."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"step": step, **more}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            self._log.seek(0)
            raise AssertionError(f"{self.name} ended:\n{self._log.read().decode(errors='replace')}")
        answer = Answer(json.loads(line))
        if answer.cannot:
            self.cannot.add(step)
        else:
            self.steps += 1
        return answer


def _python(script: str) -> Callable[[str], Sequence[str]]:
    return lambda base: (str(PYTHON_CLIENTS), str(_PYTHON / script), base)


def _node(script: str) -> Callable[[str], Sequence[str]]:
    return lambda base: (node(), str(NODE_CLIENTS / script), base)


def _java(main: str, *arguments: str) -> Callable[[str], Sequence[str]]:
    def command(base: str) -> Sequence[str]:
        libraries = (JAVA_CLIENTS / "classpath").read_text("utf-8").strip()
        classes = f"{JAVA_CLIENTS / 'classes'}:{libraries}"
        return ("java", *CHEAP, "-cp", classes, main, base, *arguments)

    return command


DRIVERS: dict[str, Callable[[str], Sequence[str]]] = {
    "fhirpy": _python("fhirpy_sync.py"),
    "fhirpy-async": _python("fhirpy_async.py"),
    "fhir-kit-client": _node("fhir-kit-client.mjs"),
    "hapi-json": _java("HapiClient", "json"),
    "hapi-xml": _java("HapiClient", "xml"),
    "smart-fhirclient": _python("smart.py"),
    "medplum": _node("medplum.mjs"),
    "fhir-kindling": _python("kindling.py"),
}
"""How each is started, with the endpoint's base."""

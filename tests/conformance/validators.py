"""Validators that are not ours: lines of JSON in, the errors of each out."""

import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from conformance.fetch import HAPI, MEDPLUM
from pydantic import ValidationError

__all__ = ["HapiProcess", "hapi", "is_refused_by_models", "medplum", "resolved"]

_CONDITIONAL = re.compile(rb'"reference":"([A-Z][A-Za-z]+)\?identifier=[^"|]*\|([0-9a-f]+)"')
_REFUSALS = (ValidationError, ValueError, TypeError, AttributeError, KeyError, ArithmeticError)


def resolved(line: bytes) -> bytes:
    """A resource with its conditional references as literal ones, as the server resolves them when it
    takes the transaction: only there are they allowed (http://hl7.org/fhir/R4/http.html#trules), and
    a validator that sees a resource alone can check their targets in no other form.
    """
    return _CONDITIONAL.sub(rb'"reference":"\1/\2"', line)


def medplum(lines: Iterable[bytes]) -> list[list[str]]:
    """What @medplum/core finds wrong with each line: structure, types, cardinality, invariants."""
    return _answers(["node", str(MEDPLUM / "validate.mjs")], lines)


def hapi(lines: Iterable[bytes]) -> list[list[str]]:
    """What HL7's instance validator finds wrong with each line: all of the above, bindings, targets.

    Terminology is what the R4 package holds; a code of another system is not looked up. No message is
    filtered: warnings are left out, errors are all there.
    """
    return _answers(_hapi_command(), lines)


class HapiProcess:
    """The same engine, kept running: it takes 20 s to start, and is slow until it is warm.

    For every resource it reads its registry of OIDs anew, 1.5 MB and nine tenths of its time. So here the
    registry is empty, and what names an OID goes before `hapi`.
    """

    def __enter__(self) -> Self:
        registry = HAPI / "without-oids" / "oidregistry.csv"
        registry.parent.mkdir(exist_ok=True)
        registry.write_text("oid,type,name,codesystem\n")
        command = _hapi_command(registry.parent)
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            self._process.kill()

    def errors(self, lines: Sequence[bytes]) -> list[list[str]]:
        """What it finds wrong with each line; at most 1,000 of them, which it reads before it answers."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        plain = [line for line in lines if b"urn:oid:" not in line]
        named = [line for line in lines if b"urn:oid:" in line]
        self._process.stdin.write(b"".join(line + b"\n" for line in (*plain, b"")))
        self._process.stdin.flush()
        answers = [self._process.stdout.readline() for _ in plain]
        assert all(answers), "the engine ended"
        found = dict(zip(plain, (_errors(one.decode().rstrip("\n")) for one in answers), strict=True))
        found |= dict(zip(named, hapi(named), strict=True)) if named else {}
        return [found[line] for line in lines]


def _hapi_command(*first: Path) -> list[str]:
    classpath = ":".join((*map(str, first), str(HAPI / "classes"), (HAPI / "classpath").read_text().strip()))
    return ["java", "-XX:+UseParallelGC", "-cp", classpath, "Validate"]


def is_refused_by_models(resource: dict[str, Any]) -> bool:
    """Whether the R4B models of `fhir.resources`, which the checker is compared with, refuse it."""
    from fhir.resources.R4B import get_fhir_model_class

    try:
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    except _REFUSALS:
        return True
    return False


def _answers(command: Sequence[str], lines: Iterable[bytes]) -> list[list[str]]:
    listed = list(lines)
    done = subprocess.run(command, input=b"\n".join(listed) + b"\n", capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    answers = done.stdout.decode().splitlines()
    assert len(answers) == len(listed)
    return [_errors(answer) for answer in answers]


def _errors(answer: str) -> list[str]:
    return answer.split(" | ") if answer else []

"""Validators that are not ours: lines of JSON in, the errors of each out."""

import atexit
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, Self

from conformance.fetch import HAPI, MEDPLUM
from conformance.java import command
from pydantic import ValidationError

__all__ = ["HapiProcess", "hapi", "is_refused_by_models", "medplum", "resolved"]

_CONDITIONAL = re.compile(rb'"reference":"([A-Z][A-Za-z]+)\?identifier=[^"|]*\|([0-9a-f]+)"')
_AT_ONCE = 1_000  # lines, which the engine reads to the end before it answers
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
    filtered: warnings are left out, errors are all there. The engine keeps running for whoever asks next.
    """
    return _lasting().errors(list(lines))


@cache
def _lasting() -> "HapiProcess":
    engine = HapiProcess().__enter__()
    atexit.register(engine.__exit__)
    return engine


class HapiProcess:
    """The same engine, kept running: it takes 20 s to start, and is slow until it is warm.

    For every resource it reads its registry of OIDs anew, 1.5 MB and nine tenths of its time. So here the
    registry is empty, and what names an OID goes before another, which has it and starts when it is asked.
    """

    def __enter__(self) -> Self:
        registry = HAPI / "without-oids" / "oidregistry.csv"
        registry.parent.mkdir(exist_ok=True)
        registry.write_text("oid,type,name,codesystem\n")
        self._started: dict[bool, subprocess.Popen[bytes]] = {}
        self._folders = {False: (registry.parent,), True: ()}
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._started.values():
            with process:
                process.kill()

    def errors(self, lines: Sequence[bytes]) -> list[list[str]]:
        """What it finds wrong with each line."""
        named = [b"urn:oid:" in line for line in lines]
        answers = {
            has_oid: iter(
                self._answered(
                    [line for line, one in zip(lines, named, strict=True) if one == has_oid], has_oid
                )
            )
            for has_oid in set(named)
        }
        return [next(answers[has_oid]) for has_oid in named]

    def _answered(self, lines: Sequence[bytes], has_oid: bool) -> Iterator[list[str]]:
        if has_oid not in self._started:
            self._started[has_oid] = subprocess.Popen(
                command("Validate", *self._folders[has_oid]), stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        process = self._started[has_oid]
        assert process.stdin is not None
        assert process.stdout is not None
        for start in range(0, len(lines), _AT_ONCE):
            page = lines[start : start + _AT_ONCE]
            process.stdin.write(b"".join(line + b"\n" for line in (*page, b"")))
            process.stdin.flush()
            answers = [process.stdout.readline() for _ in page]
            assert all(answers), "the engine ended"
            yield from (_errors(one.decode().rstrip("\n")) for one in answers)


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

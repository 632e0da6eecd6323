"""Validators that are not ours: lines of JSON in, the errors of each out."""

import re
import subprocess
from collections.abc import Iterable, Sequence
from typing import Any

from conformance.fetch import HAPI, MEDPLUM
from pydantic import ValidationError

__all__ = ["hapi", "is_refused_by_models", "medplum", "resolved"]

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
    classpath = f"{HAPI / 'classes'}:{(HAPI / 'classpath').read_text().strip()}"
    return _answers(["java", "-XX:+UseParallelGC", "-cp", classpath, "Validate"], lines)


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
    return [answer.split(" | ") if answer else [] for answer in answers]

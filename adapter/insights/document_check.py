"""A document that somebody has, checked as what comes in is."""

from collections.abc import Sequence
from json import JSONDecodeError
from typing import Any

from adapter.fhir import codec
from adapter.fhir.definitions.profiles import KnownProfiles, load_profiles
from adapter.fhir.operation_outcome import Issue, operation_outcome
from adapter.fhir.validation.checker import check_resource
from adapter.texts import say

__all__ = ["Issue", "KnownProfiles", "check_document", "load_profiles", "outcome_text"]

_EXTENSION = "http://hl7.org/fhir/StructureDefinition/operationoutcome-"


def check_document(
    data: bytes, *, second_opinion: bool, profiles: KnownProfiles | None = None
) -> list[Issue]:
    """What is wrong with a JSON document that should be a resource."""
    try:
        resource = codec.loads_strictly(data)
    except JSONDecodeError as problem:
        text = "validate.several" if _begins_with_json(problem) else "validate.not_json"
        return [_unreadable(say(text, line=problem.lineno, column=problem.colno))]
    except UnicodeDecodeError:
        return [_unreadable(say("validate.not_text"))]
    except codec.DuplicatePropertyError as problem:
        name = problem.args[0]
        return [_unreadable(say("validate.repeated", name=name if name.isidentifier() else "…"))]
    except ValueError:
        return [_unreadable(say("validate.bad_number"))]
    except RecursionError:
        return [_unreadable(say("validate.too_deep"))]
    return check_resource(resource, second_opinion=second_opinion, profiles=profiles)


def _begins_with_json(problem: JSONDecodeError) -> bool:
    """Whether a whole document came before what is wrong, as in an NDJSON of another name."""
    return problem.msg == "Extra data"


def _unreadable(words: str) -> Issue:

    return Issue("fatal", "structure", words, rule="structure")


def outcome_text(file: str, line: int | None, issues: Sequence[Issue]) -> str:
    """An OperationOutcome, as JSON, whose issues say their file and line in HL7's extensions for that."""
    position: list[dict[str, Any]] = [{"url": f"{_EXTENSION}file", "valueString": file}]
    if line is not None:
        position.append({"url": f"{_EXTENSION}issue-line", "valueInteger": line})
    outcome = operation_outcome(issues)
    outcome["issue"] = [{"extension": position, **issue} for issue in outcome["issue"]]
    return codec.dumps(outcome).decode()

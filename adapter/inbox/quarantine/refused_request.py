"""What a refused request is, and whether it is kept. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapter.fhir import codec
from adapter.fhir.operation_outcome import Issue, operation_outcome
from adapter.fhir.xml.reader import loads_xml

__all__ = ["RefusedRequest", "is_for_content", "received_resource", "refusal_kind"]

_FOR_CONTENT: Final = frozenset((400, 404, 409, 412, 415, 422, 501))
_WRITES: Final = frozenset(("POST", "PUT", "PATCH"))
_PLACE: Final = re.compile(r"\[\d+\]")
_LONGEST_KIND: Final = 200
_OVERHEAD: Final = 1000  # bytes of a row beside what was sent, indexes too


@dataclass(frozen=True, slots=True)
class RefusedRequest:
    """One request as it was received, unpacked, and why it was refused. `url` is what stands below the base,
    with its query; `conditions` are the headers If-None-Exist, If-Match and If-None-Match, as sent.
    """

    hospital: str
    method: str
    url: str
    body: bytes
    status: int
    issues: tuple[Issue, ...]
    conditions: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Names all that was sent: what comes again has the same."""
        parts = (
            self.method,
            self.url,
            *(f"{name}={value}" for name, value in sorted(self.conditions.items())),
        )
        return codec.digest("\x1f".join(parts).encode("utf-8", "replace") + b"\x1f" + self.body)

    @property
    def outcome(self) -> codec.Resource:
        """The diagnosis."""
        return operation_outcome(self.issues)

    @property
    def kind(self) -> str:
        """See `refusal_kind`."""
        return refusal_kind(self.status, self.issues)

    @property
    def size(self) -> int:
        """Bytes that it counts for."""
        said = sum(len(one.text) + len(one.expression or "") for one in self.issues)
        return len(self.body) + len(self.url) + sum(map(len, self.conditions.values())) + said + _OVERHEAD


def is_for_content(method: str, status: int, issues: Sequence[Issue]) -> bool:
    """Whether something that was sent would be lost: a write, refused for what it says. What names another
    version than the newest is none: its sender has only to read that one.
    """
    if method not in _WRITES or status not in _FOR_CONTENT:
        return False
    return not (status in (409, 412) and all(one.code == "conflict" for one in issues))


def received_resource(body: bytes) -> codec.Resource:
    """What was received, JSON or XML. Raises ValueError or RecursionError for anything else."""
    found = loads_xml(body) if body.lstrip()[:1] == b"<" else codec.loads_strictly(body)
    if not isinstance(found, dict):
        raise ValueError("no resource")  # noqa: TRY004 - as all else that is none
    return found


def refusal_kind(status: int, issues: Sequence[Issue]) -> str:
    """What refusals have in common that a sender mends together: `400 value Observation.status`. Places in a
    Bundle do not tell them apart.
    """
    first = next((one for one in issues if one.is_error), issues[0])
    where = _PLACE.sub("", first.expression or "").removeprefix("Bundle.entry.resource.")
    return f"{status} {first.code} {where}".strip()[:_LONGEST_KIND]

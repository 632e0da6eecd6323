"""How a sandbox hospital misbehaves, decided by a seed. Pure but for its random numbers.

======================== ==========================================================================
`503:0.05`               one request in twenty is answered 503
`429:0.03[:10|:date]`    429 with Retry-After, in seconds (default 1) or as a date
`slow:0.05:2s`           waits two seconds before the request is handled
`drop-after-commit:0.02` a write is done, then the connection ends without an answer
`refuse-one:Observation` the first resource of this type is refused with 422, now and for ever
`down`                   every connection ends at once
======================== ==========================================================================
"""

import random
import re
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, cast

from adapter.errors import UsageError
from adapter.fhir.codec import Resource
from adapter.fhir.operation_outcome import Issue
from adapter.repository.resource_types import RESOURCE_TYPES
from adapter.repository.search_index import business_identifiers
from adapter.texts import say

__all__ = ["Fault", "FaultDecision", "FaultInjector", "parse_fault"]

Kind = Literal["503", "429", "slow", "drop-after-commit", "refuse-one", "down"]

_FORMS = {
    "503": re.compile(r"503:(?P<share>[\d.]+)"),
    "429": re.compile(r"429:(?P<share>[\d.]+)(?::(?:(?P<seconds>\d+)s?|(?P<date>date)))?"),
    "slow": re.compile(r"slow:(?P<share>[\d.]+)(?::(?P<seconds>[\d.]+)s?)?"),
    "drop-after-commit": re.compile(r"drop-after-commit:(?P<share>[\d.]+)"),
    "refuse-one": re.compile(r"refuse-one:(?P<type>[A-Za-z]+)"),
    "down": re.compile(r"down"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to misbehave. `share` of the requests, 0 to 1; `seconds` of Retry-After or delay."""

    kind: Kind
    share: float = 1.0
    seconds: float = 1.0
    as_date: bool = False
    type: str = ""

    def __str__(self) -> str:
        if self.kind == "refuse-one":
            return f"refuse-one:{self.type}"
        if self.kind == "down":
            return "down"
        tail = {"429": ":date" if self.as_date else f":{self.seconds:g}", "slow": f":{self.seconds:g}s"}
        return f"{self.kind}:{self.share:g}{tail.get(self.kind, '')}"


def parse_fault(text: str) -> Fault:
    """Read a fault as it is written above. Raises UsageError that shows the forms."""
    for kind, form in _FORMS.items():
        if (match := form.fullmatch(text.strip())) is None:
            continue
        parts = match.groupdict()
        try:
            share = float(parts.get("share") or 1)
            seconds = float(parts.get("seconds") or 1)
        except ValueError:
            break
        if share > 1 or parts.get("type", "Patient") not in RESOURCE_TYPES:
            break
        return Fault(cast(Kind, kind), share, seconds, parts.get("date") is not None, parts.get("type") or "")
    raise UsageError("sandbox.bad_fault", fault=text)


@dataclass(frozen=True, slots=True)
class FaultDecision:
    """What happens to one request: wait `delay` seconds, then `answer` (503, 429), or drop it."""

    delay: float = 0.0
    answer: Literal[503, 429] | None = None
    retry_after: float = 1.0
    as_date: bool = False
    drop_before: bool = False
    drop_after: bool = False


class FaultInjector:
    """The faults that are on. The same seed and the same requests in turn give the same decisions."""

    def __init__(self, faults: Iterable[Fault] = (), *, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(seed)  # noqa: S311 - dice for a rehearsal, not a secret
        self._on: tuple[Fault, ...] = tuple(faults)
        self._refused: dict[str, str] = {}
        self.fired: Counter[str] = Counter()

    @property
    def active(self) -> tuple[Fault, ...]:
        """The faults that are on now."""
        return self._on

    def replace(self, faults: Iterable[Fault]) -> None:
        """Turn these on and all others off."""
        with self._lock:
            self._on = tuple(faults)

    def decide(self, *, is_write: bool) -> FaultDecision:
        """What happens to the next request; counts what it decides."""
        with self._lock:
            return self._decide(is_write)

    def _decide(self, is_write: bool) -> FaultDecision:
        delay = 0.0
        drop_after = False
        for fault in self._on:
            if fault.kind == "refuse-one" or (fault.kind == "drop-after-commit" and not is_write):
                continue
            if fault.kind != "down" and self._random.random() >= fault.share:
                continue
            self.fired[fault.kind] += 1
            if fault.kind == "down":
                return FaultDecision(drop_before=True)
            if fault.kind in ("503", "429"):
                answer: Literal[503, 429] = 503 if fault.kind == "503" else 429
                return FaultDecision(delay, answer, fault.seconds, fault.as_date)
            if fault.kind == "slow":
                delay += fault.seconds
            else:
                drop_after = True
        return FaultDecision(delay=delay, drop_after=drop_after)

    def refusal_of(self, resource: Resource) -> list[Issue]:
        """The issue of the one resource per type that is refused; [] for all others."""
        kind = resource.get("resourceType")
        if not any(fault.kind == "refuse-one" and fault.type == kind for fault in self._on):
            return []
        system, value = next(business_identifiers(resource), ("id", str(resource.get("id"))))
        identity = f"{system}|{value}"
        with self._lock:
            if self._refused.setdefault(str(kind), identity) != identity:
                return []
            self.fired["refuse-one"] += 1
        return [Issue("error", "business-rule", say("sandbox.refused"))]

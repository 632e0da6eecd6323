"""What a sandbox hospital counted: requests, writes, faults. Tests and the demo read it over HTTP."""

import threading
from collections import Counter
from typing import Any

__all__ = ["RequestStats", "interaction_of", "is_write"]


def interaction_of(method: str, path: str, prefix: str = "/fhir") -> str:
    """FHIR's name of the interaction that a request asks for (http://hl7.org/fhir/R4/http.html)."""
    segments = [segment for segment in path.removeprefix(prefix).split("/") if segment]
    read = method in ("GET", "HEAD")
    if not segments:
        return "bundle" if method == "POST" else "other"
    if segments == ["metadata"]:
        return "capabilities"
    if segments[-1] == "_search" or (read and len(segments) == 1):
        return "search"
    if "_history" in segments:
        return "history" if segments[-1] == "_history" else "vread"
    if read:
        return "read"
    return {"POST": "create", "PUT": "update", "DELETE": "delete", "PATCH": "patch"}.get(method, "other")


def is_write(interaction: str) -> bool:
    """Whether the interaction may change something."""
    return interaction in ("bundle", "create", "update", "delete", "patch")


class RequestStats:
    """Counters since the process started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[str] = Counter()
        self._interactions: Counter[str] = Counter()
        self._written: Counter[str] = Counter()

    def record_request(self, method: str, interaction: str) -> None:
        """Count a request that arrived, whatever became of it."""
        with self._lock:
            self._requests[method] += 1
            self._interactions[interaction] += 1

    def record_version(self, action: str) -> None:
        """Count a version that was stored (create, update, delete)."""
        with self._lock:
            self._written[action] += 1

    def snapshot(self) -> dict[str, Any]:
        """All counts, as JSON shows them."""
        with self._lock:
            writes = sum(count for name, count in self._interactions.items() if is_write(name))
            return {
                "requests": {
                    "total": sum(self._requests.values()),
                    "by_method": dict(self._requests),
                    "by_interaction": dict(self._interactions),
                },
                "write_requests": writes,
                "entries_written": {"total": sum(self._written.values()), **self._written},
            }

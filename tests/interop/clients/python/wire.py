"""The line protocol of a driver (../../drivers.py says what it is): one step in, one answer out."""

import json
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["Refused", "Resource", "base", "run"]

Resource = dict[str, Any]


class Refused(Exception):
    """The server said no, as far as the client tells."""

    def __init__(self, status: int | None, text: str | bytes | Resource | None) -> None:
        super().__init__(str(status))
        self.status = status
        self.outcome = text if isinstance(text, dict) else _parsed(text)


def _parsed(text: str | bytes | None) -> Any:
    try:
        return json.loads(text or "null")
    except ValueError:
        return {"not-json": str(text)[:200]}


def base() -> str:
    """Where the endpoint is."""
    return sys.argv[1]


def run(steps: Mapping[str, Callable[..., Any]]) -> None:
    """Answer each line of standard input until it ends. What a client prints by itself is no answer."""
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        asked = json.loads(line)
        step = steps.get(asked.pop("step"))
        try:
            answer = {"cannot": True} if step is None else {"ok": step(**asked)}
        except Refused as refused:
            answer = {"refused": {"status": refused.status, "outcome": refused.outcome}}
        except Exception:  # noqa: BLE001 - whatever a client raises is told
            answer = {"broken": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

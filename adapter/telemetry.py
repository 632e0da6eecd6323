"""Logs by allow-list: nothing personal can be logged, because only the fields named here can.

An event is a dotted name ("inbox.failed"), never a sentence with values in it. A field that is not
on the list is dropped and counted; an exception is logged as its types and places, without its
message, since messages quote what they choked on. Logs of libraries pass the same sieve.
"""

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TextIO

from prometheus_client import Counter

from adapter.texts import printable

__all__ = [
    "DROPPED_FIELDS",
    "INBOX_ITEMS",
    "LOGGABLE_FIELDS",
    "REFUSED_REQUESTS",
    "SCHEDULED_RUNS",
    "configure_logging",
    "get_logger",
    "place_of",
]

LOGGABLE_FIELDS = frozenset(
    {
        # where and when
        "level", "timestamp", "module", "worker", "port", "host", "pid",
        # who sent or gets what, in names of the settings and of FHIR
        "hospital", "type", "interaction", "method", "route", "status", "code", "state", "reason", "stage",
        # numbers
        "item", "entry", "entries", "count", "requests", "attempt", "attempts", "bytes", "seconds",
        "delivered", "waiting", "parked", "unknown", "withheld", "position", "version", "exit_code",
        "changes", "rows", "rejected", "refused",
        # faults, without their messages
        "error", "errors", "where", "message", "signal", "fault",
    }
)  # fmt: skip
"""Fields that may be logged. None of them ever holds a record key, a name, a number or a value."""

DROPPED_FIELDS = Counter("adapter_log_fields_dropped", "Fields kept out of the log", ["field"])
INBOX_ITEMS = Counter("adapter_inbox_items", "Inbox items processed", ["hospital", "state"])
REFUSED_REQUESTS = Counter("adapter_refused_requests", "Requests refused for content", ["hospital", "status"])
SCHEDULED_RUNS = Counter("adapter_schedule_beats", "Beats of the schedule", ["hospital", "outcome"])

_EVENT = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")
_LONGEST = 200
_TALKATIVE = ("uvicorn", "alembic")  # whose message templates hold no values
_FRAMES = 12

LogEvent = MutableMapping[str, Any]


class _Logger:
    """Loads structlog with its first event: most commands log nothing, and start the sooner."""

    def __init__(self, **context: str) -> None:
        self._context = context

    def __getattr__(self, method: str) -> Any:
        return getattr(_structlog().get_logger(**self._context), method)


def get_logger(name: str) -> Any:
    """A logger whose events pass the allow-list, whether `configure_logging` was called or not."""
    return _Logger(module=name)


@dataclass(frozen=True)
class _Choice:
    """What `configure_logging` was told."""

    level: int = logging.INFO
    json: bool = False
    stream: TextIO | None = None


def configure_logging(
    *,
    level: Literal["debug", "info", "warning", "error"] = "info",
    json: bool = False,
    stream: TextIO | None = None,
) -> None:
    """Log from `level` up to `stream` (standard error), as JSON lines or for a person's eyes."""
    number = logging.getLevelNamesMapping()[level.upper()]
    _structlog.cache_clear()
    _chosen[:] = [_Choice(number, json, stream)]
    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one, _Foreign)]:
        root.removeHandler(handler)
    root.addHandler(_Foreign())
    root.setLevel(max(number, logging.INFO))
    logging.getLogger("httpx").setLevel(logging.WARNING)  # its INFO line per request says nothing of ours


_chosen = [_Choice()]


@cache
def _structlog() -> Any:
    """structlog, configured as was chosen last."""
    import structlog

    [chosen] = _chosen
    renderer: Any = (
        structlog.processors.JSONRenderer() if chosen.json else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_messages,
            _allowed_only,
            renderer,
            _clean,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(chosen.level),
        logger_factory=structlog.PrintLoggerFactory(chosen.stream or _StandardError()),  # type: ignore[arg-type] # print needs no more
        cache_logger_on_first_use=False,
    )
    return structlog


class _StandardError:
    """Standard error as it is at the moment of writing: it may be replaced after `configure_logging`."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


class _Foreign(logging.Handler):
    """Lets libraries' logs through the sieve: who, how grave, which exception."""

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {"module": record.name}
        if record.name.startswith(_TALKATIVE) and isinstance(record.msg, str):
            fields["message"] = record.msg  # the template: arguments stay out
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        _structlog().get_logger().log(record.levelno, "log.library", **fields)


def _clean(_logger: Any, _method: str, line: Any) -> str:
    """The line as it is written: what others said in it moves no terminal on which the log is read."""
    return printable(str(line))


def _without_messages(_logger: Any, _method: str, event: LogEvent) -> LogEvent:
    """Replace `exc_info` by the types and places of the exception and its causes."""
    given = event.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    if not isinstance(error, BaseException):
        return event
    chain: list[str] = []
    one: BaseException | None = error
    while one is not None and len(chain) < _FRAMES:
        chain.append(type(one).__name__)
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    event["errors"] = " < ".join(chain)
    event["where"] = " > ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)
    return event


def _allowed_only(_logger: Any, _method: str, event: LogEvent) -> LogEvent:
    """Drop what is not on the list; shorten and flatten what is."""
    name = event.pop("event", "")
    kept = {key: _flat(value) for key, value in event.items() if key in LOGGABLE_FIELDS}
    for key in event.keys() - LOGGABLE_FIELDS:
        DROPPED_FIELDS.labels(field=key if _EVENT.fullmatch(key) else "?").inc()
    kept["event"] = name if isinstance(name, str) and _EVENT.fullmatch(name) else "log.unnamed"
    return kept


def _flat(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if not isinstance(value, str):
        return type(value).__name__
    return "".join(char if char.isprintable() else " " for char in value[:_LONGEST])


configure_logging(level="warning")  # closed from the first import on


def place_of(error: BaseException) -> str:
    """Type and place of an exception, without its text, which may quote a record."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None:
        return type(error).__name__
    file = frame.tb_frame.f_code.co_filename.rpartition("/")[2]
    return f"{type(error).__name__} {file}:{frame.tb_lineno}"

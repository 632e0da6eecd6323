"""Pages: a workbook is dropped, what it would change is read, and it is imported when somebody says yes. What
takes long is done in a thread of its own; the page asks how far it is, and says so without a script too.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from starlette.responses import Response

from adapter.authorization.staff_roles import Permission
from adapter.errors import AdapterError, Busy, Outdated
from adapter.insights.import_drafts import DraftReport, DraftState
from adapter.operations.import_drafts import (
    LARGEST_UPLOAD,
    DraftOptions,
    DropDraft,
    ImportCheckedDraft,
    LookThroughDraft,
    UploadDraft,
    resume_stopped,
)
from adapter.operations.operation import Operation, OperationContext
from adapter.texts import speaking
from adapter.web.console.visit import ConsoleRoute, Visit

__all__ = ["ROUTES"]

_KIND: Final = "draft"
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_OPTIONS: Final = ("partial", "allow_deletions", "allow_other_people", "allow_moves", "allow_clearing")
_COUNTS: Final = ("created", "changed", "unchanged", "deleted", "rejected", "held")
_Started = Operation[Any, DraftState]


@dataclass
class _Run:
    """One that a thread of this process is at, or was: how far, and what kept it from its end."""

    done: int = 0
    total: int = 0
    is_over: bool = False
    trouble: AdapterError | None = None


@dataclass
class _Runs:
    """Those of this process, by database and number of the draft."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    runs: dict[tuple[str, int], _Run] = field(default_factory=dict)

    def get(self, visit: Visit, number: int) -> _Run | None:
        """The last one of a draft."""
        return self.runs.get((str(visit.adapter.engine.url), number))

    def start(self, visit: Visit, number: int, operation: _Started, seen: str | None) -> None:
        """Begin it; nothing where it is under way."""
        key = (str(visit.adapter.engine.url), number)
        with self.lock:
            before = self.runs.get(key)
            if before is not None and not before.is_over:
                return
            run = self.runs[key] = _Run()

        def progress(_stage: str, _hospital: str | None, done: int, total: int) -> None:
            run.done, run.total = done, total

        context = replace(visit.operations, progress=progress)
        thread = threading.Thread(
            target=_work, args=(run, context, operation, seen, visit.language), name="import", daemon=True
        )
        thread.start()


_RUNS: Final = _Runs()


def _work(run: _Run, context: OperationContext, operation: _Started, seen: str | None, language: str) -> None:
    try:
        with speaking(language):
            operation.perform(context, seen)
    except AdapterError as error:
        run.trouble = error
    finally:
        run.is_over = True


def _list(visit: Visit) -> Response:
    """What was uploaded and waits, and where a workbook is dropped."""
    return visit.page(
        "import/list.html", drafts=visit.insights.import_drafts(), largest=LARGEST_UPLOAD // 2**20
    )


def _upload(visit: Visit) -> Response:
    number = UploadDraft(visit.form.file or b"").perform(visit.operations)
    _RUNS.start(visit, number, LookThroughDraft(number), None)
    return visit.redirect(_address(visit, number))


def _draft(visit: Visit) -> Response:
    """How far one is, and what it would change or has changed."""
    number = visit.number_of(_KIND, visit.path["draft"])
    found = visit.insights.import_draft(number)
    run = _RUNS.get(visit, number)
    if found.draft.state.is_under_way and (run is None or run.is_over):
        resume_stopped(visit.operations, number)
        found = visit.insights.import_draft(number)
    trouble = None if run is None or not run.is_over else run.trouble
    return _shown(visit, found, run, trouble)


def _shown(
    visit: Visit, found: DraftReport, run: _Run | None, trouble: AdapterError | None, status: int = 200
) -> Response:
    number, state = found.draft.id, found.draft.state
    is_under_way = state.is_under_way or (run is not None and not run.is_over)
    version = ""
    with suppress(Outdated):
        version = ImportCheckedDraft(number).preview(visit.operations).version
    percent = None if run is None or run.is_over or not run.total else min(100 * run.done // run.total, 100)
    return visit.page(
        "import/draft.html",
        status=status,
        found=found,
        told=found.told,
        state=state.value,
        is_under_way=is_under_way,
        percent=percent,
        version=version,
        trouble="" if trouble is None else visit.t(trouble.text, **trouble.params),
        address=_address(visit, number),
        options=_OPTIONS,
        counts=_COUNTS,
    )


def _look_again(visit: Visit) -> Response:
    number = visit.number_of(_KIND, visit.path["draft"])
    chosen = {name: visit.form.get(name.replace("_", "-")) == "yes" for name in _OPTIONS}
    _RUNS.start(visit, number, LookThroughDraft(number, DraftOptions(**chosen)), None)
    return visit.redirect(_address(visit, number))


def _import(visit: Visit) -> Response:
    """Begin it, of what was seen alone."""
    number = visit.number_of(_KIND, visit.path["draft"])
    operation, seen = ImportCheckedDraft(number), visit.form.get("seen")
    try:
        if not seen or operation.preview(visit.operations).version != seen:
            raise Outdated("operation.outdated")  # noqa: TRY301 - told as where another import came between
    except Outdated as error:
        return _shown(visit, visit.insights.import_draft(number), None, error, 409)
    _RUNS.start(visit, number, operation, seen)
    return visit.redirect(_address(visit, number))


def _drop(visit: Visit) -> Response:
    number = visit.number_of(_KIND, visit.path["draft"])
    try:
        DropDraft(number).perform(visit.operations)
    except Busy as error:
        return _shown(visit, visit.insights.import_draft(number), None, error, 409)
    return visit.redirect("/import", "console_import.dropped")


def _rejects(visit: Visit) -> Response:
    content = visit.insights.draft_rejects(visit.number_of(_KIND, visit.path["draft"]))
    return visit.file(content, _XLSX, "rejects.xlsx")


def _address(visit: Visit, number: int) -> str:
    return f"/import/{visit.opaque(_KIND, number)}"


_MAY: Final = Permission.IMPORT_RECORDS


def _route(method: str, path: str, handler: Callable[[Visit], Response]) -> ConsoleRoute:
    return ConsoleRoute(method, f"/import/{{draft}}{path}", handler, _MAY)


ROUTES: Sequence[ConsoleRoute] = (
    ConsoleRoute("GET", "/import", _list, _MAY, menu="console_import.menu"),
    ConsoleRoute("POST", "/import", _upload, _MAY, max_bytes=LARGEST_UPLOAD + 100_000),
    _route("GET", "", _draft),
    _route("GET", "/rejects", _rejects),
    _route("POST", "/look", _look_again),
    _route("POST", "/start", _import),
    _route("POST", "/drop", _drop),
)

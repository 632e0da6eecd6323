"""A workbook is uploaded, looked through, and imported when somebody says yes to what was found. What was
uploaded survives whoever uploaded it: another may go on with it, at another console, for a day.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Final

import orjson

from adapter import audit
from adapter.database import read_transaction, write_transaction
from adapter.errors import AdapterError, Busy, Outdated, UsageError
from adapter.operations.import_records import AllowedChanges, ImportRecords, ImportReport
from adapter.operations.operation import Operation, OperationContext
from adapter.records.importing.draft_seal import DraftSeal
from adapter.records.importing.drafts import DraftState, ImportDraft, records_version
from adapter.texts import say

__all__ = [
    "LARGEST_UPLOAD",
    "DraftOptions",
    "DropDraft",
    "ImportCheckedDraft",
    "LookThroughDraft",
    "SeenDraft",
    "UploadDraft",
    "resume_stopped",
]

LARGEST_UPLOAD: Final = 32 * 1024 * 1024
"""Bytes of one workbook."""
_MOST_HELD: Final = 8 * LARGEST_UPLOAD  # of all together
_LOCK: Final = "import"
_FOLDER: Final = ".import-"  # begins the name of one in the data folder
_WORKBOOK: Final = b"PK\x03\x04"  # begins every .xlsx


@dataclass(frozen=True, slots=True)
class DraftOptions:
    """What somebody said yes to beside the import itself, as the options of `adapter import`."""

    partial: bool = False
    allow_deletions: bool = False
    allow_other_people: bool = False
    allow_moves: bool = False
    allow_clearing: bool = False


@dataclass(frozen=True, slots=True)
class SeenDraft:
    """A draft as it was seen: how far it was, and which records its report is about."""

    number: int
    state: DraftState
    digest: str
    options: str
    seen: str | None
    records: str


def _draft(context: OperationContext, number: int) -> ImportDraft:
    found = context.adapter.import_drafts.get(number, context.clock())
    if found is None:
        raise UsageError("draft.gone")
    return found


def _seen(context: OperationContext, number: int) -> SeenDraft:
    found = _draft(context, number)
    with read_transaction(context.adapter.engine) as connection:
        records = records_version(connection)
    return SeenDraft(found.id, found.state, found.digest, found.options, found.seen, records)


@dataclass(frozen=True)
class UploadDraft(Operation[int, int]):
    """Keep a workbook for a day; gives its number. Nothing is imported by that. Nothing undoes it
    but to throw it away.
    """

    name: ClassVar[str] = "draft.upload"
    audited_as: ClassVar[tuple[str, ...]] = ("import.uploaded",)
    content: bytes = field(repr=False)

    def look(self, context: OperationContext) -> int:
        """How many bytes all drafts hold. Raises UsageError for what is no workbook, or too large."""
        if not self.content.startswith(_WORKBOOK):
            raise UsageError("draft.no_workbook")
        held = context.adapter.import_drafts.held_bytes()
        if len(self.content) > LARGEST_UPLOAD or held + len(self.content) > _MOST_HELD:
            raise UsageError("draft.too_large", most=LARGEST_UPLOAD // 1024**2)
        return held

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> int:
        """Keep it, sealed."""
        self.look(context)
        unchanged()
        drafts, now = context.adapter.import_drafts, context.clock()
        drafts.purge(now)
        seal, digest = DraftSeal(context.adapter.identities), blake2b(self.content, digest_size=12)
        with write_transaction(context.adapter.engine) as connection:
            number = drafts.add(
                connection, by=context.by, now=now, size=len(self.content), digest=digest.hexdigest()
            )
            drafts.put_content(connection, number, seal.close(f"content-{number}", self.content))
            details = {"draft": number, "bytes": len(self.content)}
            audit.append(connection, at=now, actor=context.by, action=self.audited_as[0], details=details)
        return number


@dataclass(frozen=True)
class LookThroughDraft(Operation[SeenDraft, DraftState]):
    """Read a draft as an import would, and keep what it would change; gives its state. Changes no
    record, and nothing undoes it.
    """

    name: ClassVar[str] = "draft.look_through"
    audited_as: ClassVar[tuple[str, ...]] = ()
    number: int
    options: DraftOptions = DraftOptions()

    def look(self, context: OperationContext) -> SeenDraft:
        """The draft as it is. Raises UsageError where it is gone."""
        return _seen(context, self.number)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> DraftState:
        """Look it through. Raises Busy while another import is under way."""
        with _turn(context):
            unchanged()
            before = _draft(context, self.number).state
            options = orjson.dumps(self.options).decode()
            drafts = context.adapter.import_drafts
            if before in (DraftState.IMPORTED, *_UNDER_WAY) or not drafts.move(
                self.number, before, DraftState.CHECKING, options
            ):
                raise Outdated("operation.outdated")
            with read_transaction(context.adapter.engine) as connection:
                records = records_version(connection)
            return _work(context, self.number, self.options, records, dry_run=True)


@dataclass(frozen=True)
class ImportCheckedDraft(Operation[SeenDraft, DraftState]):
    """Import a draft that was looked through, with what was said yes to then; gives its state. Nothing
    undoes it at once: `UndoImport` does, by its number in the list of imports.
    """

    name: ClassVar[str] = "draft.import"
    audited_as: ClassVar[tuple[str, ...]] = ("import.done",)
    number: int

    def look(self, context: OperationContext) -> SeenDraft:
        """The draft as it is. Raises UsageError where it is gone, and Outdated where it is not looked
        through, or another import came after that.
        """
        found = _seen(context, self.number)
        if found.state is not DraftState.CHECKED or found.seen != found.records:
            raise Outdated("operation.outdated")
        return found

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> DraftState:
        """Import it. Raises Busy while another import is under way."""
        with _turn(context):
            found = self.look(context)
            unchanged()
            drafts = context.adapter.import_drafts
            if not drafts.move(self.number, DraftState.CHECKED, DraftState.IMPORTING):
                raise Outdated("operation.outdated")
            options = DraftOptions(**orjson.loads(found.options))
            return _work(context, self.number, options, found.records, dry_run=False)


@dataclass(frozen=True)
class DropDraft(Operation[SeenDraft, None]):
    """Throw a draft away. Nothing undoes it: the workbook is uploaded again."""

    name: ClassVar[str] = "draft.drop"
    audited_as: ClassVar[tuple[str, ...]] = ("import.upload_dropped",)
    number: int

    def look(self, context: OperationContext) -> SeenDraft:
        """The draft as it is. Raises UsageError where it is gone."""
        return _seen(context, self.number)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> None:
        """Throw it away. Raises Busy where a process is at it."""
        self.look(context)
        unchanged()
        with write_transaction(context.adapter.engine) as connection:
            if not context.adapter.import_drafts.remove(connection, self.number):
                raise Busy("draft.busy")
            audit.append(
                connection,
                at=context.clock(),
                actor=context.by,
                action=self.audited_as[0],
                details={"draft": self.number},
            )


def resume_stopped(context: OperationContext, number: int) -> None:
    """One whose process was killed goes back to where it was before: what it had not imported whole,
    it has not imported at all.
    """
    found = _draft(context, number)
    if not found.state.is_under_way:
        return
    locks = context.adapter.ledger.named_locks
    turn = locks.acquire(_LOCK, context.adapter.settings.lease_seconds)
    if turn is None:
        return  # somebody is at it, or has not been silent for long enough
    try:
        now = _draft(context, number).state
        _remove_leftovers(context.adapter.settings.data_folder)
        if now.is_under_way:
            back = DraftState.UPLOADED if now is DraftState.CHECKING else DraftState.CHECKED
            context.adapter.import_drafts.move(number, now, back)
    finally:
        locks.give_back(turn)


_UNDER_WAY: Final = (DraftState.CHECKING, DraftState.IMPORTING)


@contextmanager
def _turn(context: OperationContext) -> Iterator[None]:
    """One import at a time, over all consoles. Raises Busy."""
    adapter = context.adapter
    with adapter.as_worker(context.clock, context.stop):
        turn = adapter.ledger.named_locks.acquire(_LOCK, adapter.settings.lease_seconds)
        if turn is None:
            raise Busy("draft.busy")
        try:
            yield
        finally:
            adapter.ledger.named_locks.give_back(turn)


def _work(
    context: OperationContext, number: int, options: DraftOptions, records: str, *, dry_run: bool
) -> DraftState:
    """Read the workbook from a folder of its own, which only we can read and which is gone afterwards."""
    adapter, seal = context.adapter, DraftSeal(context.adapter.identities)
    rejects = None
    try:
        content = seal.open(f"content-{number}", adapter.import_drafts.content(number))
        if content is None:
            raise UsageError("draft.gone")  # noqa: TRY301 - said as what the import itself refuses is
        with _folder(adapter.settings.data_folder) as folder:
            file, left = folder / f"upload-{number}.xlsx", folder / f"upload-{number}.rejects.xlsx"
            _write(file, content)
            report = _import(context, file, left, options, dry_run=dry_run)
            rejects = left.read_bytes() if left.is_file() else None
        state, told = DraftState.CHECKED if dry_run else DraftState.IMPORTED, _told(report)
    except AdapterError as error:
        state, told = DraftState.REFUSED, {"refused": _words(error)}
    except BaseException:
        back = DraftState.UPLOADED if dry_run else DraftState.CHECKED
        adapter.import_drafts.move(number, DraftState.CHECKING if dry_run else DraftState.IMPORTING, back)
        raise
    with write_transaction(adapter.engine) as connection:
        adapter.import_drafts.finish(
            connection,
            number,
            state,
            report=seal.close(f"report-{number}", orjson.dumps(told, default=str)),
            rejects=None if rejects is None else seal.close(f"rejects-{number}", rejects),
            seen=records,
        )
    return state


def _import(
    context: OperationContext, file: Path, rejects: Path, options: DraftOptions, *, dry_run: bool
) -> ImportReport:
    allowed = AllowedChanges(
        people=options.allow_other_people, moves=options.allow_moves, clearing=options.allow_clearing
    )
    operation = ImportRecords(
        (file,),
        dry_run=dry_run,
        partial=options.partial,
        allow_deletions=options.allow_deletions,
        rejects=rejects,
        allowed=allowed,
    )
    return operation.perform(context)


@contextmanager
def _folder(data: Path) -> Iterator[Path]:
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    _remove_leftovers(data)
    with TemporaryDirectory(prefix=_FOLDER, dir=data) as made:  # 0700
        yield Path(made)


def _remove_leftovers(data: Path) -> None:
    """Of a process that was killed; for who has the turn, so that nobody is at work there."""
    for left in data.glob(f"{_FOLDER}*"):
        rmtree(left, ignore_errors=True)


def _write(file: Path, content: bytes) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(content)


def _words(error: AdapterError) -> str:
    return say(error.text, **error.params)


def _told(report: ImportReport) -> Mapping[str, Any]:
    """What a person reads before saying yes, and afterwards; in the language of this thread."""
    warned = [line for line in report.warnings if line not in report.unread]
    return {
        "kinds": [
            {"kind": say(f"cli.kind_{kind}"), **{name: getattr(counts, name) for name in _COUNTS}}
            for kind, counts in report.kinds.items()
        ],
        "changes": [
            {
                "kind": one.kind,
                "field": one.field,
                "kind_words": say(f"cli.kind_{one.kind}"),
                "label": say(f"cli.col_{one.field}") if one.field in _WHOLE else one.label,
                "count": one.count,
                "examples": one.shown,
            }
            for one in report.field_changes
        ],
        "lines": [*map(str, report.groups), *map(str, report.conversions), *warned],
        "unread": list(report.unread),
        "rejected": report.rejected,
        "copied": report.copied,
        "withheld": report.withheld,
        "held": report.held,
        "refused_people": report.refused_people,
        "refused_rows": report.refused_rows,
        "scrubbed": report.scrubbed,
        "returning": report.returning,
        "changed": report.changes,
    }


_WHOLE: Final = ("created", "deleted")  # what is said of a record, not of its field
_COUNTS: Final = ("created", "changed", "unchanged", "deleted", "rejected", "held")

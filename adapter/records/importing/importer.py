"""Workbooks, CSVs, databases and check-up forms into the store: in one transaction, all of it or nothing.

A file is the full state of the kinds it holds: what is gone from it becomes a tombstone. A bad row
costs itself alone. Rows of T0 people, and rows that belong to them, are refused before anything else
is looked at: they are counted, never stored, shown or written anywhere.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial as partial_
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

from sqlalchemy import Connection, Engine
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential

from adapter import audit
from adapter.database import (
    empty_write_ahead_log,
    erase_free_space,
    read_transaction,
    write_transaction,
)
from adapter.errors import ImportRefused, SourceDisconnected, SourceReplaced
from adapter.fhir.identity import IdentityFactory
from adapter.records.erased_names import ErasedNames
from adapter.records.erasure import ErasedPerson
from adapter.records.held_rows import file_digest
from adapter.records.importing.cell_problem import CellProblem
from adapter.records.importing.hidden_in_files import find_in_files, without_hidden
from adapter.records.importing.hidden_people import HiddenPeople
from adapter.records.importing.identity_checks import AllowedChanges
from adapter.records.importing.import_history import ImportRun, describe_files, list_runs
from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.import_session import ImportProgress, ImportSession
from adapter.records.importing.rejects_file import RejectsFile
from adapter.records.importing.report_builder import ImportReportBuilder
from adapter.records.importing.row_reader import ImportContext
from adapter.records.model import Record
from adapter.records.plausible.ranges import PlausibleRanges
from adapter.records.sheets.tab import Tab, TabSource
from adapter.records.sources.open_tabs import InputOptions, open_tabs

__all__ = ["run_import"]

P = ParamSpec("P")
R = TypeVar("R")


class _DryRun(Exception):
    pass


def _or_whole(work: Callable[P, R]) -> Callable[P, R]:
    """Where what was read of changes is not enough (a new person has a past), all is read."""

    @wraps(work)
    def again(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return work(*args, **kwargs)
        except SourceReplaced:
            inputs = kwargs.get("inputs") or InputOptions()
            kwargs["inputs"] = replace(cast(InputOptions, inputs), full=True)
            return work(*args, **kwargs)

    return again


def _hiding(work: Callable[P, R]) -> Callable[P, R]:
    """What a refusal says of files, sheets and columns may tell of somebody who must stay hidden, and it may
    come before anybody knows who that is.
    """

    @wraps(work)
    def careful(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return work(*args, **kwargs)
        except ImportRefused as refused:
            engine, files = cast(tuple[Engine, Sequence[Path]], args)
            inputs = cast(InputOptions | None, kwargs.get("inputs")) or InputOptions()
            identities = cast(Callable[[], IdentityFactory] | None, kwargs.get("identities"))
            with read_transaction(engine) as connection:
                erased = None if identities is None else ErasedNames(connection, identities)
                hidden = HiddenPeople(erased)
                find_in_files(files, inputs.layouts, hidden)
            said = without_hidden(refused, hidden)
            if said is refused:
                raise
        raise said from None  # not from what it is said instead of

    return careful


# A connection that breaks half way has changed nothing here: all is read again.
@_hiding
@_or_whole
@retry(
    retry=retry_if_exception_type(SourceDisconnected),
    wait=wait_exponential(multiplier=0.5, max=8),
    stop=stop_after_attempt(4),
    reraise=True,
)
def run_import(
    store_engine: Engine,
    files: Sequence[Path],
    *,
    max_deletions_percent: float,
    known_hospitals: frozenset[str],
    now: datetime,
    known_measures: frozenset[str] | None = None,
    dry_run: bool = False,
    partial: bool = False,
    allow_deletions: bool = False,
    rejects: Path | None = None,
    progress: ImportProgress | None = None,
    on_problem: Callable[[CellProblem], None] | None = None,
    on_scrub: Callable[[Connection, Sequence[ErasedPerson]], Collection[str]] | None = None,
    on_clear: Callable[[Connection, set[tuple[str, str]]], None] | None = None,
    on_record: Callable[[Record], None] | None = None,
    inputs: InputOptions | None = None,
    allowed: AllowedChanges | None = None,
    by: str = "import",
    key_space: str = "",
    identities: Callable[[], IdentityFactory] | None = None,
    admitted: Collection[str] = (),
    plausible: PlausibleRanges | None = None,
) -> ImportReport:
    """Import `files`: workbooks, CSV files or folders of CSVs, together one state of the kinds they hold;
    databases (YAML, see `sql`) and check-up forms (XML, see `checkup`), read as `inputs` says.

    `max_deletions_percent` of a kind's live records may go; past it ImportRefused, unless
    `allow_deletions`. `partial`: what the files do not hold stays. `rejects`: where rows that were not
    imported go (its suffix becomes .xlsx, or none for CSV input); an older rejects file there is replaced,
    removed when no row is rejected, or set aside when somebody has corrected it and not imported it.
    `known_measures` None: any measure.
    `progress` is called with (bytes done, bytes in all); `on_problem` with every bad cell;
    `on_scrub`, within the import's transaction, with the people who are T0 now (it returns the names under
    which hospitals know them, see `ErasedNames`); `on_clear`, within it, with
    kind and key of others' records that told of such a person and do not any more;
    `on_record` with every record that the files hold. `identities` makes the keyed hashes by which whoever
    was erased as T0 is known again and refused, but for those whose keys are `admitted`; None: nobody is.
    `allowed`: what else was said yes to; `by` whom, as the list of imports names it. `key_space`: see
    `key_space_of`. `plausible`: what values may be; without it no row is held for a person.
    Raises ImportRefused or SourceError, with nothing changed, when a file as a whole cannot be imported.
    """
    tally = ImportReportBuilder(on_problem)
    limit = None if allow_deletions else max_deletions_percent
    with ExitStack() as stack:
        tabs = open_tabs(files, stack, tally.warn, inputs or InputOptions())
        as_csv = all(tab.csv for tab in tabs)
        refused = RejectsFile(None if dry_run else rejects, files, as_csv=as_csv)
        stack.callback(refused.close)
        origins = _origins(tabs)
        _gather(store_engine, origins, lambda: progress(0, len(tabs)) if progress else None)
        try:
            with write_transaction(store_engine) as connection:
                layouts = (inputs or InputOptions()).layouts
                known = ImportContext(
                    known_hospitals, known_measures, now, key_space, layouts.words, layouts.codes
                )
                erased = None if identities is None else ErasedNames(connection, identities)
                if erased is not None:
                    erased.prepare(admitted)
                work = ImportSession(
                    connection,
                    tabs,
                    allowed=allowed or AllowedChanges(),
                    by=by,
                    files=describe_files(files),
                    names=[path.name for path in files],
                    hidden=HiddenPeople(erased, admitted),
                    plausible=plausible,
                    digest_of=partial_(file_digest, files),
                    known=known,
                    tally=tally,
                    rejects=refused,
                    progress=progress,
                    on_scrub=None if on_scrub is None else lambda people: on_scrub(connection, people),
                    on_clear=None if on_clear is None else lambda cleared: on_clear(connection, cleared),
                    on_record=on_record,
                )
                refused.remove_leftovers()  # under the store's lock, as all that writes is
                for origin in origins:
                    origin.begin(connection, now)
                work.run(partial=partial, limit=limit)
                for origin in origins:
                    origin.finish()
                refused.seal()
                tally.copied = refused.rows
                _audit(connection, now, tally, by, allowed or AllowedChanges())
                _undo_if(dry_run)
        except _DryRun:
            return tally.report(None, work.partial, dry_run=True)
        if tally.has_erased:
            erase_free_space(store_engine)
        elif on_scrub:
            empty_write_ahead_log(store_engine)
        # After the commit: killed in between, the same import run again writes the same rejects.
        rejected = refused.move_into_place(_imported(store_engine))
        if refused.set_aside is not None:
            tally.warn("import.rejects_set_aside", path=str(refused.set_aside))
        return tally.report(rejected, work.partial, dry_run=False)


def _origins(tabs: list[Tab]) -> list[TabSource]:
    return list({id(tab.origin): tab.origin for tab in tabs if tab.origin is not None}.values())


def _gather(engine: Engine, origins: list[TabSource], on_page: Callable[[], None]) -> None:
    """Read what is far away while nobody waits: no transaction of the store is open meanwhile."""
    with read_transaction(engine) as connection:
        gathering = [origin.prefetch(connection) for origin in origins]
    for gather in gathering:
        if gather is not None:
            gather(on_page)


def _audit(
    connection: Connection, now: datetime, tally: ImportReportBuilder, by: str, allowed: AllowedChanges
) -> None:
    """That it was imported, by whom, and what was said yes to: counts alone, and none of T0 people's rows,
    since the audit lasts.
    """
    report = tally.report(None, partial=False, dry_run=False)
    kinds = {kind: {**vars(counts)} for kind, counts in report.kinds.items()}
    for counts in kinds.values():
        del counts["withheld"]
    said_yes = [name for name, value in asdict(allowed).items() if value]
    details = {"kinds": kinds, "by": by, "allowed": said_yes}
    audit.append(connection, at=now, actor="import", action="import.done", details=details)


def _imported(engine: Engine) -> set[str]:
    """Digests of the files whose import stands."""
    with read_transaction(engine) as connection:
        runs = list_runs(connection)
    by_id = {run.id: run for run in runs}

    def stands(run: ImportRun) -> bool:
        undoing = None if run.undone_by is None else by_id.get(run.undone_by)
        return undoing is None or not stands(undoing)

    return {digest for run in runs if run.undoes is None and stands(run) for _, digest in run.files}


def _undo_if(dry_run: bool) -> None:
    if dry_run:
        raise _DryRun

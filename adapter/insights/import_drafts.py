"""Uploaded workbooks as they may be listed, and what was found in one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from adapter.errors import UsageError
from adapter.pipeline.application import Adapter
from adapter.records.importing.draft_seal import DraftSeal
from adapter.records.importing.drafts import DraftState, ImportDraft

__all__ = ["DraftReport", "DraftState", "ListedDraft", "draft_list", "draft_rejects", "draft_report"]


@dataclass(frozen=True, slots=True)
class ListedDraft:
    """One: when and by whom it was uploaded, `size` in bytes, how far it is."""

    id: int
    uploaded_at: datetime
    uploaded_by: str
    size: int
    state: DraftState
    has_rejects: bool


@dataclass(frozen=True, slots=True)
class DraftReport:
    """One with what was found. `options` (names of `DraftOptions`) are what was said yes to; `told` is empty
    where it was not looked through, and else says what changes (`kinds`, `changes`), what is wrong (`lines`,
    `unread`) and how much, or why all of it is `refused`.
    """

    draft: ListedDraft
    options: Mapping[str, Any]
    told: Mapping[str, Any]

    @property
    def keys(self) -> Sequence[tuple[str, str]]:
        """The records (kind, key) of which it shows something."""
        changes = self.told.get("changes", ())
        return [(one["kind"], key) for one in changes for key, _, _ in one["examples"]]


def draft_list(adapter: Adapter, now: datetime) -> Sequence[ListedDraft]:
    """Those of the last day, the newest first."""
    return [_listed(one) for one in adapter.import_drafts.all(now)]


def draft_report(adapter: Adapter, number: int, now: datetime) -> DraftReport:
    """The one of that number. Raises UsageError where it is gone."""
    found = _found(adapter, number, now)
    opened = found.report and DraftSeal(adapter.identities).open(f"report-{number}", found.report)
    return DraftReport(_listed(found), orjson.loads(found.options), orjson.loads(opened) if opened else {})


def draft_rejects(adapter: Adapter, number: int, now: datetime) -> bytes:
    """The workbook of its rejected rows. Raises UsageError where there is none."""
    found = _found(adapter, number, now)
    opened = found.rejects and DraftSeal(adapter.identities).open(f"rejects-{number}", found.rejects)
    if not opened:
        raise UsageError("draft.gone")
    return opened


def _found(adapter: Adapter, number: int, now: datetime) -> ImportDraft:
    found = adapter.import_drafts.get(number, now)
    if found is None:
        raise UsageError("draft.gone")
    return found


def _listed(one: ImportDraft) -> ListedDraft:
    return ListedDraft(one.id, one.uploaded_at, one.uploaded_by, one.size, one.state, one.rejects is not None)

"""What hospitals sent, and what became of it: without any body, which may name people."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from adapter.errors import UsageError
from adapter.inbox.store import InboxItem
from adapter.inbox.tables import STATES
from adapter.pipeline.application import Adapter

__all__ = ["InboxList", "ListedItem", "checked_state", "inbox_list", "listed_item"]


@dataclass(frozen=True, slots=True)
class ListedItem:
    """An inbox item as it may be listed. `candidates` are keys of people, the likeliest first."""

    id: int
    hospital: str
    type: str
    state: str
    received_at: datetime
    reasons: tuple[str, ...]
    cadre: str | None
    referral: str | None
    settled_by: str | None
    candidates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InboxList:
    """How many items are in each state (every state is there), and some of them, oldest first. `unseen` are
    versions that were ignored as older and that nobody has seen yet.
    """

    counts: Mapping[str, int]
    items: tuple[ListedItem, ...]
    unseen: tuple[ListedItem, ...] = ()


def checked_state(word: str) -> str | None:
    """The state that a person named, None for "all". Raises UsageError for a word that is no state."""
    if word not in (*STATES, "all"):
        raise UsageError("cli.unknown_state", state=word, known=", ".join((*STATES, "all")))
    return None if word == "all" else word


def inbox_list(adapter: Adapter, state: str | None) -> InboxList:
    """The items in that state, None: all."""
    items = tuple(listed_item(one) for one in adapter.inbox.items(state))
    unseen = tuple(listed_item(one) for one in adapter.inbox.unseen()) if state == "unmatched" else ()
    return InboxList(adapter.inbox.counts(), items, unseen)


def listed_item(item: InboxItem) -> ListedItem:
    """The item without its body."""
    return ListedItem(
        item.id,
        item.hospital,
        item.type,
        item.state,
        item.received_at,
        item.reasons,
        item.cadre,
        item.referral,
        item.settled_by,
        tuple(one.cadre for one in item.candidates),
    )

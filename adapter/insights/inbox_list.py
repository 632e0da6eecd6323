"""What hospitals sent, and what became of it: without any body, which may name people, but for what tells two
results apart.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from adapter.database import read_transaction
from adapter.errors import UsageError
from adapter.fhir.codec import Resource
from adapter.inbox.latest import latest_items
from adapter.inbox.references import objects_of, text_of
from adapter.inbox.store import InboxItem
from adapter.inbox.tables import STATES
from adapter.insights.result_titles import code_words
from adapter.pipeline.application import Adapter

__all__ = ["InboxList", "ListedItem", "checked_state", "inbox_list", "inbox_page", "listed_item"]

_LONGEST = 60


@dataclass(frozen=True, slots=True)
class ListedItem:
    """An inbox item as it may be listed. `candidates` are keys of people, the likeliest first; `title`,
    `found_at` and `number` (the hospital's own) are as the hospital wrote them, "" where it did not.
    """

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
    title: str = ""
    found_at: str = ""
    number: str = ""


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


def inbox_page(
    adapter: Adapter, state: str, exists: Callable[[str], bool], before: int | None, limit: int
) -> Sequence[ListedItem]:
    """The newest items in a state, of those below number `before`; without what is somebody's who does not
    exist for who asks, and without such people among the candidates.
    """
    with read_transaction(adapter.engine) as connection:
        items = latest_items(connection, state, limit, before=before)
    found = map(listed_item, items)
    return [
        replace(one, candidates=tuple(filter(exists, one.candidates)))
        for one in found
        if one.cadre is None or exists(one.cadre)
    ]


def listed_item(item: InboxItem) -> ListedItem:
    """The item without its body."""
    resource = item.resource
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
        _title(resource),
        _moment(resource),
        _number(resource),
    )


def _title(resource: Resource) -> str:
    """What it calls itself: its code, or else its type, class or description."""
    for name in ("code", "type", "class", "description"):
        for concept in objects_of(resource.get(name)):
            codings = objects_of(concept.get("coding"))
            said = [concept.get("text"), concept.get("display")]
            said += [one.get("display") for one in codings]
            said += [
                code_words(code, text_of(one.get("system")))
                for one in codings
                if (code := text_of(one.get("code")))
            ]
            if title := next(filter(None, map(text_of, said)), ""):
                return title[:_LONGEST]
    return text_of(resource.get("description"))[:_LONGEST]


def _moment(resource: Resource) -> str:
    """When it was found, as it says; to the minute."""
    for name in ("effectiveDateTime", "performedDateTime", "issued", "date", "authoredOn", "started"):
        if said := text_of(resource.get(name)):
            return said[: len("2026-11-02T08:30")]
    return ""


def _number(resource: Resource) -> str:
    numbers = (text_of(one.get("value")) for one in objects_of(resource.get("identifier")))
    return next(filter(None, numbers), "")[:_LONGEST]

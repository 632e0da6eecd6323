"""A person says whose a result is, or takes that back."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from adapter.errors import UsageError
from adapter.operations.operation import Operation, OperationContext
from adapter.pipeline.inbound.inbox import (
    discard,
    link,
    mark_seen,
    reopen,
    ruled_out_people,
    unlink,
)

__all__ = ["DiscardItem", "ItemState", "LinkItem", "ReopenItem", "SeeItem", "UnlinkItem", "item_state"]


@dataclass(frozen=True, slots=True)
class ItemState:
    """What an inbox item is now: whose it is and which referral it answers, as far as that is known; and of
    whom somebody said that it is `never` theirs.
    """

    item: int
    hospital: str
    type: str
    state: str
    cadre: str | None
    referral: str | None
    settled_at: datetime | None
    settled_by: str | None
    never: tuple[str, ...]


def item_state(context: OperationContext, item: int) -> ItemState:
    """An item as it is. Raises UsageError where there is none of that number."""
    found = context.adapter.inbox.get(item)
    if found is None:
        raise UsageError("inbox.no_item", item=item)
    return ItemState(
        found.id,
        found.hospital,
        found.type,
        found.state,
        found.cadre,
        found.referral,
        found.settled_at,
        found.settled_by,
        ruled_out_people(context.adapter, found),
    )


@dataclass(frozen=True)
class LinkItem(Operation[ItemState, str]):
    """Say that inbox item `item` is about `cadre`, which `referral` it answers, and which other item it
    `replaces`. What contradicts it is refused, unless it is linked `despite` it. Gives its new state.
    """

    name: ClassVar[str] = "inbox.link"
    audited_as: ClassVar[tuple[str, ...]] = ("inbox.linked",)
    item: int
    cadre: str
    referral: str | None = None
    despite: bool = False
    replaces: int | None = None

    def look(self, context: OperationContext) -> ItemState:
        """The item as it is."""
        return item_state(context, self.item)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> str:
        """Write the result into the record. Raises UsageError for what does not exist or contradicts."""
        return link(
            context.adapter,
            self.item,
            self.cadre,
            self.referral,
            by=context.by,
            now=context.clock(),
            unchanged=unchanged,
            despite=self.despite,
            replaces=self.replaces,
        )

    def undo(self, before: ItemState) -> "LinkItem | UnlinkItem":
        """Back to whose it was, or to waiting."""
        if before.state == "linked" and before.cadre:
            return LinkItem(self.item, before.cadre, before.referral, self.despite)
        return UnlinkItem(self.item)


@dataclass(frozen=True)
class UnlinkItem(Operation[ItemState, tuple[int, ...]]):
    """Take a match back: the result leaves the record and waits again until a person links it, in all its
    versions and with what a report lists. Gives the numbers of all the items that wait now.
    """

    name: ClassVar[str] = "inbox.unlink"
    audited_as: ClassVar[tuple[str, ...]] = ("inbox.unlinked",)
    item: int

    def look(self, context: OperationContext) -> ItemState:
        """The item as it is."""
        return item_state(context, self.item)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> tuple[int, ...]:
        """Take the result out of the record. Raises UsageError where it is in none."""
        return unlink(context.adapter, self.item, by=context.by, now=context.clock(), unchanged=unchanged)

    def undo(self, before: ItemState) -> LinkItem | None:
        """Link it again to whom it belonged."""
        return LinkItem(self.item, before.cadre, before.referral) if before.cadre else None


@dataclass(frozen=True)
class SeeItem(Operation[ItemState, None]):
    """Say that somebody has seen a version that was ignored as older: it is not shown again. Nothing undoes
    it: who has seen something has seen it; `adapter inbox --state ignored` lists it still.
    """

    name: ClassVar[str] = "inbox.see"
    audited_as: ClassVar[tuple[str, ...]] = ("inbox.seen",)
    item: int

    def look(self, context: OperationContext) -> ItemState:
        """The item as it is."""
        return item_state(context, self.item)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> None:
        """Note it. Raises UsageError where there is nothing to see."""
        mark_seen(context.adapter, self.item, by=context.by, now=context.clock(), unchanged=unchanged)


@dataclass(frozen=True)
class DiscardItem(Operation[ItemState, None]):
    """Say that what waits is of no use, and why: it is ignored, and stays in the list of what was."""

    name: ClassVar[str] = "inbox.discard"
    audited_as: ClassVar[tuple[str, ...]] = ("inbox.discarded",)
    item: int
    reason: str

    def look(self, context: OperationContext) -> ItemState:
        """The item as it is. Raises UsageError where no reason is given."""
        if not self.reason.strip():
            raise UsageError("inbox.no_reason")
        return item_state(context, self.item)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> None:
        """Ignore it from now on. Raises UsageError for what does not wait."""
        self.look(context)
        discard(
            context.adapter,
            self.item,
            self.reason,
            by=context.by,
            now=context.clock(),
            unchanged=unchanged,
        )

    def undo(self, before: ItemState) -> "ReopenItem":
        """It waits again."""
        return ReopenItem(self.item)


@dataclass(frozen=True)
class ReopenItem(Operation[ItemState, None]):
    """Let what was discarded wait again. Nothing undoes it but to discard it anew, with a reason."""

    name: ClassVar[str] = "inbox.reopen"
    audited_as: ClassVar[tuple[str, ...]] = ("inbox.reopened",)
    item: int

    def look(self, context: OperationContext) -> ItemState:
        """The item as it is."""
        return item_state(context, self.item)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> None:
        """Let it wait. Raises UsageError for what was not discarded."""
        reopen(context.adapter, self.item, by=context.by, now=context.clock(), unchanged=unchanged)

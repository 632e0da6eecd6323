"""A person says that a hospital's patient is never this one here, or takes back what was said of one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from adapter.database import read_transaction
from adapter.errors import UsageError
from adapter.inbox.rulings import PatientRuling, all_rulings
from adapter.operations.inbox import ItemState, item_state
from adapter.operations.operation import Operation, OperationContext
from adapter.pipeline.inbound.inbox import forget_ruling, rule_out, unrule_out

__all__ = ["AllowPerson", "ForgetRuling", "RuleOutPerson"]


@dataclass(frozen=True)
class RuleOutPerson(Operation[ItemState, None]):
    """Say that inbox item `item`, and what else comes with its patient's number there, is never `cadre`'s."""

    name: ClassVar[str] = "inbox.rule_out"
    audited_as: ClassVar[tuple[str, ...]] = ("inbox.ruled_out",)
    item: int
    cadre: str

    def look(self, context: OperationContext) -> ItemState:
        """The item as it is."""
        return item_state(context, self.item)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> None:
        """Note it. Raises UsageError for what does not exist, or is in that person's record."""
        rule_out(
            context.adapter,
            self.item,
            self.cadre,
            by=context.by,
            now=context.clock(),
            unchanged=unchanged,
        )

    def undo(self, before: ItemState) -> "AllowPerson":
        """It may be that person after all."""
        return AllowPerson(self.item, self.cadre)


@dataclass(frozen=True)
class AllowPerson(Operation[ItemState, None]):
    """Take back that an item is never `cadre`'s."""

    name: ClassVar[str] = "inbox.unrule_out"
    audited_as: ClassVar[tuple[str, ...]] = ("inbox.unruled_out",)
    item: int
    cadre: str

    def look(self, context: OperationContext) -> ItemState:
        """The item as it is."""
        return item_state(context, self.item)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> None:
        """Note it. Raises UsageError where nobody said so."""
        unrule_out(
            context.adapter,
            self.item,
            self.cadre,
            by=context.by,
            now=context.clock(),
            unchanged=unchanged,
        )

    def undo(self, before: ItemState) -> RuleOutPerson:
        """It is never that person's again."""
        return RuleOutPerson(self.item, self.cadre)


@dataclass(frozen=True)
class ForgetRuling(Operation[PatientRuling, None]):
    """Take back ruling `number`: a patient's number that a link taught, or a never. Nothing undoes it but to
    say it anew, with a link or a never.
    """

    name: ClassVar[str] = "inbox.forget"
    audited_as: ClassVar[tuple[str, ...]] = ("inbox.ruling_forgotten",)
    number: int

    def look(self, context: OperationContext) -> PatientRuling:
        """What was said. Raises UsageError where there is none of that number."""
        with read_transaction(context.adapter.engine) as connection:
            found = next((one for one in all_rulings(connection) if one.id == self.number), None)
        if found is None:
            raise UsageError("inbox.no_ruling", number=self.number)
        return found

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> None:
        """Take it back."""
        self.look(context)
        forget_ruling(context.adapter, self.number, by=context.by, now=context.clock(), unchanged=unchanged)

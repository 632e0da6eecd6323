"""The accounts of the centre's own staff: added, changed, shut out, and given a code to choose a password."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from adapter.authorization.staff_accounts import (
    StaffAccount,
    account_named,
    add_account,
    all_accounts,
    change_account,
    first_code,
    reset_account,
)
from adapter.authorization.staff_roles import StaffRole
from adapter.database import write_transaction
from adapter.errors import UsageError
from adapter.operations.operation import Operation, OperationContext

__all__ = ["AddStaff", "ChangeStaff", "DisableStaff", "ResetStaff", "first_code_of", "roles_named"]


def roles_named(names: Iterable[str]) -> tuple[StaffRole, ...]:
    """The roles of these names. Raises UsageError for one that is none, or where there are none."""
    known = {str(role): role for role in StaffRole}
    chosen = list(names)
    if not chosen or any(name not in known for name in chosen):
        raise UsageError("staff.bad_role", roles=", ".join(known))
    return tuple(known[name] for name in dict.fromkeys(chosen))


def first_code_of(context: OperationContext) -> str | None:
    """A one-time code that makes the first account; None where there are accounts. Audited."""
    return first_code(context.adapter.engine, context.clock(), by=context.by)


@dataclass(frozen=True)
class AddStaff(Operation[tuple[StaffAccount, ...], str]):
    """Make an account; gives the one-time code with which its password is chosen."""

    name: ClassVar[str] = "staff.add"
    audited_as: ClassVar[tuple[str, ...]] = ("staff.added", "staff.reset")
    account: str
    display: str
    roles: tuple[StaffRole, ...]
    sees_t1: bool = False
    language: str = "vi"

    def look(self, context: OperationContext) -> tuple[StaffAccount, ...]:
        """Those that there are."""
        return tuple(all_accounts(context.adapter.engine))

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> str:
        """Make it."""
        unchanged()
        now = context.clock()
        with write_transaction(context.adapter.engine) as connection:
            add_account(
                connection,
                self.account,
                self.display,
                self.roles,
                now,
                by=context.by,
                sees_t1=self.sees_t1,
                language=self.language,
            )
            return reset_account(connection, self.account, now, by=context.by)

    def undo(self, before: tuple[StaffAccount, ...]) -> "DisableStaff":
        """Shut it out; who did what stays named in the audit, so it is not removed."""
        return DisableStaff(self.account)


@dataclass(frozen=True)
class ChangeStaff(Operation[StaffAccount, None]):
    """Give an account other roles, or let it see T1 people or not. What is None stays; it is signed out."""

    name: ClassVar[str] = "staff.change"
    audited_as: ClassVar[tuple[str, ...]] = ("staff.changed",)
    account: str
    roles: tuple[StaffRole, ...] | None = None
    sees_t1: bool | None = None

    def look(self, context: OperationContext) -> StaffAccount:
        """How it is. Raises UsageError where there is none."""
        return account_named(context.adapter.engine, self.account)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> None:
        """Change it."""
        unchanged()
        self.look(context)
        wanted: dict[str, Any] = {"roles": self.roles, "sees_t1": self.sees_t1}
        values = {name: value for name, value in wanted.items() if value is not None}
        with write_transaction(context.adapter.engine) as connection:
            change_account(connection, self.account, values, context.clock(), by=context.by)

    def undo(self, before: StaffAccount) -> "ChangeStaff":
        """What it was before."""
        return ChangeStaff(self.account, before.roles, before.sees_t1)


@dataclass(frozen=True)
class DisableStaff(Operation[StaffAccount, None]):
    """Shut an account out at once, or let it in again."""

    name: ClassVar[str] = "staff.disable"
    audited_as: ClassVar[tuple[str, ...]] = ("staff.disabled",)
    account: str
    disabled: bool = True

    def look(self, context: OperationContext) -> StaffAccount:
        """How it is. Raises UsageError where there is none."""
        return account_named(context.adapter.engine, self.account)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> None:
        """Do so."""
        unchanged()
        self.look(context)
        values = {"disabled": self.disabled}
        with write_transaction(context.adapter.engine) as connection:
            change_account(connection, self.account, values, context.clock(), by=context.by)

    def undo(self, before: StaffAccount) -> "DisableStaff":
        """The other way round."""
        return DisableStaff(self.account, before.disabled_at is not None)


@dataclass(frozen=True)
class ResetStaff(Operation[StaffAccount, str]):
    """Give a one-time code with which a password is chosen anew; the password and second factor of before
    hold no more. Nothing undoes it.
    """

    name: ClassVar[str] = "staff.reset"
    audited_as: ClassVar[tuple[str, ...]] = ("staff.reset",)
    account: str

    def look(self, context: OperationContext) -> StaffAccount:
        """How it is. Raises UsageError where there is none."""
        return account_named(context.adapter.engine, self.account)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> str:
        """Do so."""
        unchanged()
        self.look(context)
        with write_transaction(context.adapter.engine) as connection:
            return reset_account(connection, self.account, context.clock(), by=context.by)

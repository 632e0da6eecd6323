"""The tokens with which a hospital may send results: made, and ended."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from adapter.hospital_tokens import IssuedToken, issue_token, list_tokens, revoke_tokens
from adapter.operations.operation import Operation, OperationContext

__all__ = ["IssueToken", "RevokeTokens"]


def _live(context: OperationContext, hospital: str) -> tuple[IssuedToken, ...]:
    name = context.adapter.settings.hospital(hospital).name
    return tuple(
        one for one in list_tokens(context.adapter.engine) if one.hospital == name and one.revoked_at is None
    )


@dataclass(frozen=True)
class IssueToken(Operation[tuple[IssuedToken, ...], str]):
    """Make a token for a hospital. It is given this once and cannot be shown again."""

    name: ClassVar[str] = "hospital.issue_token"
    audited_as: ClassVar[tuple[str, ...]] = ("token.issued",)
    hospital: str

    def look(self, context: OperationContext) -> tuple[IssuedToken, ...]:
        """The hospital's tokens that hold. Raises SettingsError for one that is not in the settings."""
        return _live(context, self.hospital)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> str:
        """Make it."""
        unchanged()
        hospital = context.adapter.settings.hospital(self.hospital).name
        return issue_token(context.adapter.engine, hospital, context.clock(), by=context.by)

    def undo(self, before: tuple[IssuedToken, ...]) -> "RevokeTokens":
        """End all tokens of the hospital."""
        return RevokeTokens(self.hospital)


@dataclass(frozen=True)
class RevokeTokens(Operation[tuple[IssuedToken, ...], int]):
    """End all tokens of a hospital; gives how many. Nothing undoes it: a hospital gets a new one."""

    name: ClassVar[str] = "hospital.revoke_tokens"
    audited_as: ClassVar[tuple[str, ...]] = ("token.revoked",)
    hospital: str

    def look(self, context: OperationContext) -> tuple[IssuedToken, ...]:
        """The hospital's tokens that hold. Raises SettingsError for one that is not in the settings."""
        return _live(context, self.hospital)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> int:
        """End them."""
        unchanged()
        hospital = context.adapter.settings.hospital(self.hospital).name
        return revoke_tokens(context.adapter.engine, hospital, context.clock(), by=context.by)

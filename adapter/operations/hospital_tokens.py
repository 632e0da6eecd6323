"""The tokens with which a hospital may send results: made, and ended."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from adapter.authorization.access_tokens import revoke_access_tokens
from adapter.hospital_tokens import IssuedToken, issue_token, list_tokens, revoke_tokens
from adapter.operations.operation import Operation, OperationContext

__all__ = ["IssueToken", "RevokeTokens"]


def _live(context: OperationContext, hospital: str) -> tuple[IssuedToken, ...]:
    return tuple(
        one
        for one in list_tokens(context.adapter.engine)
        if one.hospital == hospital and one.revoked_at is None
    )


def _who_had_one(context: OperationContext, hospital: str) -> str:
    """The name, if it ever had a token or is in the settings. Raises SettingsError."""
    if any(one.hospital == hospital for one in list_tokens(context.adapter.engine)):
        return hospital
    return context.adapter.settings.hospital(hospital).name


@dataclass(frozen=True)
class IssueToken(Operation[tuple[IssuedToken, ...], str]):
    """Make a token for a hospital. It is given this once and cannot be shown again."""

    name: ClassVar[str] = "hospital.issue_token"
    audited_as: ClassVar[tuple[str, ...]] = ("token.issued",)
    hospital: str

    def look(self, context: OperationContext) -> tuple[IssuedToken, ...]:
        """The hospital's tokens that hold. Raises SettingsError for one that is not in the settings."""
        return _live(context, context.adapter.settings.hospital(self.hospital).name)

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
    """End all tokens of a hospital, those of five minutes too, also of one that the settings have no longer;
    gives how many. Nothing undoes it: a hospital gets a new one.
    """

    name: ClassVar[str] = "hospital.revoke_tokens"
    audited_as: ClassVar[tuple[str, ...]] = ("token.revoked",)
    hospital: str

    def look(self, context: OperationContext) -> tuple[IssuedToken, ...]:
        """The hospital's tokens that hold. Raises SettingsError for one that never had any and is not in the
        settings.
        """
        return _live(context, _who_had_one(context, self.hospital))

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> int:
        """End them."""
        unchanged()
        hospital = _who_had_one(context, self.hospital)
        revoke_access_tokens(context.adapter.engine, hospital)
        return revoke_tokens(context.adapter.engine, hospital, context.clock(), by=context.by)

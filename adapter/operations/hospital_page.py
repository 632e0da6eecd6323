"""Who may open a hospital's page: a clerk is invited, and all that were are shut out again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from adapter.authorization import page_access
from adapter.authorization.page_access import OpenInvitation
from adapter.errors import UsageError
from adapter.operations.operation import Operation, OperationContext

__all__ = ["InviteHospital", "MadeInvitation", "RevokePageAccess"]


@dataclass(frozen=True, slots=True)
class MadeInvitation:
    """What the hospital is told: link and code, each by another way. Neither can be shown again."""

    hospital: str
    link: str
    code: str
    expires_at: datetime


@dataclass(frozen=True)
class InviteHospital(Operation[tuple[OpenInvitation, ...], MadeInvitation]):
    """Make a link and a one-time code that open the page of a hospital."""

    name: ClassVar[str] = "hospital.invite"
    audited_as: ClassVar[tuple[str, ...]] = ("page.invited",)
    hospital: str
    valid_hours: int = 72

    def look(self, context: OperationContext) -> tuple[OpenInvitation, ...]:
        """The invitations that can be used. Raises SettingsError for a hospital that is not in the settings,
        UsageError where the endpoint's address is not.
        """
        hospital = context.adapter.settings.hospital(self.hospital).name
        if context.adapter.settings.public_url is None:
            raise UsageError("hospital.no_public_url")
        return tuple(page_access.open_invitations(context.adapter.engine, hospital, context.clock()))

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> MadeInvitation:
        """Make it."""
        unchanged()
        self.look(context)
        valid = timedelta(hours=self.valid_hours)
        made = page_access.invite(
            context.adapter.engine, self.hospital, valid, context.clock(), by=context.by
        )
        base = (context.adapter.settings.public_url or "").rstrip("/").removesuffix("/fhir")
        return MadeInvitation(made.hospital, f"{base}/page/in/{made.token}", made.code, made.expires_at)

    def undo(self, before: tuple[OpenInvitation, ...]) -> "RevokePageAccess":
        """End all invitations and sessions of the hospital."""
        return RevokePageAccess(self.hospital)


@dataclass(frozen=True)
class RevokePageAccess(Operation[tuple[OpenInvitation, ...], tuple[int, int]]):
    """End all invitations of a hospital and sign its clerks out; gives how many of each. Nothing undoes it: a
    clerk is invited anew.
    """

    name: ClassVar[str] = "hospital.revoke_page"
    audited_as: ClassVar[tuple[str, ...]] = ("page.revoked",)
    hospital: str

    def look(self, context: OperationContext) -> tuple[OpenInvitation, ...]:
        """The invitations that can be used."""
        return tuple(page_access.open_invitations(context.adapter.engine, self.hospital, context.clock()))

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> tuple[int, int]:
        """End them."""
        unchanged()
        return page_access.revoke_page_access(
            context.adapter.engine, self.hospital, context.clock(), by=context.by
        )

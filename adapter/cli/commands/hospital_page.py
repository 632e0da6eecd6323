"""`adapter hospital invite`: who may open a hospital's page."""

from typing import Annotated

import typer

from adapter.cli.terminal.context import AsJson, open_adapter, operating
from adapter.cli.terminal.output import emit, moment
from adapter.texts import say, write_line

__all__ = ["register"]

_MOST_HOURS = 24 * 14


def register(hospital: typer.Typer) -> None:
    """Add this command to the group `hospital`."""
    hospital.command("invite", help=say("page.help_invite"))(invite)


def invite(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help=say("cli.help_hospital_name"))],
    valid_hours: Annotated[
        int, typer.Option("--valid-hours", min=1, max=_MOST_HOURS, help=say("page.help_valid_hours"))
    ] = 72,
    revoke: Annotated[bool, typer.Option("--revoke", help=say("page.help_revoke"))] = False,
    as_json: AsJson = False,
) -> None:
    """Make a link and a one-time code that open a hospital's page; they are shown once."""
    from adapter.operations.hospital_page import InviteHospital, RevokePageAccess

    with open_adapter(context) as adapter:
        if revoke:
            invitations, sessions = RevokePageAccess(name).perform(operating(adapter))
            done = say("page.revoked", hospital=name, invitations=invitations, sessions=sessions)
            facts = {"hospital": name, "invitations": invitations, "sessions": sessions}
            emit(facts, as_json, lambda out: out.print(done))
            return
        made = InviteHospital(name, valid_hours).perform(operating(adapter))
    write_line(say("page.once", hospital=name, until=moment(made.expires_at)), to_errors=True)

    def show() -> None:
        write_line(say("page.link", link=made.link))
        write_line(say("page.code", code=made.code))

    emit(made, as_json, lambda _: show())

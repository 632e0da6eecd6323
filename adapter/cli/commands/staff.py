"""`adapter staff`: the accounts of the centre's own staff in the console."""

from typing import Annotated, Any

import typer

from adapter.cli.terminal.command_words import CommandLine
from adapter.cli.terminal.context import AsJson, insights, open_adapter, operating
from adapter.cli.terminal.output import emit
from adapter.texts import say, write_line

__all__ = ["register"]

Name = Annotated[str, typer.Argument(metavar="NAME", help=say("staff.help_name"))]
Roles = Annotated[list[str], typer.Option("--role", help=say("staff.help_role"))]
SeesT1 = Annotated[bool, typer.Option("--sees-t1/--no-t1", help=say("staff.help_t1"))]


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    group = CommandLine(help=say("staff.help"), no_args_is_help=True)
    group.command("list", help=say("staff.help_list"))(list_staff)
    group.command("add", help=say("staff.help_add"))(add)
    group.command("roles", help=say("staff.help_roles"))(roles)
    group.command("sees-t1", help=say("staff.help_sees_t1"))(sees_t1)
    group.command("disable", help=say("staff.help_disable"))(disable)
    group.command("reset", help=say("staff.help_reset"))(reset)
    app.add_typer(group, name="staff")


def list_staff(context: typer.Context, as_json: AsJson = False) -> None:
    """Everybody who has an account."""
    with open_adapter(context) as adapter:
        found = insights(adapter).staff()
    facts = [
        {
            "name": one.name,
            "display": one.display,
            "roles": list(one.roles),
            "sees_t1": one.sees_t1,
            "second_factor": one.has_second_factor,
            "disabled": one.disabled_at is not None,
        }
        for one in found
    ]

    def show(_: Any) -> None:
        for one in found:
            more = [*one.roles, *(["T1"] if one.sees_t1 else [])]
            state = say("staff.shut") if one.disabled_at else ""
            write_line(f"{one.name:<20} {one.display:<30} {', '.join(more)} {state}".rstrip())
        if not found:
            write_line(say("staff.nobody"))

    emit(facts, as_json, show)


def add(
    context: typer.Context,
    name: Name,
    display: Annotated[str, typer.Argument(metavar="DISPLAY", help=say("staff.help_display"))],
    *,
    roles: Roles,
    sees_t1: SeesT1 = False,
    as_json: AsJson = False,
) -> None:
    """Make an account, and print the code with which its password is chosen."""
    from adapter.operations.staff import AddStaff, roles_named

    with open_adapter(context) as adapter:
        code = AddStaff(name, display, roles_named(roles), sees_t1).perform(operating(adapter))
    _tell(name, code, as_json)


def reset(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Print a new code for an account; the password and second step of before hold no more."""
    from adapter.operations.staff import ResetStaff

    with open_adapter(context) as adapter:
        code = ResetStaff(name).perform(operating(adapter))
    _tell(name, code, as_json)


def _tell(name: str, code: str, as_json: bool) -> None:
    emit({"name": name, "code": code}, as_json, lambda _: write_line(say("staff.code", name=name, code=code)))


def roles(context: typer.Context, name: Name, roles: Roles) -> None:
    """Give an account these roles in place of those that it has."""
    from adapter.operations.staff import ChangeStaff, roles_named

    with open_adapter(context) as adapter:
        ChangeStaff(name, roles_named(roles)).perform(operating(adapter))
    write_line(say("staff.changed", name=name))


def sees_t1(
    context: typer.Context,
    name: Name,
    no: Annotated[bool, typer.Option("--no", help=say("staff.help_no"))] = False,
) -> None:
    """Whether people of tier T1 exist for an account."""
    from adapter.operations.staff import ChangeStaff

    with open_adapter(context) as adapter:
        ChangeStaff(name, sees_t1=not no).perform(operating(adapter))
    write_line(say("staff.changed", name=name))


def disable(
    context: typer.Context,
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", help=say("staff.help_undo"))] = False,
) -> None:
    """Shut an account out at once, or let it in again."""
    from adapter.operations.staff import DisableStaff

    with open_adapter(context) as adapter:
        DisableStaff(name, not undo).perform(operating(adapter))
    write_line(say("staff.changed", name=name))

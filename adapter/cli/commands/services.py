"""`adapter schedule`, `worker`, `serve`, `console` and `sandbox`: the processes that stay up."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.terminal.context import (
    Hospitals,
    chosen,
    insights,
    now,
    open_adapter,
    operating,
    stopping,
)
from adapter.cli.terminal.hardening import leave_no_core
from adapter.texts import say, write_line

if TYPE_CHECKING:
    from adapter.cli.terminal.context import Adapter

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    app.command("schedule", help=say("cli.help_schedule"))(schedule)
    app.command("worker", help=say("worker.help"))(worker)
    app.command("serve", help=say("cli.help_serve"))(serve)
    app.command("console", help=say("console.help"))(console)
    app.command("sandbox", help=say("cli.help_sandbox"))(sandbox)


def schedule(context: typer.Context) -> None:
    """Sync each hospital on its own schedule until told to stop."""
    from adapter.duties.services import run_schedule, schedule_duties
    from adapter.errors import SettingsError

    stop = stopping()
    with open_adapter(context, service=True) as adapter:
        count = len(adapter.settings.hospitals) + len(adapter.settings.sources)
        if not count:
            raise SettingsError("cli.schedule_none")
        _say_problems(adapter)
        write_line(say("cli.schedule_runs", count=count))
        run_schedule(adapter, schedule_duties(adapter, now, stop), now, stop)
    write_line(say("cli.stopped"))


def worker(
    context: typer.Context,
    hospitals: Hospitals = None,
    threads: Annotated[int | None, typer.Option(min=1, max=64, help=say("worker.help_threads"))] = None,
    once: Annotated[bool, typer.Option("--once", help=say("worker.help_once"))] = False,
) -> None:
    """Plan and deliver, beside any number of other workers, until told to stop."""
    from adapter.duties.services import run_worker, worker_duties

    stop = stopping()
    with open_adapter(context, service=True) as adapter:
        names = chosen(adapter, hospitals)
        duties = worker_duties(adapter, now, stop, names if hospitals else None)
        _say_problems(adapter)
        write_line(say("worker.works", count=len(names)))
        run_worker(adapter, names, duties, now, stop, threads=threads, once=once)
    write_line(say("cli.stopped"))


def _say_problems(adapter: "Adapter") -> None:
    """Say on standard error what is wrong with mappings or policy: a service goes on without it."""

    for line in insights(adapter).configuration_problems():
        write_line(line, to_errors=True)


def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help=say("cli.help_host"))] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help=say("cli.help_port"))] = None,
    console: Annotated[bool, typer.Option("--console", help=say("console.help_serve"))] = False,
) -> None:
    """Take results from hospitals until told to stop; under its own host name the console too."""
    from adapter.web.console.beside import with_console
    from adapter.web.endpoint import running_endpoint
    from adapter.web.hospital_page.routes import hospital_page_routes
    from adapter.web.server import RESTART_EXIT_CODE
    from adapter.web.server import run_server as run

    with open_adapter(context, service=True) as adapter:
        at, on = host or adapter.settings.listen_host, port or adapter.settings.listen_port
        _must_be_free(at, on)
        _say_problems(adapter)
        with running_endpoint(adapter, hospital_page_routes) as app:
            write_line(say("cli.serve_at", url=f"http://{at}:{on}/fhir"))
            if mllp := adapter.settings.mllp:
                write_line(say("cli.serve_mllp", host=mllp.host, port=mllp.port))
            served = with_console(app, adapter, now) if console else app
            if console:
                write_line(say("console.runs_at", url=adapter.settings.console.url))
            is_too_large = run(served, at, on, max_memory_bytes=adapter.settings.max_memory_mb * 1_000_000)
    if is_too_large:
        write_line(say("cli.serve_too_large", limit=adapter.settings.max_memory_mb), to_errors=True)
        raise typer.Exit(RESTART_EXIT_CODE)


def console(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help=say("console.help_host"))] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help=say("cli.help_port"))] = None,
) -> None:
    """The pages of the centre's own staff until told to stop."""
    from adapter.operations.staff import first_code_of
    from adapter.web.console.app import console_app
    from adapter.web.server import run_server as run

    with open_adapter(context, service=True) as adapter:
        section = adapter.settings.console
        at, on = host or section.host, port or section.port
        _must_be_free(at, on)
        app = console_app(adapter, now, url=section.url)
        write_line(say("console.runs_at", url=section.url or f"http://{at}:{on}/"))
        if code := first_code_of(operating(adapter)):
            write_line(
                say("console.first_run", url=f"{(section.url or f'http://{at}:{on}').rstrip('/')}/code")
            )
            write_line(say("console.first_code", code=code))
        # Pages that listen for changes never end by themselves.
        run(app, at, on, grace_seconds=2, max_memory_bytes=adapter.settings.max_memory_mb * 1_000_000)


def sandbox(
    *,
    name: Annotated[str, typer.Option("--name", help=say("cli.help_sandbox_name"))],
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help=say("cli.help_port"))],
    data: Annotated[Path | None, typer.Option("--data", help=say("cli.help_sandbox_data"))] = None,
    faults: Annotated[list[str] | None, typer.Option("--fault", help=say("cli.help_fault"))] = None,
    seed: Annotated[int, typer.Option(help=say("cli.help_seed"))] = 1,
    token: Annotated[str | None, typer.Option("--token", help=say("cli.help_sandbox_token"))] = None,
    doctor: Annotated[bool, typer.Option("--doctor", help=say("cli.help_doctor"))] = False,
    doctor_delay: Annotated[float, typer.Option(help=say("cli.help_doctor_delay"))] = 2.0,
    push_to: Annotated[str | None, typer.Option("--push-to", help=say("cli.help_push_to"))] = None,
    push_token: Annotated[str | None, typer.Option("--push-token", help=say("cli.help_push_token"))] = None,
    validate: Annotated[bool, typer.Option("--validate", help=say("cli.help_validate"))] = False,
) -> None:
    """A hospital to rehearse with."""
    from adapter.sandbox.run import ClinicianOptions, run_sandbox
    from adapter.telemetry import configure_logging

    configure_logging()
    leave_no_core()
    _must_be_free("127.0.0.1", port)
    run_sandbox(
        name,
        port,
        data or Path("sandbox"),
        faults=tuple(faults or ()),
        seed=seed,
        doctor=ClinicianOptions(doctor_delay, push_to, push_token) if doctor else None,
        token=token,
        validate=validate,
        ready=lambda: write_line(say("cli.sandbox_at", name=name, url=f"http://127.0.0.1:{port}/fhir")),
    )


def _must_be_free(host: str, port: int) -> None:
    """Raises UsageError when nothing can listen there: said at once and in words."""
    import socket

    from adapter.errors import UsageError

    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        raise UsageError("cli.port_taken", host=host, port=port, problem=error.strerror or "") from error

"""Runs a sandbox hospital as a process: its server, and its doctor beside it."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapter.database import open_database
from adapter.errors import UsageError
from adapter.fhir.codec import Resource
from adapter.fhir.operation_outcome import Issue
from adapter.sandbox.app import SANDBOX_OWNER, SandboxHospital
from adapter.sandbox.clinician import Clinician
from adapter.sandbox.fault_injection import parse_fault
from adapter.settings import is_valid_name, read_secret
from adapter.web.server import run_server

__all__ = ["ClinicianOptions", "run_sandbox"]


@dataclass(frozen=True, slots=True)
class ClinicianOptions:
    """Whether somebody examines the referred, after how many seconds, and where results are pushed.

    `push_to` is the base of the adapter's endpoint (…/fhir); `push_token` a reference to its token
    (`env:NAME` or `file:PATH`).
    """

    delay: float = 2.0
    push_to: str | None = None
    push_token: str | None = None


def run_sandbox(
    name: str,
    port: int,
    data: Path,
    *,
    faults: Sequence[str] = (),
    seed: int = 0,
    doctor: ClinicianOptions | None = None,
    token: str | None = None,
    validate: bool = False,
    host: str = "127.0.0.1",
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve a sandbox hospital until SIGTERM or SIGINT. Its store is `<data>/<name>.db`.

    `token` is a reference to the token that requests need. `ready` is called when all is checked and
    open, just before it serves. Raises UsageError for an unknown fault or a name that no hospital may
    have, SettingsError for a secret that is not there.
    """
    if not is_valid_name(name):
        raise UsageError("settings.bad_name", names=repr(name))
    parsed = tuple(parse_fault(fault) for fault in faults)
    secret = _secret(token)
    push_secret = _secret(doctor.push_token) if doctor else None
    base = f"http://{host}:{port}/fhir"
    engine = open_database(f"sqlite:///{(data / f'{name}.db').absolute()}")
    sandbox = SandboxHospital(
        engine,
        name,
        faults=parsed,
        seed=seed,
        token=secret,
        validate=_validator() if validate else None,
        base=base,
    )
    stop = threading.Event()
    thread = None if doctor is None else _at_work(doctor, push_secret, sandbox, base, seed=seed, stop=stop)
    try:
        ready()
        run_server(sandbox.app, host, port)
    finally:
        stop.set()
        if thread is not None:
            thread.join(timeout=35)
        engine.dispose()


def _secret(reference: str | None) -> str | None:
    return None if reference is None else read_secret(reference).get_secret_value()


def _validator() -> Callable[[Resource], list[Issue]]:
    from adapter.fhir.validation.checker import check_resource

    return check_resource


def _at_work(
    options: ClinicianOptions,
    token: str | None,
    sandbox: SandboxHospital,
    base: str,
    *,
    seed: int,
    stop: threading.Event,
) -> threading.Thread:
    from adapter.delivery.http.client import post_json

    doctor = Clinician(
        sandbox.staff_repository,
        SANDBOX_OWNER,
        sandbox.name,
        post_json,
        push_to=options.push_to,
        token=token,
        delay_seconds=options.delay,
        seed=seed,
        base=base,
    )
    thread = threading.Thread(target=doctor.run, args=(stop,), name="doctor", daemon=True)
    thread.start()
    return thread

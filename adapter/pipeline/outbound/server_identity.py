"""The server in the settings against the one that a hospital's ledger was made with."""

from adapter.errors import ServerChanged
from adapter.ledger.hospitals.server import HaltReason
from adapter.ledger.hospitals.values import HospitalState
from adapter.pipeline.application import Adapter

__all__ = ["ensure_same_server", "halt_error", "halt_reason"]


def halt_reason(adapter: Adapter, name: str, known: HospitalState | None = None) -> str | None:
    """Why nothing may be written at the hospital until a person has decided, None where it may: its address
    is another than that of the ledger's server, or it was found to be another or set back. An address that
    nothing was ever sent to may change. `known`: its row, for who has just read it.
    """
    row = known or adapter.ledger.hospitals.row(name)
    moved = row.server_url is not None and row.server_url != adapter.addresses[name]
    if moved and adapter.ledger.servers.has_sent(name):
        return HaltReason.OTHER_SERVER
    return row.halted


def halt_error(adapter: Adapter, name: str) -> ServerChanged | None:
    """The same as an error that says what helps; None where the hospital may be written to."""
    why = halt_reason(adapter, name)
    if why is None:
        return None
    noted = adapter.ledger.hospitals.row(name).server_url or adapter.addresses[name]
    return ServerChanged(f"server.{why.replace('-', '_')}", hospital=name, noted=noted)


def ensure_same_server(adapter: Adapter, name: str) -> None:
    """Raises ServerChanged where nothing may be written. Else the server is the ledger's from now on: one
    that nobody noted yet is taken in silence.
    """
    if (error := halt_error(adapter, name)) is not None:
        raise error
    address = adapter.addresses[name]
    if adapter.ledger.hospitals.row(name).server_url != address:
        adapter.ledger.servers.note(name, address, None)

"""Listens on the ports that the settings name, with a thread for each connection, as many as they allow."""

import socket
import ssl
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from adapter.errors import SettingsError
from adapter.mllp.connection import ConnectionLimits, SenderConnection
from adapter.mllp.senders import SenderPeer, listened_hospitals
from adapter.pipeline.inbound.hl7v2_reception import MessageReception
from adapter.settings import Settings
from adapter.settings.hl7v2 import MllpSettings
from adapter.telemetry import get_logger

__all__ = ["MllpListener"]

_TICK: Final = 0.5
_BACKLOG: Final = 50
_AT_ONCE: Final = 4  # messages that are taken in: one of the longest needs many times its bytes
_GRACE: Final = 20.0  # seconds in which messages in flight are answered at the end

_log = get_logger("mllp")


@dataclass
class MllpListener:
    """Runs in threads of its own between entering and leaving it. Raises SettingsError where a port is
    taken, or a certificate cannot be read.
    """

    settings: Settings
    section: MllpSettings
    reception: MessageReception
    _stop: threading.Event = field(default_factory=threading.Event)
    _sockets: list[socket.socket] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)
    _open: set[threading.Thread] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _places: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(_AT_ONCE))

    def __enter__(self) -> Self:
        """Listen."""
        self._tls = self._context()
        self._hospitals = listened_hospitals(
            self.settings.hospitals,
            self.section.port,
            with_certificates=self.section.client_ca is not None,
        )
        ports = sorted({self.section.port, *(one.port for one in self._hospitals)})
        try:
            for port in ports:
                self._sockets.append(_listening(self.section.host, port))
        except SettingsError:
            self._close()
            raise
        for port, listening in zip(ports, self._sockets, strict=True):
            thread = threading.Thread(
                target=self._accept, args=(listening, port), daemon=True, name=f"mllp-{port}"
            )
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take no more connections, answer what has been read, and end."""
        self._stop.set()
        for thread in self._threads:
            thread.join(_GRACE)
        with self._lock:
            still = list(self._open)
        for thread in still:
            thread.join(_GRACE)
        self._close()

    def _close(self) -> None:
        for one in self._sockets:
            one.close()

    def _accept(self, listening: socket.socket, port: int) -> None:
        while not self._stop.is_set():
            try:
                sock, address = listening.accept()
            except TimeoutError:
                continue
            except OSError as error:
                _log.error("mllp.not_accepted", port=port, error=type(error).__name__)
                self._stop.wait(_TICK)
                continue
            with self._lock:
                is_full = len(self._open) >= self.section.connections
            if is_full:
                _log.warning("mllp.too_many", port=port)
                sock.close()
                continue
            self._start(sock, SenderPeer(port, address[0].partition("%")[0]))

    def _start(self, sock: socket.socket, peer: SenderPeer) -> None:
        connection = SenderConnection(
            sock,
            peer,
            self._hospitals,
            self.reception,
            ConnectionLimits(self.section.max_bytes, self.section.idle_seconds),
            self._stop.is_set,
            self._places,
            self._tls,
        )

        def run() -> None:
            try:
                connection.run()
            finally:
                with self._lock:
                    self._open.discard(threading.current_thread())

        thread = threading.Thread(target=run, daemon=True, name="mllp-sender")
        with self._lock:
            self._open.add(thread)
        thread.start()

    def _context(self) -> ssl.SSLContext | None:
        section, folder = self.section, self.settings.folder
        if section.certificate is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(
                folder / section.certificate, folder / section.key if section.key else None
            )
            if section.client_ca is not None:
                context.load_verify_locations(folder / section.client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ssl.SSLError) as error:
            raise SettingsError("settings.mllp_bad_certificate", problem=type(error).__name__) from error
        return context


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        found = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise SettingsError("cli.port_taken", host=host, port=port, problem=error.strerror or "") from error
    found.settimeout(_TICK)
    return found

"""One sender's connection: its messages one after another, each answered before the next is read."""

import hashlib
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Final

from adapter.errors import MessageRefused
from adapter.hl7v2.message import parse_header
from adapter.hl7v2.refusals import BAD_VALUE, INTERNAL, refusal
from adapter.mllp.frames import Frame, FrameScanner, framed
from adapter.mllp.senders import ListenedHospital, SenderPeer, hospital_of, is_expected, is_possible
from adapter.pipeline.inbound.hl7v2_reception import MessageReception, MessageReply, answer_refused
from adapter.telemetry import get_logger

__all__ = ["ConnectionLimits", "SenderConnection"]

_READ: Final = 65_536
_TICK: Final = 0.5  # seconds until it is seen that the listener stops
_HANDSHAKE: Final = 10.0
_FRAME: Final = 60.0  # seconds in which a message that has begun must have come whole
_WRITE: Final = 30.0

_log = get_logger("mllp")


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """`max_bytes` of one message, `idle_seconds` without one."""

    max_bytes: int
    idle_seconds: float


@dataclass
class SenderConnection:
    """Reads, hands on, answers. `tls` None: as it is."""

    sock: socket.socket
    peer: SenderPeer
    hospitals: tuple[ListenedHospital, ...]
    reception: MessageReception
    limits: ConnectionLimits
    is_over: Callable[[], bool]
    places: AbstractContextManager[object]  # who takes a message in has one
    tls: ssl.SSLContext | None = None

    def run(self) -> None:
        """Until the sender hangs up, says nothing for too long, or the listener stops. Never raises: what
        went wrong is the sender's to notice, who has no answer and sends again.
        """
        try:
            if self._is_identified():
                self._serve()
            else:
                _log.debug("mllp.stranger", port=self.peer.port)
        except (OSError, ssl.SSLError) as error:
            _log.debug("mllp.broken_off", port=self.peer.port, error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 - the outermost net of a thread; the message is not answered
            _log.error("mllp.failed", port=self.peer.port, error=type(error).__name__)
        finally:
            with suppress(OSError):
                self.sock.close()

    def _is_identified(self) -> bool:
        """Whether anybody sends from there. Strangers are hung up on before they cost a handshake."""
        address = ip_address(self.peer.address)
        mapped = getattr(address, "ipv4_mapped", None)
        self.peer = replace(self.peer, address=str(mapped or address))
        if not is_possible(self.hospitals, self.peer):
            return False
        if self.tls is not None:
            self.sock.settimeout(_HANDSHAKE)
            secured = self.tls.wrap_socket(self.sock, server_side=True)
            self.sock = secured
            shown = secured.getpeercert(binary_form=True)
            if shown:
                self.peer = replace(self.peer, certificate=hashlib.sha256(shown).hexdigest())
        return is_expected(self.hospitals, self.peer)

    def _serve(self) -> None:
        reader = FrameScanner(self.limits.max_bytes)
        quiet_since = begun = time.monotonic()
        while not self.is_over():
            data = self._read()
            now = time.monotonic()
            if data is None:
                if reader.is_inside and now - begun > _FRAME:
                    return
                if now - quiet_since > self.limits.idle_seconds:
                    return
                continue
            if not data:
                return
            quiet_since = now
            was_inside = reader.is_inside
            for frame in reader.feed(data):
                self._answer(frame)
                was_inside = False
            if not was_inside:
                begun = now
            elif now - begun > _FRAME:
                return

    def _read(self) -> bytes | None:
        """What arrived: empty at the end, None where nothing did for a moment."""
        self.sock.settimeout(_TICK)
        try:
            return self.sock.recv(_READ)
        except (TimeoutError, ssl.SSLWantReadError):
            return None

    def _answer(self, frame: Frame) -> None:
        answer = self._answer_to(frame)
        self.sock.settimeout(_WRITE)
        self.sock.sendall(framed(answer.body))

    def _answer_to(self, frame: Frame) -> MessageReply:
        now = self.reception.clock()
        try:
            header = parse_header(frame.data)
            sender = header.sender
        except MessageRefused:
            sender = ("", "")
        hospital = hospital_of(self.hospitals, self.peer, sender)
        if hospital is None:
            _log.warning("mllp.nobody", port=self.peer.port, bytes=len(frame.data))
            return answer_refused(frame.data, refusal("AR", INTERNAL, "no_sender"), now)
        if frame.is_too_long:
            _log.warning("mllp.too_long", hospital=hospital)
            error = refusal("AR", BAD_VALUE, "too_long", most=self.limits.max_bytes)
            return answer_refused(frame.data, error, now)
        with self.places:
            answer = self.reception.receive(hospital, frame.data)
        _log.info("mllp.answered", hospital=hospital, code=answer.code, bytes=len(frame.data))
        return answer

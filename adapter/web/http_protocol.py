"""HTTP/1.1 on one connection: uvicorn's, with deadlines, and with an OperationOutcome for all that the server
answers itself.

uvicorn answers what it cannot read in plain text, and waits for a stranger's header for ever.
"""

import asyncio
import re
import sys
from dataclasses import dataclass
from typing import Any, Final

import h11
from h11._receivebuffer import ReceiveBuffer
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from adapter.errors import FhirError
from adapter.repository.interaction_errors import interaction_error
from adapter.web.connection_table import ConnectionTable
from adapter.web.content_negotiation import error_response
from adapter.web.security_headers import SECURITY_HEADERS

__all__ = ["LONGEST_HEADER", "ConnectionDeadlines", "FhirHttpProtocol"]

LONGEST_HEADER: Final = 65_536  # bytes of request line and header fields
# RFC 9110, section 7.2: a name or an address, and a port.
_HOST: Final = re.compile(rb"(?:[\w.~%!$&'()*+,;=-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?", re.ASCII)
_CONTINUES: Final = 1.0  # seconds between two looks at a transfer


@dataclass(frozen=True, slots=True)
class ConnectionDeadlines:
    """How long a sender may take, in seconds, and how slowly he may send or read, in bytes a second."""

    header: float = 10.0  # for a whole header, from its first byte or the connection on
    grace: float = 10.0  # that a body, or the reading of an answer, may stand still
    rate: int = 1_000


class _OneLengthBuffer(ReceiveBuffer):
    """Refuses a request whose length is said in two ways, which two servers in a row may read as different
    requests (RFC 9112, section 6.3), and a Host that is none. h11 takes them, and forgets that they were so.
    """

    def maybe_extract_lines(self) -> list[bytearray] | None:
        """The lines of a header, once they are complete. Raises h11.RemoteProtocolError."""
        size = len(self)
        lines = super().maybe_extract_lines()
        if size - len(self) > LONGEST_HEADER:
            raise h11.RemoteProtocolError("the header is too long", error_status_hint=431)
        lengths = 0
        for line in (lines or [])[1:]:
            name, _, value = bytes(line).partition(b":")
            name = name.strip().lower()
            lengths += name == b"transfer-encoding" or (name == b"content-length") * (1 + value.count(b","))
            if name == b"host" and not _HOST.fullmatch(value.strip()):
                raise h11.RemoteProtocolError("the Host is none")
        if lengths > 1:
            raise h11.RemoteProtocolError("the length is said twice")
        return lines


class FhirHttpProtocol(H11Protocol):
    """One connection. `table` is its server's, set in a subclass of this."""

    table: ConnectionTable["FhirHttpProtocol"]
    deadlines = ConnectionDeadlines()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn._receive_buffer = _OneLengthBuffer()
        self._header_deadline: asyncio.TimerHandle | None = None
        self._body_watch: _TransferWatch | None = None
        self._reading_watch: _TransferWatch | None = None

    # Connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Uvicorn's, and room is made where there are too many."""
        super().connection_made(transport)
        self._note_state()
        shed = self.table.add(self, self.client[0] if self.client else "")
        if shed is not None:
            shed.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Uvicorn's, and nothing is waited for any more."""
        self.table.remove(self)
        self._stop_watching()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Uvicorn's; afterwards it is looked at what is still to come."""
        if self._body_watch is not None:
            self._body_watch.moved += len(data)
        super().data_received(data)
        self._note_state()

    def on_response_complete(self) -> None:
        """Uvicorn's; the next request may be there already."""
        super().on_response_complete()
        self._note_state()

    def shutdown(self) -> None:
        """Uvicorn's, for a connection that was refused too."""
        if self.conn.our_state is h11.ERROR or self.conn.their_state is h11.ERROR:
            self.transport.close()
        else:
            super().shutdown()

    # Deadlines

    def _note_state(self) -> None:
        if self.transport.is_closing():
            self._stop_watching()
            return
        sends_header = self.conn.their_state is h11.IDLE
        sends_body = self.conn.their_state is h11.SEND_BODY
        self.table.is_waiting(self, sends_header or sends_body)
        is_idle = sends_header and self.cycle is not None and not len(self.conn._receive_buffer)
        if not sends_header or is_idle:  # an idle connection has uvicorn's own deadline
            self._end_header_deadline()
        elif self._header_deadline is None:
            self._header_deadline = self.loop.call_later(self.deadlines.header, self._header_too_slow)
        if not sends_body and self._body_watch is not None:
            self._body_watch.stop()
            self._body_watch = None
        elif sends_body and self._body_watch is None:
            self._body_watch = _TransferWatch(self, self._body_too_slow)

    def _end_header_deadline(self) -> None:
        if self._header_deadline is not None:
            self._header_deadline.cancel()
            self._header_deadline = None

    def _stop_watching(self) -> None:
        self._end_header_deadline()
        for watch in (self._body_watch, self._reading_watch):
            if watch is not None:
                watch.stop()
        self._body_watch = self._reading_watch = None

    def _header_too_slow(self) -> None:
        if len(self.conn._receive_buffer):
            self.refuse(interaction_error(408, "timeout", "slow_header", seconds=self.deadlines.header))
        else:
            self.transport.close()  # who says nothing is told nothing

    def _body_too_slow(self) -> None:
        if self.flow.read_paused:  # it waits for us
            return
        self.refuse(interaction_error(408, "timeout", "slow_body", rate=self.deadlines.rate))

    def pause_writing(self) -> None:
        """Uvicorn's; whoever reads an answer too slowly does not get its end."""
        super().pause_writing()
        if self._reading_watch is None:
            self._reading_watch = _TransferWatch(self, self.transport.abort)

    def resume_writing(self) -> None:
        """Uvicorn's; the answer was read."""
        super().resume_writing()
        if self._reading_watch is not None:
            self._reading_watch.stop()
            self._reading_watch = None

    # Refusals

    def send_400_response(self, msg: str) -> None:
        """What cannot be read as HTTP, told as an OperationOutcome."""
        error = sys.exc_info()[1]
        status = getattr(error, "error_status_hint", 400)
        begun = self.conn.trailing_data[0]
        if status == 431 and begun and b"\n" not in begun:
            status = 414
        texts = {414: "url_too_long", 431: "header_too_long", 501: "no_such_transfer"}
        code = "too-long" if status in (414, 431) else "not-supported" if status == 501 else "structure"
        text = texts.get(status, "not_http")
        self.refuse(interaction_error(status, code, text, limit=f"{LONGEST_HEADER:,}"))

    def refuse(self, error: FhirError) -> None:
        """Answer with this error and end the connection; what was begun for it learns that nobody listens."""
        if self.transport.is_closing():
            return
        self._stop_watching()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            response = error_response(error)
            headers = [*response.raw_headers, *SECURITY_HEADERS, (b"connection", b"close")]
            events = (
                h11.Response(status_code=error.status, headers=headers, reason=STATUS_PHRASES[error.status]),
                h11.Data(data=bytes(response.body)),
                h11.EndOfMessage(),
            )
            for event in events:
                self.transport.write(self.conn.send(event) or b"")
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()


class _TransferWatch:
    """Looks at a transfer every second, and calls `too_slow` when it was below its rate for the grace."""

    def __init__(self, protocol: FhirHttpProtocol, too_slow: Any) -> None:
        self._protocol = protocol
        self._too_slow = too_slow
        self._looked = protocol.loop.time()
        self._credit = (
            protocol.deadlines.grace
        )  # seconds that it may still be idle, never more than the grace
        self._buffered = self._written()
        self.moved = 0  # bytes
        self._timer = protocol.loop.call_later(_CONTINUES, self._look)

    def _written(self) -> int:
        return self._protocol.transport.get_write_buffer_size()

    def _look(self) -> None:
        left = self._written()
        self.moved += max(self._buffered - left, 0)
        self._buffered = left
        deadlines, now = self._protocol.deadlines, self._protocol.loop.time()
        earned = self._credit + self.moved / deadlines.rate
        self._credit = min(earned, deadlines.grace) - (now - self._looked)
        self._looked, self.moved = now, 0
        if self._credit < 0:
            self._too_slow()
        if not self._protocol.transport.is_closing():
            self._timer = self._protocol.loop.call_later(_CONTINUES, self._look)

    def stop(self) -> None:
        """Look no more."""
        self._timer.cancel()

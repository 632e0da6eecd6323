"""A proxy between the adapter and a hospital that makes faults on purpose, decided by a seed.

It speaks HTTP/1.1 over TCP on both sides, in a thread of its own. What happens to the n-th request
follows from the seed and n alone, so a run whose seed is printed can be repeated. Every fault that
was injected is counted in `injected`, by kind:

=================== ===============================================================================
drop-before         the connection ends; the hospital never saw the request
drop-after          the hospital did it, then the connection ends without an answer
reset               as one of the two above, with an RST
late                the hospital did it; the answer comes after the client's timeout
held                the request reaches the hospital a while later, within the client's timeout
truncated           half of the answer, then the end
twice               the answer, and the same answer again on the same connection
5xx                 500, 502, 503 or 504 with an OperationOutcome; the hospital never saw the request
5xx-after           the same or a 408, though the hospital did it
proxy-after         502, 503 or 504 in a proxy's plain words, though the hospital did it
429                 with Retry-After in seconds, as a date, or in Microsoft's milliseconds
429-inside          a 200 whose last entries say 429; the hospital did those before them
wrong-type          a 200 that is no FHIR: plain text
html                a page, with 200 or with 502
redirect            to a page for logging in
gzip-bomb           a 200 whose body is a few hundred kilobytes, and 200 megabytes when unpacked
endless             a 200 whose body never ends
slow-loris          the hospital did it; the answer comes a byte at a time (its head or its body)
=================== ===============================================================================
"""

import asyncio
import gzip
import json
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from types import TracebackType
from typing import Any, Self

from adapter.fhir import codec
from adapter.testing.serving import listening

__all__ = ["KINDS", "FaultProxy", "decide"]

_FHIR = "application/fhir+json"
_UNPACKED = 200_000_000  # bytes of the bomb
_PATIENCE = 60.0  # seconds that a fault holds a connection at most
_BYTE_EVERY = 0.1  # seconds, of the slow-loris
_END = b"\r\n\r\n"


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes = b""

    def __bytes__(self) -> bytes:
        kept = {name: value for name, value in self.headers.items() if name not in _HOPS}
        lines = [f"HTTP/1.1 {self.status} -", f"content-length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in kept.items()]
        return "\r\n".join(lines).encode("latin-1") + _END + self.body


_HOPS = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})


@dataclass(frozen=True)
class _Request:
    method: str
    head: bytes  # without what belongs to one connection
    body: bytes


@dataclass
class _Exchange:
    """One request, and what a fault may do with it."""

    request: _Request
    proxy: "FaultProxy"
    dice: random.Random
    writer: asyncio.StreamWriter

    async def forward(self, body: bytes | None = None) -> _Answer:
        """Let the hospital do it (or `body` instead); its answer."""
        return await self.proxy.ask(self.request, self.request.body if body is None else body)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()


class _HangUp(Exception):
    """The connection ends here; `reset` says how."""

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__()
        self.reset = reset


def decide(
    seed: int, number: int, share: float, kinds: Sequence[str], *, is_write: bool
) -> tuple[str | None, random.Random]:
    """What happens to the request of that number (None: nothing), and the dice for its details (pure)."""
    dice = random.Random(f"{seed}/{number}")  # noqa: S311 - dice for a rehearsal, not a secret
    if dice.random() >= share:
        return None, dice
    kind = dice.choice(kinds)
    return ("429" if kind == "429-inside" and not is_write else kind), dice


class FaultProxy:
    """Listens on `port` of this machine (0: a free one) and speaks for the server on `upstream`.

    `share` of the requests (0 to 1; may be changed at any time) meet one of `kinds`. `timeout` is the
    client's, in seconds: what comes late comes after it. `writes_only`: reading meets none of them.
    """

    def __init__(
        self,
        upstream: int,
        *,
        seed: int,
        share: float = 0.0,
        timeout: float = 5.0,
        kinds: tuple[str, ...] = (),
        port: int = 0,
        writes_only: bool = False,
    ) -> None:
        self.seed = seed
        self.writes_only = writes_only
        self.share = share
        self.timeout = timeout
        self.kinds = kinds or KINDS
        self.requests = 0
        self.injected: Counter[str] = Counter()
        self._upstream = upstream
        self.port = port
        self._thread = threading.Thread(target=self._run, name="fault-proxy", daemon=True)
        self._stop = asyncio.Event()
        self._connections: set[asyncio.Task[None] | None] = set()  # asyncio itself holds them weakly

    def __enter__(self) -> Self:
        self._socket = listening(self.port)
        self.port = self._socket.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connection, sock=self._socket)
        await self._stop.wait()
        server.close()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:  # also what came meanwhile
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # transports that were just closed give their sockets back

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reset, task = False, asyncio.current_task()
        self._connections.add(task)
        try:
            while (request := await _read_request(reader)) is not None:
                await self._answer(request, writer)
        except _HangUp as end:
            reset = end.reset
        except (ConnectionError, OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
        if reset:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort() if reset else writer.close()

    async def _answer(self, request: _Request, writer: asyncio.StreamWriter) -> None:
        self.requests += 1
        is_write = request.method != "GET"
        share = self.share if is_write or not self.writes_only else 0.0
        kind, dice = decide(self.seed, self.requests, share, self.kinds, is_write=is_write)
        exchange = _Exchange(request, self, dice, writer)
        if kind is None:
            await exchange.send(bytes(await exchange.forward()))
            return
        self.injected[kind] += 1
        await _FAULTS[kind](exchange)

    async def ask(self, request: _Request, body: bytes) -> _Answer:
        """Send a request to the server behind, on a connection of its own. Hangs up when it is down."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        except OSError:
            raise _HangUp(reset=True) from None
        try:
            writer.write(request.head + f"\r\ncontent-length: {len(body)}".encode() + _END + body)
            await writer.drain()
            return _parse_answer(await reader.read())
        except (OSError, ValueError):
            raise _HangUp from None
        finally:
            writer.close()


async def _read_request(reader: asyncio.StreamReader) -> _Request | None:
    try:
        head = (await reader.readuntil(_END)).removesuffix(_END)
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.split(b"\r\n")
    length, kept = 0, [first]
    for line in lines:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        elif name.lower() not in (b"connection", b"accept-encoding"):
            kept.append(line)
    body = await reader.readexactly(length)
    return _Request(first.split(b" ")[0].decode(), b"\r\n".join([*kept, b"connection: close"]), body)


def _parse_answer(data: bytes) -> _Answer:
    """A whole answer. Raises ValueError when it is cut short: the server died meanwhile."""
    head, end, body = data.partition(_END)
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body = _joined(body)
    if not end or len(body) != int(headers.get("content-length", len(body))):
        raise ValueError("cut short")
    return _Answer(int(first.split(" ")[1]), headers, body)


def _joined(chunks: bytes) -> bytes:
    """A body that came in chunks. Raises ValueError when the last is missing."""
    body = b""
    while True:
        size, _, rest = chunks.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if not length:
            return body
        body, chunks = body + rest[:length], rest[length + 2 :]


# -- faults ------------------------------------------------------------------------------------


def _own(status: int, body: bytes, media_type: str = _FHIR, headers: dict[str, str] | None = None) -> _Answer:
    date = format_datetime(datetime.now(UTC), usegmt=True)
    return _Answer(status, {"content-type": media_type, "date": date, **(headers or {})}, body)


def _outcome(code: str) -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code}]}


_PAGE = b"<!doctype html><html><title>Gateway</title><p>Please try again later.</html>"


async def _drop_before(_: _Exchange) -> None:
    raise _HangUp


async def _drop_after(exchange: _Exchange) -> None:
    await exchange.forward()
    raise _HangUp


async def _reset(exchange: _Exchange) -> None:
    if exchange.dice.random() < 0.5:
        await exchange.forward()
    raise _HangUp(reset=True)


async def _late(exchange: _Exchange) -> None:
    answer = await exchange.forward()
    await asyncio.sleep(exchange.proxy.timeout * (1.1 + exchange.dice.random() / 2))
    await exchange.send(bytes(answer))


async def _held(exchange: _Exchange) -> None:
    await asyncio.sleep(exchange.proxy.timeout * exchange.dice.random() / 2)
    await exchange.send(bytes(await exchange.forward()))


async def _truncated(exchange: _Exchange) -> None:
    whole = bytes(await exchange.forward())
    await exchange.send(whole[: max(1, int(len(whole) * exchange.dice.uniform(0.05, 0.95)))])
    raise _HangUp


async def _twice(exchange: _Exchange) -> None:
    whole = bytes(await exchange.forward())
    await exchange.send(whole + whole)


def _server_error(exchange: _Exchange, *more: int) -> bytes:
    status = exchange.dice.choice((500, 502, 503, 504, *more))
    return bytes(_own(status, json.dumps(_outcome("exception")).encode()))


async def _5xx(exchange: _Exchange) -> None:
    await exchange.send(_server_error(exchange))


async def _5xx_after(exchange: _Exchange) -> None:
    await exchange.forward()
    await exchange.send(_server_error(exchange, 408))


async def _proxy_after(exchange: _Exchange) -> None:
    await exchange.forward()
    said = b"upstream connect error or disconnect/reset before headers. reset reason: connection termination"
    await exchange.send(bytes(_own(exchange.dice.choice((502, 503, 504)), said, "text/plain")))


async def _429(exchange: _Exchange) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)
    forms = ({"retry-after": "1"}, {"retry-after": until}, {"x-ms-retry-after-ms": "300"}, {})
    body = json.dumps(_outcome("throttled")).encode()
    await exchange.send(bytes(_own(429, body, headers=exchange.dice.choice(forms))))


async def _429_inside(exchange: _Exchange) -> None:
    """The first entries are done (what is referred to comes first), the rest are told to wait."""
    try:
        bundle = codec.loads(exchange.request.body)
        entries = bundle["entry"]
    except (ValueError, KeyError, TypeError):  # a write that is no Bundle
        await _429(exchange)
        return
    done = exchange.dice.randrange(len(entries))
    answered: list[Any] = []
    if done:
        answer = await exchange.forward(codec.dumps({**bundle, "entry": entries[:done]}))
        if answer.status != 200:
            await exchange.send(bytes(answer))
            return
        answered = codec.loads(answer.body)["entry"]
    busy = {"response": {"status": "429", "outcome": _outcome("throttled")}}
    body = {"resourceType": "Bundle", "type": f"{bundle['type']}-response"}
    body["entry"] = answered + [busy] * (len(entries) - done)
    await exchange.send(bytes(_own(200, codec.dumps(body))))


async def _wrong_type(exchange: _Exchange) -> None:
    await exchange.send(bytes(_own(200, b"OK", "text/plain")))


async def _html(exchange: _Exchange) -> None:
    await exchange.send(bytes(_own(exchange.dice.choice((200, 502)), _PAGE, "text/html")))


async def _redirect(exchange: _Exchange) -> None:
    where = {"location": f"http://127.0.0.1:{exchange.proxy.port}/login"}
    await exchange.send(bytes(_own(exchange.dice.choice((302, 307)), _PAGE, "text/html", where)))


@cache
def _bomb() -> bytes:
    return gzip.compress(bytes(_UNPACKED), 9)


async def _gzip_bomb(exchange: _Exchange) -> None:
    await exchange.send(bytes(_own(200, _bomb(), headers={"content-encoding": "gzip"})))


async def _endless(exchange: _Exchange) -> None:
    head = b"HTTP/1.1 200 -\r\ncontent-type: application/fhir+json\r\ntransfer-encoding: chunked\r\n\r\n"
    await exchange.send(head)
    chunk, end = b"8000\r\n" + b" " * 0x8000 + b"\r\n", time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        await exchange.send(chunk)
    raise _HangUp


async def _slow_loris(exchange: _Exchange) -> None:
    whole = bytes(await exchange.forward())
    at_once = 0 if exchange.dice.random() < 0.5 else whole.index(_END) + len(_END)
    await exchange.send(whole[:at_once])
    end = time.monotonic() + _PATIENCE
    for index in range(at_once, len(whole)):
        if time.monotonic() > end:
            raise _HangUp
        await exchange.send(whole[index : index + 1])
        await asyncio.sleep(_BYTE_EVERY)


_FAULTS: dict[str, Callable[[_Exchange], Awaitable[None]]] = {
    "drop-before": _drop_before,
    "drop-after": _drop_after,
    "reset": _reset,
    "late": _late,
    "held": _held,
    "truncated": _truncated,
    "twice": _twice,
    "5xx": _5xx,
    "5xx-after": _5xx_after,
    "proxy-after": _proxy_after,
    "429": _429,
    "429-inside": _429_inside,
    "wrong-type": _wrong_type,
    "html": _html,
    "redirect": _redirect,
    "gzip-bomb": _gzip_bomb,
    "endless": _endless,
    "slow-loris": _slow_loris,
}
KINDS = tuple(_FAULTS)

"""A proxy in front of a real S3 server that does to chosen requests what networks and busy servers do.

It reads a request's head, looks for the first rule that matches and has not been used up, and lets that rule's fault
have the connection; without one the request is forwarded. Each connection carries one request. Headers that are
signed pass unchanged, `Host` included, so the server checks the signature as if it had been asked itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from urllib.parse import urlsplit

CHUNK_BYTES = 1 << 16
NOT_FORWARDED = ("connection", "expect")
GONE = (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError)
"""A client may go away at any moment, which is its right."""


@dataclass(frozen=True)
class Request:
    """The head of a request; names of headers are in lower case."""

    method: str
    target: str
    headers: dict[str, str]

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return int(self.headers.get("content-length", "0"))


@dataclass
class Exchange:
    """A request on its connection, with the way to the real server."""

    request: Request
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    upstream: tuple[str, int]
    to_server: asyncio.StreamWriter | None = None

    async def body(self, most_bytes: float = math.inf) -> bytes:
        """Read the request's body, or its beginning."""
        if "expect" in self.request.headers:
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return await self.reader.readexactly(int(min(self.request.length, most_bytes)))

    async def forwarded(self) -> asyncio.StreamReader:
        """Send the request on and give the stream of the answer, which ends with it."""
        reader, self.to_server = await asyncio.open_connection(*self.upstream)
        headers = {name: value for name, value in self.request.headers.items() if name not in NOT_FORWARDED}
        lines = [f"{self.request.method} {self.request.target} HTTP/1.1", "connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.to_server.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + await self.body())
        return reader

    async def relay(self, answer: asyncio.StreamReader, most_body_bytes: float = math.inf) -> None:
        """Pass an answer on, or its head and the beginning of its body."""
        head = await answer.readuntil(b"\r\n\r\n")
        if b"\r\nconnection:" not in head.lower():  # or the client might send its next request as this one closes
            head = head.removesuffix(b"\r\n") + b"connection: close\r\n\r\n"
        self.writer.write(head)
        left = most_body_bytes
        while left > 0 and (chunk := await answer.read(int(min(CHUNK_BYTES, left)))):
            self.writer.write(chunk)
            await self.writer.drain()
            left -= len(chunk)
        await self.writer.drain()

    def reset(self) -> None:
        """End the client's connection by a reset."""
        # To linger for no time: the kernel drops what is unsent and sends RST (socket(7)).
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Fault = Callable[[Exchange], Awaitable[None]]


async def forward(exchange: Exchange) -> None:
    """Do what a good network does."""
    await exchange.relay(await exchange.forwarded())


def answer(status: int, code: str = "", **headers: str) -> Fault:
    """Answer in the server's place; underscores in names of headers become hyphens."""

    async def fault(exchange: Exchange) -> None:
        body = f"<Error><Code>{code}</Code><Message>scripted</Message></Error>".encode() if code else b""
        lines = [f"HTTP/1.1 {status} Scripted", "connection: close", f"content-length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        exchange.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
        exchange.writer.write(b"" if exchange.request.method == "HEAD" else body)
        await exchange.writer.drain()
        if "expect" not in exchange.request.headers:
            await exchange.reader.read(exchange.request.length)  # a close over unread bytes would be a reset

    return fault


def cut_answer(after_bytes: int, *, reset: bool) -> Fault:
    """Break off in the middle of the answer's body, by a reset or, as if all was well, by a close."""

    async def fault(exchange: Exchange) -> None:
        await exchange.relay(await exchange.forwarded(), after_bytes)
        if reset:
            exchange.reset()

    return fault


def reset_upload(after_bytes: int) -> Fault:
    """Break off in the middle of the request's body."""

    async def fault(exchange: Exchange) -> None:
        await exchange.body(after_bytes)
        exchange.reset()

    return fault


def stall(after_bytes: int) -> Fault:
    """Send no more after so many bytes of the answer's body, and keep the connection until the client gives it up."""

    async def fault(exchange: Exchange) -> None:
        await exchange.relay(await exchange.forwarded(), after_bytes)
        await exchange.reader.read()

    return fault


def delay(seconds: float) -> Fault:
    """Let the first byte of the answer wait."""

    async def fault(exchange: Exchange) -> None:
        reply = await exchange.forwarded()
        await asyncio.sleep(seconds)
        await exchange.relay(reply)

    return fault


async def lose_answer(exchange: Exchange) -> None:
    """Let the server do it, and its answer be lost."""
    await (await exchange.forwarded()).read()
    exchange.reset()


async def tunnel(exchange: Exchange) -> None:
    """Do what a forward proxy does for CONNECT: pass on whatever comes, both ways, until one side ends."""
    host, _, port = exchange.request.target.rpartition(":")
    reader, exchange.to_server = await asyncio.open_connection(host, int(port))
    exchange.writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
    ways = [pump(exchange.reader, exchange.to_server), pump(reader, exchange.writer)]
    _done, others = await asyncio.wait([*map(asyncio.ensure_future, ways)], return_when=asyncio.FIRST_COMPLETED)
    for other in others:
        other.cancel()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on all that comes."""
    with contextlib.suppress(*GONE):
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()


def first_do(action: Callable[[], None], fault: Fault = forward) -> Fault:
    """Change the world, in a thread, before the request goes on."""

    async def changed(exchange: Exchange) -> None:
        await asyncio.to_thread(action)
        await fault(exchange)

    return changed


def everything(_request: Request) -> bool:
    """Match any request."""
    return True


def method(name: str, text: str = "") -> Callable[[Request], bool]:
    """Match requests of a method that have `text` in their path or query."""
    return lambda request: request.method == name and text in request.target


@dataclass
class Rule:
    """What happens to the first `times` requests that match."""

    fault: Fault
    when: Callable[[Request], bool] = everything
    times: float = math.inf


@dataclass
class FaultProxy:
    """A running proxy; use it as a context. `requests` are all that came, in their order."""

    server: str
    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    rules: list[Rule] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    endpoint: str = ""

    def __enter__(self) -> FaultProxy:
        """Listen on a free port."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        """Close everything, what a fault still holds included."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def count(self, *methods: str) -> int:
        """Count the requests of these methods, all if none is named."""
        return sum(not methods or request.method in methods for request in self.requests)

    async def _listen(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener = await asyncio.start_server(self._accept, self.host, 0, ssl=self.tls)
        port = self._listener.sockets[0].getsockname()[1]
        self.endpoint = f"{'https' if self.tls else 'http'}://{self.host}:{port}"

    async def _close(self) -> None:
        self._listener.close()
        await self._listener.wait_closed()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = urlsplit(self.server)
        assert address.hostname
        assert address.port
        exchange = Exchange(Request("", "", {}), reader, writer, (address.hostname, address.port))
        try:
            exchange.request = parse(await reader.readuntil(b"\r\n\r\n"))
            self.requests.append(exchange.request)
            await self._choose(exchange.request)(exchange)
        except GONE:
            pass
        finally:
            streams = [*filter(None, (exchange.to_server, writer))]
            for stream in streams:  # all, before a wait that may be cancelled
                stream.close()
            for stream in streams:
                await ended(stream)

    def _choose(self, request: Request) -> Fault:
        for rule in self.rules:
            if rule.times > 0 and rule.when(request):
                rule.times -= 1
                return rule.fault
        return forward


async def ended(stream: asyncio.StreamWriter) -> None:
    """Wait until a stream is closed; by TLS a client may let that wait for its own goodbye, until this is cancelled."""
    try:
        with contextlib.suppress(*GONE):
            await stream.wait_closed()
    finally:
        stream.transport.abort()


def parse(head: bytes) -> Request:
    """Read a request's head."""
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    name, target, _version = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    return Request(name, target, {key.lower(): value.strip() for key, _, value in pairs})

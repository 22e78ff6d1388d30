"""A TCP relay in front of a server, as slow as a network between the two would be."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from urllib.parse import urlsplit

CHUNK_BYTES = 1 << 18
BURST_S = 0.02
"""A sleep ends late by up to some milliseconds, which later chunks may make up for."""


class Pace:
    """A token bucket for all connections and both directions, kept as the time at which it will be empty."""

    def __init__(self, bytes_per_second: float) -> None:
        self._bytes_per_second = bytes_per_second
        self._due_s = 0.0

    def delay(self, more_bytes: int, now_s: float) -> float:
        """Take tokens for some bytes; return how many seconds from now these are due."""
        self._due_s = max(self._due_s, now_s - BURST_S) + more_bytes / self._bytes_per_second
        return max(self._due_s - now_s, 0.0)


@contextmanager
def running_relay(endpoint: str, bytes_per_second: float) -> Iterator[str]:
    """Relay to a server of plain HTTP until the block ends, in a thread that mostly sleeps; give the relay's URL."""
    address = urlsplit(endpoint)
    relay = _Relay(address.hostname or "", address.port or 80, Pace(bytes_per_second))
    thread = threading.Thread(target=asyncio.run, args=[relay.serve()], daemon=True)
    thread.start()
    loop, ended, port = relay.started.result()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()


class _Relay:
    def __init__(self, host: str, port: int, pace: Pace) -> None:
        self._host = host
        self._port = port
        self._pace = pace
        self.started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = Future()

    async def serve(self) -> None:
        """Relay until told to end; connections that are open then are cut."""
        ended = asyncio.Event()
        server = await asyncio.start_server(self._join, "127.0.0.1", 0, limit=CHUNK_BYTES)
        self.started.set_result((asyncio.get_running_loop(), ended, server.sockets[0].getsockname()[1]))
        await ended.wait()
        server.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        writers = [writer]
        try:
            far_reader, far_writer = await asyncio.open_connection(self._host, self._port, limit=CHUNK_BYTES)
            writers.append(far_writer)
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        except (OSError, asyncio.CancelledError):
            pass  # a side has gone or is not there, or the relay ends: who is left learns it by the connection's end
        finally:
            for each in writers:
                each.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        now = asyncio.get_running_loop().time
        while chunk := await reader.read(CHUNK_BYTES):
            await asyncio.sleep(self._pace.delay(len(chunk), now()))
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()

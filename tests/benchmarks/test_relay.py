"""The relay passes on what both sides say, at its pace."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from benchmarks.relay import BURST_S, Pace, running_relay


@pytest.fixture
def echo() -> Iterator[str]:
    """Run a server that says all it hears, and give its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as connection:
                while chunk := connection.recv(1 << 16):
                    connection.sendall(chunk)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join(5)


def connect(url: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 5)


def test_bytes_arrive_and_take_their_time(echo: str) -> None:
    sent = bytes(range(256)) * 400
    started_s = time.monotonic()
    with running_relay(echo, len(sent) * 10) as relay, connect(relay) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        got = b"".join(iter(lambda: client.recv(1 << 16), b""))
    assert got == sent
    # There and back by one budget: 2/10 s, less what may be sent at once.
    assert time.monotonic() - started_s >= 0.2 - BURST_S


def test_a_server_that_is_not_there_is_a_connection_that_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    with running_relay(f"http://127.0.0.1:{free}", 1e6) as relay, connect(relay) as client:
        assert client.recv(1) == b""


def test_the_end_of_the_relay_cuts_its_connections(echo: str, caplog: pytest.LogCaptureFixture) -> None:
    with running_relay(echo, 1e6) as relay:
        client = connect(relay)
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"
    with client:
        assert client.recv(1) == b""
    assert caplog.messages == []  # of asyncio, about what it ended


def test_pace_is_kept_on_the_average_and_idle_time_is_not_saved_up() -> None:
    pace = Pace(100)
    assert pace.delay(10, 5.0) == pytest.approx(0.1 - BURST_S)
    assert pace.delay(10, 5.0) == pytest.approx(0.2 - BURST_S)
    assert pace.delay(1, 5.19) == pytest.approx(0)  # late: made up for
    assert pace.delay(10, 60.0) == pytest.approx(0.1 - BURST_S)

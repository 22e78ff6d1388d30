"""A port that another program has is found before a server fails on it."""

from __future__ import annotations

import socket

from cluster.network import is_free


def test_a_port_is_free_until_somebody_listens() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        other.listen()
        assert not is_free("127.0.0.1", port)
    assert is_free("127.0.0.1", port)


def test_a_wildcard_listener_has_the_port_on_every_address() -> None:
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))  # noqa: S104
        other.listen()
        assert not is_free("127.0.0.1", other.getsockname()[1])

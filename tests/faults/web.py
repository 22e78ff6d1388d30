"""A web server with TLS for tests: the files behind a proxy that knows faults, and a second way to them."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults.certificates import make_authority, make_server_context
from faults.connections import PATIENT
from faults.files import Files, serving
from faults.proxy import FaultProxy
from sogs_worker.storage.connection import Connection
from sogs_worker.storage.http.store import HttpStore

QUERY = "X-Amz-Expires=60&X-Amz-Signature=c0ffee5ec2e7"
"""Of the address that tests read from; nobody may see it."""
SECRET = "c0ffee5ec2e7"  # noqa: S105
OTHER_SECRET = "decaf5ec2e7"  # noqa: S105
"""Of the addresses that redirects lead to."""


@dataclass
class Web:
    """A server, `front`, and another one, `mirror`, which has the same files and is asked only if it is named."""

    files: Files
    front: FaultProxy
    mirror: FaultProxy
    ca_pem: str
    authority: Path
    """The folder of the CA."""

    @property
    def host(self) -> str:
        """The server, as an address has it."""
        return self.front.endpoint.removeprefix("https://")

    def store(self, host: str = "", query: str = QUERY, **changes: Any) -> HttpStore:
        """Open the server, with any field of the connection changed."""
        fields: dict[str, Any] = {"side": "source", "ca_pem": self.ca_pem, "patience": PATIENT}
        connection = Connection(**{**fields, **changes})
        return HttpStore(host or self.host, connection, query=query)


def make_identity(folder: Path) -> tuple[str, ssl.SSLContext]:
    """Make a CA, and of both servers what they answer with."""
    return make_authority(folder), make_server_context(folder, "IP:127.0.0.1,DNS:localhost")


@contextmanager
def running_web(authority: Path, ca_pem: str, tls: ssl.SSLContext) -> Iterator[Web]:
    """Serve no files yet."""
    with (
        serving(Files()) as files,
        FaultProxy(files.url, tls) as front,
        FaultProxy(files.url, tls, "localhost") as mirror,
    ):
        yield Web(files, front, mirror, ca_pem, authority)

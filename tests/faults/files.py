"""A web server of a few files, with as much of HTTP as it is told to know. `FaultProxy` puts TLS before it."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

RANGE = re.compile(r"bytes=(\d+)-(\d+)")


@dataclass
class Files:
    """What the server has and knows.

    Attributes:
        content: the files by their paths as they are asked for, without the query.
        query: what each request must have behind its path, as that of a signed address; empty: anything.
        has_ranges: whether it sends parts.
        has_length: whether it says how long its answers are; else they end with their connection.
        headers: sent with each file, `{etag}` filled in.
    """

    content: dict[str, bytes] = field(default_factory=dict)
    query: str = ""
    has_ranges: bool = True
    has_length: bool = True
    headers: dict[str, str] = field(default_factory=lambda: {"ETag": '"{etag}"'})
    url: str = ""


@contextmanager
def serving(files: Files) -> Iterator[Files]:
    """Run a server on a free port of the loopback until the block ends; it follows all changes of `files`."""
    handler = type("Handler", (FileHandler,), {"files": files})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        files.url = f"http://127.0.0.1:{server.server_port}"
        server.handle_error = lambda *_client: None  # it goes away when it has seen enough
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield files
        server.shutdown()
        thread.join()


class FileHandler(BaseHTTPRequestHandler):
    """Answers GET; HEAD is forbidden, as signed addresses are of one method."""

    protocol_version = "HTTP/1.1"
    files: ClassVar[Files]

    def do_HEAD(self) -> None:
        """Refuse."""
        self._answer(403, {}, b"")

    def do_GET(self) -> None:
        """Send a file or a part of it."""
        path, _, query = self.path.partition("?")
        content = self.files.content.get(path)
        if self.files.query and query != self.files.query:
            self._answer(403, {}, b"no such signature: " + query.encode())
        elif content is None:
            self._answer(404, {}, b"nothing at " + self.path.encode())
        else:
            self._send(content)

    def log_message(self, *_arguments: object) -> None:
        """Print nothing."""

    def _send(self, content: bytes) -> None:
        etag = hashlib.sha256(content).hexdigest()[:16]
        headers = {name: value.format(etag=etag) for name, value in self.files.headers.items()}
        wanted = self.headers.get("If-Match", headers.get("ETag"))
        asked = RANGE.fullmatch(self.headers.get("Range", "")) if self.files.has_ranges else None
        if wanted != headers.get("ETag"):
            self._answer(412, {}, b"")
        elif asked and int(asked[1]) >= len(content):
            self._answer(416, {"Content-Range": f"bytes */{len(content)}"}, b"")
        elif asked:
            part = content[int(asked[1]) : int(asked[2]) + 1]
            interval = f"bytes {asked[1]}-{int(asked[1]) + len(part) - 1}/{len(content)}"
            self._answer(206, {**headers, "Content-Range": interval}, part)
        else:
            self._answer(200, headers, content)

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        length = {"Content-Length": str(len(body))} if self.files.has_length else {"Connection": "close"}
        for name, value in {**length, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if self.command == "GET" else b"")

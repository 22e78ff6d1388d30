"""Files of a web server as a store to read from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sogs_worker.errors import UsageError
from sogs_worker.storage.base import Beginning, ListedObject, Moved, StoredObject, ignore_progress
from sogs_worker.storage.connection import Connection
from sogs_worker.storage.http.address import Address
from sogs_worker.storage.http.client import HttpClient
from sogs_worker.storage.http.errors import asked_pause, judge, translated
from sogs_worker.storage.http.file import HttpFile, Ranges
from sogs_worker.storage.transfer.download import Transfer, read_beginning
from sogs_worker.storage.transfer.retry import Budget, Contact


class HttpStore:
    """Objects are what one server answers to GET, by TLS only. May be used by several threads.

    Keys are the paths of addresses as they are written there, without the leading slash: `scenes/a%20b.ply`.
    """

    def __init__(self, host: str, connection: Connection, *, query: str = "") -> None:
        """Prepare a client; nothing is sent yet.

        Args:
            host: the server, `example.org` or `example.org:8443`.
            connection: whom to trust and how long to wait; the rest of it is for S3.
            query: of a signed address; it is sent with each request and never shown.

        Raises:
            ConfigurationError: an unreadable CA or an unusable proxy of the environment.
        """
        self.host = host
        self.connection = connection
        self._query = f"?{query}" if query else ""
        self._client = HttpClient(connection)
        self._contact = Contact()

    def uri(self, key: str) -> str:
        """Name the object by its address without the query."""
        return f"https://{self.host}/{key}"

    def list(self, prefix: str) -> Iterator[ListedObject]:
        """Refuse.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            f"{self.uri(prefix)} cannot be listed, as web servers have no listing; name one file or archive"
        )

    def stat(self, key: str) -> StoredObject:
        """Ask for what a server says of a file: its length and its version."""
        with self._operation() as budget:
            look = budget.run(self._file(key).look)
        return StoredObject(look.size_bytes, None, look.etag)

    def peek(self, key: str, size_bytes: int) -> Beginning:
        """Look at the file, then ask for its beginning, of that version."""
        file = self._file(key)
        with self._operation() as budget:
            look = budget.run(file.look)
            span = range(min(size_bytes, look.size_bytes))

            def read() -> bytes:
                with closing(Ranges(file, look).open(span) if look.has_ranges else file.open(look)) as answer:
                    return read_beginning(answer, len(span))

            content = budget.run(read) if span else b""
        return Beginning(content, StoredObject(look.size_bytes, None, look.etag))

    def download(self, key: str, path: Path, progress: Moved = ignore_progress) -> str:
        """Copy the file by parallel ranges where the server has them, else in one stream; of one version either way."""
        file = self._file(key)
        with self._operation() as budget:
            look = budget.run(file.look)
            if look.has_ranges:
                ranges = Ranges(file, look)
                Transfer(ranges.open, look.size_bytes, budget, progress).by_ranges(path)
            else:
                Transfer(lambda _all: file.open(look), look.size_bytes, budget, progress).as_stream(path)
        return look.etag

    def _file(self, key: str) -> HttpFile:
        return HttpFile(self._client, Address(self.uri(key), self.host, f"/{key}{self._query}"))

    @contextmanager
    def _operation(self) -> Iterator[Budget]:
        """Give a budget for requests, and make our errors of those that fail."""
        with translated():
            yield Budget(self.connection.patience, self._contact, judge, asked_pause=asked_pause)

"""One object of a bucket, by ranges of one version only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sogs_worker.errors import StorageError
from sogs_worker.storage.base import Moved
from sogs_worker.storage.s3.versions import is_unnamed, version_of
from sogs_worker.storage.transfer.download import Transfer
from sogs_worker.storage.transfer.retry import Budget


@dataclass(frozen=True)
class Download:
    """What is to be downloaded.

    Attributes:
        client: the SDK's.
        place: `Bucket` and `Key`.
        uri: the object, for messages.
        size_bytes: its length.
        etag: its version; each range is asked for on the condition that it still is the one.
        budget: of the operation.
        progress: told of the bytes that are there.
    """

    client: Any
    place: dict[str, str]
    uri: str
    size_bytes: int
    etag: str
    budget: Budget
    progress: Moved

    def into(self, path: Path) -> None:
        """Fill the file."""
        Transfer(self._open, self.size_bytes, self.budget, self.progress).by_ranges(path)

    def _open(self, span: range) -> Any:
        """Ask for a range. A server that does not know conditions or ranges is noticed before a byte is taken."""
        interval = f"bytes={span.start}-{span.stop - 1}"
        condition = {} if is_unnamed(self.etag) else {"IfMatch": self.etag}
        answer = self.client.get_object(**self.place, Range=interval, **condition)
        if version_of(answer, self.size_bytes) != self.etag or answer["ContentLength"] != len(span):
            answer["Body"].close()
            raise StorageError(f"{self.uri} changed while it was read, or its server cannot send ranges; run it again")
        return answer["Body"]

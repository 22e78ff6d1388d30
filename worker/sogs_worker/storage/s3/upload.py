"""One file into a bucket: whole or in parallel parts, each with a SHA-256 that the server compares if it can."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sogs_worker.storage.base import Moved, Receipt
from sogs_worker.storage.transfer.parallel import map_in_threads
from sogs_worker.storage.transfer.retry import Budget

THREADS = 4
PART_BYTES = 16 << 20
"""Each thread holds one part in memory."""
MOST_PARTS = 10_000

ATOMIC_BYTES = 1 << 30
"""Up to here a conditional upload is one request, which every server that knows conditions decides at once. Some
(SeaweedFS 4.48) look at the condition of an upload in parts before they put it together, so that two may win. S3 takes
5 GiB in one request."""


@dataclass(frozen=True)
class Upload:
    """What is to be uploaded.

    Attributes:
        client: the SDK's.
        place: `Bucket` and `Key`.
        path: the file.
        sha256: its digest, hexadecimal.
        attributes: arguments that describe the object: metadata, media type, encryption.
        condition: arguments that name the condition; see `condition_arguments` of s3_conditions.py.
        has_checksums: whether to ask the server to compare digests.
        budget: of the operation.
        progress: told of the bytes of each request that was answered.
    """

    client: Any
    place: dict[str, str]
    path: Path
    sha256: str
    attributes: dict[str, Any]
    condition: dict[str, str]
    has_checksums: bool
    budget: Budget
    progress: Moved

    def send(self) -> Receipt:
        """Send it, in the way its size asks for."""
        size_bytes = self.path.stat().st_size
        if size_bytes <= (ATOMIC_BYTES if self.condition else PART_BYTES):
            return self._send_whole(size_bytes)
        return self._send_parts(size_bytes)

    def _send_whole(self, size_bytes: int) -> Receipt:
        checksum = self._checksum(bytes.fromhex(self.sha256))

        def attempt() -> Any:
            with self.path.open("rb") as stream:
                return self.client.put_object(
                    **self.place, Body=stream, **self.attributes, **self.condition, **checksum
                )

        answer = self.budget.run(attempt)
        self.progress(size_bytes)
        return Receipt(answer["ETag"], is_same(checksum, answer))

    def _send_parts(self, size_bytes: int) -> Receipt:
        algorithm = {"ChecksumAlgorithm": "SHA256"} if self.has_checksums else {}
        begun = self.budget.run(
            lambda: self.client.create_multipart_upload(**self.place, **self.attributes, **algorithm)
        )
        upload = {**self.place, "UploadId": begun["UploadId"]}
        try:
            parts = map_in_threads(lambda span: self._send_part(upload, span), split(size_bytes), THREADS)
            return self._complete(upload, parts)
        except BaseException:
            with contextlib.suppress(Exception):  # the first failure is the one to tell; `abort_uploads` comes later
                self.client.abort_multipart_upload(**upload)
            raise

    def _send_part(self, upload: dict[str, str], span: tuple[int, range]) -> dict[str, Any]:
        number, place = span
        with self.path.open("rb") as stream:
            content = os.pread(stream.fileno(), len(place), place.start)
        checksum = self._checksum(hashlib.sha256(content).digest())
        answer = self.budget.run(lambda: self.client.upload_part(**upload, PartNumber=number, Body=content, **checksum))
        self.progress(len(place))
        confirmed = checksum if is_same(checksum, answer) else {}
        return {"PartNumber": number, "ETag": answer["ETag"], **confirmed}

    def _complete(self, upload: dict[str, str], parts: list[dict[str, Any]]) -> Receipt:
        answer = self.budget.run(
            lambda: self.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, **self.condition)
        )
        # The server has compared each part, and the ETags in the request say which parts make the object.
        return Receipt(answer["ETag"], all("ChecksumSHA256" in part for part in parts))

    def _checksum(self, digest: bytes) -> dict[str, str]:
        return {"ChecksumSHA256": base64.b64encode(digest).decode()} if self.has_checksums else {}


def split(size_bytes: int) -> list[tuple[int, range]]:
    """Number the parts of so many bytes from 1; larger parts where there would be more than S3 allows."""
    step = max(PART_BYTES, -(-size_bytes // MOST_PARTS))
    starts = range(0, size_bytes, step)
    return [(number, range(start, min(start + step, size_bytes))) for number, start in enumerate(starts, 1)]


def is_same(checksum: dict[str, str], answer: dict[str, Any]) -> bool:
    """Say whether the server confirms the digest; one that knows none leaves it out of its answer."""
    return bool(checksum) and answer.get("ChecksumSHA256") == checksum["ChecksumSHA256"]

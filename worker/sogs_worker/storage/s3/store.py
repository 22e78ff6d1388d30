"""A bucket of any S3 server as a store."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from sogs_worker.errors import SourceMissingError, StorageError, UsageError, WorkerError
from sogs_worker.storage.base import (
    Beginning,
    Condition,
    ConflictError,
    IfMatch,
    ListedObject,
    Moved,
    Receipt,
    StoredObject,
    check_metadata,
    ignore_progress,
)
from sogs_worker.storage.connection import Connection
from sogs_worker.storage.s3.client import open_client
from sogs_worker.storage.s3.conditions import condition_arguments, honours_conditions
from sogs_worker.storage.s3.download import Download
from sogs_worker.storage.s3.errors import Attempt, http_status, is_not_implemented, may_be_done, translated
from sogs_worker.storage.s3.upload import THREADS, Upload
from sogs_worker.storage.s3.versions import is_unnamed, version_of
from sogs_worker.storage.transfer.download import read_beginning
from sogs_worker.storage.transfer.parallel import map_in_threads
from sogs_worker.storage.transfer.retry import Budget, Contact

SHA256 = "sha256"
"""Name of the metadata that holds the content's digest."""

TOKEN = "upload"  # noqa: S105  (no secret)
"""Name of the metadata that tells this write from all others: its answer may be lost after the object was written."""

NO_SUCH_RANGE = 416

MAX_KEY_BYTES = 1024

PAGE_KEYS = 1000
"""The most that S3 lists or deletes by one request."""


class S3Store:
    """Objects are those of one bucket. May be used by several threads."""

    def __init__(self, bucket: str, connection: Connection, *, scratch: Path) -> None:
        """Prepare a client; nothing is sent yet.

        Args:
            bucket: the bucket's name.
            connection: the server.
            scratch: a folder for the CA bundle.

        Raises:
            ConfigurationError: see `open_client`.
        """
        self.bucket = bucket
        self.connection = connection
        self._client = open_client(connection, scratch)
        self._contact = Contact()
        self._has_checksums = True
        self._deletes_many = True
        # AWS itself need not be asked.
        self._has_conditions = True if connection.endpoint is None else None

    def uri(self, key: str) -> str:
        """Name the object as people write it."""
        return f"s3://{self.bucket}/{key}"

    def list(self, prefix: str) -> Iterator[ListedObject]:
        """Ask page by page, then sort: servers that keep folders (SeaweedFS) list `a/b` before `a.b`, AWS after it.

        100,000 keys take 100 requests and 20 MB. Keys that end in a slash only mark folders and are left out.
        """
        with self._operation("list", prefix) as budget:
            found = [entry for page in self._pages(prefix, budget) for entry in page if not entry.key.endswith("/")]
        return iter(sorted(found, key=lambda entry: entry.key.encode()))

    def stat(self, key: str) -> StoredObject:
        """Ask for all there is to know but the content."""
        head = self._head(key)
        return described(head, head["ContentLength"])

    def peek(self, key: str, size_bytes: int) -> Beginning:
        """Ask for the first range, whose answer has the headers of the object too."""

        def ask() -> Beginning | None:
            try:
                answer = self._client.get_object(**self._place(key), Range=f"bytes=0-{size_bytes - 1}")
            except ClientError as error:
                if http_status(error.response) == NO_SUCH_RANGE:  # an empty object has no first byte
                    return None
                raise
            self._contact.made = True  # whatever becomes of the rest
            with closing(answer["Body"]) as body:
                # A server that knows no ranges sends all of it.
                whole_bytes = int(answer.get("ContentRange", f"/{answer['ContentLength']}").rpartition("/")[2])
                return Beginning(read_beginning(body, size_bytes), described(answer, whole_bytes))

        with self._operation("read", key) as budget:
            return budget.run(ask) or Beginning(b"", self.stat(key))

    def download(self, key: str, path: Path, progress: Moved = ignore_progress) -> str:
        """Copy the object by parallel ranges of one version."""
        stored = self.stat(key)
        with self._operation("read", key) as budget:
            Download(
                client=self._client,
                place=self._place(key),
                uri=self.uri(key),
                size_bytes=stored.size_bytes,
                etag=stored.etag,
                budget=budget,
                progress=progress,
            ).into(path)
        return stored.etag

    def upload(
        self,
        path: Path,
        key: str,
        *,
        sha256: str,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        condition: Condition | None = None,
        progress: Moved = ignore_progress,
    ) -> Receipt:
        """Send the file, in parts where it is large, and ask the server what it has now."""
        token = uuid.uuid4().hex
        description = {**check_metadata(metadata or {}), SHA256: sha256, TOKEN: token}

        def send(budget: Budget, arguments: dict[str, str]) -> Receipt:
            upload = Upload(
                client=self._client,
                place=self._place(key),
                path=path,
                sha256=sha256,
                attributes={"Metadata": description, "ContentType": content_type, **self._encryption()},
                condition=arguments,
                has_checksums=self._has_checksums,
                budget=budget,
                progress=progress,
            )
            return self._send(upload)

        receipt = self._publish("write", key, condition=condition, token=token, send=send)
        self._check(key, condition, token, StoredObject(path.stat().st_size, sha256, receipt.etag))
        return receipt

    def copy(self, source_key: str, key: str, *, condition: Condition | None = None) -> None:
        """Let the server copy, which S3 does for up to 5 GiB; the version is that of this moment."""
        source = self._head(source_key)
        token = uuid.uuid4().hex
        description = {**source["Metadata"], TOKEN: token}
        same_version = {"CopySourceIfMatch": source["ETag"]} if source.get("ETag") else {}

        def send(budget: Budget, arguments: dict[str, str]) -> Receipt:
            answer = budget.run(
                lambda: self._client.copy_object(
                    **self._place(key),
                    CopySource=self._place(source_key),
                    **same_version,
                    MetadataDirective="REPLACE",
                    Metadata=description,
                    ContentType=source["ContentType"],
                    **self._encryption(),
                    **arguments,
                )
            )
            return Receipt(answer["CopyObjectResult"]["ETag"], is_verified=False)

        self._publish("copy", key, condition=condition, token=token, send=send)
        expected = StoredObject(source["ContentLength"], source["Metadata"].get(SHA256), etag="")
        self._check(key, condition, token, expected)

    def check_upload(self, key: str) -> None:
        """Begin an upload in parts and abort it: that needs the bucket, the permission and the encryption."""
        with self._operation("write", key) as budget:
            place = self._place(key)
            begun = budget.run(lambda: self._client.create_multipart_upload(**place, **self._encryption()))
            budget.run(lambda: self._client.abort_multipart_upload(**place, UploadId=begun["UploadId"]))

    def check_keys(self, keys: Iterable[str]) -> None:
        """Refuse keys of more than 1,024 bytes, the only ones that S3 does not take."""
        for key in keys:
            if len(key.encode()) > MAX_KEY_BYTES:
                raise UsageError(f"{self.uri(key)} is a key of more than {MAX_KEY_BYTES} bytes; shorten its source's")

    def delete(self, key: str) -> None:
        """Remove the object."""
        with self._operation("delete", key) as budget:
            budget.run(lambda: self._client.delete_object(**self._place(key)))

    def delete_many(self, keys: Iterable[str]) -> None:
        """Remove the objects, a thousand by each request, or one by one where the server refuses such requests."""
        everything = [*keys]
        failures: dict[str, WorkerError] = {}
        for start in range(0, len(everything), PAGE_KEYS):
            page = everything[start : start + PAGE_KEYS]
            failures |= self._delete_page(page) if self._deletes_many else self._delete_each(page)
        for error in failures.values():
            raise error

    def _delete_page(self, keys: Sequence[str]) -> dict[str, WorkerError]:
        """Remove objects by one request; return what is wrong with those that stay."""
        batch = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        with self._operation("delete", keys[0]) as budget:
            try:
                answer = budget.run(partial(self._client.delete_objects, Bucket=self.bucket, Delete=batch))
            except ClientError as error:
                if not self._attempt("delete", keys[0]).is_refused(error):
                    raise
                # It wants a digest that the SDK does not send any more, or knows no such request.
                self._deletes_many = False
                return self._delete_each(keys)
        refused = {entry["Key"]: ClientError({"Error": entry}, "DeleteObjects") for entry in answer.get("Errors", [])}
        return {key: self._attempt("delete", key).translate(error) for key, error in refused.items()}

    def _delete_each(self, keys: Sequence[str]) -> dict[str, WorkerError]:
        """Remove objects one by one; return what is wrong with those that stay."""

        def failure(key: str) -> WorkerError | None:
            try:
                self.delete(key)
            except WorkerError as error:
                return error
            return None

        failures = zip(keys, map_in_threads(failure, keys, THREADS), strict=True)
        return {key: error for key, error in failures if error}

    def abort_uploads(self, key: str) -> None:
        """Remove the parts of multipart uploads that nobody completed."""
        with self._operation("delete", key) as budget:
            listing = budget.run(lambda: self._client.list_multipart_uploads(Bucket=self.bucket, Prefix=key))
            for upload in listing.get("Uploads", []):
                if upload["Key"] == key or key.endswith("/"):
                    abort = partial(self._client.abort_multipart_upload, UploadId=upload["UploadId"])
                    budget.run(partial(abort, **self._place(upload["Key"])))

    def _pages(self, prefix: str, budget: Budget) -> Iterator[Iterator[ListedObject]]:
        ask = partial(self._client.list_objects_v2, Bucket=self.bucket, Prefix=prefix, MaxKeys=PAGE_KEYS)
        while True:
            page = budget.run(ask)
            yield (ListedObject(entry["Key"], entry["Size"]) for entry in page.get("Contents", []))
            if not page.get("IsTruncated"):
                return
            ask = partial(ask, ContinuationToken=page["NextContinuationToken"])

    def _head(self, key: str) -> Any:
        """Ask for the object's headers. The answer has no body, so a failure is asked again by GET for its code."""

        def ask() -> Any:
            try:
                return self._client.head_object(**self._place(key))
            except ClientError as error:
                if 400 <= http_status(error.response) < 500:
                    self._client.get_object(**self._place(key), Range="bytes=0-0")
                raise

        with self._operation("read", key) as budget:
            return budget.run(ask)

    def _send(self, upload: Upload) -> Receipt:
        """Send it, without checksums if the server knows none."""
        try:
            return upload.send()
        except ClientError as error:
            if not (upload.has_checksums and is_not_implemented(error)):
                raise
        receipt = replace(upload, has_checksums=False).send()
        self._has_checksums = False
        return receipt

    def _publish(
        self,
        verb: str,
        key: str,
        *,
        condition: Condition | None,
        token: str,
        send: Callable[[Budget, dict[str, str]], Receipt],
    ) -> Receipt:
        """Write under the condition. A write that lost against itself, by a repeated request, has won."""
        with self._operation(verb, key, is_conditional=condition is not None) as budget:
            arguments = self._condition_arguments(key, condition, budget)
            try:
                return send(budget, arguments)
            except ClientError as error:
                if not may_be_done(error) or self._version(key)[1] != token:
                    raise
        return Receipt(self._version(key)[0], is_verified=False)

    def _condition_arguments(self, key: str, condition: Condition | None, budget: Budget) -> dict[str, str]:
        """Name the condition for the server, and look by ourselves, as many a server honours only some conditions.

        Some ignore all of them, others those on copies, or those on files that were put into the folder they serve.
        """
        if condition is None:
            return {}
        if self._has_conditions is None:
            self._has_conditions = honours_conditions(self._client, self.bucket, key, budget, self.connection.server)
        seen = condition.etag if isinstance(condition, IfMatch) else ""
        if self.connection.endpoint is not None and self._version(key)[0] != seen:
            raise self._conflict(key)
        return condition_arguments(condition) if self._has_conditions and not is_unnamed(seen) else {}

    def _version(self, key: str) -> tuple[str, str]:
        """Give the ETag of what is at `key` and the token of who wrote it; empty where there is nothing."""
        try:
            head = self._head(key)
        except SourceMissingError:
            return "", ""
        return version_of(head, head["ContentLength"]), head["Metadata"].get(TOKEN, "")

    def _check(self, key: str, condition: Condition | None, token: str, expected: StoredObject) -> None:
        """Compare what the key holds with what was written. Two writers of the same content are both right."""
        try:
            head = self._head(key)
        except SourceMissingError as error:
            if condition is not None:
                raise self._conflict(key) from error
            raise StorageError(f"{self.uri(key)} was removed right after it was written; look for who does") from error
        if head["Metadata"].get(TOKEN) == token and head["ContentLength"] == expected.size_bytes:
            return
        if condition is not None:
            raise self._conflict(key)
        sha256 = head["Metadata"].get(SHA256)
        if (head["ContentLength"], sha256) != (expected.size_bytes, expected.sha256):
            raise StorageError(
                f"{self.uri(key)} has {head['ContentLength']} bytes and digest {sha256} after {expected.size_bytes}"
                f" bytes with digest {expected.sha256} were written; look for another writer of that key"
            )

    def _conflict(self, key: str) -> ConflictError:
        return ConflictError(
            f"{self.uri(key)} was written by another since it was looked at; use what is there or delete it"
        )

    def _place(self, key: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": key}

    def _encryption(self) -> dict[str, str]:
        return self.connection.encryption.headers() if self.connection.encryption else {}

    @contextmanager
    def _operation(self, verb: str, key: str, *, is_conditional: bool = False) -> Iterator[Budget]:
        """Give a budget for requests, and make our errors of those that fail."""
        attempt = self._attempt(verb, key, is_conditional=is_conditional)
        with translated(attempt):
            yield Budget(self.connection.patience, self._contact, attempt.judge)

    def _attempt(self, verb: str, key: str, *, is_conditional: bool = False) -> Attempt:
        return Attempt(verb, self.uri(key), self.bucket, self.connection, is_conditional)


def described(answer: Mapping[str, Any], size_bytes: int) -> StoredObject:
    """Describe an object of so many bytes by the headers of an answer about it."""
    metadata = {name: value for name, value in answer["Metadata"].items() if name not in (SHA256, TOKEN)}
    return StoredObject(size_bytes, answer["Metadata"].get(SHA256), version_of(answer, size_bytes), metadata)

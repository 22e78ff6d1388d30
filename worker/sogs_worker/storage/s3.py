"""A bucket of any S3 server as a store. The only module that talks to the SDK."""

from __future__ import annotations

import logging
import ssl
import warnings
from pathlib import Path
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import InsecureRequestWarning

from sogs_worker.errors import ConfigurationError, StorageError
from sogs_worker.storage.base import Moved, StoredObject, ignore_progress
from sogs_worker.storage.connection import Connection
from sogs_worker.storage.s3_errors import Attempt, http_status, translated

MIB = 1 << 20

TRANSFER = TransferConfig(
    multipart_threshold=16 * MIB, multipart_chunksize=16 * MIB, preferred_transfer_client="classic"
)
"""Parts of 16 MiB: the SDK enlarges them where a file would have more than the 10000 that S3 allows."""

CLIENT_OPTIONS = {
    "connect_timeout": 5,
    "read_timeout": 60,
    "retries": {"mode": "standard", "total_max_attempts": 4},
    # Servers other than AWS often refuse the SDK's newer default checksums; ours is kept as metadata and compared.
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
}
"""Seconds and attempts: a dead server costs about half a minute, then the Job's own retries take over."""

SHA256 = "sha256"
"""Name of the metadata that holds the content's digest."""


class S3Store:
    """Objects are those of one bucket."""

    def __init__(self, bucket: str, connection: Connection, *, scratch: Path) -> None:
        """Prepare a client; nothing is sent yet.

        Args:
            bucket: the bucket's name.
            connection: the server.
            scratch: a folder for the CA bundle, which the SDK wants as a file.

        Raises:
            ConfigurationError: an unreadable CA or an endpoint, region or profile that the SDK does not take.
        """
        self.bucket = bucket
        self.connection = connection
        self._client = open_client(connection, scratch)

    def uri(self, key: str) -> str:
        """Name the object as people write it."""
        return f"s3://{self.bucket}/{key}"

    def stat(self, key: str) -> StoredObject:
        """Ask for size and digest. An answer to HEAD has no body, so a failure is asked again by GET for its code."""
        with self._attempt("read", key):
            try:
                head = self._client.head_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                if 400 <= http_status(error.response) < 500:
                    self._client.get_object(Bucket=self.bucket, Key=key, Range="bytes=0-0")
                raise
        return StoredObject(head["ContentLength"], head["Metadata"].get(SHA256))

    def download(self, key: str, path: Path, progress: Moved = ignore_progress) -> None:
        """Copy the object, in parallel ranges where it is large."""
        expected_bytes = self.stat(key).size_bytes
        with self._attempt("read", key):
            self._client.download_file(self.bucket, key, str(path), Callback=progress, Config=TRANSFER)
        got_bytes = path.stat().st_size
        if got_bytes != expected_bytes:
            raise StorageError(
                f"{self.uri(key)} arrived with {got_bytes} of {expected_bytes} bytes; it is worth another try"
            )

    def upload(
        self, path: Path, key: str, *, sha256: str, content_type: str, progress: Moved = ignore_progress
    ) -> None:
        """Send the file, in parts where it is large, and ask the server what it has now."""
        arguments = {"Metadata": {SHA256: sha256}, "ContentType": content_type, **self._encryption()}
        with path.open("rb") as stream, self._attempt("write", key):
            self._client.upload_fileobj(
                stream, self.bucket, key, ExtraArgs=arguments, Callback=progress, Config=TRANSFER
            )
        expected = StoredObject(path.stat().st_size, sha256)
        got = self.stat(key)
        if got != expected:
            raise StorageError(
                f"{self.uri(key)} has {got.size_bytes} bytes and digest {got.sha256} after {expected.size_bytes} bytes"
                f" with digest {sha256} were written; look for another writer of that key"
            )

    def check_upload(self, key: str) -> None:
        """Begin an upload in parts and abort it: that needs the bucket, the permission and the encryption."""
        with self._attempt("write", key):
            begun = self._client.create_multipart_upload(Bucket=self.bucket, Key=key, **self._encryption())
            self._client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=begun["UploadId"])

    def delete(self, key: str) -> None:
        """Remove the object."""
        with self._attempt("delete", key):
            self._client.delete_object(Bucket=self.bucket, Key=key)

    def abort_uploads(self, key: str) -> None:
        """Remove the parts of multipart uploads that nobody completed."""
        with self._attempt("delete", key):
            listing = self._client.list_multipart_uploads(Bucket=self.bucket, Prefix=key)
            for upload in listing.get("Uploads", []):
                if upload["Key"] == key:
                    self._client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload["UploadId"])

    def _encryption(self) -> dict[str, str]:
        return self.connection.encryption.headers() if self.connection.encryption else {}

    def _attempt(self, verb: str, key: str) -> Any:
        return translated(Attempt(verb, self.uri(key), self.bucket, self.connection))


def open_client(connection: Connection, scratch: Path) -> Any:
    """Make the SDK's client, quiet and bounded in time."""
    for name in ("botocore", "boto3", "s3transfer", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if connection.insecure_skip_tls_verify:
        warnings.filterwarnings("ignore", category=InsecureRequestWarning)
    style = {"addressing_style": connection.addressing_style}
    try:
        return boto3.session.Session().client(
            "s3",
            endpoint_url=connection.endpoint,
            region_name=connection.region,
            verify=trust(connection, scratch),
            config=Config(s3=style, **CLIENT_OPTIONS),
            **explicit_credentials(connection),
        )
    except (BotoCoreError, ValueError) as error:
        raise ConfigurationError(
            f"the {connection.side}'s S3 connection cannot be set up: {error}; correct spec.{connection.side}.s3"
        ) from error


def explicit_credentials(connection: Connection) -> dict[str, str | None]:
    """Name the client's arguments for the Secret's credentials; none lets the SDK ask its own chain."""
    credentials = connection.credentials
    if credentials is None:
        return {}
    return {
        "aws_access_key_id": credentials.access_key_id,
        "aws_secret_access_key": credentials.secret_access_key,
        "aws_session_token": credentials.session_token,
    }


def trust(connection: Connection, scratch: Path) -> bool | str | None:
    """Say whom to trust, in the SDK's terms: False nobody's check, a file of certificates, None the SDK's own."""
    if connection.insecure_skip_tls_verify:
        return False
    if connection.ca_pem is None:
        return None
    try:
        ssl.create_default_context(cadata=connection.ca_pem)
    except ssl.SSLError as error:
        raise ConfigurationError(
            f"the {connection.side}'s CA is not a PEM certificate; correct ca.crt in the Secret of s3.caSecretRef"
        ) from error
    bundle = scratch / f"{connection.side}-ca.pem"
    bundle.write_text(connection.ca_pem)
    return str(bundle)

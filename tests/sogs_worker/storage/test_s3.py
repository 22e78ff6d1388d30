"""A bucket as a store: what a real server and a real network can do wrong, and what the user then reads."""

from __future__ import annotations

import hashlib
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.connections import HASTY, build_connection
from s3_server import Identity, S3Server
from sogs_worker.errors import (
    ConfigurationError,
    NotPermittedError,
    ServiceUnavailableError,
    SourceMissingError,
    WorkerError,
)
from sogs_worker.storage.connection import Connection, Encryption
from sogs_worker.storage.s3.store import S3Store

CONTENT = b"a scene"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def bucket(s3: S3Server) -> str:
    name = s3.new_bucket()
    s3.client().put_object(Bucket=name, Key="garden.ply", Body=CONTENT)
    return name


def write(store: S3Store, folder: Path, key: str = "out.sog") -> None:
    (folder / "out").write_bytes(CONTENT)
    store.upload(folder / "out", key, sha256=DIGEST, content_type="application/zip")


def failure_of_reading(connection: Connection, bucket: str, folder: Path, key: str = "garden.ply") -> WorkerError:
    with pytest.raises(WorkerError) as caught:
        S3Store(bucket, connection, scratch=folder).download(key, folder / "copy")
    assert not (folder / "copy").exists()
    return caught.value


def failure_of_writing(connection: Connection, bucket: str, folder: Path) -> WorkerError:
    with pytest.raises(WorkerError) as caught:
        write(S3Store(bucket, connection, scratch=folder), folder)
    return caught.value


class TestMissing:
    def test_key(self, s3: S3Server, bucket: str, tmp_path: Path) -> None:
        error = failure_of_reading(build_connection(s3), bucket, tmp_path, key="grden.ply")
        assert type(error) is SourceMissingError
        assert str(error) == f"s3://{bucket}/grden.ply does not exist; upload it or correct spec.source.uri"

    def test_bucket_of_the_source(self, s3: S3Server, tmp_path: Path) -> None:
        error = failure_of_reading(build_connection(s3), "no-such-bucket", tmp_path)
        assert type(error) is SourceMissingError
        assert str(error) == (
            f"the bucket 'no-such-bucket' does not exist on {s3.endpoint} to read s3://no-such-bucket/garden.ply;"
            " create it or correct spec.source.uri"
        )

    def test_bucket_of_the_destination(self, s3: S3Server, tmp_path: Path) -> None:
        error = failure_of_writing(build_connection(s3, side="destination"), "no-such-bucket", tmp_path)
        assert type(error) is ConfigurationError
        assert "correct spec.destination.uri" in str(error)


class TestCredentials:
    def test_wrong_secret_key(self, s3: S3Server, bucket: str, tmp_path: Path) -> None:
        wrong = Identity("admin", (), access_key=s3.admin.access_key)
        error = failure_of_reading(build_connection(s3, wrong), bucket, tmp_path)
        assert type(error) is NotPermittedError
        assert str(error) == (
            f"cannot read s3://{bucket}/garden.ply: {s3.endpoint} does not accept the key pair of"
            " Secret 's3-credentials' (SignatureDoesNotMatch); correct it"
        )

    def test_unknown_access_key(self, s3: S3Server, bucket: str, tmp_path: Path) -> None:
        error = failure_of_writing(build_connection(s3, Identity("nobody", ())), bucket, tmp_path)
        assert type(error) is NotPermittedError
        assert "Secret 's3-credentials' (InvalidAccessKeyId)" in str(error)

    def test_no_permission_to_write(self, s3: S3Server, bucket: str, tmp_path: Path) -> None:
        connection = build_connection(s3, s3.reader, side="destination")
        error = failure_of_writing(connection, bucket, tmp_path)
        assert type(error) is NotPermittedError
        assert str(error) == (
            f"the key pair of Secret 's3-credentials' may not write s3://{bucket}/out.sog (AccessDenied);"
            " grant it that or correct spec.destination.uri"
        )

    def test_no_permission_to_delete(self, s3: S3Server, bucket: str, tmp_path: Path) -> None:
        store = S3Store(bucket, build_connection(s3, s3.reader), scratch=tmp_path)
        with pytest.raises(NotPermittedError, match="may not delete"):
            store.delete("garden.ply")

    def test_none(self, s3: S3Server, bucket: str, tmp_path: Path) -> None:
        connection = build_connection(s3, credentials=None, secret_name=None)
        error = failure_of_reading(connection, bucket, tmp_path)
        assert type(error) is ConfigurationError
        assert "name their Secret in s3.credentialsSecretRef" in str(error)

    def test_of_the_environment(
        self, s3: S3Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.admin.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.admin.secret_key)
        connection = build_connection(s3, credentials=None, secret_name=None)
        assert S3Store(bucket, connection, scratch=tmp_path).stat("garden.ply").size_bytes == len(CONTENT)

    def test_are_never_shown(self, s3: S3Server, bucket: str, tmp_path: Path) -> None:
        wrong = Identity("admin", (), access_key=s3.admin.access_key)
        connection = build_connection(s3, wrong)
        error = failure_of_reading(connection, bucket, tmp_path)
        for shown in (str(error), repr(connection), repr(connection.credentials)):
            assert wrong.secret_key not in shown
            assert wrong.access_key not in shown


@pytest.fixture
def refusing_port() -> Iterator[int]:
    """Give a port that is taken but does not listen."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


class TestServer:
    def test_refuses_connections(self, s3: S3Server, tmp_path: Path, refusing_port: int) -> None:
        endpoint = f"http://127.0.0.1:{refusing_port}"
        error = failure_of_reading(build_connection(s3, endpoint=endpoint), "scenes", tmp_path)
        assert type(error) is ServiceUnavailableError
        assert str(error) == (
            f"cannot read s3://scenes/garden.ply: {endpoint} refuses connections;"
            " check s3.endpoint and that the server runs"
        )

    def test_has_no_address(self, s3: S3Server, tmp_path: Path) -> None:
        error = failure_of_reading(build_connection(s3, endpoint="http://s3.invalid:8333"), "scenes", tmp_path)
        assert type(error) is ServiceUnavailableError
        assert "the host name of http://s3.invalid:8333 cannot be resolved; correct s3.endpoint" in str(error)

    def test_does_not_answer(self, s3: S3Server, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
            error = failure_of_reading(build_connection(s3, endpoint=endpoint, patience=HASTY), "scenes", tmp_path)
        assert type(error) is ServiceUnavailableError
        assert str(error).startswith(f"cannot read s3://scenes/garden.ply: {endpoint} does not answer")

    def test_fails_inside(self, s3: S3Server, bucket: str, tmp_path: Path) -> None:
        # This server has no key management service: it answers 500.
        encrypted = build_connection(s3, encryption=Encryption("aws:kms", "no-such-key"), patience=HASTY)
        error = failure_of_writing(encrypted, bucket, tmp_path)
        assert type(error) is ServiceUnavailableError
        assert "(InternalError); try again later" in str(error)

    def test_is_not_an_address(self, s3: S3Server, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"correct spec\.source\.s3"):
            S3Store("scenes", build_connection(s3, endpoint="http://"), scratch=tmp_path)


class TestTLS:
    def test_trusts_the_given_ca(self, s3: S3Server, bucket: str, tmp_path: Path) -> None:
        connection = build_connection(s3, endpoint=s3.tls_endpoint, ca_pem=s3.ca_pem)
        assert S3Store(bucket, connection, scratch=tmp_path).stat("garden.ply").size_bytes == len(CONTENT)

    def test_refuses_an_unknown_ca(self, s3: S3Server, bucket: str, tmp_path: Path) -> None:
        error = failure_of_reading(build_connection(s3, endpoint=s3.tls_endpoint), bucket, tmp_path)
        assert type(error) is ConfigurationError
        assert str(error) == (
            f"cannot read s3://{bucket}/garden.ply: the certificate of {s3.tls_endpoint} is not trusted;"
            " put its CA into the Secret of s3.caSecretRef"
        )

    def test_skips_the_check_when_told(self, s3: S3Server, bucket: str, tmp_path: Path) -> None:
        connection = build_connection(s3, endpoint=s3.tls_endpoint, insecure_skip_tls_verify=True)
        assert S3Store(bucket, connection, scratch=tmp_path).stat("garden.ply").size_bytes == len(CONTENT)

    def test_notices_a_server_without_tls(self, s3: S3Server, bucket: str, tmp_path: Path) -> None:
        endpoint = s3.endpoint.replace("http://", "https://")
        error = failure_of_reading(build_connection(s3, endpoint=endpoint), bucket, tmp_path)
        assert type(error) is ConfigurationError
        assert "does not speak TLS" in str(error)

    def test_refuses_a_ca_that_is_none(self, s3: S3Server, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"source's CA is not a PEM certificate; correct ca\.crt"):
            S3Store("scenes", build_connection(s3, ca_pem="not a certificate"), scratch=tmp_path)


class TestUpload:
    def test_encrypts_when_asked(self, s3: S3Server, bucket: str, tmp_path: Path) -> None:
        connection = build_connection(s3, encryption=Encryption("AES256"))
        write(S3Store(bucket, connection, scratch=tmp_path), tmp_path)
        assert s3.client().head_object(Bucket=bucket, Key="out.sog")["ServerSideEncryption"] == "AES256"
        assert s3.client().get_object(Bucket=bucket, Key="out.sog")["Body"].read() == CONTENT

    def test_is_checked_without_a_trace(self, s3: S3Server, bucket: str, tmp_path: Path) -> None:
        S3Store(bucket, build_connection(s3), scratch=tmp_path).check_upload("out.sog")
        assert s3.keys(bucket) == {"garden.ply"}
        assert "Uploads" not in s3.client().list_multipart_uploads(Bucket=bucket)

    def test_is_refused_when_checked(self, s3: S3Server, bucket: str, tmp_path: Path) -> None:
        connection = build_connection(s3, s3.reader, side="destination")
        with pytest.raises(NotPermittedError, match=r"may not write s3://.*/out\.sog \(AccessDenied\)"):
            S3Store(bucket, connection, scratch=tmp_path).check_upload("out.sog")

    def test_names_the_media_type(self, s3: S3Server, bucket: str, tmp_path: Path) -> None:
        write(S3Store(bucket, build_connection(s3), scratch=tmp_path), tmp_path)
        assert s3.client().head_object(Bucket=bucket, Key="out.sog")["ContentType"] == "application/zip"

    def test_aborts_what_was_left_unfinished(self, s3: S3Server, bucket: str, tmp_path: Path) -> None:
        client = s3.client()
        started = client.create_multipart_upload(Bucket=bucket, Key="out.sog")
        client.upload_part(Bucket=bucket, Key="out.sog", UploadId=started["UploadId"], PartNumber=1, Body=b"half")
        other = client.create_multipart_upload(Bucket=bucket, Key="out.sog.other")

        S3Store(bucket, build_connection(s3), scratch=tmp_path).abort_uploads("out.sog")

        left = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        assert [upload["UploadId"] for upload in left] == [other["UploadId"]]


@pytest.mark.parametrize("name", ["botocore", "boto3", "urllib3"])
def test_the_sdk_logs_nothing(s3: S3Server, tmp_path: Path, name: str) -> None:
    """At the level of debugging it writes whole requests with their signatures."""
    logging.getLogger(name).setLevel(logging.NOTSET)
    S3Store("bucket", build_connection(s3), scratch=tmp_path)
    assert logging.getLogger(name).getEffectiveLevel() >= logging.CRITICAL

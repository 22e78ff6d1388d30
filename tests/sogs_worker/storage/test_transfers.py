"""Transfers of a real server behind a proxy: versions, conditions, checksums, parts and ranges."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faults.connections import PATIENT, build_connection
from faults.proxy import FaultProxy, Request, Rule, answer, cut_answer, first_do, lose_answer, method
from s3_server import S3Server
from sogs_worker.errors import ServiceUnavailableError, StorageError
from sogs_worker.storage.base import ConflictError, IfAbsent, IfMatch, Receipt
from sogs_worker.storage.connection import Encryption
from sogs_worker.storage.s3 import store as s3_module
from sogs_worker.storage.s3.store import S3Store
from sogs_worker.storage.transfer.partial import RANGE_BYTES

SMALL = np.random.default_rng(0).bytes(1000)
LARGE = np.random.default_rng(1).bytes(RANGE_BYTES + 1000)
"""Two ranges, and two parts."""


@pytest.fixture
def bucket(s3: S3Server) -> str:
    return s3.new_bucket()


@pytest.fixture
def store(s3: S3Server, proxy: FaultProxy, bucket: str, tmp_path: Path) -> S3Store:
    return S3Store(bucket, build_connection(s3, endpoint=proxy.endpoint), scratch=tmp_path)


@pytest.fixture
def hasty(s3: S3Server, proxy: FaultProxy, bucket: str, tmp_path: Path) -> S3Store:
    patience = replace(PATIENT, budget_s=0.6)
    return S3Store(bucket, build_connection(s3, endpoint=proxy.endpoint, patience=patience), scratch=tmp_path)


def put(store: S3Store, folder: Path, content: bytes = SMALL, key: str = "out.sog", **options: Any) -> Receipt:
    (folder / "out").write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    return store.upload(folder / "out", key, sha256=sha256, content_type="application/zip", **options)


def with_header(name: str) -> Any:
    """Match requests that have a header."""
    return lambda request: name in request.headers


class TestDownload:
    @pytest.fixture(autouse=True)
    def _scene(self, s3: S3Server, bucket: str) -> None:
        s3.client().put_object(Bucket=bucket, Key="garden.ply", Body=LARGE)

    def test_leaves_nothing_when_it_breaks_off(self, hasty: S3Store, proxy: FaultProxy, tmp_path: Path) -> None:
        second_range = Rule(cut_answer(0, reset=True), lambda request: f"bytes={RANGE_BYTES}-" in str(request.headers))
        proxy.rules.append(second_range)
        with pytest.raises(StorageError, match="broke off"):
            hasty.download("garden.ply", tmp_path / "copy")
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith("copy")] == []

        proxy.rules.clear()
        moved: list[int] = []
        hasty.download("garden.ply", tmp_path / "copy", moved.append)
        assert (tmp_path / "copy").read_bytes() == LARGE
        assert sum(moved) == len(LARGE)

    def test_does_not_mix_versions(
        self, s3: S3Server, store: S3Store, proxy: FaultProxy, bucket: str, tmp_path: Path
    ) -> None:
        def replace() -> None:
            s3.client().put_object(Bucket=bucket, Key="garden.ply", Body=LARGE[::-1])

        proxy.rules.append(Rule(first_do(replace), method("GET"), times=1))
        with pytest.raises(StorageError, match=r"garden\.ply changed while it was read \(PreconditionFailed\)"):
            store.download("garden.ply", tmp_path / "copy")
        assert proxy.count("GET") <= 2, "it is not repeated"

        proxy.rules.clear()
        store.download("garden.ply", tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == LARGE[::-1]

    def test_notices_a_server_that_sends_no_ranges(self, store: S3Store, proxy: FaultProxy, tmp_path: Path) -> None:
        proxy.rules.append(Rule(answer(200, "", ETag='"other"'), method("GET")))
        with pytest.raises(StorageError, match="changed while it was read, or its server cannot send ranges"):
            store.download("garden.ply", tmp_path / "copy")
        assert not (tmp_path / "copy").exists()


class TestConditionalUpload:
    @pytest.mark.parametrize("times", [1, 2])
    def test_that_lost_its_answer_has_won(self, store: S3Store, proxy: FaultProxy, tmp_path: Path, times: int) -> None:
        proxy.rules.append(Rule(lose_answer, lambda request: request.target.endswith("/out.sog"), times))
        receipt = put(store, tmp_path, condition=IfAbsent())
        assert receipt.etag == store.stat("out.sog").etag
        with pytest.raises(ConflictError):
            put(store, tmp_path, condition=IfAbsent())

    def test_asks_once_whether_conditions_are_honoured(self, store: S3Store, proxy: FaultProxy, tmp_path: Path) -> None:
        for key in ("a", "b"):
            put(store, tmp_path, key=key, condition=IfAbsent())
        assert len([request for request in proxy.requests if ".probe-" in request.target]) == 3
        assert [entry.key for entry in store.list("")] == ["a", "b"]

    @pytest.mark.parametrize("status", [200, 501], ids=["ignored", "refused"])
    def test_looks_by_itself_where_conditions_are_not_honoured(
        self, store: S3Store, proxy: FaultProxy, tmp_path: Path, caplog: pytest.LogCaptureFixture, status: int
    ) -> None:
        code = "" if status == 200 else "NotImplemented"
        proxy.rules.append(Rule(answer(status, code, ETag='"e"'), method("PUT", ".probe-")))
        put(store, tmp_path, condition=IfAbsent())
        with pytest.raises(ConflictError, match=r"out\.sog was written by another"):
            put(store, tmp_path, condition=IfAbsent())
        put(store, tmp_path, condition=IfMatch(store.stat("out.sog").etag))
        sent = [request for request in proxy.requests if request.target.endswith("/out.sog")]
        assert not any("if-none-match" in request.headers or "if-match" in request.headers for request in sent)
        (warning,) = [record.getMessage() for record in caplog.records if record.name.startswith("sogs_worker")]
        assert warning.startswith(f"{proxy.endpoint} ignores conditions on writes")

    def test_replaces_in_one_request(self, store: S3Store, proxy: FaultProxy, tmp_path: Path) -> None:
        put(store, tmp_path, LARGE, condition=IfAbsent())
        writes = [request for request in proxy.requests if request.target.endswith("/out.sog")]
        assert [request.method for request in writes if request.method not in ("HEAD", "GET")] == ["PUT"]


class TestParts:
    def test_of_a_completion_that_lost_its_answer(self, store: S3Store, proxy: FaultProxy, tmp_path: Path) -> None:
        proxy.rules.append(Rule(lose_answer, method("POST", "uploadId="), times=1))
        put(store, tmp_path, LARGE)
        assert store.stat("out.sog").sha256 == hashlib.sha256(LARGE).hexdigest()

    def test_are_repeated_one_by_one(self, store: S3Store, proxy: FaultProxy, tmp_path: Path) -> None:
        moved: list[int] = []
        proxy.rules.append(Rule(answer(503, "SlowDown"), method("PUT", "partNumber=2"), times=2))
        put(store, tmp_path, LARGE, progress=moved.append)
        assert proxy.count("PUT") == 4
        assert sorted(moved) == [1000, RANGE_BYTES]

    def test_are_removed_when_the_upload_fails(
        self, s3: S3Server, hasty: S3Store, proxy: FaultProxy, bucket: str, tmp_path: Path
    ) -> None:
        proxy.rules.append(Rule(answer(503, "SlowDown"), method("PUT", "partNumber=2")))
        with pytest.raises(ServiceUnavailableError, match=r"cannot write s3://.*/out\.sog now \(SlowDown\)"):
            put(hasty, tmp_path, LARGE)
        assert "Uploads" not in s3.client().list_multipart_uploads(Bucket=bucket)
        assert [*hasty.list("")] == []

    def test_decide_a_condition_at_the_end(
        self, store: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sogs_worker.storage.s3.upload.ATOMIC_BYTES", 0)
        put(store, tmp_path, LARGE, condition=IfAbsent())
        with pytest.raises(ConflictError):
            put(store, tmp_path, LARGE, condition=IfAbsent())


class TestChecksums:
    @pytest.mark.parametrize("content", [SMALL, LARGE], ids=["whole", "parts"])
    def test_are_left_out_where_the_server_refuses_them(
        self, store: S3Store, proxy: FaultProxy, tmp_path: Path, content: bytes
    ) -> None:
        for header in ("x-amz-checksum-sha256", "x-amz-checksum-algorithm"):
            proxy.rules.append(Rule(answer(501, "NotImplemented"), with_header(header)))
        assert not put(store, tmp_path, content).is_verified
        refused = proxy.count()
        assert not put(store, tmp_path, content).is_verified
        assert proxy.count() - refused == refused - 1, "it is not tried again"

    def test_refuse_another_content_at_once(self, store: S3Store, proxy: FaultProxy, tmp_path: Path) -> None:
        (tmp_path / "out").write_bytes(b"not what was announced")
        with pytest.raises(StorageError, match=r"out\.sog arrived at .* with other bytes than were sent \(BadDigest\)"):
            store.upload(tmp_path / "out", "out.sog", sha256="0" * 64, content_type="text/plain")
        assert proxy.count("PUT") == 1


@pytest.mark.parametrize(
    ("encryption", "headers"),
    [
        (Encryption("AES256"), {"x-amz-server-side-encryption": "AES256"}),
        (
            Encryption("aws:kms", "a-key"),
            {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": "a-key"},
        ),
    ],
    ids=["AES256", "KMS"],
)
def test_asks_for_encryption_whenever_an_object_begins(
    s3: S3Server, proxy: FaultProxy, bucket: str, tmp_path: Path, encryption: Encryption, headers: dict[str, str]
) -> None:
    s3.client().put_object(Bucket=bucket, Key="there", Body=b"")
    store = S3Store(bucket, build_connection(s3, endpoint=proxy.endpoint, encryption=encryption), scratch=tmp_path)
    # This server has no key management: what it is asked is seen by the proxy, which refuses in its place.
    proxy.rules.append(Rule(answer(403, "AccessDenied"), lambda request: request.method in ("PUT", "POST")))
    actions = [
        lambda: put(store, tmp_path, SMALL),
        lambda: put(store, tmp_path, LARGE),
        lambda: store.copy("there", "out.sog"),
        lambda: store.check_upload("out.sog"),
    ]
    for action in actions:
        with pytest.raises(PermissionError):
            action()
    begun: list[Request] = [request for request in proxy.requests if request.method in ("PUT", "POST")]
    assert len(begun) == len(actions)
    for request in begun:
        assert headers.items() <= request.headers.items()


def test_pages_are_asked_for_one_by_one(
    store: S3Store, proxy: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_module, "PAGE_KEYS", 2)
    keys = ["a/1", "a/2", "a.3", "b 4", "c/ü"]
    for key in keys:
        put(store, tmp_path, key=key)
    proxy.requests.clear()
    proxy.rules.append(Rule(answer(503, "SlowDown"), method("GET", "continuation-token"), times=1))
    assert [entry.key for entry in store.list("")] == sorted(keys)
    assert proxy.count("GET") == math.ceil(len(keys) / 2) + 1
    store.delete_many(keys)
    assert proxy.count("POST") == math.ceil(len(keys) / 2)
    assert [*store.list("")] == []


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "MissingContentMD5"), (400, "InvalidRequest"), (501, "NotImplemented"), (405, "MethodNotAllowed")],
)
def test_deletes_one_by_one_where_the_server_takes_no_lists(
    store: S3Store, proxy: FaultProxy, tmp_path: Path, status: int, code: str
) -> None:
    for key in ("a", "b c", "d/ü", "e"):
        put(store, tmp_path, key=key)
    proxy.rules.append(Rule(answer(status, code), method("POST", "delete")))
    store.delete_many(["a", "never", "b c"])
    assert [entry.key for entry in store.list("")] == ["d/ü", "e"]
    store.delete_many(["d/ü", "e"])
    assert [*store.list("")] == []
    assert proxy.count("POST") == 1, "it is not tried again"


def test_a_list_that_is_refused_for_another_reason_is_not_taken_apart(
    store: S3Store, proxy: FaultProxy, tmp_path: Path
) -> None:
    put(store, tmp_path, key="a")
    proxy.rules.append(Rule(answer(403, "AccessDenied"), method("POST", "delete")))
    with pytest.raises(PermissionError, match="may not delete"):
        store.delete_many(["a"])
    assert proxy.count("DELETE") == 0


def test_what_cannot_be_deleted_one_by_one_is_named_and_the_others_go(
    store: S3Store, proxy: FaultProxy, tmp_path: Path
) -> None:
    for key in ("a", "b", "c"):
        put(store, tmp_path, key=key)
    proxy.rules.append(Rule(answer(400, "MissingContentMD5"), method("POST", "delete")))
    proxy.rules.append(Rule(answer(403, "AccessDenied"), lambda ask: ask.method == "DELETE" and "/b" in ask.target))
    with pytest.raises(PermissionError, match=r"may not delete s3://.*/b "):
        store.delete_many(["a", "b", "c"])
    assert [entry.key for entry in store.list("")] == ["b"]


def test_a_deletion_that_is_refused_is_named(s3: S3Server, bucket: str, tmp_path: Path) -> None:
    s3.client().put_object(Bucket=bucket, Key="there", Body=b"")
    store = S3Store(bucket, build_connection(s3, s3.reader, side="destination"), scratch=tmp_path)
    with pytest.raises(PermissionError, match=rf"may not delete s3://{bucket}/there"):
        store.delete_many(["there"])

"""What networks and busy servers do, done by a proxy before a real server: what is repeated, what is said, and when."""

from __future__ import annotations

import hashlib
import math
import traceback
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from faults.connections import HASTY, PATIENT, build_connection
from faults.proxy import (
    Fault,
    FaultProxy,
    Rule,
    answer,
    cut_answer,
    delay,
    lose_answer,
    method,
    reset_upload,
    stall,
)
from s3_server import Identity, S3Server
from sogs_worker.errors import (
    ConfigurationError,
    NotPermittedError,
    ServiceUnavailableError,
    SourceMissingError,
    StorageError,
    WorkerError,
)
from sogs_worker.storage.connection import Credentials, Patience
from sogs_worker.storage.s3.store import S3Store

CONTENT = np.random.default_rng(0).bytes(300_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
FOREVER = math.inf


@pytest.fixture(scope="module")
def bucket(s3: S3Server) -> str:
    name = s3.new_bucket()
    s3.client().put_object(Bucket=name, Key="garden.ply", Body=CONTENT)
    return name


@pytest.fixture
def store(request: pytest.FixtureRequest, s3: S3Server, proxy: FaultProxy, bucket: str, tmp_path: Path) -> S3Store:
    case = request.getfixturevalue("case") if "case" in request.fixturenames else None
    patience = case.patience if case else PATIENT
    return S3Store(bucket, build_connection(s3, endpoint=proxy.endpoint, patience=patience), scratch=tmp_path)


def download(store: S3Store, folder: Path) -> None:
    store.download("garden.ply", folder / "copy")


def upload(store: S3Store, folder: Path) -> None:
    (folder / "out").write_bytes(CONTENT)
    store.upload(folder / "out", "out.sog", sha256=DIGEST, content_type="application/zip")


@dataclass(frozen=True)
class Case:
    """A fault that happens to the first `times` requests of a method, and how many of that method are then sent.

    Attributes:
        error: what is raised in the end; None: nothing.
        words: of its sentence.
        requests: how many there are; None: as many as the time allows, more than one.
        patience: of the connection.
    """

    id: str
    fault: Fault
    times: float = FOREVER
    error: type[WorkerError] | None = None
    words: str = ""
    requests: int | None = None
    patience: Patience = PATIENT


OVERCOME = [
    Case("503 SlowDown", answer(503, "SlowDown"), times=3, requests=4),
    Case("500", answer(500, "InternalError"), times=2, requests=3),
    Case("502 without a body", answer(502), times=2, requests=3),
    Case("429", answer(429, "TooManyRequests"), times=2, requests=3),
    Case("400 RequestTimeout", answer(400, "RequestTimeout"), times=1, requests=2),
    Case("slow first byte", delay(0.2), times=1, requests=1),
    Case("301 with the region", answer(301, "PermanentRedirect", x_amz_bucket_region="eu-1"), times=1, requests=2),
    Case("307 with the region", answer(307, "TemporaryRedirect", x_amz_bucket_region="eu-1"), times=1, requests=2),
    Case("a lost answer", lose_answer, times=1, requests=2),
]
ONLY_READING = [
    Case("reset in the body", cut_answer(100_000, reset=True), times=2, requests=3),
    Case("truncated body", cut_answer(100_000, reset=False), times=2, requests=3),
    Case("a stalled socket", stall(100_000), times=1, requests=2, patience=replace(PATIENT, read_s=0.4)),
]
ONLY_WRITING = [Case("reset in the body", reset_upload(100_000), times=2, requests=3)]

unavailable = partial(Case, patience=HASTY, error=ServiceUnavailableError)
broken = partial(Case, patience=HASTY, error=StorageError)

LASTING = [
    unavailable("503 SlowDown", answer(503, "SlowDown"), words="now (SlowDown); try again later"),
    unavailable("500", answer(500, "InternalError"), words="now (InternalError); try again later"),
    unavailable("429", answer(429), words="now (429); try again later"),
    unavailable("no answer", lose_answer, words="does not answer (ConnectionClosedError); try again later"),
]
LASTING_READING = [
    broken("reset in the body", cut_answer(0, reset=True), words="broke off ("),
    broken("truncated body", cut_answer(0, reset=False), words="broke off ("),
    unavailable("a stalled socket", stall(0), words="does not answer (ReadTimeoutError)"),
]

PERMANENT = [
    Case("403", answer(403, "AccessDenied"), error=NotPermittedError, words="(AccessDenied); grant it that or correct"),
    Case(
        "an expired token",
        answer(400, "ExpiredToken"),
        error=NotPermittedError,
        words="the key pair of Secret 's3-credentials' has expired (ExpiredToken); renew it",
    ),
    Case(
        "a node's clock",
        answer(403, "RequestTimeTooSkewed"),
        error=ConfigurationError,
        words="(RequestTimeTooSkewed); set the node's clock",
    ),
    Case(
        "301 without a region",
        answer(301, "PermanentRedirect"),
        error=ConfigurationError,
        words="correct s3.region or s3.endpoint",
    ),
    Case("400", answer(400, "InvalidRequest"), error=ConfigurationError, words="(InvalidRequest); check s3.endpoint"),
    Case(
        "501", answer(501, "NotImplemented"), error=ConfigurationError, words="); check s3.endpoint and spec.source.uri"
    ),
    Case("404", answer(404, "NoSuchBucket"), error=SourceMissingError, words="does not exist on http://127.0.0.1"),
]


def ids(case: Case) -> str:
    return case.id


class TestReading:
    @pytest.mark.parametrize("case", [*OVERCOME, *ONLY_READING], ids=ids)
    def test_overcomes(self, store: S3Store, proxy: FaultProxy, tmp_path: Path, case: Case) -> None:
        moved: list[int] = []
        proxy.rules.append(Rule(case.fault, method("GET"), case.times))
        store.download("garden.ply", tmp_path / "copy", moved.append)
        assert (tmp_path / "copy").read_bytes() == CONTENT
        assert sum(moved) == len(CONTENT), "no byte is counted twice"
        assert proxy.count("GET") == case.requests

    @pytest.mark.parametrize("case", [*LASTING, *LASTING_READING], ids=ids)
    def test_gives_up_in_time(self, store: S3Store, proxy: FaultProxy, bucket: str, tmp_path: Path, case: Case) -> None:
        proxy.rules.append(Rule(case.fault, method("GET")))
        check_failure(case, bucket, "garden.ply", lambda: download(store, tmp_path))
        assert proxy.count("GET") > 1
        assert not (tmp_path / "copy").exists()

    @pytest.mark.parametrize("case", PERMANENT, ids=ids)
    def test_does_not_repeat(self, store: S3Store, proxy: FaultProxy, bucket: str, tmp_path: Path, case: Case) -> None:
        proxy.rules.append(Rule(case.fault))
        check_failure(case, bucket, "garden.ply", lambda: download(store, tmp_path))
        # HEAD, which has no body, a GET for the reason, and after a 301 or 400 the SDK's own search for the region.
        assert proxy.count("GET") <= 1
        assert proxy.count("HEAD") <= 2

    def test_the_beginning_takes_one_request(self, store: S3Store, proxy: FaultProxy) -> None:
        assert store.peek("garden.ply", 1000).content == CONTENT[:1000]
        assert [(request.method, request.headers["range"]) for request in proxy.requests] == [("GET", "bytes=0-999")]

    @pytest.mark.parametrize("case", [*OVERCOME, *ONLY_READING], ids=ids)
    def test_overcomes_it_for_the_beginning(self, store: S3Store, proxy: FaultProxy, case: Case) -> None:
        proxy.rules.append(Rule(case.fault, method("GET"), case.times))
        content, described = store.peek("garden.ply", 200_000)
        assert (content, described.size_bytes) == (CONTENT[:200_000], len(CONTENT))
        assert proxy.count("GET") == case.requests

    @pytest.mark.parametrize("case", PERMANENT, ids=ids)
    def test_does_not_repeat_it_for_the_beginning(
        self, store: S3Store, proxy: FaultProxy, bucket: str, case: Case
    ) -> None:
        proxy.rules.append(Rule(case.fault))
        check_failure(case, bucket, "garden.ply", lambda: store.peek("garden.ply", 1000))
        assert proxy.count("GET") <= 1

    def test_resumes_where_a_range_broke_off(self, store: S3Store, proxy: FaultProxy, tmp_path: Path) -> None:
        proxy.rules.append(Rule(cut_answer(100_000, reset=False), method("GET"), times=1))
        download(store, tmp_path)
        assert [request.headers["range"] for request in proxy.requests if request.method == "GET"] == [
            "bytes=0-299999",
            "bytes=100000-299999",
        ]


class TestWriting:
    @pytest.mark.parametrize("case", [*OVERCOME, *ONLY_WRITING], ids=ids)
    def test_overcomes(self, store: S3Store, proxy: FaultProxy, tmp_path: Path, case: Case) -> None:
        proxy.rules.append(Rule(case.fault, method("PUT"), case.times))
        upload(store, tmp_path)
        assert store.stat("out.sog").sha256 == DIGEST
        assert proxy.count("PUT") == case.requests

    @pytest.mark.parametrize("case", LASTING, ids=ids)
    def test_gives_up_in_time(self, store: S3Store, proxy: FaultProxy, bucket: str, tmp_path: Path, case: Case) -> None:
        proxy.rules.append(Rule(case.fault, method("PUT")))
        check_failure(case, bucket, "out.sog", lambda: upload(store, tmp_path))
        assert proxy.count("PUT") > 1

    @pytest.mark.parametrize("case", [case for case in PERMANENT if case.id not in ("404", "501")], ids=ids)
    def test_does_not_repeat(self, store: S3Store, proxy: FaultProxy, bucket: str, tmp_path: Path, case: Case) -> None:
        proxy.rules.append(Rule(case.fault))
        check_failure(case, bucket, "out.sog", lambda: upload(store, tmp_path))
        assert proxy.count("PUT") == 1
        assert proxy.count() <= 2


@pytest.mark.parametrize(
    ("who", "key", "error"),
    [
        ("admin", "garden.ply", None),
        ("admin", "gone.ply", SourceMissingError),
        ("wrong secret", "garden.ply", NotPermittedError),
        ("unknown key", "garden.ply", NotPermittedError),
    ],
)
def test_the_server_refuses_once(
    s3: S3Server,
    proxy: FaultProxy,
    bucket: str,
    tmp_path: Path,
    *,
    who: str,
    key: str,
    error: type[WorkerError] | None,
) -> None:
    identities = {
        "admin": s3.admin,
        "wrong secret": Identity("admin", (), access_key=s3.admin.access_key),
        "unknown key": Identity("no", ()),
    }
    store = S3Store(bucket, build_connection(s3, identities[who], endpoint=proxy.endpoint), scratch=tmp_path)
    with pytest.raises(error) if error else nullcontext():
        store.download(key, tmp_path / "copy")
    # HEAD, then GET: for the content, or after a refusal for its reason.
    assert [request.method for request in proxy.requests] == ["HEAD", "GET"]


def test_a_writer_without_permission_is_refused_once(
    s3: S3Server, proxy: FaultProxy, bucket: str, tmp_path: Path
) -> None:
    connection = build_connection(s3, s3.reader, side="destination", endpoint=proxy.endpoint)
    with pytest.raises(NotPermittedError, match=rf"may not write s3://{bucket}/out\.sog \(AccessDenied\)"):
        upload(S3Store(bucket, connection, scratch=tmp_path), tmp_path)
    assert [request.method for request in proxy.requests] == ["PUT"]


def test_an_expired_session_is_told_without_its_token(
    s3: S3Server, proxy: FaultProxy, bucket: str, tmp_path: Path
) -> None:
    credentials = Credentials(s3.admin.access_key, s3.admin.secret_key, "a-token")
    connection = build_connection(s3, endpoint=proxy.endpoint, credentials=credentials)
    proxy.rules.append(Rule(answer(400, "ExpiredToken")))
    with pytest.raises(NotPermittedError, match="has expired") as caught:
        download(S3Store(bucket, connection, scratch=tmp_path), tmp_path)
    assert proxy.requests[0].headers["x-amz-security-token"] == "a-token"
    shown = "".join(traceback.format_exception(caught.value)) + repr(connection) + repr(credentials)
    assert "a-token" not in shown


def check_failure(case: Case, bucket: str, key: str, action: object) -> None:
    """Run it: its error is of the class, in one sentence, and names the bucket, the key and the remedy."""
    assert callable(action)
    with pytest.raises(WorkerError) as caught:
        action()
    sentence = str(caught.value)
    assert type(caught.value) is case.error
    assert case.words in sentence
    assert f"s3://{bucket}/{key}" in sentence
    assert "\n" not in sentence

"""A web server as a store: what is asked, what is taken for one version, and what the user reads."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from faults.proxy import FaultProxy, Rule, answer, first_do
from faults.web import QUERY, Web
from s3_server import S3Server
from sogs_worker.errors import BadInputError, ConfigurationError, StorageError, UsageError, WorkerError
from sogs_worker.storage.http.address import Address
from sogs_worker.storage.http.store import HttpStore
from sogs_worker.storage.transfer.partial import RANGE_BYTES

SMALL = np.random.default_rng(0).bytes(1000)
LARGE = np.random.default_rng(1).bytes(RANGE_BYTES + 1000)
"""Two ranges."""

LAST_MODIFIED = "Tue, 07 Jul 2026 07:07:07 GMT"
VALIDATORS = {
    "strong": {"ETag": '"{etag}"'},
    "weak": {"ETag": 'W/"{etag}"'},
    "time": {"Last-Modified": LAST_MODIFIED},
    "none": {},
}


@pytest.fixture
def store(web: Web) -> HttpStore:
    web.files.content["/garden.ply"] = LARGE
    web.files.query = QUERY
    return web.store()


def asked(proxy: FaultProxy) -> list[str | None]:
    """Give the ranges that were asked for, None for the whole."""
    return [request.headers.get("range") for request in proxy.requests]


def failure(store: HttpStore, path: Path) -> WorkerError:
    with pytest.raises(WorkerError) as caught:
        store.download("garden.ply", path)
    assert not path.exists()
    assert re.search(rf"{store.uri('garden.ply')}\b", str(caught.value))
    return caught.value


class TestReading:
    @pytest.mark.parametrize("has_ranges", [True, False], ids=["ranges", "no ranges"])
    @pytest.mark.parametrize("validator", VALIDATORS)
    @pytest.mark.parametrize("size_bytes", [0, 1, 100_000, RANGE_BYTES + 1000])
    def test_gives_the_file(
        self, web: Web, tmp_path: Path, *, has_ranges: bool, validator: str, size_bytes: int
    ) -> None:
        web.files.content["/a.ply"] = LARGE[:size_bytes]
        web.files.has_ranges, web.files.headers = has_ranges, VALIDATORS[validator]
        store, moved = web.store(), list[int]()

        etag = store.download("a.ply", tmp_path / "copy", moved.append)

        stored = store.stat("a.ply")
        assert (stored.size_bytes, stored.sha256, stored.etag, stored.metadata) == (size_bytes, None, etag, {})
        assert (tmp_path / "copy").read_bytes() == LARGE[:size_bytes]
        assert sum(moved) == size_bytes
        assert {request.method for request in web.front.requests} == {"GET"}

    @pytest.mark.parametrize("has_ranges", [True, False], ids=["ranges", "no ranges"])
    @pytest.mark.parametrize("validator", VALIDATORS)
    @pytest.mark.parametrize("size_bytes", [0, 1, 100_000])
    def test_gives_the_beginning_of_the_file(
        self, web: Web, *, has_ranges: bool, validator: str, size_bytes: int
    ) -> None:
        web.files.content["/a.ply"] = LARGE[:size_bytes]
        web.files.has_ranges, web.files.headers = has_ranges, VALIDATORS[validator]
        store = web.store()
        for asked_bytes in (1, 1000, 1 << 20):
            content, described = store.peek("a.ply", asked_bytes)
            assert content == LARGE[: min(asked_bytes, size_bytes)]
            assert described == store.stat("a.ply")

    def test_goes_by_parallel_ranges_of_one_version(self, web: Web, store: HttpStore, tmp_path: Path) -> None:
        etag = store.download("garden.ply", tmp_path / "copy")
        first, *others = web.front.requests
        assert sorted(map(str, asked(web.front))) == [
            "bytes=0-0",
            f"bytes=0-{RANGE_BYTES - 1}",
            f"bytes={RANGE_BYTES}-{len(LARGE) - 1}",
        ]
        assert "if-match" not in first.headers
        assert {request.headers["if-match"] for request in others} == {etag}
        assert {request.headers["accept-encoding"] for request in web.front.requests} == {"identity"}

    def test_goes_in_one_stream_where_nothing_names_the_version(
        self, web: Web, store: HttpStore, tmp_path: Path
    ) -> None:
        web.files.headers = {}
        store.download("garden.ply", tmp_path / "copy")
        assert asked(web.front) == ["bytes=0-0", None, None]

    @pytest.mark.parametrize("key", ["a%20b.ply", "%C3%BC/%2f.ply", "plus+and&equals=.ply", "a//b/.ply", "x;y:z@.ply"])
    def test_asks_for_the_path_as_it_is_written(self, web: Web, tmp_path: Path, key: str) -> None:
        web.files.content["/" + key] = web.files.content["/" + key.replace("%2f", "%2F")] = SMALL
        web.store().download(key, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == SMALL
        assert web.store().uri(key) == f"https://{web.host}/{key}"

    def test_asks_without_a_query_where_there_is_none(self, web: Web) -> None:
        web.files.content["/a.ply"] = SMALL
        assert web.store(query="").stat("a.ply").size_bytes == 1000
        assert [request.target for request in web.front.requests] == ["/a.ply"]

    def test_reads_an_address_that_s3_has_signed(self, web: Web, s3: S3Server, tmp_path: Path) -> None:
        bucket = s3.new_bucket()
        s3.client().put_object(Bucket=bucket, Key="a b/garden.ply", Body=LARGE)
        with FaultProxy(s3.endpoint, web.front.tls) as front:
            client = replace(s3, endpoint=front.endpoint).client()
            url = client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "a b/garden.ply"})
            parts = urlsplit(url)
            store = web.store(parts.netloc, parts.query)
            store.download(parts.path[1:], tmp_path / "copy")
            assert (tmp_path / "copy").read_bytes() == LARGE
            assert len(front.requests) == 3
            forged = web.store(parts.netloc, parts.query[:-4] + "0000")
            with pytest.raises(
                PermissionError, match=rf"does not let this run read https://{parts.netloc}/{bucket}/a%"
            ):
                forged.stat(parts.path[1:])

    def test_has_no_listing(self, store: HttpStore, web: Web) -> None:
        with pytest.raises(UsageError, match=rf"https://{web.host}/scenes/ cannot be listed.* name one file"):
            store.list("scenes/")


class TestVersions:
    @pytest.mark.parametrize("validator", VALIDATORS)
    @pytest.mark.parametrize("has_ranges", [True, False], ids=["ranges", "no ranges"])
    def test_are_not_mixed(
        self, web: Web, store: HttpStore, tmp_path: Path, *, validator: str, has_ranges: bool
    ) -> None:
        web.files.headers, web.files.has_ranges = VALIDATORS[validator], has_ranges

        # Where nothing names the version, only the length tells; one stream is of one version all the same.
        other = LARGE[::-1] if validator != "none" else LARGE[:-1]

        def change() -> None:
            web.files.content["/garden.ply"] = other
            if validator == "time":
                web.files.headers = {"Last-Modified": "Wed, 08 Jul 2026 08:08:08 GMT"}

        # The look is done; the first request for content comes after the change.
        looks = 2 if has_ranges and validator == "none" else 1
        is_content = iter([False] * looks + [True] * 100)
        web.front.rules.append(Rule(first_do(change), lambda _request: next(is_content), times=1))
        error = failure(store, tmp_path / "copy")
        assert type(error) is StorageError
        assert "changed while it was read" in str(error)

        web.front.rules.clear()
        store.download("garden.ply", tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == other

    def test_leave_nothing_when_one_is_refused(self, web: Web, store: HttpStore, tmp_path: Path) -> None:
        second = Rule(answer(403), lambda request: f"bytes={RANGE_BYTES}-" in str(request.headers))
        web.front.rules.append(second)
        with pytest.raises(PermissionError):
            store.download("garden.ply", tmp_path / "copy")
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith("copy")] == []

    @pytest.mark.parametrize(
        "headers",
        [
            {"Content_Range": f"bytes 1-{RANGE_BYTES}/{len(LARGE)}"},
            {"Content_Range": f"bytes 0-{RANGE_BYTES - 1}/*"},
            {"Content_Range": f"bytes 0-{RANGE_BYTES - 1}/{len(LARGE)}", "Content_Encoding": "gzip"},
            {},
        ],
        ids=["another place", "of unknown length", "encoded", "without a place"],
    )
    def test_are_told_from_answers_that_do_not_fit(
        self, web: Web, store: HttpStore, tmp_path: Path, headers: dict[str, str]
    ) -> None:
        etag = store.stat("garden.ply").etag
        web.front.rules.append(
            Rule(answer(206, ETag=etag, **headers), lambda request: f"-{RANGE_BYTES - 1}" in request.headers["range"])
        )
        assert "or its server does not keep to what it said of it" in str(failure(store, tmp_path / "copy"))

    def test_without_a_name_are_of_one_run(self, web: Web, store: HttpStore, monkeypatch: pytest.MonkeyPatch) -> None:
        web.files.headers = {}
        etag = store.stat("garden.ply").etag
        assert store.stat("garden.ply").etag == etag
        monkeypatch.setattr("sogs_worker.storage.http.file.THIS_RUN", "another")
        assert store.stat("garden.ply").etag != etag


class TestUnreadable:
    def test_is_a_file_without_a_length(self, web: Web, store: HttpStore, tmp_path: Path) -> None:
        web.files.has_ranges = web.files.has_length = False
        error = failure(store, tmp_path / "copy")
        assert type(error) is BadInputError
        assert str(error) == (
            f"https://{web.host}/garden.ply is sent without its length, so nothing tells when it is complete;"
            f" let https://{web.host} send it as a plain file"
        )
        assert len(web.front.requests) == 1

    @pytest.mark.parametrize("has_ranges", [True, False], ids=["ranges", "no ranges"])
    def test_is_an_encoded_file(self, web: Web, store: HttpStore, tmp_path: Path, *, has_ranges: bool) -> None:
        web.files.headers["Content-Encoding"] = "gzip"
        web.files.has_ranges = has_ranges
        error = failure(store, tmp_path / "copy")
        assert type(error) is BadInputError
        assert "is sent in the encoding 'gzip', though identity was asked for; let https://127.0.0.1:" in str(error)

    def test_closes_what_it_does_not_read(self, web: Web, store: HttpStore) -> None:
        web.files.has_ranges = False
        store.stat("garden.ply")
        assert asked(web.front) == ["bytes=0-0"]


@pytest.mark.parametrize("host", ["host:port", "[::1", f"{'long' * 16}.example"])
def test_refuses_a_host_that_is_none(web: Web, host: str) -> None:
    with pytest.raises(UsageError, match=r"/a\.ply is not an address that can be asked for; correct spec\.source\.uri"):
        web.store(host).stat("a.ply")


def test_shows_no_query_that_cannot_be_sent(web: Web) -> None:
    with pytest.raises(UsageError, match=rf"^https://{web.host}/a\.ply is not an address"):
        web.store(query=f"{QUERY}#a\nb").stat("a.ply")


def test_shows_an_address_without_what_may_be_secret() -> None:
    assert repr(Address("uri", "host", f"/path?{QUERY}")) == "Address(uri='uri', host='host')"


def test_refuses_a_ca_that_is_none(web: Web) -> None:
    for ca_pem in ("not a certificate", "", "ü"):
        with pytest.raises(ConfigurationError, match=r"source's CA is not a PEM certificate; correct ca\.crt"):
            web.store(ca_pem=ca_pem)


def test_the_library_logs_nothing(web: Web) -> None:
    """At the level of debugging it writes whole addresses."""
    logging.getLogger("urllib3").setLevel(logging.NOTSET)
    web.store()
    assert logging.getLogger("urllib3.connectionpool").getEffectiveLevel() >= logging.CRITICAL


def test_the_sdk_is_not_loaded() -> None:
    code = "import sys, sogs_worker.storage.http.store; print('botocore' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert re.fullmatch("False\n", done.stdout)

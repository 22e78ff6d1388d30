"""What every store has in common: one table of promises, kept by a folder and by two real S3 servers."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway_server import Gateway
from s3_server import S3Server
from sogs_worker.errors import SourceMissingError, UsageError
from sogs_worker.storage.base import Condition, ConflictError, IfAbsent, IfMatch, ListedObject, Receipt, Store
from sogs_worker.storage.connection import Connection, Credentials
from sogs_worker.storage.local.store import LocalStore
from sogs_worker.storage.s3.store import S3Store

MIB = 1 << 20


def build_file(folder: Path, size_bytes: int, seed: int = 0) -> tuple[Path, str]:
    """Write random bytes; return the file and its digest."""
    content = np.random.default_rng(seed).bytes(size_bytes)
    path = folder / f"content-{size_bytes}-{seed}"
    path.write_bytes(content)
    return path, hashlib.sha256(content).hexdigest()


@pytest.fixture(params=["local", "s3", "gateway"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "local":
        return LocalStore(tmp_path / "store")
    server: S3Server | Gateway = request.getfixturevalue(request.param)
    credentials = Credentials(server.admin.access_key, server.admin.secret_key)
    connection = Connection("destination", server.endpoint, "us-east-1", "path", credentials=credentials)
    return S3Store(server.new_bucket(), connection, scratch=tmp_path)


def put(store: Store, path: Path, key: str, sha256: str, **options: Any) -> Receipt:
    return store.upload(path, key, sha256=sha256, content_type="application/octet-stream", **options)


class TestStore:
    # 20 MiB go in parts, in parallel, on S3.
    @pytest.mark.parametrize("size_bytes", [0, 1, 100_000, 20 * MIB])
    def test_returns_what_it_was_given(self, store: Store, tmp_path: Path, size_bytes: int) -> None:
        path, sha256 = build_file(tmp_path, size_bytes)
        sent: list[int] = []
        received: list[int] = []

        store.upload(path, "a/b.sog", sha256=sha256, content_type="application/zip", progress=sent.append)
        store.download("a/b.sog", tmp_path / "copy", progress=received.append)

        stored = store.stat("a/b.sog")
        assert (stored.size_bytes, stored.sha256, stored.metadata) == (size_bytes, sha256, {})
        assert (tmp_path / "copy").read_bytes() == path.read_bytes()
        assert sum(sent) == sum(received) == size_bytes

    def test_replaces_an_object(self, store: Store, tmp_path: Path) -> None:
        for seed in (1, 2):
            path, sha256 = build_file(tmp_path, 1000, seed)
            put(store, path, "key", sha256)
        assert store.stat("key").sha256 == sha256

    @pytest.mark.parametrize(
        "key", ["a b.sog", "ünï/çødé 松.sog", "plus+and&equals=.sog", "per%20cent.sog", "deep/er/still"]
    )
    def test_takes_any_key(self, store: Store, tmp_path: Path, key: str) -> None:
        path, sha256 = build_file(tmp_path, 10)
        put(store, path, key, sha256)
        store.download(key, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == path.read_bytes()
        assert store.uri(key).startswith(("s3://", "file:///"))

    def test_has_nothing_after_delete(self, store: Store, tmp_path: Path) -> None:
        path, sha256 = build_file(tmp_path, 10)
        put(store, path, "key", sha256)
        store.delete("key")
        with pytest.raises(SourceMissingError, match="key does not exist"):
            store.stat("key")

    def test_deletes_what_is_not_there(self, store: Store) -> None:
        store.delete("never")

    def test_names_a_missing_object(self, store: Store, tmp_path: Path) -> None:
        with pytest.raises(SourceMissingError, match=r"gone\.ply does not exist"):
            store.download("gone.ply", tmp_path / "copy")
        assert not (tmp_path / "copy").exists()

    @pytest.mark.parametrize("size_bytes", [0, 1, 100, 300_000])
    def test_gives_the_beginning_of_an_object(self, store: Store, tmp_path: Path, size_bytes: int) -> None:
        path, sha256 = build_file(tmp_path, size_bytes)
        put(store, path, "a b.ply", sha256, metadata={"name": "value"})
        for asked_bytes in (1, 100, 101, 1 << 20):
            content, described = store.peek("a b.ply", asked_bytes)
            assert content == path.read_bytes()[:asked_bytes]
            assert described == store.stat("a b.ply")

    def test_names_an_object_that_has_no_beginning(self, store: Store) -> None:
        with pytest.raises(SourceMissingError, match=r"gone\.ply does not exist"):
            store.peek("gone.ply", 1)

    def test_keeps_the_object_when_uploads_are_aborted(self, store: Store, tmp_path: Path) -> None:
        path, sha256 = build_file(tmp_path, 10)
        put(store, path, "key", sha256)
        store.abort_uploads("key")
        assert store.stat("key").sha256 == sha256

    def test_publishes_nothing_when_an_upload_is_checked(self, store: Store) -> None:
        store.check_upload("a/key")
        with pytest.raises(SourceMissingError):
            store.stat("a/key")


class TestList:
    def test_gives_what_begins_with_the_prefix(self, store: Store, tmp_path: Path) -> None:
        path, sha256 = build_file(tmp_path, 10)
        for key in ("raw/garden.ply", "raw/deep/er/stump.ply", "rawhide.ply", "other/a.ply"):
            put(store, path, key, sha256)
        assert [*store.list("raw/")] == [ListedObject("raw/deep/er/stump.ply", 10), ListedObject("raw/garden.ply", 10)]
        assert [entry.key for entry in store.list("raw")][-1] == "rawhide.ply"
        assert len([*store.list("")]) == 4
        assert [*store.list("none/")] == []

    def test_is_sorted_by_the_bytes_of_keys(self, store: Store, tmp_path: Path) -> None:
        path, sha256 = build_file(tmp_path, 1)
        keys = ["a/b", "a.b", "a-b", "Z", "z", "é", "松", "a/c/d", "a/c.d", "ab", "🌻", "\uffee"]
        for key in keys:
            put(store, path, key, sha256)
        assert [entry.key for entry in store.list("")] == sorted(keys, key=str.encode)


class TestMetadata:
    def test_are_kept_and_replaced_with_the_object(self, store: Store, tmp_path: Path) -> None:
        path, sha256 = build_file(tmp_path, 10)
        put(store, path, "key", sha256, metadata={"encoder": "1.0", "parameters": "a=1 b=%20"})
        assert store.stat("key").metadata == {"encoder": "1.0", "parameters": "a=1 b=%20"}
        put(store, path, "key", sha256)
        assert store.stat("key").metadata == {}

    @pytest.mark.parametrize("metadata", [{"Name": "x"}, {"name": "ü"}, {"name": "a\nb"}, {"sha256": "x"}])
    def test_are_refused_if_a_store_would_change_them(
        self, store: Store, tmp_path: Path, metadata: dict[str, str]
    ) -> None:
        path, sha256 = build_file(tmp_path, 10)
        with pytest.raises(UsageError, match="use printable ASCII and a name of lower case"):
            put(store, path, "key", sha256, metadata=metadata)

    def test_have_a_limit(self, store: Store, tmp_path: Path) -> None:
        path, sha256 = build_file(tmp_path, 10)
        put(store, path, "key", sha256, metadata={"x": "y" * 1799})
        with pytest.raises(UsageError, match="over 1800 bytes"):
            put(store, path, "key", sha256, metadata={"x": "y" * 1800})


class TestConditions:
    def test_create_only_where_nothing_is(self, store: Store, tmp_path: Path) -> None:
        path, sha256 = build_file(tmp_path, 10)
        other, other_sha256 = build_file(tmp_path, 10, seed=1)
        put(store, path, "key", sha256, condition=IfAbsent(), metadata={"by": "first"})
        with pytest.raises(ConflictError, match=r"key was written by another since it was looked at"):
            put(store, other, "key", other_sha256, condition=IfAbsent(), metadata={"by": "second"})
        stored = store.stat("key")
        assert (stored.sha256, stored.metadata) == (sha256, {"by": "first"})

    def test_replace_only_what_was_seen(self, store: Store, tmp_path: Path) -> None:
        (first, first_sha256), (next_, next_sha256) = build_file(tmp_path, 10, 1), build_file(tmp_path, 10, 2)
        put(store, first, "key", first_sha256)
        seen = store.stat("key").etag
        assert put(store, next_, "key", next_sha256, condition=IfMatch(seen)).etag == store.stat("key").etag
        with pytest.raises(ConflictError):
            put(store, first, "key", first_sha256, condition=IfMatch(seen))
        assert store.stat("key").sha256 == next_sha256

    def test_do_not_replace_what_is_gone(self, store: Store, tmp_path: Path) -> None:
        path, sha256 = build_file(tmp_path, 10)
        seen = put(store, path, "key", sha256).etag
        store.delete("key")
        with pytest.raises(ConflictError):
            put(store, path, "key", sha256, condition=IfMatch(seen))
        assert [*store.list("")] == []

    @pytest.mark.parametrize("create", [True, False], ids=["create", "replace"])
    # 17 MiB would go in parts without a condition.
    @pytest.mark.parametrize("size_bytes", [1000, 17 * MIB])
    def test_let_one_of_many_win(self, store: Store, tmp_path: Path, create: bool, size_bytes: int) -> None:
        writers = 3
        files = [build_file(tmp_path, size_bytes, seed) for seed in range(writers)]
        path, sha256 = build_file(tmp_path, 10)
        condition: Condition = IfAbsent() if create else IfMatch(put(store, path, "key", sha256).etag)
        barrier = threading.Barrier(writers)

        def write(writer: int) -> bool:
            barrier.wait()
            try:
                put(store, files[writer][0], "key", files[writer][1], condition=condition)
            except ConflictError:
                return False
            return True

        with ThreadPoolExecutor(writers) as pool:
            won = list(pool.map(write, range(writers)))
        assert sum(won) == 1
        assert store.stat("key").sha256 == files[won.index(True)][1]
        assert [entry.key for entry in store.list("")] == ["key"]


class TestCopy:
    def test_brings_content_and_metadata(self, store: Store, tmp_path: Path) -> None:
        path, sha256 = build_file(tmp_path, 1000)
        put(store, path, "staged/key", sha256, metadata={"encoder": "1.0"})
        store.copy("staged/key", "key")
        stored = store.stat("key")
        assert (stored.size_bytes, stored.sha256, stored.metadata) == (1000, sha256, {"encoder": "1.0"})
        assert store.download("key", tmp_path / "copy") == store.stat("key").etag
        assert (tmp_path / "copy").read_bytes() == path.read_bytes()

    def test_obeys_conditions(self, store: Store, tmp_path: Path) -> None:
        (one, one_sha256), (two, two_sha256) = build_file(tmp_path, 10, 1), build_file(tmp_path, 10, 2)
        put(store, one, "one", one_sha256)
        put(store, two, "two", two_sha256)
        store.copy("one", "key", condition=IfAbsent())
        with pytest.raises(ConflictError):
            store.copy("two", "key", condition=IfAbsent())
        store.copy("two", "key", condition=IfMatch(store.stat("key").etag))
        assert store.stat("key").sha256 == two_sha256

    def test_names_a_missing_source(self, store: Store) -> None:
        with pytest.raises(SourceMissingError, match="gone does not exist"):
            store.copy("gone", "key", condition=IfAbsent())


def test_deletes_many(store: Store, tmp_path: Path) -> None:
    path, sha256 = build_file(tmp_path, 1)
    for key in ("a", "b/c", "d"):
        put(store, path, key, sha256)
    store.delete_many(["a", "never", "b/c"])
    assert [entry.key for entry in store.list("")] == ["d"]
    store.delete_many([])


def test_tells_whether_the_store_compared_the_content(store: Store, tmp_path: Path) -> None:
    for size_bytes in (10, 20 * MIB):
        path, sha256 = build_file(tmp_path, size_bytes)
        receipt = put(store, path, "key", sha256)
        assert receipt.is_verified
        assert receipt.etag == store.stat("key").etag

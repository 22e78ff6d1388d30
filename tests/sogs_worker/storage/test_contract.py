"""What every store has in common: one table of promises, kept by a folder and by a real S3 server."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from s3_server import S3Server
from sogs_worker.errors import SourceMissingError
from sogs_worker.storage.base import Store, StoredObject
from sogs_worker.storage.connection import Connection, Credentials
from sogs_worker.storage.local import LocalStore
from sogs_worker.storage.s3 import S3Store

MIB = 1 << 20


def build_file(folder: Path, size_bytes: int, seed: int = 0) -> tuple[Path, str]:
    """Write random bytes; return the file and its digest."""
    content = np.random.default_rng(seed).bytes(size_bytes)
    path = folder / f"content-{size_bytes}-{seed}"
    path.write_bytes(content)
    return path, hashlib.sha256(content).hexdigest()


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "local":
        return LocalStore(tmp_path / "store")
    server: S3Server = request.getfixturevalue("s3")
    credentials = Credentials(server.admin.access_key, server.admin.secret_key)
    connection = Connection("destination", server.endpoint, "us-east-1", "path", credentials=credentials)
    return S3Store(server.new_bucket(), connection, scratch=tmp_path)


def put(store: Store, path: Path, key: str, sha256: str) -> None:
    store.upload(path, key, sha256=sha256, content_type="application/octet-stream")


class TestStore:
    # 20 MiB go in parts, in parallel, on S3.
    @pytest.mark.parametrize("size_bytes", [0, 1, 100_000, 20 * MIB])
    def test_returns_what_it_was_given(self, store: Store, tmp_path: Path, size_bytes: int) -> None:
        path, sha256 = build_file(tmp_path, size_bytes)
        sent: list[int] = []
        received: list[int] = []

        store.upload(path, "a/b.sog", sha256=sha256, content_type="application/zip", progress=sent.append)
        store.download("a/b.sog", tmp_path / "copy", progress=received.append)

        assert store.stat("a/b.sog") == StoredObject(size_bytes, sha256)
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

    def test_keeps_the_object_when_uploads_are_aborted(self, store: Store, tmp_path: Path) -> None:
        path, sha256 = build_file(tmp_path, 10)
        put(store, path, "key", sha256)
        store.abort_uploads("key")
        assert store.stat("key").sha256 == sha256

    def test_publishes_nothing_when_an_upload_is_checked(self, store: Store) -> None:
        store.check_upload("a/key")
        with pytest.raises(SourceMissingError):
            store.stat("a/key")

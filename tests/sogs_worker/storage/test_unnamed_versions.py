"""A server that names no versions, as of files that were put into the folder that it serves."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from gateway_server import Gateway
from sogs_worker.errors import StorageError
from sogs_worker.storage.base import ConflictError, IfAbsent, IfMatch, ListedObject
from sogs_worker.storage.connection import Connection, Credentials
from sogs_worker.storage.s3.store import S3Store
from sogs_worker.storage.transfer.partial import RANGE_BYTES

CONTENT = np.random.default_rng(0).bytes(RANGE_BYTES + 1000)


@pytest.fixture
def bucket(gateway: Gateway) -> str:
    return gateway.new_bucket()


@pytest.fixture
def store(gateway: Gateway, bucket: str, tmp_path: Path) -> S3Store:
    credentials = Credentials(gateway.admin.access_key, gateway.admin.secret_key)
    connection = Connection("destination", gateway.endpoint, "us-east-1", "path", credentials=credentials)
    return S3Store(bucket, connection, scratch=tmp_path)


@pytest.fixture
def dropped(gateway: Gateway, bucket: str) -> Path:
    path = gateway.folder / bucket / "raw/garden.ply"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    return path


def put(store: S3Store, folder: Path, **options: object) -> None:
    path = folder / "new"
    path.write_bytes(b"new")
    sha256 = hashlib.sha256(b"new").hexdigest()
    store.upload(path, "raw/garden.ply", sha256=sha256, content_type="x/y", **options)  # type: ignore[arg-type]


def test_a_dropped_file_is_listed_described_and_read(store: S3Store, dropped: Path, tmp_path: Path) -> None:
    assert [*store.list("raw/")] == [ListedObject("raw/garden.ply", len(CONTENT))]
    stored = store.stat("raw/garden.ply")
    assert (stored.size_bytes, stored.sha256, stored.metadata) == (len(CONTENT), None, {})
    assert store.download("raw/garden.ply", tmp_path / "copy") == stored.etag
    assert (tmp_path / "copy").read_bytes() == CONTENT == dropped.read_bytes()


def test_its_version_changes_with_it(store: S3Store, dropped: Path) -> None:
    before = store.stat("raw/garden.ply").etag
    os.utime(dropped, (1, 1))
    assert store.stat("raw/garden.ply").etag != before


def test_a_file_that_changes_while_it_is_read_is_noticed(
    store: S3Store, dropped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = store.stat

    def change_after(key: str) -> object:
        stored = whole(key)
        os.utime(dropped, (1, 1))
        return stored

    monkeypatch.setattr(store, "stat", change_after)
    with pytest.raises(StorageError, match="changed while it was read"):
        store.download("raw/garden.ply", tmp_path / "copy")


def test_conditions_on_it_are_looked_at(store: S3Store, dropped: Path, tmp_path: Path) -> None:
    seen = store.stat("raw/garden.ply").etag
    with pytest.raises(ConflictError):
        put(store, tmp_path, condition=IfAbsent())
    os.utime(dropped, (1, 1))
    with pytest.raises(ConflictError):
        put(store, tmp_path, condition=IfMatch(seen))
    put(store, tmp_path, condition=IfMatch(store.stat("raw/garden.ply").etag))
    assert store.stat("raw/garden.ply").size_bytes == 3


@pytest.mark.usefixtures("dropped")
def test_it_can_be_copied(store: S3Store, tmp_path: Path) -> None:
    store.copy("raw/garden.ply", "out/garden.ply", condition=IfAbsent())
    store.download("out/garden.ply", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == CONTENT

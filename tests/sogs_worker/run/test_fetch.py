"""The source: what is refused before and after it is moved."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sogs_worker.errors import BadInputError, StorageError
from sogs_worker.fetch import fetch, require_space
from sogs_worker.joblog import ProgressLog
from sogs_worker.storage.local import LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    (tmp_path / "store").mkdir()
    (tmp_path / "store/a.PLY").write_bytes(b"content")
    (tmp_path / "store/a.splat").write_bytes(b"content")
    return LocalStore(tmp_path / "store")


def fetch_quietly(store: LocalStore, key: str, scratch: Path, sha256: str | None = None) -> Path:
    return fetch(store, key, sha256=sha256, scratch=scratch, log=ProgressLog(write=lambda _line: None))


def test_brings_the_file(store: LocalStore, tmp_path: Path) -> None:
    path = fetch_quietly(store, "a.PLY", tmp_path, hashlib.sha256(b"content").hexdigest())
    assert (path.suffix, path.read_bytes()) == (".ply", b"content")


def test_refuses_another_content(store: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=f"SHA-256 {hashlib.sha256(b'content').hexdigest()}, not 00"):
        fetch_quietly(store, "a.PLY", tmp_path, "00")


def test_refuses_other_kinds_of_files_without_moving_them(store: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"a\.obj is of a kind that cannot be read"):
        fetch_quietly(store, "a.obj", tmp_path)
    assert not (tmp_path / "source.obj").exists()


def test_refuses_what_scratch_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"needs 1,500,016,777,216 bytes .* raise the ephemeral-storage"):
        require_space(tmp_path, 10**12, "s3://scenes/huge.ply")
    require_space(tmp_path, 1, "s3://scenes/tiny.ply")

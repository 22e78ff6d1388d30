"""A folder as a store: what is special about files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sogs_worker.errors import NotPermittedError, StorageError, UsageError
from sogs_worker.storage.base import IfAbsent, IfMatch
from sogs_worker.storage.local import LocalStore, unfinished

DIGEST = hashlib.sha256(b"new").hexdigest()


@pytest.mark.parametrize("key", ["../outside", "a/../../outside", "/etc/passwd"])
def test_stays_in_its_folder(tmp_path: Path, key: str) -> None:
    with pytest.raises(UsageError, match="leaves the folder"):
        LocalStore(tmp_path / "store").delete(key)


@pytest.mark.parametrize("key", ["", "."])
def test_its_folder_is_no_object(tmp_path: Path, key: str) -> None:
    with pytest.raises(UsageError, match="names the folder"):
        LocalStore(tmp_path / "store").delete(key)


def test_lists_nothing_outside_its_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="leaves the folder"):
        next(LocalStore(tmp_path / "store").list("../"))


def test_removes_what_an_interrupted_upload_left(tmp_path: Path) -> None:
    leftover = unfinished(tmp_path / "key")
    leftover.write_bytes(b"half")
    LocalStore(tmp_path).abort_uploads("key")
    assert not leftover.exists()


def test_keeps_the_old_object_when_a_write_fails(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store/key").write_bytes(b"old")
    with pytest.raises(StorageError, match=r"gone cannot be copied to .*: No such file or directory"):
        LocalStore(tmp_path / "store").upload(tmp_path / "gone", "key", sha256=DIGEST, content_type="text/plain")
    assert (tmp_path / "store/key").read_bytes() == b"old"


def test_notices_other_content_than_announced(tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"not what was announced")
    with pytest.raises(StorageError, match="would not hold what was to be written"):
        LocalStore(tmp_path / "store").upload(tmp_path / "new", "key", sha256=DIGEST, content_type="text/plain")
    assert list((tmp_path / "store").iterdir()) == []


def test_refuses_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotPermittedError, match="cannot be made"):
        LocalStore(tmp_path).check_upload("file/key")


def test_metadata_of_another_content_are_not_told(tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"new")
    store = LocalStore(tmp_path / "store")
    store.upload(tmp_path / "new", "key", sha256=DIGEST, content_type="text/plain", metadata={"encoder": "1"})
    (tmp_path / "store/key").write_bytes(b"written over by hand")
    assert store.stat("key").metadata == {}


def test_its_own_files_are_no_objects(tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"new")
    store = LocalStore(tmp_path / "store")
    unfinished(tmp_path / "store/other").parent.mkdir()
    unfinished(tmp_path / "store/other").write_bytes(b"half")
    for condition in (IfAbsent(), IfMatch(DIGEST)):
        store.upload(
            tmp_path / "new",
            "key",
            sha256=DIGEST,
            content_type="text/plain",
            metadata={"encoder": "1"},
            condition=condition,
        )
    assert [entry.key for entry in store.list("")] == ["key"]

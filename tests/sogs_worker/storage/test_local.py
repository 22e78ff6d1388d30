"""A folder as a store: what is special about files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sogs_worker.errors import NotPermittedError, StorageError, UsageError
from sogs_worker.storage.local import LocalStore, unfinished

DIGEST = hashlib.sha256(b"new").hexdigest()


@pytest.mark.parametrize("key", ["../outside", "a/../../outside", "/etc/passwd", "", "."])
def test_stays_in_its_folder(tmp_path: Path, key: str) -> None:
    with pytest.raises(UsageError, match="leaves the folder"):
        LocalStore(tmp_path / "store").delete(key)


def test_removes_what_an_interrupted_upload_left(tmp_path: Path) -> None:
    leftover = unfinished(tmp_path / "key")
    leftover.write_bytes(b"half")
    LocalStore(tmp_path).abort_uploads("key")
    assert not leftover.exists()


def test_keeps_the_old_object_when_a_write_fails(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store/key").write_bytes(b"old")
    unfinished(tmp_path / "store/key").mkdir()  # nothing can be written where a folder is
    (tmp_path / "new").write_bytes(b"new")
    with pytest.raises(StorageError, match=r"cannot be copied to .* Is a directory"):
        LocalStore(tmp_path / "store").upload(tmp_path / "new", "key", sha256=DIGEST, content_type="text/plain")
    assert (tmp_path / "store/key").read_bytes() == b"old"


def test_notices_other_content_than_announced(tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"not what was announced")
    with pytest.raises(StorageError, match="does not hold what was written"):
        LocalStore(tmp_path / "store").upload(tmp_path / "new", "key", sha256=DIGEST, content_type="text/plain")


def test_refuses_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotPermittedError, match="cannot be made"):
        LocalStore(tmp_path).check_upload("file/key")

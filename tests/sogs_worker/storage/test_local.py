"""A folder as a store: what is special about files."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from sogs_worker.errors import NotPermittedError, SourceMissingError, StorageError, UsageError
from sogs_worker.storage.base import IfAbsent, IfMatch
from sogs_worker.storage.local.files import LocalFiles
from sogs_worker.storage.local.sidecar import unfinished, write_description
from sogs_worker.storage.local.store import LocalStore
from sogs_worker.storage.transfer.integrity import digest_file

USER = 65532
DIGEST = hashlib.sha256(b"new").hexdigest()


@pytest.mark.parametrize("key", ["../outside", "a/../../outside", "/etc/passwd"])
def test_stays_in_its_folder(tmp_path: Path, key: str) -> None:
    with pytest.raises(UsageError, match="leaves the folder"):
        LocalStore(tmp_path / "store").delete(key)


def test_a_file_that_goes_while_a_folder_is_listed_is_not_there(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(b"here")
    listed = LocalFiles(tmp_path).list("")
    assert next(listed).key == "a"
    (tmp_path / "b").unlink()
    assert [entry.key for entry in listed] == ["c"]


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
    with pytest.raises(StorageError, match=r"cannot write file:///.*/store/key: No such file or directory; check"):
        LocalStore(tmp_path / "store").upload(tmp_path / "gone", "key", sha256=DIGEST, content_type="text/plain")
    assert (tmp_path / "store/key").read_bytes() == b"old"


def test_notices_other_content_than_announced(tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"not what was announced")
    with pytest.raises(StorageError, match="would hold other bytes than were sent"):
        LocalStore(tmp_path / "store").upload(tmp_path / "new", "key", sha256=DIGEST, content_type="text/plain")
    assert list((tmp_path / "store").iterdir()) == []


def test_refuses_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=r"cannot write file:///.*/file/key: File exists"):
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
    for replaces in (False, True):
        store.upload(
            tmp_path / "new",
            "key",
            sha256=DIGEST,
            content_type="text/plain",
            metadata={"encoder": "1"},
            condition=IfMatch(store.stat("key").etag) if replaces else IfAbsent(),
        )
    assert [entry.key for entry in store.list("")] == ["key"]


def test_keeps_its_own_address(tmp_path: Path) -> None:
    store = LocalStore(tmp_path, "pvc://scenes/")
    assert store.uri("raw/garden.ply") == "pvc://scenes/raw/garden.ply"
    with pytest.raises(SourceMissingError, match=r"^pvc://scenes/raw/garden.ply does not exist"):
        store.stat("raw/garden.ply")


@pytest.fixture
def as_user() -> Iterator[Path]:
    """Give a folder to a process that may not do everything: root becomes the user of the worker's image meanwhile."""
    with TemporaryDirectory() as folder:  # below a folder that others may enter, unlike tmp_path
        is_root = os.getuid() == 0
        Path(folder).chmod(0o777)
        if is_root:
            os.setresuid(USER, USER, 0)
        try:
            yield Path(folder)
        finally:
            if is_root:
                os.setresuid(0, 0, 0)


def test_refuses_for_good_what_its_user_may_not_do(as_user: Path) -> None:
    (as_user / "closed").mkdir(mode=0o555)
    (as_user / "secret").write_bytes(b"")
    (as_user / "secret").chmod(0)
    with pytest.raises(NotPermittedError, match=r"may not write .*/closed/key; change the mode"):
        LocalStore(as_user).check_upload("closed/key")
    with pytest.raises(NotPermittedError, match="may not read"):
        LocalStore(as_user).download("secret", as_user / "copy")


def test_notices_a_file_that_changes_while_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(bytes(10))
    with pytest.raises(StorageError, match="changed while it was read"):
        LocalStore(tmp_path).download("key", tmp_path / "copy", lambda _moved: (tmp_path / "key").write_bytes(b"new"))
    assert not (tmp_path / "copy").exists()


def test_a_file_that_is_replaced_while_it_is_read_is_read_as_it_was(tmp_path: Path) -> None:
    """As from a bucket: two pods that merge at once write the same manifest, and each reads one or the other's."""
    (tmp_path / "key").write_bytes(b"before")
    (tmp_path / "new").write_bytes(b"after")
    store = LocalStore(tmp_path)
    before = store.stat("key").etag
    etag = store.download("key", tmp_path / "copy", lambda _moved: (tmp_path / "new").replace(tmp_path / "key"))
    assert (etag, (tmp_path / "copy").read_bytes()) == (before, b"before")


def test_a_link_out_of_the_folder_is_no_object(tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"secret")
    (tmp_path / "store").mkdir()
    (tmp_path / "store/inside").write_bytes(b"")
    (tmp_path / "store/link").symlink_to(tmp_path / "outside")
    (tmp_path / "store/broken").symlink_to(tmp_path / "nowhere")
    assert [entry.key for entry in LocalStore(tmp_path / "store").list("")] == ["inside"]


def test_a_folder_that_may_not_be_read_is_not_passed_over(as_user: Path) -> None:
    (as_user / "raw").mkdir()
    (as_user / "raw/closed").mkdir(mode=0)
    with pytest.raises(NotPermittedError, match="may not list"):
        list(LocalStore(as_user).list("raw/"))


def test_the_file_systems_own_folder_is_passed_over(as_user: Path) -> None:
    (as_user / "lost+found").mkdir(mode=0)
    (as_user / "garden.ply").write_bytes(b"")
    assert [entry.key for entry in LocalStore(as_user).list("")] == ["garden.ply"]


def test_a_folder_that_is_not_there_has_no_objects(tmp_path: Path) -> None:
    assert list(LocalStore(tmp_path).list("gone/")) == []


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (["a.sog", "a.sog/b.sog"], "would be a file and a folder at once"),
        (["there/a.sog/b.sog"], "would be a file and a folder at once"),
        (["there"], "would be a file and a folder at once"),
        (["x" * 256], "has a name of more than 255 bytes"),
    ],
)
def test_keys_that_cannot_all_be_files_are_refused(tmp_path: Path, keys: list[str], words: str) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there/a.sog").write_bytes(b"")
    with pytest.raises(UsageError, match=words):
        LocalStore(tmp_path).check_keys(keys)
    LocalStore(tmp_path).check_keys(["there/a.sog", "there/b/c.sog", "x" * 255])


def test_takes_the_longest_name_there_is(tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"new")
    store = LocalStore(tmp_path / "store")
    store.upload(tmp_path / "new", "x" * 255, sha256=DIGEST, content_type="", condition=IfAbsent())
    assert store.stat("x" * 255).sha256 == DIGEST


def test_what_a_writer_left_that_died_goes_with_its_hidden_folder(tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"new")
    store = LocalStore(tmp_path)
    store.upload(tmp_path / "new", "out/.splats/task/key", sha256=DIGEST, content_type="")
    write_description(tmp_path / "out/.splats/task/other", etag="1", sha256=DIGEST, metadata={})
    store.delete("out/.splats/task/key")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_check_leaves_no_hidden_folder(tmp_path: Path) -> None:
    LocalStore(tmp_path).check_upload("out/.splats/task/record.json")
    assert list((tmp_path / "out").iterdir()) == []


def test_an_emptied_hidden_folder_goes_and_the_users_stay(tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"new")
    store = LocalStore(tmp_path / "store")
    for key in ("out/.splats/task/attempt/a", "out/.splats/task/record"):
        store.upload(tmp_path / "new", key, sha256=DIGEST, content_type="", condition=IfAbsent())
    store.delete_many(["out/.splats/task/attempt/a", "out/.splats/task/record", "out/never/there"])
    assert list((tmp_path / "store/out").iterdir()) == []


def test_a_folder_that_others_empty_may_be_written_to_and_listed(tmp_path: Path) -> None:
    """As when pods of one run begin and end at once in one hidden folder."""
    (tmp_path / "new").write_bytes(b"new")
    store = LocalStore(tmp_path / "store")

    def write(name: int) -> None:
        for _ in range(150):
            key = f".splats/run/{name}/key"
            store.check_upload(f".splats/run/{name}/other")
            store.upload(tmp_path / "new", key, sha256=DIGEST, content_type="", condition=IfAbsent())
            list(store.list(".splats/"))
            store.delete(key)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert list((tmp_path / "store").iterdir()) == []


def put(store: LocalStore, folder: Path, key: str, content: bytes = b"content", **options: Any) -> str:
    path = folder / "put"
    path.write_bytes(content)
    return store.upload(path, key, sha256=digest_file(path), content_type="x/y", **options).etag


def test_a_copy_is_another_name_of_the_file(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    put(store, tmp_path, "hidden", metadata={"made-by": "me"})
    put(store, tmp_path, "visible", b"earlier")
    store.copy("hidden", "visible", condition=IfMatch(store.stat("visible").etag))
    store.copy("hidden", "visible")  # the same file once more
    assert (store.root / "hidden").samefile(store.root / "visible")
    assert store.stat("visible") == store.stat("hidden")
    store.delete("hidden")
    assert (store.root / "visible").read_bytes() == b"content"
    assert store.stat("visible").metadata == {"made-by": "me"}
    assert sorted(path.name for path in store.root.iterdir() if path.suffix == ".unfinished") == []


def test_a_copy_is_a_file_where_a_file_has_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "no links here")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    store = LocalStore(tmp_path / "store")
    put(store, tmp_path, "hidden", metadata={"made-by": "me"})
    store.copy("hidden", "visible", condition=IfAbsent())
    assert not (store.root / "hidden").samefile(store.root / "visible")
    assert (store.root / "visible").read_bytes() == b"content"
    there, hidden = store.stat("visible"), store.stat("hidden")
    assert (there.sha256, there.metadata) == (hidden.sha256, hidden.metadata)


def test_an_output_is_read_once_and_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, Path]] = []
    whole = Path.open

    def noting(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        opened.append((mode, path))
        return whole(path, mode, *arguments, **options)

    store = LocalStore(tmp_path / "store")
    output = tmp_path / "output"
    output.write_bytes(b"content")
    sha256 = digest_file(output)
    monkeypatch.setattr(Path, "open", noting)
    store.upload(output, "hidden", sha256=sha256, content_type="x/y")
    store.copy("hidden", "visible", condition=IfAbsent())
    contents = [(mode, path) for mode, path in opened if path.suffix not in (".metadata", ".lock")]
    assert [mode for mode, _ in contents if "b" in mode] == ["rb", "wb"]
    assert contents[0] == ("rb", output)

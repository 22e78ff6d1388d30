"""All or nothing: what is withdrawn after a failure, in which order, and what stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from sogs_worker.errors import StorageError
from sogs_worker.publication import Publication, withdraw
from sogs_worker.storage.local import LocalStore, unfinished


class Deletions(LocalStore):
    """A folder that remembers the order in which objects were deleted."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.deleted: list[str] = []

    def delete(self, key: str) -> None:
        super().delete(key)
        self.deleted.append(key)


@pytest.fixture
def store(tmp_path: Path) -> Deletions:
    return Deletions(tmp_path / "store")


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "journal"
    path.touch()
    return path


def publish(store: LocalStore, journal: Path, key: str, content: str) -> str:
    path = journal.with_name("file")
    path.write_text(content)
    return Publication(store, journal).upload(path, key, content_type="text/plain")


def test_withdraws_all_with_the_last_first(store: Deletions, journal: Path) -> None:
    for key in ("a.sog", "a.png", "a.manifest.json"):
        publish(store, journal, key, key)
    withdraw(store, journal)
    assert store.deleted == ["a.manifest.json", "a.png", "a.sog"]
    assert list(store.root.iterdir()) == []


def test_leaves_what_another_run_has_written_since(store: Deletions, journal: Path) -> None:
    publish(store, journal, "a.sog", "ours")
    (store.root / "a.sog").write_text("theirs")
    withdraw(store, journal)
    assert (store.root / "a.sog").read_text() == "theirs"


def test_removes_an_upload_that_was_never_finished(store: Deletions, journal: Path) -> None:
    publish(store, journal, "a.sog", "ours")
    (store.root / "a.sog").rename(unfinished(store.root / "a.sog"))
    withdraw(store, journal)
    assert list(store.root.iterdir()) == []


def test_has_nothing_to_do_where_nothing_was_begun(store: Deletions, journal: Path) -> None:
    withdraw(store, journal)
    assert store.deleted == []


def test_goes_on_after_an_object_that_cannot_be_withdrawn(
    store: Deletions, journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(store, journal, "a.sog", "ours")
    publish(store, journal, "a.png", "ours")
    unfinished(store.root / "a.png").mkdir()  # cannot be removed as a file
    (store.root / "a.png").unlink()
    withdraw(store, journal)
    assert store.deleted == ["a.sog"]
    assert "a.png may be left over" in capsys.readouterr().out


def test_retracts_the_manifest_of_an_earlier_run(store: Deletions, journal: Path) -> None:
    publication = Publication(store, journal)
    publication.retract_manifest("a.manifest.json")
    assert store.deleted == []
    store.root.mkdir()
    (store.root / "a.manifest.json").write_text("{}")
    publication.retract_manifest("a.manifest.json")
    assert store.deleted == ["a.manifest.json"]


def test_notices_that_other_bytes_come_back(store: Deletions, journal: Path, tmp_path: Path) -> None:
    sha256 = publish(store, journal, "a.sog", "ours")
    publication = Publication(store, journal)
    publication.read_back("a.sog", tmp_path / "copy", sha256=sha256)
    (store.root / "a.sog").write_text("rotten")
    with pytest.raises(StorageError, match=r"a\.sog came back with the digest"):
        publication.read_back("a.sog", tmp_path / "copy", sha256=sha256)

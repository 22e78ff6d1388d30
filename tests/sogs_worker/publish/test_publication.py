"""All or nothing: whenever a run ends and whoever else writes, what is visible is one run's; the next one ends well."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mortal_store import Killed, Mortal, copy_tree
from sogs_worker.errors import StorageError
from sogs_worker.publish.publication import Publication, look_up
from sogs_worker.storage.base import Condition, ConflictError, Receipt
from sogs_worker.storage.local.store import LocalStore
from sogs_worker.storage.transfer.integrity import digest_file
from sogs_worker.task.hidden import hidden_folder

MANIFEST = "out/garden.manifest.json"
FOLDER = hidden_folder(MANIFEST, "a" * 64)
MARK = {"made-by": "default/garden"}
OUTPUTS = {"out/a.sog": "new a", "out/b.sog": "new b", "out/c.sog": "new c"}
UNBUNDLED = {"out/d/meta.json": "new meta", "out/d/a.webp": "new plane", "out/d/z.webp": "new plane"}
"""An output of several files; a plane comes before its metadata in a listing, another after it."""
OLD_UNBUNDLED = {key: text.replace("new", "old") for key, text in UNBUNDLED.items()}
FIRST_COPY = 5
"""After the cleaning of an earlier attempt, three uploads and the record."""


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    path = tmp_path / "scratch"
    path.mkdir()
    return path


@pytest.fixture
def root(tmp_path: Path, scratch: Path) -> Path:
    """Prepare a destination with the outputs of an earlier task."""
    path = tmp_path / "store"
    for key, text in [("out/a.sog", "old a"), ("out/b.sog", "old b"), (MANIFEST, json.dumps({"of": "old"}))]:
        write(LocalStore(path), scratch, key, text)
    return path


def write(store: LocalStore, scratch: Path, key: str, text: str) -> None:
    file = scratch / "written"
    file.write_text(text)
    store.upload(file, key, sha256=digest_file(file), content_type="text/plain")


@pytest.fixture(params=["replaced", "made"])
def unbundled_root(request: pytest.FixtureRequest, root: Path, scratch: Path) -> Path:
    """Prepare a destination with or without an earlier output of several files."""
    for key, text in OLD_UNBUNDLED.items() if request.param == "replaced" else []:
        write(LocalStore(root), scratch, key, text)
    return root


def publication(store: LocalStore, scratch: Path, attempt: str = "1") -> Publication:
    return Publication(store, FOLDER, mark=MARK, attempt=attempt, scratch=scratch)


def run(store: LocalStore, scratch: Path, attempt: str = "1", outputs: Mapping[str, str] = OUTPUTS) -> dict[str, Any]:
    """Do what a run does."""
    publishing = publication(store, scratch, attempt)
    if manifest := publishing.resume():
        return manifest
    staged = [publishing.stage(file_of(scratch, text), key, content_type="x/y") for key, text in outputs.items()]
    return publishing.commit(staged, MANIFEST, {"of": "new"})


def file_of(scratch: Path, text: str) -> Path:
    path = scratch / text
    path.write_text(text)
    return path


def visible(root: Path) -> dict[str, str]:
    """Read all objects that are not hidden."""
    store = LocalStore(root)
    keys = [entry.key for entry in store.list("") if "/.splats/" not in entry.key]
    return {key: (root / key).read_text() for key in keys}


def manifest_of(root: Path) -> str:
    return str(json.loads(visible(root)[MANIFEST])["of"])


def hidden(root: Path) -> list[str]:
    return [entry.key for entry in LocalStore(root).list(FOLDER)]


def test_a_run_replaces_all_and_leaves_nothing_hidden(root: Path, scratch: Path) -> None:
    assert run(LocalStore(root), scratch) == {"of": "new"}
    assert {key: text for key, text in visible(root).items() if key != MANIFEST} == OUTPUTS
    assert manifest_of(root) == "new"
    assert hidden(root) == []


def test_whenever_a_run_is_killed_the_next_one_ends_well(root: Path, scratch: Path, tmp_path: Path) -> None:
    whole = Mortal(root.with_name("whole"))
    run(whole, scratch)
    assert whole.writes >= 7  # three uploads, the record, three copies, the manifest, and cleaning
    for dies_at in range(whole.writes):
        for is_done in (False, True):
            place = tmp_path / f"{dies_at}{is_done}"
            copy_tree(root, place)
            before = visible(place)
            with pytest.raises(Killed):
                run(Mortal(place, dies_at=dies_at, is_done=is_done), scratch)
            seen = visible(place)
            if manifest_of(place) == "new":
                assert OUTPUTS.items() <= seen.items(), "the manifest came before what it names"
            assert all(seen[key] in (before.get(key), OUTPUTS.get(key)) for key in seen if key != MANIFEST)
            if not any(key.endswith("record.json") for key in hidden(place)) and manifest_of(place) == "old":
                assert seen == before, "something was visible before there was a record"
            run(LocalStore(place), scratch, attempt="2")
            assert OUTPUTS.items() <= visible(place).items()
            assert (manifest_of(place), hidden(place)) == ("new", [])


def unbundled_of(root: Path) -> dict[str, str]:
    """Read the files of the output that has several, if a reader could: if it has metadata."""
    seen = {key: text for key, text in visible(root).items() if key in UNBUNDLED}
    return seen if seen.get("out/d/meta.json") in ("old meta", "new meta") else {}


def test_whenever_a_run_is_killed_nobody_reads_planes_by_the_metadata_of_others(
    unbundled_root: Path, scratch: Path, tmp_path: Path
) -> None:
    before = unbundled_of(unbundled_root)
    copy_tree(unbundled_root, tmp_path / "whole")
    whole = Mortal(tmp_path / "whole")
    run(whole, scratch, outputs=UNBUNDLED)
    told = set()
    for dies_at in range(whole.writes):
        for is_done in (False, True):
            place = tmp_path / f"{dies_at}{is_done}"
            copy_tree(unbundled_root, place)
            with pytest.raises(Killed):
                run(Mortal(place, dies_at=dies_at, is_done=is_done), scratch, outputs=UNBUNDLED)
            readable = unbundled_of(place)
            assert readable in (before, UNBUNDLED, {})
            told.add(readable.get("out/d/meta.json"))
            if manifest_of(place) == "new":
                assert readable == UNBUNDLED, "the manifest came before what it names"
            run(LocalStore(place), scratch, attempt="2", outputs=UNBUNDLED)
            assert UNBUNDLED.items() <= visible(place).items()
            assert (manifest_of(place), hidden(place)) == ("new", [])
    assert told >= {before.get("out/d/meta.json"), None, "new meta"}


def test_of_two_runs_that_replace_the_same_planes_the_second_changes_nothing(
    unbundled_root: Path, scratch: Path
) -> None:
    """The other one has its note in place of the metadata, and not yet any plane."""
    theirs = publication(Mortal(unbundled_root, dies_at=5), scratch)
    staged = [theirs.stage(file_of(scratch, text), key, content_type="x/y") for key, text in UNBUNDLED.items()]
    ours = Publication(
        LocalStore(unbundled_root),
        hidden_folder("out/lawn.manifest.json", "b" * 64),
        mark=MARK,
        attempt="1",
        scratch=scratch,
    )
    our_staged = [ours.stage(file_of(scratch, f"our {key[-6:]}"), key, content_type="x/y") for key in UNBUNDLED]
    with pytest.raises(Killed):
        theirs.commit(staged, MANIFEST, {"of": "new"})
    before = visible(unbundled_root)
    with pytest.raises(ConflictError, match="written by another run meanwhile"):
        ours.commit(our_staged, "out/lawn.manifest.json", {"of": "ours"})
    assert visible(unbundled_root) == before
    assert publication(LocalStore(unbundled_root), scratch, attempt="2").resume() == {"of": "new"}
    assert unbundled_of(unbundled_root) == UNBUNDLED


class Invaded(LocalStore):
    """A folder in which somebody who knows nothing of notes writes while the first file gets its name."""

    def copy(self, source_key: str, key: str, *, condition: Condition | None = None) -> None:
        if key.endswith("a.webp"):
            write(LocalStore(self.root), self.root.parent / "scratch", "out/d/z.webp", "foreign")
        super().copy(source_key, key, condition=condition)


def test_planes_of_two_hands_are_left_without_metadata(unbundled_root: Path, scratch: Path) -> None:
    with pytest.raises(ConflictError):
        run(Invaded(unbundled_root), scratch, outputs=UNBUNDLED)
    seen = visible(unbundled_root)
    assert (seen["out/d/z.webp"], manifest_of(unbundled_root), hidden(unbundled_root)) == ("foreign", "old", [])
    assert "out/d/meta.json" not in seen
    run(LocalStore(unbundled_root), scratch, attempt="2", outputs=UNBUNDLED)
    assert unbundled_of(unbundled_root) == UNBUNDLED


def test_a_recorded_run_is_finished_without_its_work(root: Path, scratch: Path) -> None:
    first = Mortal(root, dies_at=FIRST_COPY)
    with pytest.raises(Killed):
        run(first, scratch)
    assert publication(LocalStore(root), scratch, attempt="2").resume() == {"of": "new"}
    assert OUTPUTS.items() <= visible(root).items()


def test_of_two_runs_one_wins_and_the_other_changes_nothing(root: Path, scratch: Path) -> None:
    ours = publication(LocalStore(root), scratch, attempt="1")
    staged = [ours.stage(file_of(scratch, text), key, content_type="x/y") for key, text in OUTPUTS.items()]
    write(LocalStore(root), scratch, "out/b.sog", "theirs")
    before = visible(root)
    with pytest.raises(ConflictError, match=r"b\.sog was written by another run meanwhile"):
        ours.commit(staged, MANIFEST, {"of": "new"})
    assert visible(root) == before
    assert hidden(root) == []


def test_of_two_attempts_at_one_task_one_commits(root: Path, scratch: Path) -> None:
    ours, theirs = (publication(LocalStore(root), scratch, attempt) for attempt in ("1", "2"))
    staged = [ours.stage(file_of(scratch, "new a"), "out/a.sog", content_type="x/y")]
    record = [theirs.stage(file_of(scratch, "new a"), "out/a.sog", content_type="x/y")]
    assert theirs.commit(record, MANIFEST, {"of": "new"}) == {"of": "new"}
    assert ours.commit(staged, MANIFEST, {"of": "new"}) == {"of": "new"}  # the same content: nothing to replace
    assert visible(root)["out/a.sog"] == "new a"


def test_an_attempt_that_is_late_leaves_the_record_and_its_outputs_alone(root: Path, scratch: Path) -> None:
    ours = publication(LocalStore(root), scratch, attempt="2")
    staged = [ours.stage(file_of(scratch, "new a"), "out/a.sog", content_type="x/y")]
    theirs = Publication(Mortal(root, dies_at=1), FOLDER, mark=MARK, attempt="1", scratch=scratch)
    theirs_staged = [
        publication(LocalStore(root), scratch).stage(file_of(scratch, "new b"), "out/b.sog", content_type="")
    ]
    with pytest.raises(Killed):
        theirs.commit(theirs_staged, MANIFEST, {"of": "theirs"})  # after its record
    with pytest.raises(ConflictError):
        ours.commit(staged, MANIFEST, {"of": "ours"})
    assert publication(LocalStore(root), scratch, attempt="3").resume() == {"of": "theirs"}
    assert visible(root)["out/b.sog"] == "new b"
    assert (visible(root)["out/a.sog"], hidden(root)) == ("old a", [])


def test_a_record_whose_outputs_are_gone_is_void(root: Path, scratch: Path) -> None:
    with pytest.raises(Killed):
        run(Mortal(root, dies_at=FIRST_COPY), scratch)
    store = LocalStore(root)
    assert any(key.endswith("record.json") for key in hidden(root))
    store.delete_many([key for key in hidden(root) if not key.endswith("record.json")])
    assert publication(store, scratch, attempt="2").resume() is None
    assert hidden(root) == []
    assert manifest_of(root) == "old"


def test_discards_what_is_not_recorded_and_keeps_what_is(root: Path, scratch: Path) -> None:
    ours = publication(LocalStore(root), scratch)
    ours.stage(file_of(scratch, "new a"), "out/a.sog", content_type="x/y")
    ours.discard()
    assert hidden(root) == []
    with pytest.raises(Killed):
        run(Mortal(root, dies_at=FIRST_COPY), scratch)
    before = hidden(root)
    ours.discard()
    assert hidden(root) == before


class Forgetful(LocalStore):
    """A folder that does not check what it is given."""

    def upload(self, path: Path, key: str, **options: Any) -> Receipt:
        receipt = super().upload(path, key, **options)
        if key.startswith(FOLDER) and not key.endswith(".json"):
            (self.root / key).write_text("rotten")
        return receipt._replace(is_verified=False)


def test_notices_that_other_bytes_come_back(root: Path, scratch: Path) -> None:
    with pytest.raises(StorageError, match="came back with the digest"):
        publication(Forgetful(root), scratch).stage(file_of(scratch, "new a"), "out/a.sog", content_type="x/y")


def test_the_hidden_folder_is_the_tasks_own() -> None:
    assert hidden_folder(MANIFEST, "a" * 64) == FOLDER
    assert FOLDER.startswith("out/.splats/garden/")
    assert hidden_folder(MANIFEST, "b" * 64) != FOLDER
    assert hidden_folder("out/lawn.manifest.json", "a" * 64) != FOLDER
    assert hidden_folder("garden.manifest.json", "a" * 64).startswith(".splats/garden/")


def test_an_object_that_is_missing_is_none(root: Path) -> None:
    assert look_up(LocalStore(root), "out/none.sog") is None

"""All or nothing: whenever a run ends and whoever else writes, what is visible is one run's; the next one ends well."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mortal_store import Killed, Mortal, copy_tree
from sogs_worker.errors import NotPermittedError, StorageError
from sogs_worker.publish.publication import Publication
from sogs_worker.publish.staged import Staged, look_up
from sogs_worker.storage.base import Condition, ConflictError, Moved, Receipt, ignore_progress
from sogs_worker.storage.local.store import LocalStore
from sogs_worker.storage.transfer.integrity import digest_file
from sogs_worker.task.hidden import hidden_folder

MANIFEST = "out/garden.manifest.json"
OWNER = "default/garden"
FOLDER = hidden_folder(MANIFEST, OWNER)
MARK = {"made-by": OWNER}
OUTPUTS = {"out/a.sog": "new a", "out/b.sog": "new b", "out/c.sog": "new c"}
UNBUNDLED = {"out/d/meta.json": "new meta", "out/d/a.webp": "new plane", "out/d/z.webp": "new plane"}
"""An output of several files; a plane comes before its metadata in a listing, another after it."""
OLD_UNBUNDLED = {key: text.replace("new", "old") for key, text in UNBUNDLED.items()}
FIRST_COPY = 5
"""After the claim, three uploads and the record."""


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
    return Publication(store, FOLDER, mark=MARK, task="a", attempt=attempt, scratch=scratch)


def begun(store: LocalStore, scratch: Path, attempt: str = "1") -> Publication:
    publishing = publication(store, scratch, attempt)
    publishing.resume(MANIFEST)
    return publishing


def run(store: LocalStore, scratch: Path, attempt: str = "1", outputs: Mapping[str, str] = OUTPUTS) -> dict[str, Any]:
    """Do what a run does."""
    publishing = publication(store, scratch, attempt)
    if manifest := publishing.resume(MANIFEST):
        publishing.close()
        return manifest
    return publishing.commit(stage(publishing, scratch, outputs), {"of": "new"})


def stage(publishing: Publication, scratch: Path, outputs: Mapping[str, str] = OUTPUTS) -> list[Staged]:
    return [publishing.stage(file_of(scratch, text), key, content_type="x/y") for key, text in outputs.items()]


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


def is_recorded(root: Path) -> bool:
    """Say whether an attempt has come to its record."""
    claims = [json.loads((root / key).read_bytes()) for key in hidden(root) if key.endswith("/attempt.json")]
    return any(claim["record"] for claim in claims)


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
            if not is_recorded(place) and manifest_of(place) == "old":
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
    theirs = begun(Mortal(unbundled_root, dies_at=6), scratch)
    staged = stage(theirs, scratch, UNBUNDLED)
    lawn = "out/lawn.manifest.json"
    folder, mark = hidden_folder(lawn, "default/lawn"), {"made-by": "default/lawn"}
    ours = Publication(LocalStore(unbundled_root), folder, mark=mark, task="b", attempt="1", scratch=scratch)
    ours.resume(lawn)
    our_staged = stage(ours, scratch, {key: f"our {key[-6:]}" for key in UNBUNDLED})
    with pytest.raises(Killed):
        theirs.commit(staged, {"of": "new"})
    before = visible(unbundled_root)
    with pytest.raises(ConflictError, match="written by another run meanwhile"):
        ours.commit(our_staged, {"of": "ours"})
    assert visible(unbundled_root) == before
    assert publication(LocalStore(unbundled_root), scratch, attempt="2").resume(MANIFEST) == {"of": "new"}
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
    assert (seen["out/d/z.webp"], manifest_of(unbundled_root)) == ("foreign", "old")
    assert not is_recorded(unbundled_root)
    assert "out/d/meta.json" not in seen
    run(LocalStore(unbundled_root), scratch, attempt="2", outputs=UNBUNDLED)
    assert unbundled_of(unbundled_root) == UNBUNDLED


def test_a_recorded_run_is_finished_without_its_work(root: Path, scratch: Path) -> None:
    first = Mortal(root, dies_at=FIRST_COPY)
    with pytest.raises(Killed):
        run(first, scratch)
    assert publication(LocalStore(root), scratch, attempt="2").resume(MANIFEST) == {"of": "new"}
    assert OUTPUTS.items() <= visible(root).items()


def test_what_another_task_has_recorded_is_finished_and_is_no_result(root: Path, scratch: Path) -> None:
    with pytest.raises(Killed):
        run(Mortal(root, dies_at=FIRST_COPY), scratch)
    other = Publication(LocalStore(root), FOLDER, mark=MARK, task="b", attempt="2", scratch=scratch)
    assert other.resume(MANIFEST) is None
    assert manifest_of(root) == "new"
    other.commit(stage(other, scratch, {"out/a.sog": "newer a"}), {"of": "newer"})
    assert visible(root) == {**OUTPUTS, "out/a.sog": "newer a", MANIFEST: visible(root)[MANIFEST]}
    assert (manifest_of(root), hidden(root)) == ("newer", [])


def test_of_two_runs_one_wins_and_the_other_changes_nothing(root: Path, scratch: Path) -> None:
    ours = begun(LocalStore(root), scratch)
    staged = stage(ours, scratch)
    write(LocalStore(root), scratch, "out/b.sog", "theirs")
    before = visible(root)
    with pytest.raises(ConflictError, match=r"b\.sog was written by another run meanwhile"):
        ours.commit(staged, {"of": "new"})
    assert visible(root) == before
    assert not is_recorded(root)
    assert ours.commit([], {"of": "ours"}) == {"of": "ours"}  # what is there by now is what it would have made
    assert hidden(root) == []


def test_a_manifest_that_another_run_has_written_stays(root: Path, scratch: Path) -> None:
    ours = begun(LocalStore(root), scratch)
    staged = stage(ours, scratch)
    write(LocalStore(root), scratch, MANIFEST, json.dumps({"of": "theirs"}))
    before = visible(root)
    with pytest.raises(ConflictError, match=r"garden\.manifest\.json was written by another run meanwhile"):
        ours.commit(staged, {"of": "new"})
    assert visible(root) == before


def test_a_record_whose_outputs_are_gone_is_void(root: Path, scratch: Path) -> None:
    with pytest.raises(Killed):
        run(Mortal(root, dies_at=FIRST_COPY), scratch)
    store = LocalStore(root)
    assert is_recorded(root)
    store.delete_many([key for key in hidden(root) if not key.endswith("attempt.json")])
    assert publication(store, scratch, attempt="2").resume(MANIFEST) is None
    assert [key.rpartition("-")[2] for key in hidden(root)] == ["2/attempt.json"]
    assert manifest_of(root) == "old"


def test_a_failed_run_leaves_nothing_hidden_unless_it_is_recorded(root: Path, scratch: Path) -> None:
    stage(begun(LocalStore(root), scratch), scratch)
    stage(begun(LocalStore(root), scratch, attempt="2"), scratch)
    publication(LocalStore(root), scratch, attempt="2").discard(is_last=True)
    assert hidden(root) == []
    with pytest.raises(Killed):
        run(Mortal(root, dies_at=FIRST_COPY), scratch)
    before = hidden(root)
    publication(LocalStore(root), scratch).discard(is_last=True)
    assert hidden(root) == before


def test_a_failed_run_leaves_what_a_later_attempt_may_take_over(root: Path, scratch: Path) -> None:
    stage(begun(LocalStore(root), scratch), scratch)
    begun(LocalStore(root), scratch, attempt="2")
    before = hidden(root)
    publication(LocalStore(root), scratch, attempt="1").discard(is_last=True)
    assert hidden(root) == before


def test_a_run_that_is_to_go_on_leaves_what_it_has_uploaded_and_else_nothing(root: Path, scratch: Path) -> None:
    stage(begun(LocalStore(root), scratch), scratch)
    before = hidden(root)
    publication(LocalStore(root), scratch).discard(is_last=False)
    assert hidden(root) == before
    begun(LocalStore(root), scratch, attempt="2")
    publication(LocalStore(root), scratch, attempt="2").discard(is_last=False)
    assert hidden(root) == before


def test_adopts_what_an_earlier_attempt_has_uploaded(root: Path, scratch: Path) -> None:
    stage(begun(LocalStore(root), scratch), scratch)
    ours = begun(LocalStore(root), scratch, attempt="2")
    (folder,) = ours.earlier("out/a.sog")
    staged = ours.adopt(folder, ["out/b.sog", "out/a.sog"])
    assert staged
    assert [*ours.earlier("out/none.sog")] == []
    ours.commit(staged, {"of": "adopted"})
    seen = visible(root)
    assert (seen["out/a.sog"], seen["out/b.sog"], hidden(root)) == ("new a", "new b", [])
    assert "out/c.sog" not in seen


def test_does_not_adopt_what_is_gone(root: Path, scratch: Path) -> None:
    stage(begun(LocalStore(root), scratch), scratch)
    ours = begun(LocalStore(root), scratch, attempt="2")
    (folder,) = ours.earlier("out/a.sog")
    assert ours.adopt(folder, ["out/a.sog"])
    assert ours.adopt(folder, ["out/b.sog", "out/a.sog"]) is None


def test_cleaning_up_fails_no_run_that_has_published(
    root: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = LocalStore(root)
    monkeypatch.setattr(store, "delete_many", refuse)
    assert run(store, scratch) == {"of": "new"}
    assert OUTPUTS.items() <= visible(root).items()
    assert "could not be removed: nobody may delete here" in capsys.readouterr().out
    assert run(LocalStore(root), scratch, attempt="2", outputs={"out/a.sog": "newer a"}) == {"of": "new"}
    assert (visible(root)["out/a.sog"], hidden(root)) == ("newer a", [])


def refuse(*_: object) -> None:
    raise NotPermittedError("nobody may delete here")


class Forgetful(LocalStore):
    """A folder that does not check what it is given."""

    def upload(self, path: Path, key: str, **options: Any) -> Receipt:
        receipt = super().upload(path, key, **options)
        if key.startswith(FOLDER) and not key.endswith(".json"):
            (self.root / key).write_text("rotten")
        return receipt._replace(is_verified=False)


def test_notices_that_other_bytes_come_back(root: Path, scratch: Path) -> None:
    with pytest.raises(StorageError, match="came back with the digest"):
        stage(begun(Forgetful(root), scratch), scratch)


class Rotten(Forgetful):
    """A folder of which other bytes are read than were written."""

    def download(self, key: str, path: Path, progress: Moved = ignore_progress) -> str:
        etag = super().download(key, path, progress)
        if not key.endswith(".json"):
            path.write_text("rotten")
        return etag


def test_does_not_adopt_what_is_not_what_was_sent(
    root: Path, scratch: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The store has no checksums, and the attempt was killed before it had read back what it sent."""
    stage(begun(LocalStore(root), scratch), scratch)
    ours = begun(Rotten(root), scratch, attempt="2")
    (folder,) = ours.earlier("out/a.sog")
    assert ours.adopt(folder, ["out/a.sog"]) is None
    assert "came back with the digest" in capsys.readouterr().out


def test_the_hidden_folder_is_the_resources_own() -> None:
    assert FOLDER.startswith("out/.splats/garden/")
    assert hidden_folder(MANIFEST, "other/garden") != FOLDER
    assert hidden_folder("out/lawn.manifest.json", OWNER) != FOLDER
    assert hidden_folder("garden.manifest.json", OWNER).startswith(".splats/garden/")


def test_an_object_that_is_missing_is_none(root: Path) -> None:
    assert look_up(LocalStore(root), "out/none.sog") is None

"""Two attempts at once, one of which is thought dead: at each of their writes the other may go on, or to the end."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway_server import Gateway
from mortal_store import WRITES, copy_tree
from s3_server import S3Server
from sogs_worker.publish.attempts import SupersededError
from sogs_worker.publish.publication import Publication, hidden_name
from sogs_worker.storage.base import Store
from sogs_worker.storage.connection import Connection, Credentials
from sogs_worker.storage.local.store import LocalStore
from sogs_worker.storage.s3.store import S3Store
from sogs_worker.task.hidden import hidden_folder

MANIFEST = "out/garden.manifest.json"
OWNER = "default/garden"
FOLDER = hidden_folder(MANIFEST, OWNER)
PLACES = ("out/a.sog", "out/d/meta.json", "out/d/z.webp")
"""Of an output that is one file and of one that has several."""
WAIT_S = 30.0


class Steps:
    """Stops the user of a store before one of its writes, until it is let go on."""

    def __init__(self, store: Store, stops_at: int | None) -> None:
        self.writes = 0
        self.has_stopped, self.may_go_on = threading.Event(), threading.Event()
        for name in WRITES:
            setattr(store, name, self._step(getattr(store, name), stops_at))

    def _step(self, write: Callable[..., Any], stops_at: int | None) -> Callable[..., Any]:
        def stepped(*arguments: Any, **options: Any) -> Any:
            place, self.writes = self.writes, self.writes + 1
            if place == stops_at:
                self.has_stopped.set()
                assert self.may_go_on.wait(WAIT_S)
            return write(*arguments, **options)

        return stepped


class Run(threading.Thread):
    """One attempt, which makes contents that tell who has made them."""

    def __init__(self, who: str, store: Store, scratch: Path, stops_at: int | None = None) -> None:
        super().__init__()
        self.who = who
        self.store = store
        self.steps = Steps(store, stops_at)
        self.scratch = scratch / who
        self.scratch.mkdir(parents=True)
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.publish()
        except BaseException as error:
            self.error = error
        finally:
            self.steps.has_stopped.set()

    def publish(self) -> None:
        publication = Publication(
            self.store, FOLDER, mark={"made-by": OWNER}, task="a", attempt=self.who, scratch=self.scratch
        )
        publication.resume(MANIFEST)
        staged = []
        for key in PLACES:
            path = self.scratch / "content"
            path.write_text(f"{self.who} {key}")
            staged.append(publication.stage(path, key, content_type="x/y"))
        publication.commit(staged, {"of": self.who})

    def go_on_until_the_end(self) -> None:
        self.steps.may_go_on.set()
        self.join(WAIT_S)
        assert not self.is_alive()


def visible(store: Store, folder: Path) -> dict[str, str]:
    keys = [entry.key for entry in store.list("") if "/.splats/" not in entry.key]
    for key in keys:
        store.download(key, folder / hidden_name(key))
    return {key: (folder / hidden_name(key)).read_text() for key in keys}


def outputs_of(who: str) -> dict[str, str]:
    return {key: f"{who} {key}" for key in PLACES}


@pytest.fixture(autouse=True)
def _without_synchronising(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here loses its power."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture(params=["nothing", "an earlier run"])
def before(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Prepare a destination."""
    root = tmp_path / "before"
    root.mkdir()
    if request.param != "nothing":
        Run("first", LocalStore(root), tmp_path / "scratch-before").publish()
    return root


def overlap(open_store: Callable[[], Store], place: Path, stops: tuple[int, int | None]) -> tuple[Run, Run]:
    """Let one attempt come to a write, then another to one of its own, then the first end, then the second."""
    older, newer = Run("older", open_store(), place, stops[0]), Run("newer", open_store(), place, stops[1])
    for run in (older, newer):
        run.start()
        assert run.steps.has_stopped.wait(WAIT_S)
    for run in (older, newer):
        run.go_on_until_the_end()
    return older, newer


def require_the_later(older: Run, newer: Run, place: Path) -> None:
    """Neither has failed for good, the later one not at all, and what is visible is its own."""
    assert newer.error is None
    assert older.error is None or not getattr(older.error, "is_permanent", True)
    seen = visible(newer.store, place)
    assert {key: seen[key] for key in PLACES} == outputs_of("newer")
    assert json.loads(seen[MANIFEST]) == {"of": "newer"}


def count_writes(store: Store, scratch: Path) -> int:
    alone = Run("alone", store, scratch)
    alone.publish()
    return alone.steps.writes


def test_whenever_two_attempts_overlap_the_later_one_publishes(before: Path, tmp_path: Path) -> None:
    ends = set()
    # At its first write an attempt has not begun. The later one has the other's record to act upon, too.
    seconds = (*range(1, 16), None) if any(before.iterdir()) else (None,)
    writes = count_writes(LocalStore(tmp_path / "alone"), tmp_path)
    for stops in itertools.product(range(1, writes), seconds):
        place = tmp_path / f"{stops[0]}-{stops[1]}"
        copy_tree(before, place / "store")
        older, newer = overlap(partial(LocalStore, place / "store"), place, stops)
        require_the_later(older, newer, place)
        ends.add(type(older.error))
        shutil.rmtree(place)
    assert ends == {type(None), SupersededError}


@pytest.mark.parametrize("server", ["s3", "gateway"])
def test_a_bucket_keeps_that_too(request: pytest.FixtureRequest, tmp_path: Path, server: str) -> None:
    running: S3Server | Gateway = request.getfixturevalue(server)
    credentials = Credentials(running.admin.access_key, running.admin.secret_key)
    connection = Connection("destination", running.endpoint, "us-east-1", "path", credentials=credentials)

    def open_store() -> S3Store:
        return S3Store(bucket, connection, scratch=tmp_path)

    bucket = running.new_bucket()
    writes = count_writes(open_store(), tmp_path)
    for first in range(1, writes, 2):
        bucket = running.new_bucket()
        older, newer = overlap(open_store, tmp_path / str(first), (first, None))
        require_the_later(older, newer, tmp_path)


def test_two_attempts_that_begin_at_once_do_not_both_fail_for_good(before: Path, tmp_path: Path) -> None:
    for second in range(8):
        place = tmp_path / str(second)
        copy_tree(before, place / "store")
        older, newer = overlap(partial(LocalStore, place / "store"), place, (0, second))
        errors = [run.error for run in (older, newer)]
        assert all(error is None or not getattr(error, "is_permanent", True) for error in errors)
        published = [run.who for run in (older, newer) if run.error is None]
        assert json.loads(visible(LocalStore(place / "store"), place)[MANIFEST])["of"] in published

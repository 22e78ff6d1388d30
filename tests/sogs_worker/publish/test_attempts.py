"""Two attempts at once, one of which is thought dead: at each of their writes the other may go on, or to the end."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mortal_store import WRITES, copy_tree
from sogs_worker.publish.attempts import SupersededError
from sogs_worker.publish.publication import Publication
from sogs_worker.storage.local.store import LocalStore
from sogs_worker.task.hidden import hidden_folder

MANIFEST = "out/garden.manifest.json"
OWNER = "default/garden"
FOLDER = hidden_folder(MANIFEST, OWNER)
PLACES = ("out/a.sog", "out/d/meta.json", "out/d/z.webp")
"""Of an output that is one file and of one that has several."""
WAIT_S = 30.0


class Stepping(LocalStore):
    """A folder whose user stops before one of its writes, until it is let go on."""

    def __init__(self, root: Path, stops_at: int | None = None) -> None:
        super().__init__(root)
        self.writes = 0
        self.has_stopped, self.may_go_on = threading.Event(), threading.Event()
        for name in WRITES:
            setattr(self, name, self._step(getattr(super(), name), stops_at))

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

    def __init__(self, who: str, root: Path, scratch: Path, stops_at: int | None = None) -> None:
        super().__init__()
        self.who = who
        self.store = Stepping(root, stops_at)
        self.scratch = scratch / who
        self.scratch.mkdir(parents=True)
        self.number = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.publish()
        except BaseException as error:
            self.error = error
        finally:
            self.store.has_stopped.set()

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
        self.store.may_go_on.set()
        self.join(WAIT_S)
        assert not self.is_alive()


def visible(root: Path) -> dict[str, str]:
    store = LocalStore(root)
    return {entry.key: (root / entry.key).read_text() for entry in store.list("") if "/.splats/" not in entry.key}


def outputs_of(who: str) -> dict[str, str]:
    return {key: f"{who} {key}" for key in PLACES}


def hidden(root: Path) -> list[str]:
    return [entry.key for entry in LocalStore(root).list(FOLDER)]


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
        Run("first", root, tmp_path / "scratch-before").publish()
    return root


def overlap(place: Path, before: Path, stops: tuple[int, int | None]) -> tuple[Run, Run]:
    """Let one attempt come to a write, then another to one of its own, then the first end, then the second."""
    root = place / "store"
    copy_tree(before, root)
    older, newer = Run("older", root, place, stops[0]), Run("newer", root, place, stops[1])
    for run in (older, newer):
        run.start()
        assert run.store.has_stopped.wait(WAIT_S)
    for run in (older, newer):
        run.go_on_until_the_end()
    return older, newer


def test_whenever_two_attempts_overlap_the_later_one_publishes(before: Path, tmp_path: Path) -> None:
    """Neither fails for good, the later one does not fail at all, and what is visible in the end is its own."""
    alone = Run("alone", tmp_path / "alone", tmp_path)
    alone.publish()
    ends = set()
    # At its first write an attempt has not begun. The later one has the other's record to act upon, too.
    seconds = (*range(1, 16), None) if visible(before) else (None,)
    stops = [(first, second) for first in range(1, alone.store.writes) for second in seconds]
    for first, second in stops:
        place = tmp_path / f"{first}-{second}"
        older, newer = overlap(place, before, (first, second))
        assert newer.error is None, (first, second)
        assert older.error is None or not getattr(older.error, "is_permanent", True), (first, second)
        seen = visible(place / "store")
        assert {key: seen[key] for key in PLACES} == outputs_of("newer"), (first, second)
        assert json.loads(seen[MANIFEST]) == {"of": "newer"}, (first, second)
        ends.add((type(older.error), newer.store.writes))
        shutil.rmtree(place)
    assert {error for error, _ in ends} == {type(None), SupersededError}


def test_two_attempts_that_begin_at_once_do_not_both_fail_for_good(before: Path, tmp_path: Path) -> None:
    for second in range(8):
        place = tmp_path / str(second)
        older, newer = overlap(place, before, (0, second))
        errors = [run.error for run in (older, newer)]
        assert all(error is None or not getattr(error, "is_permanent", True) for error in errors)
        published = [run.who for run in (older, newer) if run.error is None]
        assert json.loads(visible(place / "store")[MANIFEST])["of"] in published

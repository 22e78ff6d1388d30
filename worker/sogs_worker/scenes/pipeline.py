"""Scenes on their way: while one is encoded, the next objects are fetched and the output before is sent."""

from __future__ import annotations

import shutil
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp

from sogs_worker.errors import InterruptedRunError, UsageError
from sogs_worker.publish.manifest import Output
from sogs_worker.publish.provenance import Provenance, kept_output
from sogs_worker.publish.publication import Publication, Staged, look_up
from sogs_worker.reporting.log import write_message
from sogs_worker.reporting.progress import Progress, counting
from sogs_worker.scenes.accelerator import Accelerator
from sogs_worker.scenes.make import Product, Recipe, produce
from sogs_worker.scenes.staging import stage_product
from sogs_worker.source.fetch import DOWNLOAD_SHARE, Fetched, SceneFile, fetch, has_space, unpack
from sogs_worker.source.objects import SourceObject
from sogs_worker.storage.base import ConflictError, Moved, ReadableStore, Store, ignore_progress
from sogs_worker.task.task import Task

AHEAD = 2
"""Objects that are fetched before their turn: with one, a small one behind a large one leaves the line idle."""


@dataclass(frozen=True)
class Work:
    """A task and what it is done with."""

    task: Task
    recipe: Recipe
    source: ReadableStore
    store: Store
    publication: Publication
    scratch: Path
    accelerator: Accelerator
    progress: Progress


@dataclass(frozen=True)
class Made:
    """An output, what it was made from, and what of it is to be published: nothing if it was there."""

    output: Output
    name: PurePosixPath
    provenance: Provenance
    staged: tuple[Staged, ...] = ()


class Pipeline:
    """Makes the outputs of one task; for one call of `run`."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._made: list[Future[Made]] = []
        self._awaited: str | None = None
        self._stopped = threading.Event()
        self._fetching = ThreadPoolExecutor(1)
        self._sending = ThreadPoolExecutor(1)

    def run(self, objects: list[SourceObject]) -> tuple[list[Output], list[Staged]]:
        """Make the outputs of these objects, or find them made; return them, and what of them is to be published.

        Raises:
            WorkerError: of the first object or scene that fails. What is on its way then is given up.
        """
        self._work.progress.split([entry.size_bytes for entry in objects])
        # Before the work, what is known of them then; what archives hold is checked with the rest at the commit.
        scenes = [entry.output for entry in objects if not entry.is_archive]
        self._work.store.check_keys([self._work.task.target_key(output) for output in scenes])
        with self._ending_threads():
            for arrived in self._arrivals(objects):
                self._finish(arrived)
            self._work.progress.report("write", 0.0)
            made = [future.result() for future in self._made]
        return [each.output for each in made], [staged for each in made for staged in each.staged]

    def adopt_outputs(self) -> list[Output]:
        """Return what another run has published meanwhile in place of these outputs.

        Raises:
            ConflictError: one of them was made from something else.
        """
        return [self._adopt(future.result()) for future in self._made]

    @contextmanager
    def _ending_threads(self) -> Iterator[None]:
        """Let transfers that nobody waits for any more end at once."""
        try:
            yield
        except BaseException:
            self._stopped.set()
            raise
        finally:
            self._fetching.shutdown(cancel_futures=True)
            self._sending.shutdown(cancel_futures=True)

    def _arrivals(self, objects: list[SourceObject]) -> Iterator[Fetched | Made]:
        """Yield the objects in their order; the next are fetched ahead if scratch can hold them beside this one."""
        queue: deque[Future[Fetched | Made]] = deque()
        for place, entry in enumerate(objects):
            if place:
                self._work.progress.finish_scene()
            if not queue:
                queue.append(self._fetching.submit(self._fetch, entry))
            self._awaited = entry.key
            arrived = queue.popleft().result()
            self._awaited = None
            following = objects[place + 1 : place + 1 + AHEAD]
            while len(queue) < len(following) and self._has_room(following[: len(queue) + 1]):
                queue.append(self._fetching.submit(self._fetch, following[len(queue)]))
            yield arrived

    def _has_room(self, objects: list[SourceObject]) -> bool:
        return has_space(self._work.scratch, sum(entry.size_bytes for entry in objects))

    def _fetch(self, entry: SourceObject) -> Fetched | Made:
        """Download an object, unless it is a scene whose output is there already."""
        work, task = self._work, self._work.task
        if not (entry.is_archive or entry.is_unbundled):
            entry = replace(entry, etag=entry.etag or work.source.stat(entry.key).etag)
            known = self._provenance(entry, task.source_sha256 or "")
            if task.source_sha256:  # the content that was announced, not whatever this version has
                known = replace(known, etag=None)
            if made := self._find(known, entry.output):
                return made
        work.accelerator.prepare()
        folder = Path(mkdtemp(prefix="source-", dir=work.scratch))  # never within that of another object
        moved = self._unless_stopped(counting(entry.size_bytes, self._showing(entry)))
        return fetch(work.source, entry, sha256=task.source_sha256, folder=folder, progress=moved)

    def _showing(self, entry: SourceObject) -> Callable[[float], None]:
        """Give what shows a download while it is waited for; one that is ahead goes on beside an encoding."""
        step = self._work.progress.part("read", 0.0, DOWNLOAD_SHARE)
        return lambda fraction: step(fraction) if self._awaited == entry.key else None

    def _finish(self, arrived: Fetched | Made) -> None:
        """Make what an object holds."""
        if isinstance(arrived, Made):
            self._add(done(arrived))
            return
        unpacked = self._work.scratch / "scene"
        unpacked.mkdir(exist_ok=True)
        for number, scene in enumerate(unpack(arrived, unpacked, self._work.progress.split)):
            if number:
                self._work.progress.finish_scene()
            self._add(self._make(scene, self._provenance(arrived.origin, scene.content)))
        shutil.rmtree(arrived.path.parent)

    def _add(self, made: Future[Made]) -> None:
        if self._made and not self._work.task.destination.location.is_prefix:
            uri = self._work.task.destination.location.uri
            raise UsageError(f"spec.destination.uri is {uri!r}, one key for many scenes; end it with a slash")
        self._made.append(made)

    def _provenance(self, entry: SourceObject, content: str) -> Provenance:
        etag = None if entry.is_archive or entry.is_unbundled else entry.etag
        return Provenance(content, etag, self._work.source.uri(entry.key), self._work.task.encoder)

    def _make(self, scene: SceneFile, provenance: Provenance) -> Future[Made]:
        """Encode a scene, and begin to send the output."""
        if found := self._find(provenance, scene.output):
            return done(found)
        work = self._work
        uri = work.store.uri(work.task.target_key(scene.output))
        folder = work.scratch / f"output-{len(self._made)}"
        spans = {"read": (DOWNLOAD_SHARE, 1.0), "encode": (0.0, 1.0), "write": (1.0, 1.0), "verify": (0.0, 1.0)}

        def show(stage: str, fraction: float) -> None:
            work.progress.part("encode" if stage == "write" else stage, *spans[stage])(fraction)

        device = work.accelerator.wait()
        product = produce(scene, work.recipe, device=device, uri=uri, folder=folder, progress=show)
        if product.dropped.total:
            write_message(f"{product.dropped} of {scene.uri} left out")
        if self._made:
            self._made[-1].result()  # one output waits in scratch, not many
        return self._sending.submit(self._send, scene, product, provenance)

    def _send(self, scene: SceneFile, product: Product, provenance: Provenance) -> Made:
        """Upload an output and its picture under hidden names."""
        output, staged = stage_product(
            product,
            scene.output,
            provenance,
            task=self._work.task,
            publication=self._work.publication,
            progress=self._unless_stopped(ignore_progress),
        )
        shutil.rmtree(product.folder)
        return Made(output, scene.output, provenance, tuple(staged))

    def _find(self, provenance: Provenance, name: PurePosixPath) -> Made | None:
        """Return the output of that name if it was made from the same and lacks nothing."""
        return self._look(provenance, name) if self._work.task.use_cache else None

    def _look(self, provenance: Provenance, name: PurePosixPath) -> Made | None:
        task, store = self._work.task, self._work.store
        picture = task.preview_key(name) if task.preview else None
        if picture and look_up(store, picture) is None:
            return None
        output = kept_output(store, task.target_key(name), provenance, task.gate, name=str(name))
        if output is None:
            return None
        return Made(replace(output, preview_uri=picture and store.uri(picture)), name, provenance)

    def _adopt(self, made: Made) -> Output:
        found = self._look(made.provenance, made.name)
        if found is None:
            raise ConflictError(
                f"{made.output.uri} was written by another run meanwhile, from something else; it stays, and nothing of"
                " this run was published: let only one resource write there"
            )
        return found.output

    def _unless_stopped(self, moved: Moved) -> Moved:
        def check(more_bytes: int) -> None:
            if self._stopped.is_set():
                raise InterruptedRunError("another scene of the run has failed")
            moved(more_bytes)

        return check


def done(made: Made) -> Future[Made]:
    """Make a future of what is there already."""
    future: Future[Made] = Future()
    future.set_result(made)
    return future

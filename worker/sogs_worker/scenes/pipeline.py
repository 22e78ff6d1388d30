"""Scenes on their way: while one is encoded, the next objects are fetched and the output before is sent."""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

from sogs_worker.errors import InterruptedRunError
from sogs_worker.publish.provenance import Provenance
from sogs_worker.reporting.progress import Progress, counting
from sogs_worker.scenes.accelerator import Accelerator
from sogs_worker.scenes.destination import Destination, Made
from sogs_worker.scenes.make import Product, Recipe, produce
from sogs_worker.scenes.outcome import Outcome, Step, done, failed
from sogs_worker.source.cameras import fetch_cameras
from sogs_worker.source.fetch import DOWNLOAD_SHARE, Fetched, Scene, fetch, has_space, moved_bytes, unpacking
from sogs_worker.source.names import PATHS, Pattern
from sogs_worker.source.objects import SourceObject
from sogs_worker.source.roots import Item
from sogs_worker.source.search import NO_SCENE, NONE_TAKEN, NoSceneError, PassedOver
from sogs_worker.source.selection import ALL, Selection
from sogs_worker.storage.base import Moved, ReadableStore, ignore_progress

AHEAD = 2
"""Objects that are fetched before their turn: with one, a small one behind a large one leaves the line idle."""

SPANS = {"read": (DOWNLOAD_SHARE, 1.0), "encode": (0.0, 1.0), "write": (1.0, 1.0), "verify": (0.0, 1.0)}
"""The part of a stage that the steps of `produce` take."""


class Pipeline:
    """Makes the outputs of objects; for one call of `run`."""

    def __init__(
        self,
        recipe: Recipe,
        destination: Destination,
        *,
        scratch: Path,
        accelerator: Accelerator,
        progress: Progress,
        sha256: str | None = None,
        selection: Selection = ALL,
        names: Pattern = PATHS,
    ) -> None:
        """Begin.

        Args:
            recipe: how outputs are made.
            destination: where they go.
            scratch: a folder to work in.
            accelerator: what they are made with; made ready if it is needed.
            progress: of the whole.
            sha256: what the content of each object must be; None: anything.
            selection: what is taken of archives.
            names: how the outputs of archives are named.
        """
        self._recipe = recipe
        self._destination = destination
        self._scratch = scratch
        self._accelerator = accelerator
        self._progress = progress
        self._sha256 = sha256
        self._selection = selection
        self._names = names
        self._awaited: SourceObject | None = None
        self._stopped = threading.Event()
        self._fetching = ThreadPoolExecutor(1)
        self._sending = ThreadPoolExecutor(1)

    def run(self, items: Sequence[Item]) -> Generator[Outcome, None, None]:
        """Yield what becomes of the scenes, in their order. Close it to give up what is on its way.

        Raises:
            WorkerError: nothing can be made: the outputs cannot be where they are to be, or there is no GPU.
        """
        self._progress.split([item.entry.size_bytes for item in items])
        self._destination.claim([item.entry.output for item in items if not item.entry.is_archive])
        with self._ending_threads():
            before: Step | None = None
            for step in self._steps(items):
                if before:
                    yield before.finish()  # one output waits in scratch beside the one that is sent, not many
                before = step
            self._progress.report("write", 0.0)
            if before:
                yield before.finish()

    @contextmanager
    def _ending_threads(self) -> Iterator[None]:
        """Let transfers that nobody waits for any more end at once."""
        is_patient = True
        try:
            yield
        except BaseException as error:
            self._stopped.set()
            is_patient = not isinstance(error, KeyboardInterrupt)  # a server that does not answer holds up nobody
            raise
        finally:
            for threads in (self._fetching, self._sending):
                threads.shutdown(wait=is_patient, cancel_futures=True)

    def _steps(self, items: Sequence[Item]) -> Iterator[Step]:
        for item, arriving in self._arrivals(items):
            store, entry, is_named = item
            uri, started_s = store.uri(entry.key), time.monotonic()
            if not entry.is_archive:
                self._destination.begin(entry.output)
            try:
                arrived = arriving.result()
            except Exception as fault:
                yield Step(uri, started_s, failed(fault), is_scene=not entry.is_archive)
                continue
            if isinstance(arrived, Made):
                yield Step(uri, started_s, done(arrived))
                continue
            try:
                yield from self._make_all(store, arrived)
            except Exception as fault:
                if fault is self._accelerator.fault:
                    raise
                is_none = isinstance(fault, NoSceneError) and not is_named
                reason = NONE_TAKEN if self._selection else NO_SCENE
                result = done(PassedOver(uri, reason)) if is_none else failed(fault)
                yield Step(uri, started_s, result, is_scene=not entry.is_archive)
            shutil.rmtree(arrived.path.parent)

    def _arrivals(self, items: Sequence[Item]) -> Iterator[tuple[Item, Future[Fetched | Made]]]:
        """Yield the objects in their order; the next are fetched ahead if scratch can hold them beside this one."""
        queue: deque[Future[Fetched | Made]] = deque()
        for place, item in enumerate(items):
            if place:
                self._progress.finish_scene()
            if not queue:
                queue.append(self._fetching.submit(self._fetch, item.store, item.entry))
            self._awaited = item.entry
            queue[0].exception()  # waits
            arrived = queue.popleft()
            self._awaited = None
            following = items[place + 1 : place + 1 + AHEAD]
            while len(queue) < len(following) and self._has_room(following[: len(queue) + 1]):
                ahead = following[len(queue)]
                queue.append(self._fetching.submit(self._fetch, ahead.store, ahead.entry))
            yield item, arrived

    def _has_room(self, items: Sequence[Item]) -> bool:
        return has_space(self._scratch, sum(moved_bytes(item.store, item.entry) for item in items))

    def _fetch(self, store: ReadableStore, entry: SourceObject) -> Fetched | Made:
        """Download an object, unless it is a scene whose output is there already."""
        if not (entry.is_archive or entry.is_unbundled):
            entry = replace(entry, etag=entry.etag or store.stat(entry.key).etag)
        if not entry.is_archive:
            known = self._provenance(store, entry, self._sha256 or "")
            if self._sha256:  # the content that was announced, not whatever this version has
                known = replace(known, etag=None)
            if made := self._destination.find(entry.output, known):
                return made
        self._accelerator.prepare()
        folder = Path(mkdtemp(prefix="source-", dir=self._scratch))  # never within that of another object
        with removing_on_error(folder):
            fetched = fetch(
                store,
                entry,
                sha256=self._sha256,
                folder=folder,
                is_known_by_content=self._destination.knows_content,
                progress=self._unless_stopped(counting(entry.size_bytes, self._showing(entry))),
            )
            if entry.is_archive or not self._recipe.needs_cameras:
                return fetched
            return replace(fetched, cameras=fetch_cameras(store, entry.key, folder))

    def _showing(self, entry: SourceObject) -> Callable[[float], None]:
        """Give what shows a download while it is waited for; one that is ahead goes on beside an encoding."""
        step = self._progress.part("read", 0.0, DOWNLOAD_SHARE)
        return lambda fraction: step(fraction) if self._awaited is entry else None

    def _make_all(self, store: ReadableStore, arrived: Fetched) -> Iterator[Step]:
        """Make what an object holds."""
        unpacked = self._scratch / "scene"
        unpacked.mkdir(exist_ok=True)
        with unpacking(
            arrived,
            unpacked,
            selection=self._selection,
            names=self._names,
            with_cameras=self._recipe.needs_cameras,
        ) as found:
            scenes = found.scenes
            for each in found.passed_over:
                yield Step(each.name, time.monotonic(), done(each), is_scene=False)
            if arrived.origin.is_archive:
                self._destination.claim([scene.output for scene in scenes])
                self._progress.split([scene.size_bytes for scene in scenes])
            for number, scene in enumerate(scenes):
                if number:
                    self._progress.finish_scene()
                yield self._make(scene, self._provenance(store, arrived.origin, scene.content))

    def _provenance(self, store: ReadableStore, entry: SourceObject, content: str) -> Provenance:
        etag = None if entry.is_archive or entry.is_unbundled else entry.etag
        return Provenance(content, etag, store.uri(entry.key), self._recipe.encoder)

    def _make(self, scene: Scene, provenance: Provenance) -> Step:
        """Encode a scene, and begin to send the output."""
        started_s = time.monotonic()
        try:
            if found := self._destination.find(scene.output, provenance):
                return Step(scene.uri, started_s, done(found))
            product = self._produce(scene)
        except Exception as fault:
            if fault is self._accelerator.fault:
                raise
            return Step(scene.uri, started_s, failed(fault))
        sending = self._sending.submit(self._send, scene, product, provenance)
        return Step(scene.uri, started_s, sending, product.dropped, product.notes)

    def _produce(self, scene: Scene) -> Product:
        def show(stage: str, fraction: float) -> None:
            self._progress.part("encode" if stage == "write" else stage, *SPANS[stage])(fraction)

        uri = self._destination.begin(scene.output)
        device = self._accelerator.wait()
        folder = Path(mkdtemp(prefix="output-", dir=self._scratch))
        with removing_on_error(folder), scene.opened() as file:
            return produce(file, self._recipe, device=device, uri=uri, folder=folder, progress=show)

    def _send(self, scene: Scene, product: Product, provenance: Provenance) -> Made | PassedOver:
        try:
            return self._destination.deliver(scene.output, product, provenance, self._unless_stopped(ignore_progress))
        finally:
            shutil.rmtree(product.folder)

    def _unless_stopped(self, moved: Moved) -> Moved:
        def check(more_bytes: int) -> None:
            if self._stopped.is_set():
                raise InterruptedRunError("another scene of the run has failed")
            moved(more_bytes)

        return check


@contextmanager
def removing_on_error(folder: Path) -> Iterator[None]:
    """Leave nothing of a folder behind if what fills it fails."""
    try:
        yield
    except BaseException:
        shutil.rmtree(folder)
        raise

"""Many scenes, one after the other: unpacked if need be, and none held up by another that is broken."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

from sogs_worker.engines.parameters import Parameters
from sogs_worker.errors import WorkerError
from sogs_worker.files import make_folder
from sogs_worker.reporting.progress import Progress
from sogs_worker.scenes.compress import SceneReport, compress_file
from sogs_worker.source.local import LocalScene


@dataclass(frozen=True)
class Outcome:
    """What became of a scene.

    Attributes:
        scene: the scene.
        target: the file that stands for its output, there if it has a report.
        seconds: what it took.
        result: its report, or why there is none.
    """

    scene: LocalScene
    target: Path
    seconds: float
    result: SceneReport | WorkerError


def compress_scenes(
    pairs: Sequence[tuple[LocalScene, Path]],
    *,
    parameters: Parameters,
    device: str,
    progress: Progress,
    send: Callable[[Sequence[Path], Path], None] = lambda _planes, _target: None,
) -> Iterator[Outcome]:
    """Compress scenes, in their order; disk is needed for one unpacked scene at a time.

    Args:
        pairs: scenes and their targets.
        parameters: what decides the outputs.
        device: `cpu` or `cuda`.
        progress: of the whole command.
        send: brings an output, its planes and its target, to where it is to be, if that is elsewhere.

    Faults are outcomes and not raised.
    """
    progress.split([scene.size_bytes for scene, _ in pairs])
    _, last = pairs[-1]
    for archive, group in groupby(pairs, key=lambda pair: pair[0].archive):
        with archive or nullcontext():
            for scene, target in group:
                started_s = time.monotonic()
                result: SceneReport | WorkerError
                try:
                    make_folder(target.parent)
                    with _unpacked(scene) as path:
                        result = compress_file(
                            path, target, parameters=parameters, device=device, progress=progress.report
                        )
                    send(result.planes, target)
                except WorkerError as error:
                    result = error
                progress.finish_scene()
                if target == last:  # before its result, so that a fault's sentence is the last line
                    progress.finish()
                yield Outcome(scene, target, time.monotonic() - started_s, result)


@contextmanager
def _unpacked(scene: LocalScene) -> Iterator[Path]:
    """Give the file of a scene; what is said of a copy is said of the scene in its archive."""
    if scene.archive is None or scene.member is None:
        yield scene.path
        return
    with TemporaryDirectory(prefix="sogs-worker-") as folder:
        path = scene.archive.extract(scene.member, Path(folder))
        try:
            yield path
        except WorkerError as error:
            raise type(error)(str(error).replace(str(path), scene.name)) from error

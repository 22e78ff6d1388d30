"""From a scene file to the files of an output: reader, engine and writer in a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sogs_worker.encode.dropped import Dropped
from sogs_worker.engines import Engine, choose_engine
from sogs_worker.engines.parameters import Parameters
from sogs_worker.files import naming
from sogs_worker.formats import read_scene, scene_bytes
from sogs_worker.formats.sog.file import write_sog, write_unbundled
from sogs_worker.naming import BUNDLED
from sogs_worker.splats import Splats

if TYPE_CHECKING:
    from sogs_worker.render.camera import Camera


@dataclass(frozen=True)
class SceneReport:
    """What became of one scene.

    Attributes:
        source_bytes: length of the scene file.
        planes: what was written beside the target; nothing if that is a bundle.
        bytes: length of all that was written.
        splats: how many the output has.
        dropped: how many of the scene's it has not, and why.
        notes: of the reader and of the engine, see `Splats` and `EncodedScene`.
    """

    source_bytes: int
    planes: tuple[Path, ...]
    bytes: int
    splats: int
    dropped: Dropped
    notes: tuple[str, ...] = ()

    @property
    def ratio(self) -> float:
        """How many bytes of source one byte of output stands for."""
        return self.source_bytes / self.bytes


def compress_file(
    source: Path,
    output: Path,
    *,
    parameters: Parameters,
    device: str,
    engine: Engine | None = None,
    cameras: Sequence[Camera] = (),
    progress: Callable[[str, float], None] = lambda _stage, _fraction: None,
) -> SceneReport:
    """Compress a scene file; `output` appears only when all is written.

    Args:
        source: a scene in a format that can be read.
        output: the target: a bundle, or the meta.json of an unbundled scene, as the format has it.
        parameters: what decides the output.
        device: `cpu` or `cuda`.
        engine: the encoder; by default the one that the parameters name.
        cameras: for that one, see `native.encode`.
        progress: told the stage (`read`, `encode`, `write`) and the fraction of it that is done.

    Raises:
        WorkerError: of the reader, the engine or the writer.
    """
    progress("read", 0.0)
    with naming(source):
        engine = engine or choose_engine(parameters, cameras)
        notes: list[str] = []
        # Nobody but the engine holds the splats, so that it can let them go when it has its own.
        scene = engine(_noting(read_scene(source), notes), parameters=parameters, device=device, progress=progress)
    progress("write", 0.0)
    planes: tuple[Path, ...] = ()
    if parameters.format == BUNDLED:
        write_sog(output, scene)
    else:
        write_unbundled(output, scene)
        planes = tuple(output.with_name(name) for name in scene.images)
    size_bytes = sum(file.stat().st_size for file in (*planes, output))
    notes += scene.notes
    return SceneReport(scene_bytes(source), planes, size_bytes, scene.meta.count, scene.dropped, tuple(notes))


def _noting(splats: Splats, notes: list[str]) -> Splats:
    notes += splats.notes
    return splats

"""From one scene in scratch to an output that has been looked at: decoded, counted, judged by the gate, drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sogs_worker.encode.dropped import Dropped
from sogs_worker.engines.parameters import Parameters
from sogs_worker.errors import BadInputError, StorageError
from sogs_worker.files import naming
from sogs_worker.naming import name_target
from sogs_worker.publish.manifest import Trial
from sogs_worker.scenes.search import TargetSearch
from sogs_worker.source.fetch import SceneFile
from sogs_worker.task.gate import Gate

if TYPE_CHECKING:
    from sogs_worker.evaluate import Reference
    from sogs_worker.render.camera import Camera

# What loads torch is imported where it is needed: that takes seconds, and a missing source is told before them.

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Product:
    """An output in scratch.

    Attributes:
        folder: holds all of it.
        planes: files beside the target; none of a bundle.
        target: the bundle, or the meta.json of an unbundled output.
        picture: the PNG of what it decodes to; None if none is wanted.
        source_bytes: length of its scene.
        splats: that it has.
        dropped: splats of the scene that it has not.
        psnr: dB, infinite for the same pictures; None if it was not measured.
        notes: on its scene, see `Splats`.
        trials: encodings that were tried for a target.
    """

    folder: Path
    planes: tuple[Path, ...]
    target: Path
    picture: Path | None
    source_bytes: int
    splats: int
    dropped: Dropped
    psnr: float | None
    notes: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()


NO_BOUNDS = Gate()


@dataclass(frozen=True)
class Recipe:
    """How a task makes its products.

    Attributes:
        encoder: the parameters.
        preview: whether to draw a picture.
        gate: bounds.
        measures: whether to draw the scene and the output where no bound needs it.
    """

    encoder: Parameters
    preview: bool = False
    gate: Gate = NO_BOUNDS
    measures: bool = False

    @property
    def is_measured(self) -> bool:
        """Whether the scene and the output are drawn."""
        target = self.encoder.target
        return self.measures or self.gate.min_psnr is not None or (target is not None and target.min_psnr is not None)

    @property
    def needs_cameras(self) -> bool:
        """Whether it matters from where the scene is meant to be seen."""
        return self.is_measured or self.encoder.is_fitted


def produce(scene: SceneFile, recipe: Recipe, *, device: str, uri: str, folder: Path, progress: Progress) -> Product:
    """Encode a scene and prove that the output is what it should be.

    Args:
        scene: what to encode.
        recipe: how.
        device: `cpu` or `cuda`.
        uri: where the output will go, for messages.
        folder: for the files.
        progress: told the stages `read`, `encode`, `verify` and their fractions.

    Raises:
        WorkerError: what is wrong with the scene is said of where it came from; see `Gate.check`.
    """
    from sogs_worker.formats import read_scene
    from sogs_worker.formats.sog.file import count_splats
    from sogs_worker.scenes.compress import compress_file

    target = name_target(folder / "scene", recipe.encoder.format)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source = cache(lambda: draw_source(scene, device))
        is_searched = recipe.encoder.target is not None and recipe.encoder.target.is_searched
        cameras, remarks = read_cameras(scene) if recipe.encoder.is_fitted else ([], [])
        search = TargetSearch(uri, lambda: source()[0], folder, cameras) if is_searched else None
        report = compress_file(
            scene.path,
            target,
            parameters=recipe.encoder,
            device=device,
            engine=search,
            cameras=cameras,
            progress=progress,
        )
        progress("verify", 0.0)
        # One after the other in memory: the scene as it was encoded, as it is drawn for the gate, as the output has it;
        # only a search for a PSNR draws it earlier.
        reference, notes = source() if recipe.is_measured else (None, [])
    except BadInputError as error:
        raise BadInputError(str(error).replace(str(scene.path), scene.uri)) from error
    # Decoded in any case; to the values that planes stand for, 236 bytes a splat, only where they are drawn.
    psnr = search.psnr if search else None
    is_drawn = recipe.preview or (reference is not None and psnr is None)
    splats = read_scene(target) if is_drawn else None
    count = count_splats(target) if splats is None else len(splats)
    if count != report.splats:
        raise StorageError(
            f"the output of {scene.uri} decodes to {count} splats instead of {report.splats}; run it again"
        )
    if psnr is None and reference is not None and splats is not None:
        psnr = reference.compare(splats).psnr
    recipe.gate.check(uri, size_bytes=report.bytes, source_bytes=report.source_bytes, psnr=psnr)
    picture = None
    if recipe.preview and splats is not None:
        from sogs_worker.render import preview_png

        picture = folder / "preview.png"
        picture.write_bytes(preview_png(splats, device=device))
    return Product(
        folder,
        report.planes,
        target,
        picture,
        report.source_bytes,
        report.splats,
        report.dropped,
        psnr,
        (*report.notes, *remarks, *notes),
        tuple(search.trials) if search else (),
    )


def draw_source(scene: SceneFile, device: str) -> tuple[Reference, list[str]]:
    """Draw the scene that the output is to look like; return it, and a note if its cameras are of no use."""
    from sogs_worker.evaluate import draw_reference, sample_views

    notes: list[str] = []
    if scene.cameras:
        try:
            views = sample_views(scene.cameras)[0]
            return draw_reference(scene.path, views=views, must_see=True, device=device), notes
        except BadInputError as fault:  # of the cameras: the scene itself has been read before
            notes.append(_say_useless(scene.cameras, fault, "it was judged from around"))
    return draw_reference(scene.path, device=device), notes


def read_cameras(scene: SceneFile) -> tuple[list[Camera], list[str]]:
    """Return cameras of a scene by which it is not judged, and a note if there are some of no use."""
    from sogs_worker.encode.clean import drop_unusable
    from sogs_worker.evaluate import check_sight, sample_views
    from sogs_worker.formats import read_scene

    if not scene.cameras:
        return [], []
    with naming(scene.path):
        splats, _ = drop_unusable(read_scene(scene.path))
    try:
        judging, others = sample_views(scene.cameras)
        with naming(scene.cameras):
            check_sight(splats, judging)
        return [view.camera for view in others], []
    except BadInputError as fault:
        return [], [_say_useless(scene.cameras, fault, "splats were fitted to pictures from around")]


def _say_useless(cameras: Path, fault: BadInputError, consequence: str) -> str:
    return f"the {cameras.name} beside it is of no use, so {consequence}: {str(fault).partition(': ')[2]}"

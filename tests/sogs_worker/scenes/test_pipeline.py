"""What a run leaves in its scratch, whatever becomes of its scenes."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from sogs_worker.engines.parameters import Parameters
from sogs_worker.errors import StorageError
from sogs_worker.formats.ply.file import write_ply
from sogs_worker.reporting.display import Lines
from sogs_worker.reporting.progress import Progress
from sogs_worker.scenes.accelerator import Accelerator
from sogs_worker.scenes.delivery import Delivery, ExistsError
from sogs_worker.scenes.destination import Made
from sogs_worker.scenes.make import Recipe
from sogs_worker.scenes.pipeline import Pipeline
from sogs_worker.source.roots import find_items, local_root
from sogs_worker.storage.local.files import LocalFiles
from splat_builders import build_splats


class Full(Delivery):
    """A destination without room."""

    def deliver(self, *_: object, **__: object) -> Made:
        raise StorageError("the disk is full")


class Taken(Delivery):
    """A destination where all is there already."""

    def find(self, *_: object, **__: object) -> Made | None:
        raise ExistsError("is there already")


def cut(scene: Path) -> None:
    scene.write_bytes(scene.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("kind", "spoil", "ends_with"),
    [
        (Delivery, lambda _: None, Made),
        (Delivery, cut, Exception),
        (Delivery, Path.unlink, Exception),
        (Full, lambda _: None, StorageError),
        (Taken, lambda _: None, ExistsError),
    ],
    ids=["made", "a broken scene", "a scene that goes", "a failed delivery", "an output that stays"],
)
def test_scratch_is_empty_after_the_last_scene(
    kind: type[Delivery], spoil: Callable[[Path], None], ends_with: type, tmp_path: Path
) -> None:
    raw, scratch = tmp_path / "raw", tmp_path / "scratch"
    raw.mkdir()
    scratch.mkdir()
    scenes = [raw / "a.ply", raw / "b.ply"]
    for scene in scenes:
        write_ply(scene, build_splats(10, bands=0))
    items = find_items([local_root(raw)]).items
    spoil(scenes[1])
    pipeline = Pipeline(
        Recipe(Parameters(quality="fast")),
        kind(LocalFiles(tmp_path / "out"), lambda name: f"{name}.sog", scratch=scratch),
        scratch=scratch,
        accelerator=Accelerator("cpu", lambda: "cpu"),
        progress=Progress(Lines(io.StringIO())),
    )
    outcomes = list(pipeline.run(items))
    assert len(outcomes) == 2
    assert isinstance(outcomes[1].result, ends_with)
    assert [path for path in scratch.rglob("*") if not path.is_dir() or path.name != "scene"] == []

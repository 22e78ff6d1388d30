"""A run that is killed again and again encodes each scene once, whatever the moments and however scenes come."""

from __future__ import annotations

import io
import os
import re
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from mortal_store import Killed, Mortal
from sogs_worker import render
from sogs_worker.encode.dropped import Dropped
from sogs_worker.engines.parameters import Parameters
from sogs_worker.formats.sog.file import read_meta
from sogs_worker.naming import name_target
from sogs_worker.scenes import compress
from sogs_worker.scenes.compress import SceneReport, compress_file

from .conftest import Job, build_ply
from .test_shards import ADDRESS, Pods, archive, timeless

KINDS: dict[str, dict[str, Any]] = {
    "bundles": {},
    "bundles with pictures": {"preview": True},
    "unbundled": {"encoder": {"quality": "fast", "shBands": 0, "format": "sog-unbundled"}},
    "shards": {"shards": 2},
}
SCENES = {
    "a.ply": build_ply(12, seed=1),
    "b.ply": build_ply(10, seed=2),
    "c.zip": archive(first=build_ply(8, seed=3), second=build_ply(9, seed=4)),
    "d.ply": build_ply(11, seed=5),
}


@dataclass
class Encodings:
    """How often a scene was encoded, and how often each one's output came to its upload."""

    begun: int = 0
    staged: Counter[str] = field(default_factory=Counter)


class Watched(Mortal):
    """A volume that notes whose target it has been sent, and whose user is killed."""

    def __init__(self, root: Path, encodings: Encodings, *, dies_at: int | None, is_done: bool) -> None:
        super().__init__(root, ADDRESS, dies_at=dies_at, is_done=is_done)
        counted = self.upload

        def upload(path: Path, key: str, **options: Any) -> Any:
            try:
                return counted(path, key, **options)
            finally:
                if (self.root / key).exists() and "splats" in (options.get("metadata") or {}):
                    encodings.staged[options["metadata"]["made-from"]] += 1

        self.upload = upload  # type: ignore[method-assign]


@cache
def encoded(scene: bytes, parameters: Parameters) -> dict[str, bytes]:
    """Encode a scene, once for all runs of this module; the encoder gives the same bytes each time."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "scene.ply", name_target(Path(folder) / "out/scene", parameters.format)
        target.parent.mkdir(parents=True)
        source.write_bytes(scene)
        compress_file(source, target, parameters=parameters, device="cpu")
        return {path.name: path.read_bytes() for path in target.parent.iterdir()}


@cache
def draw(splats: int) -> bytes:
    """Make a picture soon, another one for each scene here."""
    stream = io.BytesIO()
    Image.new("RGB", (4, 3), (splats, 0, 0)).save(stream, "PNG")
    return stream.getvalue()


@contextmanager
def counting(encodings: Encodings) -> Iterator[None]:
    """Count the encodings."""

    def counted(source: Path, output: Path, *, parameters: Parameters, **_: Any) -> SceneReport:
        encodings.begun += 1
        files = encoded(source.read_bytes(), parameters)
        for name, body in files.items():
            (output.parent / name).write_bytes(body)
        planes = tuple(output.with_name(name) for name in files if name != output.name)
        meta, _ = read_meta(output)
        return SceneReport(source.stat().st_size, planes, sum(map(len, files.values())), meta.count, Dropped())

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(compress, "compress_file", counted)
        patched.setattr(render, "preview_png", lambda splats, **_: draw(len(splats)))
        patched.setattr(os, "fsync", lambda _: None)
        yield


def attempt(pods: Pods, encodings: Encodings, index: int, kill: tuple[int, bool] | None) -> bool:
    """Do one attempt of a pod; say whether it came to its end."""
    dies_at, is_done = kill or (None, False)
    store = Watched(pods.claim, encodings, dies_at=dies_at, is_done=is_done)
    with pytest.MonkeyPatch.context() as patched:
        try:
            pods.run(index, patched, store=store)
        except Killed:
            # After its last write a run has nothing left to do, and nothing tells it from one of long ago.
            return not pods.hidden() and (pods.claim / "out/my-garden.manifest.json").exists()
    return True


def run_through(pods: Pods, kills: list[tuple[int, bool]]) -> tuple[Encodings, int]:
    """Kill each pod as often, then let it end; return what was encoded, and how often something was killed."""
    encodings, killed = Encodings(), 0
    with counting(encodings):
        for index in range(pods.document.get("shards", 1)):
            for kill in [*kills, None]:
                if attempt(pods, encodings, index, kill):
                    break
                killed += 1
    return encodings, killed


def prepared(folder: Path, kind: str) -> Pods:
    pods = Pods(folder, SCENES, **{"shards": None, **KINDS[kind]})
    if pods.document["shards"] is None:
        del pods.document["shards"]
    return pods


@cache
def undisturbed(kind: str) -> tuple[dict[str, bytes], Any]:
    """Give what a run makes that nobody kills."""
    with tempfile.TemporaryDirectory() as folder:
        pods = prepared(Path(folder), kind)
        assert run_through(pods, [])[0].begun == 5
        return outputs_of(pods), timeless(pods.manifest())


def outputs_of(pods: Pods) -> dict[str, bytes]:
    return {key: body for key, body in pods.visible().items() if not key.endswith(".manifest.json")}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8, deadline=None, derandomize=True)
@example(kills=[(4, True), (6, True)])
@example(kills=[(3, True), (7, False), (12, True)])
@given(kills=st.lists(st.tuples(st.integers(0, 45), st.booleans()), min_size=1, max_size=6))
def test_each_scene_is_encoded_once(kind: str, kills: list[tuple[int, bool]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pods = prepared(Path(folder), kind)
        encodings, killed = run_through(pods, kills)
        assert set(encodings.staged.values()) == {1}, "an output was encoded and sent again"
        assert encodings.begun <= 5 + 2 * killed  # one is encoded while another is sent
        assert (outputs_of(pods), timeless(pods.manifest())) == undisturbed(kind)
        assert pods.hidden() == []


def is_upload(path: Path) -> bool:
    return path.is_file() and re.fullmatch("[0-9a-f]{16}", path.name) is not None


def test_a_stopped_run_leaves_its_uploads_to_the_next(job: Job) -> None:
    """In processes of their own, on a volume, where the output that is published is the very file that was uploaded."""
    claim = job.folder / "volumes/scenes"
    (claim / "raw").mkdir(parents=True)
    (claim / "raw/a.ply").write_bytes(build_ply(300))
    (claim / "raw/b.ply").write_bytes(build_ply(200_000, sh_bands=3))
    job.environment["SPLATS_VOLUMES"] = str(claim.parent)
    job.document |= {"source": {"uri": f"{ADDRESS}raw/"}, "destination": {"uri": f"{ADDRESS}out/"}}
    process = job.start()
    home = claim / "out/.splats"
    while not (uploaded := [path for path in home.rglob("*") if is_upload(path)]):
        assert process.poll() is None
        time.sleep(0.05)
    (inode,) = [path.stat().st_ino for path in uploaded]
    process.send_signal(signal.SIGTERM)
    assert job.finish(process).code == 75
    (claim / "raw/b.ply").write_bytes(build_ply(200))
    ended = job.run()
    assert ended.code == 0, ended.errors
    assert [output["name"] for output in ended.message["outputs"]] == ["a", "b"]
    assert ended.message["cacheHits"] == 0
    assert (claim / "out/a.sog").stat().st_ino == inode
    assert not home.exists()


def test_a_run_that_fails_for_good_leaves_nothing_hidden(job: Job) -> None:
    job.put(
        "raw/broken/z.ply",
        b"ply\nformat binary_little_endian 1.0\nelement vertex 9\nproperty float opacity\nend_header\n",
    )
    job.document["source"]["uri"] = f"s3://{job.bucket}/raw/"
    ended = job.run()
    assert ended.failure == (65, "BadInput")
    assert not any("/.splats/" in key for key in job.server.keys(job.bucket))

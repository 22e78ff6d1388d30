"""PlayCanvas' converter finds in our files the rendering model that we wrote, and we find it in what it writes."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sogs_worker.encode.clean import drop_unusable
from sogs_worker.engines import native
from sogs_worker.engines.parameters import Parameters
from sogs_worker.formats import read_scene
from sogs_worker.formats.ply.file import write_ply
from sogs_worker.formats.sog.file import write_sog, write_unbundled
from sogs_worker.splats import Model, Splats
from splat_builders import build_splats
from viewers.peers import HERE, TIMEOUT_S

TOOL = HERE / "node_modules/.bin/splat-transform"


@pytest.fixture(params=Model)
def splats(request: pytest.FixtureRequest) -> Splats:
    scene = replace(build_splats(100, bands=0), model=request.param)
    scales = scene.scales.copy()
    scales[:, 2] = -np.inf if request.param is Model.SURFELS else scales[:, 2]
    return replace(scene, scales=scales)


def transform(*arguments: str | Path) -> str:
    command = [TOOL, "-q", "-w", "-g", "cpu", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT_S).stdout


def model_of(path: Path) -> str:
    said: str = json.loads(transform(path, "null", "--info", "json"))["model"]
    return said


def test_the_converter_reads_the_model_that_we_write(splats: Splats, tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", splats)
    scene = native.encode(splats, parameters=Parameters(quality="fast"), device="cpu")
    write_sog(tmp_path / "a.sog", scene)
    write_unbundled(tmp_path / "meta.json", scene)
    said = {name: model_of(tmp_path / name) for name in ("a.ply", "a.sog", "meta.json")}
    assert said == dict.fromkeys(said, splats.model.value)


@pytest.mark.parametrize("name", ["b.ply", "b.compressed.ply", "b.sog", "meta.json", "b.spz", "3/b.spz"])
def test_we_read_the_model_that_the_converter_writes(name: str, splats: Splats, tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", splats)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    transform(*(["--spz-version", "3"] if "3/" in name else []), tmp_path / "a.ply", tmp_path / name)
    got = read_scene(tmp_path / name)
    is_said = splats.model is not Model.SURFELS or not name.endswith(".spz")
    assert got.model is (splats.model if is_said else Model.DEFAULT)
    kept, dropped = drop_unusable(got)
    assert (len(kept), dropped) == (100, 0)
    if splats.model is Model.SURFELS:
        assert (kept.scales[:, 2] <= kept.scales[:, :2].min(axis=1)).all()
    if name == "b.ply":
        assert np.array_equal(got.scales, splats.scales)

"""A streamed SOG is read as one scene, its finest level; whatever is wrong with it is one sentence."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenes import DATA
from sogs_worker.cli.inspect import inspect_file
from sogs_worker.engines import native
from sogs_worker.engines.parameters import Parameters
from sogs_worker.errors import BadInputError, SourceMissingError
from sogs_worker.formats import read_scene, scene_bytes
from sogs_worker.formats.ply.file import write_ply
from sogs_worker.formats.sog.file import read_sog, write_unbundled
from sogs_worker.formats.sog.layout import EncodedScene
from sogs_worker.formats.sog.streamed import is_streamed, parse_manifest
from splat_builders import build_splats
from viewers.peers import HERE, TIMEOUT_S, read_float_ply, stack

TOOL = HERE / "node_modules/.bin/splat-transform"
UNITS = {"0_0": (60, 0, 1), "0_1": (40, 0, 2), "1_0": (50, 0, 3), "env": (20, 1, 4)}
"""Splats, SH bands and seed."""


@cache
def encode(name: str) -> EncodedScene:
    count, bands, seed = UNITS[name]
    return native.encode(
        build_splats(count, bands=bands, seed=seed), parameters=Parameters(quality="fast"), device="cpu"
    )


def leaf(**levels: tuple[int, int, int]) -> dict[str, Any]:
    lods = {name[1:]: dict(zip(("file", "offset", "count"), run, strict=True)) for name, run in levels.items()}
    return {"bound": {"min": [0] * 3, "max": [1] * 3}, "lods": lods}


def build_manifest() -> dict[str, Any]:
    return {
        "version": 1,
        "count": 150,
        "counts": [100, 50],
        "lodLevels": 2,
        "filenames": ["1_0/meta.json", "0_0/meta.json", "0_1/meta.json"],
        "environment": "env/meta.json",
        "tree": {"children": [leaf(_0=(1, 10, 50), _1=(0, 0, 25)), {"children": [
            leaf(_0=(2, 0, 40), _1=(0, 25, 25)), leaf(_0=(1, 0, 10)), leaf(_1=(0, 50, 0))]}]},
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in UNITS:
        (tmp_path / name).mkdir()
        write_unbundled(tmp_path / name / "meta.json", encode(name))
    write(tmp_path, build_manifest())
    return tmp_path


def write(folder: Path, manifest: object) -> Path:
    path = folder / "lod-meta.json"
    path.write_text(json.dumps(manifest))
    return path


def test_the_finest_level_and_the_environment_are_one_scene(folder: Path) -> None:
    splats = read_scene(folder / "lod-meta.json")
    first, second, env = (read_sog(folder / name / "meta.json") for name in ("0_0", "0_1", "env"))
    expected = [first.positions[10:], first.positions[:10], second.positions, env.positions]
    assert np.array_equal(splats.positions, np.concatenate(expected))
    assert np.array_equal(splats.shn[100:], env.shn)
    assert not splats.shn[:100].any()
    assert splats.notes == ("a streamed SOG, of whose 2 levels the finest is read",)


def test_it_is_as_large_as_the_files_of_that_level(folder: Path) -> None:
    files = [folder / "lod-meta.json", *(file for name in ("0_0", "0_1", "env") for file in (folder / name).iterdir())]
    assert scene_bytes(folder / "lod-meta.json") == sum(file.stat().st_size for file in files)
    assert inspect_file(folder / "lod-meta.json")["splats"] == 120


def test_a_manifest_is_known_by_its_name_or_its_content(folder: Path) -> None:
    renamed = (folder / "lod-meta.json").rename(folder / "scene.json")
    assert is_streamed(renamed)
    assert len(read_scene(renamed)) == 120
    assert is_streamed(folder / "LOD-Meta.json")
    assert not is_streamed(folder / "0_0" / "meta.json")
    with pytest.raises(SourceMissingError, match=r"none\.json: no such file"):
        read_scene(folder / "none.json")


Change = Callable[[dict[str, Any]], object]
FAULTS: dict[str, tuple[Change, str]] = {
    "version": (lambda meta: meta.update(version=2), "got version 2"),
    "no files": (lambda meta: meta.pop("filenames"), "no filenames"),
    "no levels": (lambda meta: meta.update(lodLevels="2"), "no lodLevels"),
    "no tree": (lambda meta: meta.pop("tree"), "a node of the manifest's tree is None"),
    "children": (lambda meta: meta["tree"].update(children={}), "has the children {}"),
    "nothing fine": (lambda meta: meta.update(tree=leaf(_1=(0, 0, 50))), "no splats at its finest level"),
    "count": (lambda meta: meta.update(counts=[99, 50]), "counts 99 splats, but its tree has 100"),
    "no such file": (lambda meta: meta.update(tree=leaf(_0=(3, 0, 1))), "refers to {'file': 3"),
    "negative": (lambda meta: meta.update(tree=leaf(_0=(1, -1, 1))), "refers to"),
    "outside": (lambda meta: meta["filenames"].__setitem__(1, "../0_0/meta.json"), "below its folder"),
    "absolute": (lambda meta: meta.update(environment="/etc/meta.json"), "below its folder"),
    "address": (lambda meta: meta.update(environment="https://x/meta.json"), "below its folder"),
    "more than there are": (
        lambda meta: (meta.pop("counts"), meta.update(tree=leaf(_0=(1, 30, 31)))), "claims 61 of its 60 splats",
    ),
    "twice": (
        lambda meta: (meta.pop("counts"), meta["tree"]["children"].append(leaf(_0=(2, 0, 1)))), "claims 41 of its 40",
    ),
    "no unit": (lambda meta: meta["filenames"].__setitem__(2, "0_9/meta.json"), "0_9/meta.json: no such file"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_its_file(fault: str, folder: Path) -> None:
    change, words = FAULTS[fault]
    manifest = build_manifest()
    change(manifest)
    with pytest.raises((BadInputError, SourceMissingError)) as caught:
        read_scene(write(folder, manifest))
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{folder}/")
    assert "\n" not in str(caught.value)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 99) | st.sampled_from(["0_0/meta.json", ".", "0", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["file", "offset", "count", "lods", "children", "0"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300)
@given(field=st.sampled_from([*build_manifest(), "root"]), value=values)
def test_any_manifest_is_parsed_or_refused(field: str, value: object) -> None:
    manifest = value if field == "root" else build_manifest() | {field: value}
    with suppress(BadInputError):
        assert parse_manifest(json.dumps(manifest).encode()).units


def test_a_peers_streamed_sog_is_read_alike(tmp_path: Path) -> None:
    if not TOOL.exists():
        pytest.skip(f"{TOOL} is not there: npm ci in tests/viewers installs it")
    for name, count in (("fine", 3000), ("coarse", 1000)):
        write_ply(tmp_path / f"{name}.ply", build_splats(count, bands=0, seed=count))
    manifest, options = tmp_path / "out" / "lod-meta.json", ["--lod-chunk-count", "1", "--lod-chunk-min", "1"]
    inputs = [tmp_path / "fine.ply", "-l", "0", tmp_path / "coarse.ply", "-l", "1"]
    commands = [[*options, *inputs, manifest], [manifest, "-L", "0", tmp_path / "read.ply"]]
    for command in commands:
        subprocess.run([TOOL, "-g", "cpu", "-w", *command], check=True, capture_output=True, timeout=TIMEOUT_S)
    theirs, ours = stack(read_float_ply(tmp_path / "read.ply"), "x", "y", "z"), read_scene(manifest).positions
    assert len(theirs) == len(ours) == 3000
    order = [np.lexsort(positions.round(4).T) for positions in (theirs, ours)]
    np.testing.assert_allclose(ours[order[1]], theirs[order[0]], rtol=1e-5, atol=2e-4)


def test_the_file_of_a_report_is_read() -> None:
    path = DATA / "reports" / "06_streamed_sog" / "lod-meta.json"
    if not path.exists():
        pytest.skip(f"{path} is not there: SPLATS_DATA names the folder with the reports' files")
    assert len(read_scene(path)) == 3000

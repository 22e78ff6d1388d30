"""Scenes far from 0: every reader and writer keeps what doubles say, and what viewers lose is said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from packed_scenes import build_sog_v1, dump
from scenes import DATA
from sogs_worker.cli.main import main
from sogs_worker.encode.origin import centre, describe_losses, find_origin
from sogs_worker.engines import native
from sogs_worker.engines.parameters import Parameters
from sogs_worker.evaluate import evaluate_files
from sogs_worker.formats.ply.file import read_ply, write_ply
from sogs_worker.formats.sog.file import read_meta, read_sog, write_sog
from sogs_worker.splats import WORLD, Splats
from splat_builders import build_rows, build_splats

MAP = (500_123.25, 5_400_321.5, 120.75)
SIZE = 0.05
STEP = SIZE / 16
"""What may be lost of a position, in the world."""

places = st.tuples(*[st.floats(-1e7, 1e7, allow_subnormal=False)] * 3)


def far_scene(place: tuple[float, ...], count: int = 200) -> tuple[Splats, NDArray[np.float64]]:
    """A scene of 20 m, and where its splats are in doubles."""
    splats = build_splats(count, bands=0)
    splats = replace(splats, scales=np.full_like(splats.scales, np.log(SIZE)))
    return splats, splats.positions.astype(np.float64) + place


def write_doubles(path: Path, splats: Splats, world: NDArray[np.float64], encoding: str) -> None:
    rows = build_rows(splats) | dict(zip("xyz", world.T, strict=True))
    lines = ["ply", f"format {encoding} 1.0", f"element vertex {len(splats)}"]
    header = "\n".join([*lines, *(f"property double {name}" for name in rows), "end_header", ""]).encode()
    table = np.stack([np.asarray(column, np.float64) for column in rows.values()], axis=1)
    text = "\n".join(" ".join(map(repr, row)) for row in table.tolist()).encode()
    path.write_bytes(header + (text if encoding == "ascii" else table.astype("<f8").tobytes()))


@pytest.mark.parametrize("encoding", ["ascii", "binary_little_endian"])
@settings(max_examples=50)
@given(place=places)
def test_doubles_are_read_and_written_with_all_that_a_picture_shows(
    tmp_path_factory: pytest.TempPathFactory, encoding: str, place: tuple[float, float, float]
) -> None:
    splats, world = far_scene(place, 9)
    path = tmp_path_factory.getbasetemp() / f"{encoding}.ply"
    write_doubles(path, splats, world, encoding)
    got = read_ply(path)
    assert got.positions.dtype == np.float32
    assert np.abs(got.world_positions() - world).max() <= STEP
    write_ply(path, got)
    assert np.array_equal(read_ply(path).world_positions(), got.world_positions())


@given(place=places)
def test_the_origin_is_a_whole_number_or_none(place: tuple[float, float, float]) -> None:
    splats, world = far_scene(place, 50)
    origin = find_origin(world, splats.scales)
    assert all(axis == round(axis) for axis in origin)
    positions, same = centre(world, splats.scales)
    assert same == origin
    assert np.abs(positions + np.array(origin) - world).max() <= STEP


@given(seed=st.integers(0, 1000), spread=st.floats(0.01, 1000), place=st.floats(-50, 50))
def test_an_ordinary_scene_stays_as_it_is(seed: int, spread: float, place: float) -> None:
    splats = build_splats(50, seed=seed)
    positions = splats.positions * np.float32(spread) + np.float32(place)
    got, origin = centre(positions, splats.scales + np.float32(np.log(spread)))
    assert origin == WORLD
    assert got is positions


def test_values_that_no_scene_has_give_no_origin() -> None:
    scales = np.zeros((4, 3), np.float32)
    for value in (np.nan, np.inf, 1e300):
        assert find_origin(np.full((4, 3), value), scales) == WORLD
    assert find_origin(np.full((4, 3), 1e7), np.full((4, 3), -np.inf, np.float32)) == WORLD


def test_a_few_strays_do_not_move_a_scene() -> None:
    splats, world = far_scene((0, 0, 0))
    world[::20] = 1e9
    assert find_origin(world, splats.scales) == WORLD


def test_a_bundle_has_the_true_coordinates(tmp_path: Path) -> None:
    splats, world = far_scene(MAP)
    write_doubles(tmp_path / "a.ply", splats, world, "binary_little_endian")
    write_sog(tmp_path / "a.sog", native.encode(read_ply(tmp_path / "a.ply"), parameters=Parameters(), device="cpu"))
    meta, _ = read_meta(tmp_path / "a.sog")
    got = read_sog(tmp_path / "a.sog").world_positions()
    nearest = np.abs(got[:, None] - world[None]).max(axis=2).min(axis=1)
    grid = np.ptp(world, axis=0).max() / 65535
    assert nearest.max() < max(grid, SIZE / 2)
    assert np.abs(got.min(axis=0) - world.min(axis=0)).max() < SIZE
    assert json.loads(meta.to_json())["means"]["mins"] == meta.mins.tolist()  # type: ignore[union-attr]


@pytest.mark.parametrize("version", [1, 2])
def test_bounds_of_positions_are_read_as_doubles(version: int, tmp_path: Path) -> None:
    if version == 1:
        meta, planes = build_sog_v1(bands=0)
        files = planes
    else:
        encoded = native.encode(build_splats(100, bands=0), parameters=Parameters(), device="cpu")
        meta, files = json.loads(encoded.meta.to_json()), dict(encoded.images)
    world = np.array(MAP)
    meta["means"] |= {"mins": np.log1p(world).tolist(), "maxs": np.log1p(world + 10).tolist()}
    for name, data in {**files, "meta.json": dump(meta)}.items():
        (tmp_path / name).write_bytes(data)
    got = read_sog(tmp_path / "meta.json").world_positions()
    assert np.all(got >= world - 1e-3)
    assert np.all(got <= world + 10 + 1e-3)
    assert len(np.unique(got[:, 1])) > 90


def test_an_evaluation_compares_doubles(tmp_path: Path) -> None:
    splats, world = far_scene(MAP, 500)
    write_doubles(tmp_path / "true.ply", splats, world, "binary_little_endian")
    write_doubles(tmp_path / "rounded.ply", splats, world.astype(np.float32).astype(np.float64), "binary_little_endian")
    write_doubles(tmp_path / "moved.ply", splats, world + 0.001, "ascii")
    cameras = [{"world_to_camera": np.block([[np.eye(3), -world.mean(axis=0)[:, None] + [[0], [0], [20]]],
                                             [np.zeros(3), 1]]).tolist(),
                "K": [[300, 0, 100], [0, 300, 100], [0, 0, 1]], "width": 200, "height": 200}]  # fmt: skip
    (tmp_path / "cameras.json").write_text(json.dumps(cameras))
    for views in (None, tmp_path / "cameras.json"):
        psnr = {}
        for name in ("true.ply", "rounded.ply", "moved.ply"):
            files = tmp_path / "true.ply", tmp_path / name
            psnr[name] = evaluate_files(*files, cameras=views, count=1, device="cpu")["psnr"]
        assert psnr["true.ply"] is None  # the same pictures
        assert psnr["moved.ply"] > 40 > 30 > psnr["rounded.ply"]


def test_what_viewers_lose_is_said_with_the_offset() -> None:
    splats, world = far_scene(MAP)
    positions, origin = centre(world, splats.scales)
    said = describe_losses(replace(splats, positions=positions, origin=origin))
    assert said
    assert "steps of 0.5" in said
    assert f"subtract {origin[0]:.0f} {origin[1]:.0f} {origin[2]:.0f} from" in said
    assert describe_losses(splats) is None
    spoilt = positions.copy()
    spoilt[:20] = np.nan
    assert describe_losses(replace(splats, positions=spoilt, origin=origin)) == said


@pytest.mark.parametrize("name", ["08a_utm_float.ply", "08b_utm_double.ply"])
def test_map_coordinates_survive(name: str, tmp_path: Path) -> None:
    path = DATA / "reports" / name
    if not path.exists():
        pytest.skip(f"{path} is not there: SPLATS_DATA names the folder with the reports' files")
    splats = read_ply(path)
    write_sog(tmp_path / "a.sog", native.encode(splats, parameters=Parameters(), device="cpu"))
    assert describe_losses(splats)
    evaluation = evaluate_files(path, tmp_path / "a.sog", cameras=None, count=1, device="cpu")
    assert evaluation["psnr"] > 40
    got, world = read_sog(tmp_path / "a.sog").world_positions(), splats.world_positions()
    nearest = np.abs(got[:, None] - world[None]).max(axis=2).min(axis=1)
    assert np.median(nearest) < 0.02


def test_the_command_says_it_beside_its_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    splats, world = far_scene(MAP)
    source = tmp_path / "map.ply"
    write_doubles(source, splats, world, "binary_little_endian")
    assert main(["compress", "--device", "cpu", "--quality", "fast", "--json", str(source), f"{tmp_path}/a.sog"]) == 0
    output = capsys.readouterr()
    (note,) = json.loads(output.out)["notes"]
    assert "subtract" in note
    said = [json.loads(line).get("message") for line in output.err.splitlines()]
    assert f"{source}: {note}" in said
    assert main(["inspect", str(source)]) == 0
    assert note in capsys.readouterr().out

"""The encoder from splats to bundle and back, on ordinary, tiny and odd scenes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scenes import real_scene
from sogs_worker.encode.order import hilbert_order
from sogs_worker.encode.quantize import log_transform, quantize_opacities
from sogs_worker.engines import encode
from sogs_worker.engines.parameters import Parameters
from sogs_worker.errors import BadInputError
from sogs_worker.formats.ply import read_ply
from sogs_worker.formats.sog import read_meta, read_sog, write_sog
from sogs_worker.splats import Splats
from splat_builders import build_splats, replace

FAST = Parameters(quality="fast")


def round_trip(splats: Splats, path: Path, parameters: Parameters = FAST) -> Splats:
    write_sog(path, encode(splats, parameters=parameters, device="cpu"))
    return read_sog(path)


def assert_within_steps(source: Splats, got: Splats, path: Path) -> None:
    """Compare a scene with its decoded bundle, attribute by attribute, each with its own step."""
    want = source.take(hilbert_order(source.positions))
    meta, _ = read_meta(path)
    span = meta.maxs.astype(np.float64) - meta.mins
    error = np.abs(log_transform(got.positions) - log_transform(want.positions))
    assert (error <= span / 65535 / 2 + 4e-6).all()
    for name, book in (("scales", meta.scales), ("sh0", meta.sh0)):
        nearest = book[np.abs(book[None] - getattr(want, name).reshape(-1, 1)).argmin(axis=1)]
        difference = np.abs(getattr(got, name) - getattr(want, name)).ravel()
        assert (difference <= np.abs(nearest - getattr(want, name).ravel()) + 1e-6).all(), name
    assert np.array_equal(quantize_opacities(got.opacities), quantize_opacities(want.opacities))
    unit = want.rotations / np.linalg.norm(want.rotations, axis=1, keepdims=True)
    cosine = np.abs((unit * got.rotations).sum(axis=1)) / np.linalg.norm(got.rotations, axis=1)
    assert np.degrees(2 * np.arccos(np.minimum(cosine, 1))).max() < 1.1


@pytest.mark.parametrize("bands", range(4))
@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 130, 1000])
def test_a_scene_comes_back_within_the_steps(count: int, bands: int, tmp_path: Path) -> None:
    splats = build_splats(count, bands=bands)
    got = round_trip(splats, tmp_path / "scene.sog")
    assert (len(got), got.sh_bands) == (count, bands)
    assert_within_steps(splats, got, tmp_path / "scene.sog")


def constant(count: int) -> Splats:
    one = build_splats(1)
    return one.take(np.zeros(count, np.intp))


def outliers(count: int) -> Splats:
    splats = build_splats(count)
    positions, scales = splats.positions.copy(), splats.scales.copy()
    positions[::97] *= np.float32(1e6)
    scales[::89] = -30
    return replace(splats, positions=positions, scales=scales)


def one_constant_channel(count: int) -> Splats:
    splats = build_splats(count)
    positions, sh0 = splats.positions.copy(), splats.sh0.copy()
    positions[:, 1], sh0[:, 2] = 7.5, -0.25
    return replace(splats, positions=positions, sh0=sh0, shn=np.zeros_like(splats.shn))


ODD = {"all equal": constant(300), "outliers": outliers(500), "constant channels": one_constant_channel(300)}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("quality", ["fast", "balanced", "best"])
def test_odd_scenes_come_back_too(name: str, quality: str, tmp_path: Path) -> None:
    got = round_trip(ODD[name], tmp_path / "scene.sog", Parameters(quality=quality))
    assert_within_steps(ODD[name], got, tmp_path / "scene.sog")
    if name != "outliers":
        want = ODD[name].take(hilbert_order(ODD[name].positions))
        assert np.abs(got.shn - want.shn).max() < 1e-6


def test_the_same_input_gives_the_same_bytes_and_stays_as_it_is(tmp_path: Path) -> None:
    splats = build_splats(1200)
    before = [getattr(splats, name).tobytes() for name in Splats.__dataclass_fields__]
    for name in ("first", "second"):
        round_trip(splats, tmp_path / name)
    round_trip(splats, tmp_path / "other", Parameters(quality="fast", seed=1))
    assert [getattr(splats, name).tobytes() for name in Splats.__dataclass_fields__] == before
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    assert (tmp_path / "first").read_bytes() != (tmp_path / "other").read_bytes()


def test_unusable_splats_are_dropped_and_counted(tmp_path: Path) -> None:
    opacities = build_splats(10).opacities.copy()
    opacities[[2, 5]] = [np.nan, -np.inf]
    opacities[7] = np.inf
    splats = replace(build_splats(10), opacities=opacities)
    scene = encode(splats, parameters=FAST, device="cpu")
    assert (scene.meta.count, scene.dropped) == (8, 2)
    write_sog(tmp_path / "scene.sog", scene)
    assert_within_steps(
        splats.take(np.delete(np.arange(10), [2, 5])), read_sog(tmp_path / "scene.sog"), tmp_path / "scene.sog"
    )


def test_a_scene_of_nothing_but_nan_is_refused() -> None:
    splats = replace(build_splats(3), sh0=np.full((3, 3), np.nan, np.float32))
    with pytest.raises(BadInputError, match="all 3 splats"):
        encode(splats, parameters=FAST, device="cpu")


@pytest.mark.parametrize(("asked", "kept"), [(0, 0), (1, 1), (2, 1)])
def test_bands_are_cut_never_invented(asked: int, kept: int, tmp_path: Path) -> None:
    got = round_trip(build_splats(70, bands=1), tmp_path / "scene.sog", Parameters(sh_bands=asked))
    assert got.sh_bands == kept


def test_progress_rises_to_one() -> None:
    told: list[tuple[str, float]] = []
    encode(build_splats(1000), parameters=FAST, device="cpu", progress=lambda *args: told.append(args))
    assert {stage for stage, _ in told} == {"encode"}
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert len(fractions) > 4


def test_better_quality_is_nearer(tmp_path: Path) -> None:
    splats = build_splats(2000, bands=1)
    want = splats.take(hilbert_order(splats.positions)).shn
    errors = [
        float(((round_trip(splats, tmp_path / quality, Parameters(quality=quality)).shn - want) ** 2).mean())
        for quality in ("fast", "balanced", "best")
    ]
    assert errors[0] > errors[1] > errors[2]


def test_a_real_scene_is_compressed_well(tmp_path: Path) -> None:
    source = real_scene("train_1000.ply")
    splats = read_ply(source)
    got = round_trip(splats, tmp_path / "scene.sog")
    assert_within_steps(splats, got, tmp_path / "scene.sog")
    assert source.stat().st_size / (tmp_path / "scene.sog").stat().st_size > 6

"""Splats that are fitted to pictures look more like them, from cameras that the fitting never saw too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from drawn_scenes import random_scene
from odd_scenes import ODD
from refined_bundles import HASTE, encode_hastily, few_steps
from sogs_worker.encode.cloud import Cloud, upload
from sogs_worker.engines import require_engine
from sogs_worker.engines.parameters import Parameters
from sogs_worker.engines.target import Target
from sogs_worker.errors import NoGPUError
from sogs_worker.evaluate import View, compare, draw
from sogs_worker.formats.ply.file import write_ply
from sogs_worker.formats.sog.file import read_sog, write_sog
from sogs_worker.refine import SHAPES, Effort, Refinery, SharedHarmonics
from sogs_worker.refine.optimizer import Optimizer
from sogs_worker.refine.views import random_cameras
from sogs_worker.scenes.make import Recipe, produce
from sogs_worker.source.fetch import SceneFile
from sogs_worker.splats import ARRAYS, Model, Splats

STEPS = 20


def to_splats(cloud: Cloud) -> Splats:
    return Splats(**{name: getattr(cloud, name).numpy() for name in ARRAYS}, model=cloud.model)


def likeness(got: Splats, want: Splats) -> float:
    """Return the PSNR, dB, from cameras of another seed than any fitting's."""
    cameras = random_cameras(torch.from_numpy(want.positions), 8, 48, seed=999)
    views = [View(str(number), camera) for number, camera in enumerate(cameras)]
    return compare(views, draw(want, views, device="cpu"), draw(got, views, device="cpu")).psnr


@pytest.mark.parametrize("model", [Model.DEFAULT, Model.ANTIALIASED])
@pytest.mark.parametrize("bands", [0, 2])
def test_what_was_disturbed_is_mended(bands: int, model: Model) -> None:
    full = upload(replace(random_scene(60, bands), model=model), "cpu")
    generator = torch.Generator().manual_seed(5)
    noise = {name: torch.randn(getattr(full, name).shape, generator=generator) for name in ARRAYS}
    bad = replace(full, **{name: getattr(full, name) + 0.05 * noise[name] for name in ARRAYS})
    better = Refinery(full, seed=1).refine(bad, Effort(STEPS, SHAPES.scaled(HASTE)))
    before = likeness(to_splats(bad), to_splats(full))
    assert likeness(to_splats(better), to_splats(full)) > before + 1
    assert torch.equal(bad.positions, full.positions + 0.05 * noise["positions"]), "the input is not changed"


def test_the_same_seed_gives_the_same_splats() -> None:
    full = upload(random_scene(50, 1), "cpu")
    start = replace(full, sh0=full.sh0 + 0.1)
    one, again, other = (Refinery(full, seed=seed).refine(start, Effort(4, SHAPES)) for seed in (1, 1, 2))
    assert all(torch.equal(getattr(one, name), getattr(again, name)) for name in ARRAYS)
    assert not torch.equal(one.sh0, other.sh0)


def test_splats_that_steps_would_make_worse_stay_as_they_are() -> None:
    full = upload(random_scene(50, 1), "cpu")
    start = replace(full, sh0=full.sh0 + 0.01)
    shared = SharedHarmonics(start.shn, torch.arange(50))
    before = shared.entries.clone()
    assert Refinery(full, seed=1).refine(start, Effort(3, SHAPES.scaled(1e4)), palette=shared) is start
    assert torch.equal(shared.entries, before)


def test_what_is_no_number_any_more_is_not_taken() -> None:
    full = upload(random_scene(50, 1), "cpu")
    start = replace(full, sh0=full.sh0 + 0.3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Optimizer, "cloud", replace(full, scales=full.scales * torch.nan))
        assert Refinery(full, seed=1).refine(start, Effort(5, SHAPES.scaled(HASTE))) is start


def test_entries_of_very_many_splats_move_by_the_sum_of_all() -> None:
    shared = SharedHarmonics(torch.zeros(3, 3, 3), torch.tensor([2] * 1000 + [0] * 256))
    sizes = shared.chunk_starts.diff().tolist()
    assert sizes == [256, 256, 256, 256, 232]
    assert shared.starts.tolist() == [0, 1, 1, 5]
    assert sorted(shared.members.tolist()) == list(range(1256))


@pytest.mark.parametrize(
    ("target", "bands"), [(Target(max_bytes=10_500), 0), (Target(max_bytes=14_000), 1), (Target(min_psnr=22.0), 1)]
)
def test_a_target_is_met_by_fitted_splats(target: Target, bands: int, tmp_path: Path) -> None:
    scene, told = tmp_path / "scene.ply", list[float]()
    write_ply(scene, random_scene(300, bands, seed=2))

    def note(stage: str, fraction: float) -> None:
        if stage == "encode":
            assert not told or fraction >= told[-1]
            told.append(fraction)

    recipe = Recipe(Parameters(quality="compact", target=target))
    with few_steps("compact", 2):
        made = produce(
            SceneFile(scene, "scene"), recipe, device="cpu", uri="out", folder=tmp_path / "out", progress=note
        )
    assert made.trials
    if target.max_bytes:
        assert made.target.stat().st_size <= target.max_bytes
        assert min(trial.bytes for trial in made.trials) <= target.max_bytes
    else:
        assert made.psnr is not None
        assert made.psnr >= 22
    assert len(read_sog(made.target)) == made.splats < 300


def test_progress_rises_to_one() -> None:
    full, seen = upload(random_scene(20, 0), "cpu"), list[float]()
    Refinery(full, seed=0).refine(full, Effort(3, SHAPES), progress=seen.append)
    assert seen == pytest.approx([1 / 3, 2 / 3, 1])


@pytest.mark.parametrize(("quality", "bands", "kept"), [("compact", 0, 74), ("smallest", 3, 50)])
def test_a_bundle_of_fewer_splats_looks_more_like_its_scene_when_fitted(
    quality: str, bands: int, kept: int, tmp_path: Path
) -> None:
    scene, likenesses = random_scene(200, bands, seed=7), []
    for steps in (0, STEPS):
        encoded = encode_hastily(scene, Parameters(quality=quality), steps)
        assert sum(encoded.dropped.counts.values()) == 200 - kept
        write_sog(tmp_path / "scene.sog", encoded)
        decoded = read_sog(tmp_path / "scene.sog")
        assert len(decoded) == kept
        likenesses.append(likeness(decoded, scene))
    assert likenesses[1] > likenesses[0] + 0.3


@pytest.mark.parametrize("name", ODD)
def test_odd_scenes_are_encoded_too(name: str, tmp_path: Path) -> None:
    splats = ODD[name]()
    write_sog(tmp_path / "scene.sog", encode_hastily(splats, Parameters(quality="smallest"), 1))
    got = read_sog(tmp_path / "scene.sog")
    assert 0 < len(got) <= round(len(splats) / 4) or name == "almost all invisible"
    for attribute in ARRAYS:
        assert np.isfinite(getattr(got, attribute)).all(), attribute


def test_a_target_says_how_many_splats_are_kept() -> None:
    parameters = Parameters(quality="smallest", target=Target(50))
    assert encode_hastily(random_scene(60, 1), parameters, 1).meta.count == 50


@pytest.mark.parametrize("quality", ["compact", "smallest"])
def test_without_a_gpu_they_are_refused(quality: str) -> None:
    with pytest.raises(NoGPUError, match=f"quality {quality} .* needs an NVIDIA GPU, .* use a GPU node, or fast"):
        require_engine(Parameters(quality=quality), "cpu")
    require_engine(Parameters(quality=quality), "cuda")
    require_engine(Parameters(quality="best"), "cpu")


def test_cameras_are_around_and_within_the_middle_and_see_it() -> None:
    positions = torch.from_numpy(np.random.default_rng(0).normal(size=(1000, 3)).astype(np.float32))
    positions[:20] *= 1e4
    cameras = random_cameras(positions, 200, 64, seed=3)
    distances = np.array([np.linalg.norm(camera.position) for camera in cameras])
    radius = 1.645 * 3**0.5
    assert distances.max() < 2.5 * radius, "floaters do not send cameras away"
    assert (distances < radius).mean() > 0.2
    assert (distances > radius).mean() > 0.2
    ahead = [(camera.world_to_camera @ np.array([0, 0, 0, 1]))[2] > 0 for camera in cameras]
    assert np.mean(ahead) > 0.85
    assert {(camera.width, camera.height) for camera in cameras} == {(64, 64)}

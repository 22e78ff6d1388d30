"""Splats that are fitted to pictures look more like them, from cameras that the fitting never saw too."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from drawn_scenes import random_scene
from odd_scenes import ODD
from refined_bundles import HASTE, encode_hastily, few_steps
from rooms import scene_of, shell
from sogs_worker.encode.cloud import Cloud, upload
from sogs_worker.engines import fitting, native, require_engine
from sogs_worker.engines.parameters import Parameters
from sogs_worker.engines.target import Target
from sogs_worker.errors import NoGPUError
from sogs_worker.evaluate import View, compare, draw
from sogs_worker.formats.ply.file import write_ply
from sogs_worker.formats.sog.file import read_sog, write_sog
from sogs_worker.formats.sog.layout import EncodedScene
from sogs_worker.refine import SHAPES, Effort, Refinery, SharedHarmonics
from sogs_worker.refine.optimizer import Optimizer
from sogs_worker.refine.refine import UNCHANGED_PACE
from sogs_worker.refine.views import choose_cameras, random_cameras
from sogs_worker.render.camera import Camera, pinhole
from sogs_worker.render.scene import Shapes, load_scene
from sogs_worker.scenes.compress import compress_file
from sogs_worker.scenes.make import Recipe, produce
from sogs_worker.scenes.search import QUICK_STEPS
from sogs_worker.source.fetch import SceneFile
from sogs_worker.splats import ARRAYS, Model, Splats

STEPS = 20


def to_splats(cloud: Cloud) -> Splats:
    return Splats(**{name: getattr(cloud, name).numpy() for name in ARRAYS}, model=cloud.model)


def likeness(got: Splats, want: Splats) -> float:
    """Return the PSNR, dB, from cameras of another seed than any fitting's."""
    cameras = random_cameras(load_scene(want, "cpu"), 8, 48, seed=999)
    views = [View(str(number), camera) for number, camera in enumerate(cameras)]
    return compare(views, draw(want, views, device="cpu"), draw(got, views, device="cpu")).psnr


def some_steps(steps: int, factor: float = 1.0) -> Effort:
    """Few of four pictures, so that they can be emulated."""
    return replace(SHAPES.scaled(factor), steps=steps, views=4)


@pytest.mark.parametrize("model", [Model.DEFAULT, Model.ANTIALIASED])
@pytest.mark.parametrize("bands", [0, 2])
def test_what_was_disturbed_is_mended(bands: int, model: Model) -> None:
    full = upload(replace(random_scene(60, bands), model=model), "cpu")
    generator = torch.Generator().manual_seed(5)
    noise = {name: torch.randn(getattr(full, name).shape, generator=generator) for name in ARRAYS}
    bad = replace(full, **{name: getattr(full, name) + 0.05 * noise[name] for name in ARRAYS})
    better = Refinery(full, seed=1).refine(bad, some_steps(STEPS, HASTE))
    before = likeness(to_splats(bad), to_splats(full))
    assert likeness(to_splats(better), to_splats(full)) > before + 1
    assert torch.equal(bad.positions, full.positions + 0.05 * noise["positions"]), "the input is not changed"


def test_the_same_seed_gives_the_same_splats() -> None:
    full = upload(random_scene(50, 1), "cpu")
    start = replace(full, sh0=full.sh0 + 0.1)
    one, again, other = (Refinery(full, seed=seed).refine(start, some_steps(4)) for seed in (1, 1, 2))
    assert all(torch.equal(getattr(one, name), getattr(again, name)) for name in ARRAYS)
    assert not torch.equal(one.sh0, other.sh0)


def test_splats_that_steps_would_make_worse_stay_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "sogs_worker")
    full = upload(random_scene(50, 1), "cpu")
    start = replace(full, sh0=full.sh0 + 0.01)
    shared = SharedHarmonics(start.shn, torch.arange(50))
    before = shared.entries.clone()
    assert Refinery(full, seed=1).refine(start, some_steps(3, 1e4), palette=shared) is start
    assert torch.equal(shared.entries, before)
    (said,) = caplog.messages
    assert re.fullmatch(r"3 steps of fitting bring .* -\d+\.\d\d dB nearer to the scene's, so they are undone", said)


@pytest.mark.parametrize("bands", [0, 1])
def test_a_note_says_which_fitting_was_undone(bands: int, tmp_path: Path) -> None:
    scene = tmp_path / "scene.ply"
    write_ply(scene, random_scene(200, bands, seed=7))
    told = []
    for haste in (1.0, 1e4):
        with few_steps(STEPS), pytest.MonkeyPatch.context() as patch:
            patch.setattr(native, "SHAPES", native.SHAPES.scaled(haste))
            patch.setattr(fitting, "COLOURS", fitting.COLOURS.scaled(haste))
            report = compress_file(scene, tmp_path / "out.sog", parameters=Parameters(quality="compact"), device="cpu")
        told.append(report.notes)
    assert not any("shapes" in note for note in told[0])
    assert [re.findall("shapes|colours", note) for note in told[1]] == [["shapes"], ["colours"]]
    assert all("was undone" in note for note in told[1])


HELD_OUT = {
    "one from within a splat is further off": ([1e-3, 1e-3, 1e-3, 2e-2], [1e-4, 1e-4, 1e-4, 2.5e-2], True),
    "those almost the same are less so": ([1e-6, 1e-6, 1e-6, 2e-2], [3e-6, 3e-6, 3e-6, 1.5e-2], True),
    "most are further off": ([1e-3, 1e-3, 1e-3, 2e-2], [3e-3, 3e-3, 3e-3, 1.9e-2], False),
}


@pytest.mark.parametrize(("before", "after", "is_kept"), HELD_OUT.values(), ids=HELD_OUT)
def test_held_out_pictures_decide_whether_a_stage_is_kept(
    before: list[float], after: list[float], is_kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = upload(random_scene(50, 0), "cpu")
    errors = iter([*before, *after])
    monkeypatch.setattr(Optimizer, "errors", lambda *_: torch.tensor([next(errors)]))
    assert (Refinery(full, seed=1).refine(full, some_steps(1)) is not full) == is_kept


def test_a_scene_that_keeps_all_splats_keeps_their_shapes() -> None:
    scene = random_scene(100, 0)
    with few_steps(STEPS):
        encoded = native.encode(
            scene, parameters=Parameters(quality="compact", target=Target(max_splats=100)), device="cpu"
        )
    assert not encoded.dropped.merged
    assert not encoded.dropped.pruned
    assert not any("shapes" in note for note in encoded.notes)


def test_a_part_of_the_steps_is_at_least_one() -> None:
    assert [SHAPES.shortened(part).steps for part in (0.125, 1e-9, 1)] == [150, 1, 1200]


def test_what_is_no_number_any_more_is_not_taken() -> None:
    full = upload(random_scene(50, 1), "cpu")
    start = replace(full, sh0=full.sh0 + 0.3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Optimizer, "cloud", replace(full, scales=full.scales * torch.nan))
        assert Refinery(full, seed=1).refine(start, some_steps(5, HASTE)) is start


@pytest.mark.parametrize(("limit", "part"), [(60, 1), (50, 1), (25, 1 / 2)])
def test_splats_of_a_large_scene_move_less_far(limit: int, part: float, monkeypatch: pytest.MonkeyPatch) -> None:
    full = upload(random_scene(50, 0), "cpu")
    start = replace(full, sh0=full.sh0 + 0.3)
    monkeypatch.setattr("sogs_worker.refine.refine.FULL_RATES", limit)
    fitted = Refinery(full, seed=1).refine(start, replace(some_steps(1), views=8))
    moved = (fitted.sh0 - start.sh0).abs().max().item()
    assert moved == pytest.approx(part * SHAPES.rates.sh0, rel=1e-3)


def test_splats_that_are_as_in_the_scene_move_less_far() -> None:
    full = upload(random_scene(50, 1), "cpu")
    start = replace(full, sh0=full.sh0 + 0.3)
    all_, some = (Refinery(full, seed=1).refine(start, some_steps(1), unchanged=count) for count in (0, 20))
    for name in ARRAYS:
        begin, far, near = (getattr(cloud, name) for cloud in (start, all_, some))
        assert torch.equal(near[20:], far[20:]), name
        assert torch.allclose(near[:20] - begin[:20], UNCHANGED_PACE * (far[:20] - begin[:20]), atol=1e-6), name


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

    runs, run = list[tuple[int, float]](), native.Encoding.run

    def noted(self: native.Encoding, most: int, *, fits: float = 1.0, progress: native.Progress) -> EncodedScene:
        runs.append((most, fits))
        return run(self, most, fits=fits, progress=progress)

    recipe = Recipe(Parameters(quality="compact", target=target))
    with few_steps(2), pytest.MonkeyPatch.context() as patch:
        patch.setattr(native.Encoding, "run", noted)
        made = produce(
            SceneFile(scene, "scene"), recipe, device="cpu", uri="out", folder=tmp_path / "out", progress=note
        )
    fitted = [most for most, fits in runs if fits == 1]
    assert list(dict.fromkeys(trial.splats for trial in made.trials)) == fitted != []
    assert len(made.trials) == len(fitted) or target.min_psnr, "steps of other widths are tried for a PSNR"
    assert {fits for _, fits in runs} == {1, 0 if target.max_bytes else QUICK_STEPS}
    if target.max_bytes:
        assert made.target.stat().st_size <= target.max_bytes
        assert min(trial.bytes for trial in made.trials) <= target.max_bytes
    else:
        assert made.psnr is not None
        assert made.psnr >= 22
    assert len(read_sog(made.target)) == made.splats < 300


def test_progress_rises_to_one() -> None:
    full, seen = upload(random_scene(20, 0), "cpu"), list[float]()
    Refinery(full, seed=0).refine(full, some_steps(3), progress=seen.append)
    assert seen == pytest.approx([1 / 3, 2 / 3, 1])


@pytest.mark.parametrize(("quality", "bands", "kept"), [("compact", 0, 80), ("smallest", 3, 55)])
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
    assert 0 < len(got) <= round(0.275 * len(splats)) or name == "almost all invisible"
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


@pytest.mark.parametrize(("given", "taken"), [(0, 0), (1, 1), (7, 7), (20, 20), (21, 20), (500, 20)])
def test_up_to_half_of_the_cameras_are_those_of_the_scene(given: int, taken: int) -> None:
    scene = load_scene(random_scene(50, 0), "cpu")
    own = []
    for number in range(given):
        matrix = np.eye(4)
        matrix[2, 3] = 100 + number
        own.append(pinhole(matrix, width=80, height=60))
    cameras = choose_cameras(scene, own, 40, 32, seed=1)
    assert len(cameras) == 40
    assert {(camera.width, camera.height) for camera in cameras} == {(32, 32)}
    places = [camera.world_to_camera[2, 3] - 100 for camera in cameras if camera.world_to_camera[2, 3] >= 100]
    assert places == [number * given // taken for number in range(taken)]
    if taken:
        assert cameras[0].focal[0] / 32 == pytest.approx(own[0].focal[0] / 80), "as much is seen across"


@pytest.mark.parametrize("target", [None, Target(max_bytes=9_000)])
def test_splats_are_fitted_from_the_cameras_that_they_are_not_judged_by(
    target: Target | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, given = tmp_path / "scene.ply", list[Camera]()
    splats = random_scene(100, 0, seed=2)
    write_ply(scene, splats)
    cameras = random_cameras(load_scene(splats, "cpu"), 12, 48, seed=3)
    matrices = [camera.world_to_camera for camera in cameras]
    documents = [
        {"world_to_camera": matrix.tolist(), "K": [[50, 0, 24], [0, 50, 24], [0, 0, 1]], "width": 48, "height": 48}
        for matrix in matrices
    ]
    (tmp_path / "cameras.json").write_text(json.dumps(documents))

    def note(shapes: Shapes, own: Sequence[Camera], count: int, side: int, seed: int) -> list[Camera]:
        given.extend(own)
        return choose_cameras(shapes, own, count, side, seed)

    monkeypatch.setattr("sogs_worker.refine.refine.choose_cameras", note)
    recipe = Recipe(Parameters(quality="compact", target=target), measures=True)
    files = SceneFile(scene, "scene", tmp_path / "cameras.json"), tmp_path / "out"
    with few_steps(1):
        produce(files[0], recipe, device="cpu", uri="out", folder=files[1], progress=lambda *_: None)
    judging = [number * 12 // 8 for number in range(8)]
    assert [camera.world_to_camera.tolist() for camera in given] == [
        matrix.tolist() for number, matrix in enumerate(matrices) if number not in judging
    ]


def test_cameras_of_no_use_are_left_aside_and_said(tmp_path: Path) -> None:
    write_ply(tmp_path / "scene.ply", random_scene(200, 0, seed=7))
    (tmp_path / "cameras.json").write_text("[]")
    scene = SceneFile(tmp_path / "scene.ply", "scene", tmp_path / "cameras.json")
    with few_steps(STEPS):
        made = produce(
            scene,
            Recipe(Parameters(quality="compact")),
            device="cpu",
            uri="out",
            folder=tmp_path / "out",
            progress=lambda *_: None,
        )
    (said,) = made.notes
    assert "cameras.json beside it is of no use, so splats were fitted to pictures from around: expected a list" in said


def test_cameras_are_around_and_within_the_middle_and_see_it() -> None:
    splats = random_scene(1000, 0)
    splats.positions[:] = np.random.default_rng(0).normal(size=(1000, 3))
    splats.positions[:20] *= 1e4
    cameras = random_cameras(load_scene(splats, "cpu"), 200, 64, seed=3)
    distances = np.array([np.linalg.norm(camera.position) for camera in cameras])
    radius = 1.645 * 3**0.5
    assert distances.max() < 2.5 * radius, "floaters do not send cameras away"
    assert (distances < radius).mean() > 0.2
    assert (distances > radius).mean() > 0.2
    ahead = [(camera.world_to_camera @ np.array([0, 0, 0, 1]))[2] > 0 for camera in cameras]
    assert np.mean(ahead) > 0.85
    assert {(camera.width, camera.height) for camera in cameras} == {(64, 64)}


def test_half_of_the_cameras_of_a_room_stand_in_it_and_look_everywhere() -> None:
    size = np.array([4.0, 3.0, 5.0])
    cameras = random_cameras(load_scene(scene_of(shell(12_000, size), 0.03), "cpu"), 100, 64, seed=3)
    within = [(np.abs(camera.position) < size / 2).all() for camera in cameras[1::2]]
    assert all(within)
    outside = [(np.abs(camera.position) > size / 2).any() for camera in cameras[::2]]
    assert sum(outside) > 25
    ahead = np.array([camera.world_to_camera[2, :3] for camera in cameras[1::2]])
    assert np.linalg.norm(ahead.mean(axis=0)) < 0.3
    assert [camera.focal[0] for camera in cameras[1::2]] == pytest.approx([32] * 50)

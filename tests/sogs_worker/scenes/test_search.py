"""A target of bytes or of PSNR is met by an output that is written, and looked at by what decodes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from drawn_scenes import random_scene
from sogs_worker.engines.parameters import Parameters
from sogs_worker.engines.target import Target
from sogs_worker.errors import QualityGateError
from sogs_worker.evaluate import evaluate_files
from sogs_worker.formats.ply.file import write_ply
from sogs_worker.formats.sog.file import read_sog
from sogs_worker.scenes.make import Product, Recipe, produce
from sogs_worker.scenes.search import WITHIN_DB
from sogs_worker.source.fetch import SceneFile

SPLATS = 3000


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scene") / "scene.ply"
    write_ply(path, random_scene(SPLATS, 1, seed=2))
    return path


def make(scene: Path, target: Target, folder: Path, output: str = "sog") -> Product:
    """Make an output; the progress that is told must rise."""
    told: list[float] = []

    def note(stage: str, fraction: float) -> None:
        if stage == "encode":
            assert not told or fraction >= told[-1]
            told.append(fraction)

    recipe = Recipe(Parameters(quality="fast", format=output, target=target))
    file = SceneFile(scene, str(scene))
    made = produce(file, recipe, device="cpu", uri="s3://b/scene.sog", folder=folder, progress=note)
    assert told[-1] == 1
    return made


@pytest.mark.parametrize("output", ["sog", "sog-unbundled"])
def test_as_many_splats_are_kept_as_the_bytes_allow(output: str, scene: Path, tmp_path: Path) -> None:
    bound = 25_000
    made = make(scene, Target(max_bytes=bound), tmp_path, output)
    written = sum(path.stat().st_size for path in (made.target, *made.planes))
    assert 0.96 * bound < written <= bound
    assert len(read_sog(made.target)) == made.splats == SPLATS - made.dropped.total
    assert made.trials[-1].splats == made.splats
    assert len(made.trials) <= 4


def test_a_scene_that_is_small_enough_keeps_its_splats(scene: Path, tmp_path: Path) -> None:
    made = make(scene, Target(max_bytes=10**7), tmp_path)
    assert made.dropped.merged + made.dropped.pruned == 0
    assert [trial.splats for trial in made.trials] == [made.splats]


def test_bytes_that_nothing_fits_into_are_one_sentence(scene: Path, tmp_path: Path) -> None:
    with pytest.raises(QualityGateError, match=r"s3://b/scene.sog would miss its target: .*maxBytes is 100;"):
        make(scene, Target(max_bytes=100), tmp_path)


def test_hardly_any_splats_are_kept_for_a_psnr_that_anything_has(scene: Path, tmp_path: Path) -> None:
    assert make(scene, Target(min_psnr=1.0), tmp_path).splats < SPLATS / 10


@pytest.mark.parametrize("wanted", [24.0, 26.0, 28.0, 31.0])
def test_a_psnr_is_met_by_the_number_of_splats_and_the_width_of_steps(
    wanted: float, scene: Path, tmp_path: Path
) -> None:
    """Each of these splats is large: a little more of one changes the PSNR by half a decibel."""
    made = make(scene, Target(min_psnr=wanted), tmp_path)
    measured = evaluate_files(scene, made.target, cameras=None, count=None, device="cpu")["psnr"]
    assert wanted <= measured <= wanted + WITHIN_DB + 0.5
    assert made.psnr == pytest.approx(measured, abs=1e-3)
    assert made.splats < SPLATS
    written = sum(path.stat().st_size for path in (made.target, *made.planes))
    met = [trial for trial in made.trials if trial.psnr is not None and trial.psnr >= wanted]
    assert written == min(trial.bytes for trial in met), "the smallest of those that meet it"
    assert len({trial.splats for trial in made.trials}) < len(made.trials)


def test_a_psnr_that_all_splats_do_not_have_is_one_sentence(scene: Path, tmp_path: Path) -> None:
    with pytest.raises(
        QualityGateError, match=r"miss its target: .* a PSNR of .* dB, encoder.target.minPSNR is 99 dB;"
    ):
        make(scene, Target(min_psnr=99.0), tmp_path)

"""The ablation as a whole: which variants are measured, and how the options are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from benchmarks.ablation import OPTIONS, measure_options, measure_variants
from benchmarks.choices import build_choices
from benchmarks.errors import BenchmarkError
from benchmarks.quality import Judge
from benchmarks.scenes import Scene
from benchmarks.stages import PARTS

SCRIPT = """
import sys, zipfile
scene, out, *options = sys.argv[2:]
with zipfile.ZipFile(out, "w") as archive:
    archive.writestr("meta.json", "{}")
    archive.writestr("quats.webp", "q" * (10 + len(options)))
"""
WORKER = [sys.executable, "-IS", "-c", SCRIPT]
JUDGE = Judge({"copy": ["cp"]}, ["sh", "-c", """echo '{"psnr": 41.5, "psnrWorst": 40.25}'"""])


def test_each_variant_is_encoded_with_its_options_and_judged(scene: Scene, tmp_path: Path) -> None:
    variants = list(measure_options(WORKER, JUDGE, scene, tmp_path, names=OPTIONS))
    assert [variant.name for variant in variants] == list(OPTIONS)
    assert [variant.bytes for variant in variants] == [10 + len(options) for options in OPTIONS.values()]
    assert {(variant.psnr_mean, variant.psnr_worst) for variant in variants} == {(41.5, 40.25)}


def test_a_variant_that_fails_is_one_sentence(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"^balanced: failed: exit code 1: it said nothing$"):
        list(measure_options(["false"], JUDGE, scene, tmp_path, names=OPTIONS))


def test_a_scene_that_cannot_be_read_is_one_sentence(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"scene\.ply: not a Gaussian splat scene"):
        list(measure_variants(WORKER, JUDGE, scene, tmp_path))


def test_stages_follow_the_options(drawable_scene: Scene, tmp_path: Path) -> None:
    measured = list(measure_variants(WORKER, JUDGE, drawable_scene, tmp_path))
    assert [variant.name for variant in measured] == [*OPTIONS, *PARTS, *build_choices()]


@pytest.mark.parametrize(
    ("only", "names"),
    [
        (["no SH"], ["balanced", "balanced, no SH"]),
        (["best", "geometry", "doubled"], ["balanced", "best", "geometry", "strength doubled", "palette step doubled"]),
    ],
    ids=["an option", "an option, a part and choices"],
)
def test_the_first_and_the_named_are_measured_alone(
    only: list[str], names: list[str], drawable_scene: Scene, tmp_path: Path
) -> None:
    variants = measure_variants(WORKER, JUDGE, drawable_scene, tmp_path, only=only)
    assert [variant.name for variant in variants] == names


def test_options_alone_do_not_draw_the_scene(scene: Scene, tmp_path: Path) -> None:
    """The scene has no splats to draw, and nobody notices."""
    assert len(list(measure_variants(WORKER, JUDGE, scene, tmp_path, only=["fast"]))) == 2


def test_a_name_that_no_variant_has_is_refused_with_those_there_are(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"^--only gzip zstd: no variant is called so; there are balanced; fast;"):
        list(measure_variants(WORKER, JUDGE, scene, tmp_path, only=["gzip", "zstd"]))

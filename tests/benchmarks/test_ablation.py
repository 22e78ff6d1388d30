"""The table of what each choice costs and buys."""

from __future__ import annotations

import sys
import zipfile
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from benchmarks.ablation import (
    OPTIONS,
    PARTS,
    Variant,
    build_choices,
    format_ablation,
    measure_options,
    measure_stages,
    measure_variants,
    read_plane_bytes,
)
from benchmarks.errors import BenchmarkError
from benchmarks.quality import Judge
from benchmarks.scenes import Scene

from sogs_worker.engines import encode
from sogs_worker.engines.parameters import Parameters
from sogs_worker.formats import read_scene
from sogs_worker.formats.ply import write_ply
from sogs_worker.splats import Splats
from splat_builders import build_splats, replace

WORKER = """
import sys, zipfile
scene, out, *options = sys.argv[2:]
with zipfile.ZipFile(out, "w") as archive:
    archive.writestr("meta.json", "{}")
    archive.writestr("quats.webp", "q" * (10 + len(options)))
"""
JUDGE = Judge({"copy": ["cp"]}, ["sh", "-c", """echo '{"psnr": 41.5, "psnrWorst": 40.25}'"""])


def test_the_table_compares_with_its_first_row() -> None:
    variants = [
        Variant("all", {"quats": 600, "shN_labels": 400}, 46.0, 44.5),
        Variant("no SH", {"quats": 600}, 40.5, 38.0),
        Variant("unjudged", {"quats": 500, "shN_labels": 510}, None, None),
    ]
    assert format_ablation(variants).splitlines() == [
        "| variant  | quats | shN_labels |   all |    ± % | dB mean | dB worst |  ± dB |",
        "| -------- | ----: | ---------: | ----: | -----: | ------: | -------: | ----: |",
        "| all      |   600 |        400 | 1,000 |        |   46.00 |    44.50 |       |",
        "| no SH    |   600 |            |   600 | -40.00 |   40.50 |    38.00 | -5.50 |",
        "| unjudged |   500 |        510 | 1,010 |  +1.00 |         |          |       |",
    ]


def test_planes_are_the_images_of_a_bundle(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.sog", "w") as archive:
        archive.writestr("meta.json", "{}")
        archive.writestr("means_l.webp", "12345")
        archive.writestr("quats.webp", "123")
    assert read_plane_bytes(tmp_path / "a.sog") == {"means_l": 5, "quats": 3}


def test_each_variant_is_encoded_with_its_options_and_judged(scene: Scene, tmp_path: Path) -> None:
    variants = list(measure_options([sys.executable, "-IS", "-c", WORKER], JUDGE, scene, tmp_path))
    assert [variant.name for variant in variants] == list(OPTIONS)
    assert [variant.bytes for variant in variants] == [10 + len(options) for options in OPTIONS.values()]
    assert {(variant.psnr_mean, variant.psnr_worst) for variant in variants} == {(41.5, 40.25)}


def test_a_variant_that_fails_is_one_sentence(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"^balanced: failed: exit code 1: it said nothing$"):
        list(measure_options(["false"], JUDGE, scene, tmp_path))


def test_a_scene_that_cannot_be_read_is_one_sentence(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"scene\.ply: not a Gaussian splat scene"):
        list(measure_variants([sys.executable, "-IS", "-c", WORKER], JUDGE, scene, tmp_path))


def test_stages_follow_the_options_and_parts_add_up_to_the_whole(drawable_scene: Scene, tmp_path: Path) -> None:
    measured = list(measure_variants([sys.executable, "-IS", "-c", WORKER], JUDGE, drawable_scene, tmp_path))
    assert [variant.name for variant in measured] == [*OPTIONS, *PARTS, *build_choices()]
    variants = {variant.name: variant for variant in measured}
    whole = variants["all attributes"]
    alone = [variant for name, variant in variants.items() if name.endswith(" alone")]
    assert sum(variant.bytes for variant in alone) == whole.bytes
    for variant in [*alone, variants["geometry"], variants["all but the palette"]]:
        assert variant.psnr_mean > whole.psnr_mean
    # Attributes of other splats than their own would give less than 30 dB.
    assert variants["all but the palette"].psnr_mean > 40


def test_a_scene_without_harmonics_has_no_palette_to_measure(drawable_scene: Scene, tmp_path: Path) -> None:
    write_ply(drawable_scene.path, read_scene(drawable_scene.path).with_sh_bands(0))
    variants = islice(measure_stages(drawable_scene, tmp_path / "stage.sog"), len(PARTS))
    assert [variant.name for variant in variants][5:8] == ["geometry", "all but the palette", "all attributes"]


def encoded_bytes(splats: Splats) -> tuple[str, dict[str, bytes]]:
    encoded = encode(splats, parameters=Parameters(), device="cpu")
    return encoded.meta.to_json(), dict(encoded.images)


@pytest.fixture(scope="module")
def splats() -> Splats:
    visible = build_splats(600)
    return replace(visible, opacities=np.concatenate([visible.opacities[:-1], np.float32([-9])]))


@pytest.fixture(scope="module")
def usual(splats: Splats) -> tuple[str, dict[str, bytes]]:
    return encoded_bytes(splats)


@pytest.mark.parametrize("name", build_choices())
def test_a_choice_holds_within_its_block_only(name: str, splats: Splats, usual: tuple[str, dict[str, bytes]]) -> None:
    with build_choices()[name]:
        assert encoded_bytes(splats) != usual
    assert encoded_bytes(splats) == usual

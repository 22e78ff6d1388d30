"""The table of what each choice costs and buys."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest
from benchmarks.ablation import OPTIONS, Variant, format_ablation, measure_variants, read_plane_bytes
from benchmarks.errors import BenchmarkError
from benchmarks.quality import Judge
from benchmarks.scenes import Scene

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
    variants = list(measure_variants([sys.executable, "-IS", "-c", WORKER], JUDGE, scene, tmp_path))
    assert [variant.name for variant in variants] == list(OPTIONS)
    assert [variant.bytes for variant in variants] == [10 + len(options) for options in OPTIONS.values()]
    assert {(variant.psnr_mean, variant.psnr_worst) for variant in variants} == {(41.5, 40.25)}


def test_a_variant_that_fails_is_one_sentence(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"^balanced: failed: exit code 1: it said nothing$"):
        list(measure_variants(["false"], JUDGE, scene, tmp_path))

"""Parts and choices of the encoder, measured in this process."""

from __future__ import annotations

from pathlib import Path

from benchmarks.scenes import Scene
from benchmarks.stages import PARTS, measure_stages

from sogs_worker.formats import read_scene
from sogs_worker.formats.ply.file import write_ply


def test_parts_add_up_to_the_whole(drawable_scene: Scene, tmp_path: Path) -> None:
    variants = {variant.name: variant for variant in measure_stages(drawable_scene, tmp_path / "stage.sog", PARTS)}
    assert list(variants) == list(PARTS)
    whole = variants["all attributes"]
    alone = [variant for name, variant in variants.items() if name.endswith(" alone")]
    assert sum(variant.bytes for variant in alone) == whole.bytes
    for variant in [*alone, variants["geometry"], variants["all but the palette"]]:
        assert variant.psnr_mean > whole.psnr_mean
    # Attributes of other splats than their own would give less than 30 dB.
    assert variants["all but the palette"].psnr_mean > 40


def test_a_scene_without_harmonics_has_no_palette_to_measure(drawable_scene: Scene, tmp_path: Path) -> None:
    write_ply(drawable_scene.path, read_scene(drawable_scene.path).with_sh_bands(0))
    variants = measure_stages(drawable_scene, tmp_path / "stage.sog", PARTS)
    assert [variant.name for variant in variants][5:] == ["geometry", "all but the palette", "all attributes"]


def test_a_choice_is_measured_on_the_whole_bundle(drawable_scene: Scene, tmp_path: Path) -> None:
    names = ["all attributes", "half the palette"]
    whole, half = measure_stages(drawable_scene, tmp_path / "stage.sog", names)
    assert [whole.name, half.name] == names
    assert half.plane_bytes["shN_centroids"] < whole.plane_bytes["shN_centroids"]
    assert half.psnr_mean < whole.psnr_mean

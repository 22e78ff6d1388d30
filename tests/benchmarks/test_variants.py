"""The table of an ablation, and the bytes it is made of."""

from __future__ import annotations

import zipfile
from pathlib import Path

from benchmarks.variants import Variant, format_ablation, format_variant, read_plane_bytes


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


def test_a_variant_is_a_line_of_a_log() -> None:
    assert format_variant(Variant("all", {"quats": 600, "sh0": 900}, 46.0, 44.5)) == "all: 1,500 bytes, 46.00 dB mean"
    assert format_variant(Variant("unjudged", {}, None, None)) == "unjudged: 0 bytes, unknown dB mean"

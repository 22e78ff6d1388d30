"""The .splat format: values by hand, faults in one sentence. `test_peers` compares with PlayCanvas' converter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from packed_scenes import draw_splat_rows, pack_splat
from sogs_worker.errors import BadInputError
from sogs_worker.formats import read_scene, splat

ROW = (1, -2, 3.5, 0.5, 0, 2, 255, 0, 51, 128, 255, 128, 0, 128)


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_values_by_hand(tmp_path: Path) -> None:
    splats = read_scene(write(tmp_path / "a.splat", pack_splat([ROW])))
    assert splats.positions.tolist() == [[1, -2, 3.5]]
    assert splats.scales[0] == pytest.approx([np.log(0.5), -np.inf, np.log(2)])
    assert splats.rotations.tolist() == [[127 / 128, 0, -1, 0]]
    assert splats.sh0[0] == pytest.approx([1.772454, -1.772454, -0.3 / 0.28209479], rel=1e-5)
    assert splats.opacities[0] == pytest.approx(np.log(128 / 127), rel=1e-4)
    assert splats.shn.shape == (1, 0, 3)


def test_blocks_join_seamlessly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.splat", pack_splat(draw_splat_rows(50)))
    whole = read_scene(path)
    monkeypatch.setattr(splat, "BLOCK", 7)
    assert np.array_equal(read_scene(path).rotations, whole.rotations)


def test_negative_and_special_scales_are_not_finite(tmp_path: Path) -> None:
    rows = [*draw_splat_rows(5), (0, 0, 0, -1, np.nan, np.inf, *ROW[6:])]
    assert not np.isfinite(read_scene(write(tmp_path / "a.splat", pack_splat(rows))).scales[5]).any()


FAULTS = {
    "empty": (b"", "is an empty file"),
    "truncated": (pack_splat([ROW])[:-1], "31 bytes"),
    "trailing": (pack_splat([ROW]) + b"x", "33 bytes"),
    "text": (b"<html><body>The file is gone now</body></html>, said the server. "[:64], "not a .splat file"),
    "noise": (bytes(range(255, 95, -1)), "not a .splat file"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_its_file(fault: str, tmp_path: Path) -> None:
    content, words = FAULTS[fault]
    path = write(tmp_path / "scene.splat", content)
    with pytest.raises(BadInputError) as caught:
        read_scene(path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")

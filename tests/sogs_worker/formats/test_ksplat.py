""".ksplat: values by hand, faults in one sentence. `test_peers` reads what the format's own viewer writes."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from packed_scenes import draw_ksplat, pack_ksplat
from sogs_worker.errors import BadInputError
from sogs_worker.formats import ksplat, read_scene

COLOUR = (255, 0, 51, 128)


def write(folder: Path, data: bytes) -> Path:
    path = folder / "a.ksplat"
    path.write_bytes(data)
    return path


def test_values_of_level_0_by_hand(tmp_path: Path) -> None:
    row = (1, -2, 3.5, 0.5, 0, 2, 0.1, 0.2, -0.3, 0.4, *COLOUR, *range(24))
    splats = read_scene(write(tmp_path, pack_ksplat([([row], [])], level=0, bands=2)))
    assert splats.positions.tolist() == [[1, -2, 3.5]]
    assert splats.scales[0] == pytest.approx([np.log(0.5), -np.inf, np.log(2)])
    assert splats.rotations[0] == pytest.approx([0.1, 0.2, -0.3, 0.4])
    assert splats.sh0[0] == pytest.approx([1.772454, -1.772454, -0.3 / 0.28209479], rel=1e-5)
    assert splats.opacities[0] == pytest.approx(np.log(128 / 127), rel=1e-4)
    first = [[0, 3, 6], [1, 4, 7], [2, 5, 8]]
    second = [[9 + c, 14 + c, 19 + c] for c in range(5)]
    assert splats.shn[0].tolist() == first + second


@pytest.mark.parametrize("level", [1, 2])
def test_positions_are_steps_from_the_centre_of_their_bucket(level: int, tmp_path: Path) -> None:
    steps = [(32767, 32767, 32767), (0, 32767, 65534), (32767, 0, 32767), (32767, 32767, 65534)]
    rows = [(*each, 1, 1, 1, 1, 0, 0, 0, *COLOUR) for each in steps]
    data = pack_ksplat([(rows, [1, 1])], level=level, full=1, bucket_size=2, block=8)
    positions = read_scene(write(tmp_path, data)).positions
    assert positions == pytest.approx(np.array([[0, 0, 0], [-4, 0, 4], [1, -2, 3], [2, 4, 10]]))


def test_coefficients_of_level_2_are_steps_of_the_files_range(tmp_path: Path) -> None:
    rows = [(0, 0, 0, 1, 1, 1, 1, 0, 0, 0, *COLOUR, 0, 51, 255, 0, 0, 0, 0, 0, 0)]
    for harmonics, expected in (((-2, 3), [-2, -1, 3]), ((0, 0), [-1.5, -0.9, 1.5])):
        data = pack_ksplat([(rows, [1])], level=2, bands=1, harmonics=harmonics)
        assert read_scene(write(tmp_path, data)).shn[0, :, 0] == pytest.approx(expected)


def test_sections_follow_each_other_and_lack_no_coefficients(tmp_path: Path) -> None:
    row = (0, 0, 0, 1, 1, 1, 1, 0, 0, 0, *COLOUR)
    one = pack_ksplat([([(*row, *range(1, 10))], [])], level=0, bands=1)
    two = pack_ksplat([([row], [])], level=0)
    header = bytearray(one[:4096])
    struct.pack_into("<4I", header, 4, 2, 2, 2, 2)
    joined = bytes(header) + one[4096:5120] + two[4096:5120] + one[5120:] + two[5120:]
    splats = read_scene(write(tmp_path, joined))
    assert len(splats) == 2
    assert splats.shn[0, :, 0].tolist() == [1, 2, 3]
    assert not splats.shn[1].any()


@pytest.mark.parametrize("level", range(3))
def test_blocks_join_seamlessly(level: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, draw_ksplat(level=level))
    whole = read_scene(path)
    assert len(whole) == 80
    monkeypatch.setattr(ksplat, "BLOCK", 7)
    again = read_scene(path)
    for name in whole.__dataclass_fields__:
        assert np.array_equal(getattr(again, name), getattr(whole, name)), name


def changed(place: int, kind: str, value: float) -> bytes:
    data = bytearray(draw_ksplat())
    struct.pack_into(kind, data, place, value)
    return bytes(data)


FAULTS = {
    "empty": (b"", "is an empty file"),
    "noise": (bytes(range(1, 256)) * 20, "version 1.2"),
    "level": (changed(20, "<H", 3), "level 3"),
    "more sections": (changed(4, "<I", 1 << 31), "declares 2,147,483,648 sections"),
    "no section": (changed(4, "<I", 0), "no splats"),
    "more splats": (changed(4096 + 4, "<I", 1 << 31), "cut off: a section ends"),
    "bands": (changed(4096 + 40, "<H", 3), "3 SH bands"),
    "no centres": (changed(4096 + 12, "<I", 0), "have no centres"),
    "short centres": (changed(4096 + 20, "<H", 4), "have no centres"),
    "buckets too small": (changed(4096 + 8, "<I", 1), "hold fewer than its 40 splats"),
    "truncated": (draw_ksplat()[:-1], "cut off: a section ends"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_told_in_one_sentence(name: str, tmp_path: Path) -> None:
    data, sentence = FAULTS[name]
    path = write(tmp_path, data)
    with pytest.raises(BadInputError, match=sentence) as fault:
        read_scene(path)
    assert str(fault.value).startswith(f"{path}: ")

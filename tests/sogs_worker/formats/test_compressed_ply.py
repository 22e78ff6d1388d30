"""Compressed PLY: values by hand, layouts, each fault in one sentence. `test_peers` compares with the converter."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from packed_scenes import pack_compressed_ply
from scenes import real_scene
from sogs_worker.encode.clean import drop_unusable
from sogs_worker.errors import BadInputError
from sogs_worker.formats import read_scene
from sogs_worker.formats.ply import compressed as compressed_ply
from sogs_worker.splats import ARRAYS

HEADER = """ply
format binary_little_endian 1.0
element chunk 1
property float min_x
property float min_y
property float min_z
property float max_x
property float max_y
property float max_z
property float min_scale_x
property float min_scale_y
property float min_scale_z
property float max_scale_x
property float max_scale_y
property float max_scale_z
element vertex 2
property uint packed_position
property uint packed_rotation
property uint packed_scale
property uint packed_color
element sh 2
{}end_header
""".format("".join(f"property uchar f_rest_{i}\n" for i in range(9)))


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_values_by_hand(tmp_path: Path) -> None:
    bounds = struct.pack("<12f", -1, -2, -3, 1, 2, 3, -9, -8, -7, -5, -4, -3)
    first = struct.pack("<4I", 0, 2 << 30 | 512 << 20 | 1023 << 10, 2047 << 21 | 1023 << 11 | 2047, 0xFF8000FF)
    second = struct.pack("<4I", 2047 << 21 | 1023 << 11 | 2047, 0, 0, 0x33)
    harmonics = bytes([0, 255, 128, 127, 0, 0, 0, 0, 0]) + bytes(range(9))
    splats = read_scene(write(tmp_path / "x.ply", HEADER.encode() + bounds + first + second + harmonics))
    assert splats.positions.tolist() == [[-1, -2, -3], [1, 2, 3]]
    assert splats.scales.tolist() == [[-5, -4, -3], [-9, -8, -7]]
    half = (512 / 1023 - 0.5) * 2**0.5
    assert splats.rotations[0] == pytest.approx([half, 0.5**0.5, 0, -(0.5**0.5)], abs=1e-3)  # z is left out
    assert splats.sh0[0] == pytest.approx([1.772454, (128 / 255 - 0.5) / 0.28209479, -1.772454], rel=1e-4)
    assert splats.opacities == pytest.approx([13.8155, np.log(0.2 / 0.8)], rel=1e-4)
    assert splats.shn[0, :, 0].tolist() == [-4, 4, (128.5 / 256 - 0.5) * 8]
    assert splats.shn[0, 0].tolist() == [-4, (127.5 / 256 - 0.5) * 8, -4]
    assert splats.shn[1, :, 1].tolist() == [(each + 0.5) / 32 - 4 for each in (3, 4, 5)]


def test_blocks_and_byte_orders_are_the_same_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    little, big = (
        read_scene(write(tmp_path / "a.ply", pack_compressed_ply(1000, order=order))) for order in ("little", "big")
    )
    monkeypatch.setattr(compressed_ply, "BLOCK", 256)
    blocks = read_scene(write(tmp_path / "a.ply", pack_compressed_ply(1000) + b"tail"))
    for name in ARRAYS:
        assert np.array_equal(getattr(little, name), getattr(big, name)), name
        assert np.array_equal(getattr(little, name), getattr(blocks, name)), name


def test_bounds_that_are_not_finite_spoil_their_splats_only(tmp_path: Path) -> None:
    data = pack_compressed_ply(300, bands=0)
    start = data.index(b"end_header\n") + 11
    spoilt = data[:start] + struct.pack("<6f", np.nan, -np.inf, np.inf, np.inf, 3e38, -3e38) + data[start + 24 :]
    splats = read_scene(write(tmp_path / "a.ply", spoilt))
    assert not np.isfinite(splats.positions[:256]).all(axis=1).any()
    assert np.isfinite(splats.positions[256:]).all()


def test_bounds_of_nothing_are_flat_splats(tmp_path: Path) -> None:
    data = pack_compressed_ply(300, bands=0)
    start = data.index(b"end_header\n") + 11
    least, greatest = start + 4 * 8, start + 4 * 11  # of the third scale, in the first group of 256
    spoilt = data[:least] + struct.pack("<f", -np.inf) + data[least + 4 : greatest] + struct.pack("<f", -np.inf)
    splats = read_scene(write(tmp_path / "a.ply", spoilt + data[greatest + 4 :]))
    assert (splats.scales[:256, 2] == -np.inf).all()
    splats, dropped = drop_unusable(splats)
    assert (len(splats), dropped) == (300, 0)


def change(old: bytes, new: bytes, count: int = 1) -> Callable[[bytes], bytes]:
    return lambda data: data.replace(old, new, count)


FAULTS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "truncated": (lambda data: data[:-1], "expected 2,700 bytes of element sh, got 2,699"),
    "truncated vertices": (lambda data: data[:-2701], "bytes of vertices"),
    "truncated bounds": (lambda data: data[: data.index(b"end_header") + 20], "truncated"),
    "huge": (change(b"vertex 300", b"vertex 2147483648"), "expected 34,359,738,368 bytes of vertices"),
    "huge bounds": (change(b"chunk 2", b"chunk 2147483648"), "truncated"),
    "too few bounds": (change(b"chunk 2", b"chunk 1"), "1 chunks of 256 are fewer than the 300"),
    "no bounds": (change(b"element chunk 2", b"element lump 2"), "no element chunk"),
    "no min_z": (change(b"float min_z", b"float mid_z"), "lacks min_z"),
    "no max_r": (change(b"float max_r", b"float mid_r"), "lacks max_r"),
    "no vertex": (change(b"vertex 300", b"vertex 0"), "0 vertices"),
    "no rotation": (change(b"packed_rotation", b"packed_riddle"), "lacks packed_rotation"),
    "fractions": (change(b"uint packed_scale", b"float packed_scale"), "packed_scale must be uint"),
    "list": (change(b"uint packed_scale", b"list uchar int packed_scale"), "element vertex has a list"),
    "harmonics of others": (change(b"element sh 300", b"element sh 299"), "sh of 299"),
    "harmonics of 8": (change(b"property uchar f_rest_8\n", b""), "8 f_rest"),
    "wide harmonics": (change(b"uchar f_rest_3", b"char f_rest_3"), "f_rest_3 must be uchar"),
    "text": (change(b"binary_little_endian", b"ascii"), "in text"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_its_file(fault: str, tmp_path: Path) -> None:
    spoil, words = FAULTS[fault]
    path = write(tmp_path / "scene.compressed.ply", spoil(pack_compressed_ply(300)))
    with pytest.raises(BadInputError) as caught:
        read_scene(path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")


def test_opacities_of_a_real_scene_are_finite() -> None:
    splats = read_scene(real_scene("biker.compressed.ply"))
    assert (len(splats), splats.sh_bands) == (152_746, 0)
    assert np.isfinite(splats.opacities).all()
    assert (splats.opacities > 13.8).sum() == 198

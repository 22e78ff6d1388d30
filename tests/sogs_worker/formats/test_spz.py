"""SPZ: values by hand, every version, every fault in one sentence. `test_peers` compares with PlayCanvas' converter."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zstandard

from packed_scenes import compress_zstd, pack_spz, pack_spz4, pack_spz_body, pack_spz_header
from sogs_worker.errors import BadInputError
from sogs_worker.formats import read_scene
from sogs_worker.formats.spz.zstd import decompress_zstd
from sogs_worker.splats import ARRAYS

HALF = 0.5**0.5


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def read_body(
    tmp_path: Path, version: int, *parts: bytes, bands: int = 0, fraction_bits: int = 12
) -> list[list[float]]:
    """Read one splat: position, rotation, scale, opacity, sh0, shn."""
    header = pack_spz_header(1, version=version, bands=bands, fraction_bits=fraction_bits)
    splats = read_scene(write(tmp_path / "a.spz", gzip.compress(header + b"".join(parts))))
    arrays = (splats.world_positions(), splats.rotations, splats.scales, splats.opacities, splats.sh0, splats.shn)
    return [array[0].ravel().tolist() for array in arrays]


def test_values_of_version_2_by_hand(tmp_path: Path) -> None:
    position = b"\x00\x10\x00" + b"\x00\xf0\xff" + b"\xff\xff\x7f"
    rest = [b"\x33", bytes([255, 0, 128]), bytes([0, 160, 255]), bytes([255, 0, 0])]
    harmonics = bytes([0, 128, 255, 1, 2, 3, 4, 5, 192])
    got = read_body(tmp_path, 2, position, *rest, harmonics, bands=1)
    assert got[0] == [1, -1, (2**23 - 1) / 4096]
    assert got[1] == [0, 1, -1, -1]
    assert got[2] == [-10, 0, 255 / 16 - 10]
    assert got[3] == pytest.approx([np.log(0.2 / 0.8)], rel=1e-5)
    assert got[4] == pytest.approx([0.5 / 0.15, -0.5 / 0.15, (128 / 255 - 0.5) / 0.15])
    assert got[5] == [-1, 0, 127 / 128, -127 / 128, -126 / 128, -125 / 128, -124 / 128, -123 / 128, 0.5]


def test_positions_of_version_1_are_half_floats(tmp_path: Path) -> None:
    got = read_body(
        tmp_path, 1, struct.pack("<3e", 1.5, -2, 65504), b"\xff", bytes(3), bytes(3), bytes([128, 128, 255])
    )
    assert got[0] == [1.5, -2, 65504]
    assert got[1] == pytest.approx([0, 1 / 255, 1 / 255, 1], abs=1e-6)
    assert got[3] == pytest.approx([13.8155], rel=1e-4)


@pytest.mark.parametrize(
    ("word", "wxyz"),
    [
        (3 << 30, [1, 0, 0, 0]),
        (3 << 30 | 511 << 20, [HALF, HALF, 0, 0]),
        (0 << 30 | (512 + 511), [-HALF, HALF, 0, 0]),
        (2 << 30 | (512 + 511) << 10, [0, 0, -HALF, HALF]),
        (1 << 30 | 511 << 20 | 511 << 10 | 511, [HALF, HALF, 0, HALF]),
    ],
)
def test_rotations_of_version_3_by_hand(word: int, wxyz: list[float], tmp_path: Path) -> None:
    got = read_body(tmp_path, 3, bytes(9), b"\x80", bytes(3), bytes(3), struct.pack("<I", word))
    assert got[1] == pytest.approx(wxyz, abs=1e-6)


def test_fractional_bits_scale_positions(tmp_path: Path) -> None:
    assert read_body(tmp_path, 3, b"\x01\x00\x00" * 3, *[bytes(n) for n in (1, 3, 3, 4)], fraction_bits=0)[0] == [1] * 3


@pytest.mark.parametrize("bands", range(4))
def test_version_4_is_version_3_packed_otherwise(bands: int, tmp_path: Path) -> None:
    body = b"".join(pack_spz_body(5, version=4, bands=bands))
    old = gzip.compress(pack_spz_header(5, version=3, bands=bands) + body)
    theirs = read_scene(write(tmp_path / "a.spz", old))
    ours = read_scene(
        write(tmp_path / "a.spz", pack_spz4(5, bands=bands, extension=b"\x03\x00\xbe\xad\x00\x00\x00\x00"))
    )
    for name in ARRAYS:
        assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name


def test_extensions_are_skipped(tmp_path: Path) -> None:
    plain, extended = (
        read_scene(write(tmp_path / "a.spz", pack_spz(flags=flags, tail=tail)))
        for flags, tail in ((0, b""), (2, b"x" * 8))
    )
    assert np.array_equal(plain.shn, extended.shn)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_unpacked_stream_is_read(version: int, tmp_path: Path) -> None:
    packed = pack_spz(version=version)
    one, other = (read_scene(write(tmp_path / "a.spz", data)) for data in (packed, gzip.decompress(packed)))
    assert all(np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True) for name in ARRAYS)


@pytest.mark.parametrize("pack", [lambda: pack_spz(version=3, bands=4), lambda: pack_spz4(bands=4)])
def test_the_fourth_band_is_left_out_and_said(pack: Callable[[], bytes], tmp_path: Path) -> None:
    splats = read_scene(write(tmp_path / "a.spz", pack()))
    stored = np.frombuffer(pack_spz_body(5, version=3, bands=4)[5], np.uint8).reshape(5, 24, 3)
    assert np.array_equal(splats.shn, ((stored[:, :15].astype(np.float32)) - 128) / 128)
    assert splats.notes == ("its SH band 4 is left out, as SOG has 3 bands",)


def record(kind: int, payload: bytes) -> bytes:
    return struct.pack("<II", kind, len(payload)) + payload


RUB, RDF = (record(0xADBE0003, struct.pack("<I", number)) for number in (4, 6))
CAMERA = record(0xADBE0002, bytes(12))
EXTENSIONS: dict[str, tuple[bytes, bool, str]] = {
    "a PLY's axes": (RDF, False, ""),
    "other axes": (RUB, True, ""),
    "other axes after a camera": (CAMERA + RUB, True, ""),
    "no axes": (record(0xADBE0003, bytes(4)), False, ""),
    "axes of another world": (record(0xADBE0003, b"\x63\0\0\0"), False, "SPZ_ADOBE_coordinate_system names no system"),
    "unknown": (RUB + record(0x12340001, b"xyz"), True, "0x12340001 is not known"),
    "damaged": (RUB + b"xyz", True, "are damaged"),
    "too long": (RUB + struct.pack("<II", 1, 99), True, "are damaged"),
}
"""Records, whether y and z are turned by them, and what is said."""


@pytest.mark.parametrize("version", [2, 3, 4])
@pytest.mark.parametrize("name", EXTENSIONS)
def test_extensions_are_honoured_or_named(name: str, version: int, tmp_path: Path) -> None:
    data, is_turned, said = EXTENSIONS[name]
    plain = read_scene(write(tmp_path / "a.spz", pack_spz4() if version == 4 else pack_spz(version=version)))
    packed = pack_spz4(extension=data) if version == 4 else pack_spz(version=version, flags=2, tail=data)
    splats = read_scene(write(tmp_path / "a.spz", packed))
    assert np.array_equal(splats.positions, plain.positions * ([1, -1, -1] if is_turned else [1, 1, 1]))
    assert len(splats.notes) == bool(said)
    assert said in " ".join(splats.notes)


def test_a_stream_of_unknown_length_is_read() -> None:
    stream = zstandard.ZstdCompressor().compressobj()
    assert decompress_zstd(stream.compress(b"splats") + stream.flush(), 6) == b"splats"


def in_gzip(spoil: Callable[[bytes], bytes]) -> bytes:
    return gzip.compress(spoil(gzip.decompress(pack_spz())), mtime=0)


def at(place: int, data: bytes, new: bytes) -> bytes:
    return data[:place] + new + data[place + len(new) :]


def swap_sizes(table: list[list[int]]) -> None:
    table[0][1] += 1


FAULTS: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "not an SPZ file"),
    "other magic": (lambda: b"SPZ " + bytes(40), "neither with NGSP nor as gzip"),
    "other magic in gzip": (lambda: in_gzip(lambda data: b"ngsp" + data[4:]), "does not begin with NGSP"),
    "header cut off": (lambda: gzip.compress(b"NGSP\x02\x00"), "cut off after 6 of 16 bytes"),
    "gzip cut off": (lambda: pack_spz()[:-9], "damaged or cut off"),
    "gzip without checksum": (lambda: pack_spz()[:-8], "damaged or cut off"),
    "gzip's checksum": (lambda: at(len(pack_spz()) - 8, pack_spz(), b"\0\0\0\0"), "damaged or cut off"),
    "gzip damaged": (lambda: at(12, pack_spz(), b"\xff\xff\xff"), "damaged or cut off"),
    "data cut off": (lambda: in_gzip(lambda data: data[:-1]), "44 of 45 bytes"),
    "trailing": (lambda: pack_spz() + b"x", "damaged or cut off"),
    "trailing in gzip": (lambda: pack_spz(tail=b"x"), "goes on after its last splat"),
    "endless extension": (lambda: pack_spz(flags=2, tail=bytes(1 << 21)), "goes on after its last splat"),
    "version 0": (lambda: in_gzip(lambda data: at(4, data, b"\0")), "version 0"),
    "version 5": (lambda: at(4, pack_spz4(), b"\x05"), "version 5"),
    "version 4 in gzip": (lambda: in_gzip(lambda data: at(4, data, b"\4")), "an SPZ of version 4 is packed into gzip"),
    "version 3 without gzip, cut off": (lambda: gzip.decompress(pack_spz(version=3))[:-1], "44 of 45 bytes"),
    "version 3 without gzip, and more": (lambda: gzip.decompress(pack_spz(version=3)) + b"x", "goes on after its last"),
    "bands": (lambda: in_gzip(lambda data: at(12, data, b"\5")), "5 SH bands"),
    "fractional bits": (lambda: in_gzip(lambda data: at(13, data, b"\x19")), "25 fractional bits"),
    "no splats": (lambda: in_gzip(lambda data: at(8, data, bytes(4))), "0 splats"),
    "huge": (lambda: in_gzip(lambda data: at(8, data, struct.pack("<I", 2**31))), "claims 2,147,483,648 splats"),
    "huge 4": (lambda: at(8, pack_spz4(), struct.pack("<I", 2**31)), "claims 2,147,483,648 splats"),
    "bomb": (lambda: gzip.compress(pack_spz_header(5, version=2, bands=0) + bytes(1 << 26)), "goes on after"),
    "claimed bomb": (
        lambda: gzip.compress(pack_spz_header(2**21, version=2, bands=0) + bytes(19 * 2**21)),
        "claims 2,097,152 splats",
    ),
    "streams cut off": (lambda: pack_spz4()[:-1], "do not end where the file does"),
    "streams and more": (lambda: pack_spz4() + b"x", "do not end where the file does"),
    "table cut off": (lambda: pack_spz4()[:40], "outside of the file"),
    "table in the header": (lambda: at(16, pack_spz4(), struct.pack("<I", 16)), "outside of the file"),
    "header of 4 cut off": (lambda: pack_spz4()[:20], "outside of the file"),
    "streams' sizes": (lambda: pack_spz4(change=swap_sizes), "declares 46 bytes, expected 45"),
    "stream damaged": (lambda: at(128, pack_spz4(), bytes(8)), "is damaged"),
    "too few streams": (lambda: at(12, pack_spz4(bands=0), b"\1"), "declares 0 bytes, expected 45"),
    "too many streams": (lambda: at(12, pack_spz4(), b"\0"), "more than it has attributes"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_its_file(fault: str, tmp_path: Path) -> None:
    build, words = FAULTS[fault]
    path = write(tmp_path / "scene.spz", build())
    with pytest.raises(BadInputError) as caught:
        read_scene(path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_stream_that_is_longer_than_declared_is_not_unpacked() -> None:
    unknown = zstandard.ZstdCompressor().compressobj()  # says nothing of its length
    for stream in (compress_zstd(bytes(1 << 20)), unknown.compress(bytes(1 << 20)) + unknown.flush()):
        with pytest.raises(BadInputError, match="is damaged"):
            decompress_zstd(stream, 100)

"""PLY files: every layout is read as the same scene, every fault is one sentence that names the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scenes import real_scene
from sogs_worker.errors import BadInputError, SourceMissingError
from sogs_worker.formats.ply import file as ply
from sogs_worker.formats.ply.file import read_ply, write_ply
from sogs_worker.splats import ARRAYS, Splats
from splat_builders import NAMES, build_rows, build_splats

COUNT = 7
NUMPY_NAMES = {"float": "f4", "double": "f8", "uchar": "u1", "short": "i2", "int32": "i4"}


def build_header(encoding: str, properties: list[str], *, count: int = COUNT, before: str = "", after: str = "") -> str:
    lines = [f"property {each}" if " " in each else f"property float {each}" for each in properties]
    head = ["ply", f"format {encoding} 1.0", "comment made by a test", *before.splitlines()]
    return "\n".join([*head, f"element vertex {count}", *lines, *after.splitlines(), "end_header", ""])


def build_ply(splats: Splats, *, order: list[str] | None = None, types: dict[str, str] | None = None) -> bytes:
    """Binary little endian, with the properties in `order`, of `types` where given."""
    return build_binary(splats, "<", order=order, types=types)


def build_binary(
    splats: Splats, endian: str, *, order: list[str] | None = None, types: dict[str, str] | None = None
) -> bytes:
    rows = build_rows(splats)
    names, kinds = order or list(rows), types or {}
    dtype = [(name, endian + NUMPY_NAMES[kinds.get(name, "float")]) for name in names]
    table = np.zeros(len(splats), dtype)
    for name in names:
        table[name] = rows.get(name, np.full(len(splats), 9))
    encoding = "binary_little_endian" if endian == "<" else "binary_big_endian"
    properties = [f"{kinds.get(name, 'float')} {name}" for name in names]
    return build_header(encoding, properties, count=len(splats)).encode() + table.tobytes()


def build_text(splats: Splats) -> bytes:
    rows = build_rows(splats)
    table = np.stack(list(rows.values()), axis=1)
    lines = "\n".join(" ".join(repr(float(value)) for value in row) for row in table)
    return (build_header("ascii", list(rows), count=len(splats)) + lines + "\n").encode()


def with_elements(splats: Splats) -> bytes:
    """Put an element before the vertices and one with a list after them."""
    extra = "element camera 2\nproperty double fov\nproperty uchar id"
    after = "element face 1\nproperty list uchar int vertex_indices"
    header = build_header("binary_little_endian", list(build_rows(splats)), before=extra, after=after)
    table = np.stack(list(build_rows(splats).values()), axis=1)
    return header.encode() + bytes(2 * 9) + table.astype("<f4").tobytes() + b"\x01\x00\x00\x00\x00"


def text_with_elements(splats: Splats) -> bytes:
    body = build_text(splats)
    head, rows = body.split(b"end_header\n")
    head = head.replace(b"element vertex", b"element camera 2\nproperty list uchar int x\nelement vertex")
    return head + b"end_header\n1 5\n\n0\n" + rows + b"3 0 1 2\n"


def reversed_names(splats: Splats) -> list[str]:
    return [*reversed(list(build_rows(splats))), "transform", "nx"]


VARIANTS: dict[str, Callable[[Splats], bytes]] = {
    "binary little endian": build_ply,
    "binary big endian": lambda s: build_binary(s, ">"),
    "ascii": build_text,
    "ascii, no last line end": lambda s: build_text(s).rstrip(),
    "CR LF header": lambda s: build_ply(s).replace(
        b"\n", b"\r\n", build_ply(s)[: build_ply(s).index(b"end_h")].count(b"\n") + 1
    ),
    "CR LF text": lambda s: build_text(s).replace(b"\n", b"\r\n"),
    "properties reversed, extra ones": lambda s: build_ply(s, order=reversed_names(s)),
    "alphabetical": lambda s: build_ply(s, order=sorted(build_rows(s))),
    "doubles": lambda s: build_ply(s, types=dict.fromkeys(build_rows(s), "double")),
    "odd types between": lambda s: build_ply(
        s, order=["red", *build_rows(s), "label"], types={"red": "uchar", "label": "short", "x": "double"}
    ),
    "elements before and after": with_elements,
    "elements before and after, ascii": text_with_elements,
    "trailing bytes": lambda s: build_ply(s) + b"tail" * 5,
    "obj_info and blank lines": lambda s: build_ply(s).replace(b"comment", b"obj_info x\n\ncomment", 1),
}


@pytest.mark.parametrize("bands", range(4))
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_layout_is_the_same_scene(variant: str, bands: int, tmp_path: Path) -> None:
    splats = build_splats(COUNT, bands=bands)
    path = tmp_path / "scene.ply"
    path.write_bytes(VARIANTS[variant](splats))
    got = read_ply(path)
    for name in ARRAYS:
        values = getattr(got, name)
        assert values.dtype == np.float32
        assert np.array_equal(values, getattr(splats, name)), name


@pytest.mark.parametrize("encoding", [build_ply, build_text])
def test_chunks_join_seamlessly(
    encoding: Callable[[Splats], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ply, "CHUNK_ROWS", 3)
    path = tmp_path / "scene.ply"
    path.write_bytes(encoding(build_splats(COUNT)))
    assert np.array_equal(read_ply(path).shn, build_splats(COUNT).shn)


@pytest.mark.parametrize("bands", range(4))
def test_what_is_written_is_read_back(bands: int, tmp_path: Path) -> None:
    splats = build_splats(50, bands=bands)
    write_ply(tmp_path / "scene.ply", splats)
    got = read_ply(tmp_path / "scene.ply")
    assert all(np.array_equal(getattr(got, name), getattr(splats, name)) for name in ARRAYS)


def test_the_written_layout_is_the_canonical_one(tmp_path: Path) -> None:
    write_ply(tmp_path / "scene.ply", build_splats(2))
    header = (tmp_path / "scene.ply").read_bytes().split(b"end_header\n")[0].decode().splitlines()
    names = [line.split()[-1] for line in header if line.startswith("property float")]
    rest = [f"f_rest_{i}" for i in range(45)]
    assert names == ["x", "y", "z", "nx", "ny", "nz", *NAMES[3:6], *rest, "opacity", *NAMES[7:]]


def test_special_values_are_read_not_judged(tmp_path: Path) -> None:
    text = build_text(build_splats(1, bands=0)).decode()
    head, row = text.split("end_header\n")
    words = row.split()
    words[:3] = ["1e300", "nan", "-inf"]
    (tmp_path / "scene.ply").write_text(f"{head}end_header\n{' '.join(words)}\n")
    assert str(read_ply(tmp_path / "scene.ply").positions[0]) == "[ inf  nan -inf]"


def without(name: str) -> list[str]:
    return [each for each in NAMES if each != name]


def build_file(properties: list[str], body: bytes = bytes(4096), **options: str | int) -> bytes:
    return build_header("binary_little_endian", properties, **options).encode() + body  # type: ignore[arg-type]


FAULTS = {
    "empty": (b"", "not a PLY"),
    "text file": (b"hello\nworld\n", "not a PLY"),
    "no end of header": (b"ply\nformat ascii 1.0\nelement vertex 1\n", "no end_header"),
    "endless header": (b"ply\n" + b"comment x\n" * 200_000, "no end_header"),
    "one endless line": (b"ply\ncomment " + b"x" * 3_000_000, "no end_header"),
    "unknown format": (b"ply\nformat binary_middle_endian 1.0\nend_header\n", "binary_middle_endian"),
    "no format": (b"ply\nelement vertex 1\nend_header\n", "end_header"),
    "negative count": (b"ply\nformat ascii 1.0\nelement vertex -1\n", "vertex -1"),
    "unknown type": (build_file(["quad x"]), "quad x"),
    "property before element": (b"ply\nformat ascii 1.0\nproperty float x\n", "property float x"),
    "no vertices element": (
        b"ply\nformat ascii 1.0\nelement face 1\nproperty float x\nend_header\n",
        "no element vertex",
    ),
    "point cloud": (build_file(["x", "y", "z", "uchar red"]), "lacks rot_0, rot_1"),
    "missing": (build_file(without("scale_1")), "lacks scale_1"),
    "duplicate": (build_file([*NAMES, "x"]), "x is declared twice"),
    "list": (build_file([*NAMES, "list uchar int around"]), "around is a list"),
    "compressed, but incomplete": (build_file(["uint packed_position"]), "no element chunk"),
    "count of many digits": (b"ply\nformat ascii 1.0\nelement vertex " + b"9" * 5000 + b"\n", "element vertex 9999"),
    "no vertex": (build_file(list(NAMES), count=0), "0 vertices"),
    "truncated": (build_file(list(NAMES), bytes(100), count=2), "expected 112 bytes of vertices, got 100"),
    "huge count": (build_file(list(NAMES), count=10**15), "expected 56,000,000,000,000,000 bytes"),
    "huge element before": (
        build_file(list(NAMES), before="element camera 99999999999\nproperty float f"),
        "got 0;",
    ),
    "list before": (build_file(list(NAMES), before="element f 1\nproperty list uchar int i"), "element f"),
    "f_rest twice": (build_file([*NAMES, "f_rest_0", "f_rest_00", "f_rest_1"]), "same index"),
    "f_rest gap": (build_file([*NAMES, "f_rest_0", "f_rest_1", "f_rest_3"]), "f_rest_2 is missing"),
    "f_rest count": (build_file([*NAMES, *(f"f_rest_{i}" for i in range(12))]), "12 f_rest"),
    "f_rest zero-padded": (build_file([*NAMES, *(f"f_rest_{i:02}" for i in range(9))]), "lacks f_rest_0"),
    "text truncated": (
        build_header("ascii", list(NAMES), count=2).encode() + (b"1 " * 14).rstrip() + b"\n" + b" " * 99,
        "expected 2 vertices, got 1",
    ),
    "text huge count": (build_header("ascii", list(NAMES), count=10**15).encode() + b"1 " * 14, "truncated"),
    "text short row": (build_header("ascii", list(NAMES), count=1).encode() + b"1.2345 " * 13, "not 14 numbers"),
    "text word": (build_header("ascii", list(NAMES), count=1).encode() + b"1 " * 13 + b"one\n", "not 14 numbers"),
    "text long row": (build_header("ascii", list(NAMES), count=1).encode() + b"1 " * 15, "not 14 numbers"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_its_file(fault: str, tmp_path: Path) -> None:
    content, words = FAULTS[fault]
    path = tmp_path / "scene.ply"
    path.write_bytes(content)
    with pytest.raises(BadInputError) as caught:
        read_ply(path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceMissingError, match="no such file"):
        read_ply(tmp_path / "none.ply")
    with pytest.raises(BadInputError, match="is a folder"):
        read_ply(tmp_path)


REAL = {
    "leica_sofort_top8192.ply": (8192, 3),
    "fruit_drops_minimal.ply": (4721, 3),
    "train_1000.ply": (1000, 3),
    "donut_fused_45624_sh0.ply": (45624, 0),
}


@pytest.mark.parametrize("name", REAL)
def test_real_scenes_are_read(name: str) -> None:
    splats = read_ply(real_scene(name))
    assert (len(splats), splats.sh_bands) == REAL[name]
    assert np.isfinite(splats.positions).all()
    assert -30 < splats.scales.min() < splats.scales.max() < 10

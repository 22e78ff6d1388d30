"""PLY headers as no exporter was expected to write them: elements of any kind in any order, comments anywhere."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packed_scenes import pack_compressed_ply
from scenes import DATA
from sogs_worker.errors import BadInputError
from sogs_worker.formats import read_scene
from sogs_worker.formats.ply.header import ENCODINGS, TYPES
from sogs_worker.splats import ARRAYS, Splats
from splat_builders import build_rows, build_splats

COMMENTS = ["comment", "comment made by hand", "obj_info num_cols 3", "", "comment element vertex 9"]
LINE_ENDS = ["\n", "\r\n", "\r"]

names = st.sampled_from([*"xyz", "opacity", "f_rest_0", "packed_position", "min_x", "odd"])
scalars = st.builds("property {} {}".format, st.sampled_from(sorted(TYPES)), names)
lists = st.builds("property list uchar {} {}".format, st.sampled_from(["int", "float"]), names)
fields = st.lists(scalars | lists, max_size=4)
SPLAT = [f"property float {name}" for name in build_rows(build_splats(1, bands=0))]
PACKED = [f"property uint packed_{name}" for name in ("position", "rotation", "scale", "color")]
BOUNDS = [f"property float {end}_{part}{axis}" for part in ("", "scale_") for end in ("min", "max") for axis in "xyz"]


@st.composite
def elements(draw: st.DrawFn) -> list[str]:
    kinds = ["vertex", "vertex", "chunk", "sh", "face", "camera"]
    lines = [f"element {draw(st.sampled_from(kinds))} {draw(st.sampled_from([0, 1, 2, 300, 10**17]))}"]
    return lines + draw(fields | st.sampled_from([[], SPLAT, PACKED, BOUNDS, [*SPLAT, *PACKED]]))


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    lines = ["ply", f"format {draw(st.sampled_from(sorted(ENCODINGS)))} 1.0"]
    for element in draw(st.lists(elements(), max_size=5)):
        lines += element
    for _ in range(draw(st.integers(0, 3))):
        lines.insert(draw(st.integers(1, len(lines))), draw(st.sampled_from(COMMENTS)))
    end = draw(st.sampled_from(LINE_ENDS))
    return (end.join([*lines, "end_header"]) + end).encode()


@contextmanager
def written(data: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.ply"
        path.write_bytes(data)
        yield path


def read(data: bytes) -> Splats:
    with written(data) as path:
        return read_scene(path)


@settings(max_examples=400)
@given(header=headers(), body=st.binary(max_size=64) | st.just(bytes(300 * 64)) | st.just(b"1 2 3\n" * 40))
def test_any_header_ends_in_a_scene_or_one_refusal(header: bytes, body: bytes) -> None:
    check(header + body)


def check(data: bytes) -> None:
    refusal = ""
    with written(data) as path:
        try:
            assert len(read_scene(path)) > 0
        except BadInputError as error:
            refusal = str(error)
    assert refusal == "" or (refusal.startswith(f"{path}: ") and "\n" not in refusal)


def test_more_rows_than_can_be_counted_are_refused() -> None:
    many = "\n".join(["element face 999999999999999999", "property int x"] * 12)
    header = "\n".join(["ply", "format ascii 1.0", many, "element vertex 1", *SPLAT, "end_header", ""])
    check(header.encode() + b"1 " * 40)


def build(encoding: str, splats: Splats, before: list[str], after: list[str], end: str) -> bytes:
    rows = build_rows(splats)
    lines = ["ply", f"format {encoding} 1.0", *before, f"element vertex {len(splats)}"]
    lines += [*(f"property float {name}" for name in rows), *after, "end_header"]
    table = np.stack(list(rows.values()), axis=1)
    if encoding == "ascii":
        body = end.join(" ".join(repr(float(value)) for value in row) for row in table).encode()
    else:
        body = table.astype(ENCODINGS[encoding] + "f4").tobytes()
    return (end.join(lines) + end).encode() + body


without_bytes = st.lists(
    st.sampled_from(["element sh 7", "element chunk 0", f"element camera {10**17}"]) | st.sampled_from(COMMENTS[:3]),
    max_size=4,
)
with_lists = st.sampled_from([[], ["element face 3", "property list uchar int vertex_indices"]])


@settings(max_examples=150)
@given(
    encoding=st.sampled_from(sorted(ENCODINGS)),
    before=without_bytes,
    after=without_bytes,
    last=with_lists,
    end=st.sampled_from(LINE_ENDS),
)
def test_what_has_no_bytes_is_absent(
    encoding: str, before: list[str], after: list[str], last: list[str], end: str
) -> None:
    splats = build_splats(5, bands=1)
    got = read(build(encoding, splats, before, [*after, *last], end))
    assert all(np.array_equal(getattr(got, name), getattr(splats, name)) for name in ARRAYS)


def test_a_compressed_scene_may_have_an_element_of_no_harmonics() -> None:
    plain = pack_compressed_ply(bands=0)
    empty = plain.replace(b"end_header", b"element sh 300\nend_header")
    one, other = read(plain), read(empty)
    assert all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ARRAYS)


def test_bands_that_sog_has_not_are_left_out_and_said() -> None:
    splats = build_splats(6, bands=3)
    rows = build_rows(splats)
    names = [name for name in rows if not name.startswith("f_rest")]
    every = np.zeros((6, 3, 24), np.float32)
    every[..., :15] = splats.shn.transpose(0, 2, 1)
    every[..., 15:] = 9
    table = np.concatenate([np.stack([rows[name] for name in names], axis=1), every.reshape(6, 72)], axis=1)
    names += [f"f_rest_{i}" for i in range(72)]
    header = [
        "ply",
        "format binary_little_endian 1.0",
        "element vertex 6",
        *(f"property float {name}" for name in names),
    ]
    got = read("\n".join([*header, "end_header", ""]).encode() + table.astype("<f4").tobytes())
    assert np.array_equal(got.shn, splats.shn)
    assert "SH band 4 is left out" in got.notes[0]


@pytest.mark.parametrize(
    ("name", "count", "bands"),
    [
        ("01_gsplat_ply_compressed_sh0_empty_sh_element.ply", 1000, 0),
        ("14a_ply_sh4.ply", 400, 3),
        ("16a_header_cr_only.ply", 400, 1),
    ],
)
def test_files_of_exporters_are_read(name: str, count: int, bands: int) -> None:
    path = DATA / "reports" / name
    if not path.exists():
        pytest.skip(f"{path} is not there: SPLATS_DATA names the folder with the reports' files")
    splats = read_scene(path)
    assert (len(splats), splats.sh_bands) == (count, bands)

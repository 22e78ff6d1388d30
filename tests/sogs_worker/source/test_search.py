"""Which files of a search are scenes."""

from __future__ import annotations

import io
import json
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_builders import build_meta
from scenes import DATA
from sogs_worker.errors import BadInputError
from sogs_worker.formats.ply.compressed import PACKED, is_compressed
from sogs_worker.formats.ply.header import TYPES, read_header
from sogs_worker.formats.ply.layout import ATTRIBUTES, locate_attributes
from sogs_worker.source.search import (
    HEADER_BYTES,
    NO_SPLATS,
    PARTS,
    SHOWN,
    PassedOver,
    describe,
    judge,
    may_have_splats,
    settle,
    summarize,
)

POINTS = b"ply\nformat ascii 1.0\nelement vertex 1\n%send_header\n0 0 0\n" % b"".join(
    b"property float %c\n" % axis for axis in b"xyz"
)
SPLATS = [name for columns in ATTRIBUTES.values() for name in columns]
NAMES = st.sampled_from([*SPLATS, *PACKED, "red", "nx", "f_rest_0", "vertex_indices", "opacity_2", "end_header"])


def found(files: dict[str, bytes]) -> tuple[list[str], dict[str, str]]:
    """Search files; return the scenes' names, and what is passed over with its reason."""

    def read(name: str, size_bytes: int) -> bytes:
        assert files[name], "an empty file is not read"
        return files[name][:size_bytes]

    judgements = [judge(PurePosixPath(n), len(files[n]), lambda size, n=n: read(n, size)) for n in files]
    scenes, others = settle(judgements)
    return [str(scene.file) for scene in scenes], {other.name: other.reason for other in others}


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    """Headers of PLYs of all kinds: of splats, of less, of anything else."""
    properties = draw(st.sampled_from([SPLATS, [*PACKED], SPLATS[:9], []])) + draw(st.lists(NAMES, max_size=4))
    end = draw(st.sampled_from([b"\n", b"\r\n", b" \n\n"]))
    comments = draw(st.lists(st.sampled_from(["comment end_header", "comment property float opacity", "obj_info x"])))
    kinds = st.sampled_from([*TYPES, "list uchar int"])
    lines = ["ply", "format ascii 1.0", *comments, f"element {draw(st.sampled_from(['vertex', 'point']))} 1"]
    lines += [f" property {draw(kinds)}  {name}" for name in draw(st.permutations(properties))]
    return end.join(line.encode() for line in [*lines, "end_header", ""]) + draw(st.binary(max_size=20))


@given(headers())
def test_no_scene_that_can_be_read_is_passed_over(header: bytes) -> None:
    try:
        parsed = read_header(io.BytesIO(header))
        vertex = parsed.find("vertex")
        readable = is_compressed(parsed) or (vertex is not None and bool(locate_attributes(vertex)))
    except BadInputError:
        readable = False
    assert may_have_splats(header) or not readable


@pytest.mark.parametrize(
    ("beginning", "expected"),
    [
        (POINTS, False),
        (POINTS.replace(b"\n", b"\r\n"), False),
        (POINTS.replace(b"\n", b"\r"), False),
        (POINTS.replace(b"property float z", b"property list uchar int z"), False),
        (b"", True),
        (b"version https://git-lfs.github.com/spec/v1\n", True),
        (POINTS[:60], True),
        (POINTS.replace(b"float z", b"float opacity"), True),
        (POINTS.replace(b"float z", b"uint packed_position"), True),
    ],
)
def test_only_a_whole_header_without_splats_is_no_scene(beginning: bytes, expected: bool) -> None:
    assert may_have_splats(beginning) == expected


def test_a_folder_of_a_trainer() -> None:
    files = {
        "input.ply": POINTS,
        "cameras.json": b"[]",
        "cfg_args": b"Namespace()",
        "sparse/0/points3D.ply": POINTS,
        "images/1.jpg": b"x",
        "point_cloud/iteration_7000/point_cloud.ply": b"ply\n",
        "broken.ply": b"",
        ".cache/a.ply": POINTS,
    }
    scenes, others = found(files)
    assert scenes == ["point_cloud/iteration_7000/point_cloud.ply", "broken.ply"]
    assert others == {"input.ply": NO_SPLATS, "sparse/0/points3D.ply": NO_SPLATS}


def manifest(*filenames: str, **fields: object) -> bytes:
    return json.dumps({"version": 1, "lodLevels": 2, "filenames": filenames, "tree": {}} | fields).encode()


def test_the_parts_of_a_streamed_scene_are_no_scenes() -> None:
    parts = ["0_0/meta.json", "./1_0/meta.json", "x/../2_0/meta.json", "3_0.sog"]
    files = {f"town/{name}/meta.json": build_meta() for name in ("0_0", "1_0", "2_0", "env", "other")}
    files |= {"town/3_0.sog": b"x", "0_0/meta.json": build_meta(), "town/a.sog": b"x"}
    files |= {"town/Lod-Meta.json": manifest(*parts, environment="env/meta.json")}
    scenes, others = found(files)
    assert scenes == ["town/other/meta.json", "0_0/meta.json", "town/a.sog"]
    assert others == {"town/Lod-Meta.json": PARTS}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"filenames": 3}', b"[" * 10_000])
def test_where_a_manifest_tells_nothing_every_sog_below_its_folder_is_a_part(content: bytes) -> None:
    names = ("town/0_0/meta.json", "town/deep/1_0.sog", "town/source.ply", "village/meta.json")
    files = dict.fromkeys(names, build_meta()) | {"town/lod-meta.json": content}
    assert found(files) == (["town/source.ply", "village/meta.json"], {"town/lod-meta.json": PARTS})


def test_many_are_counted() -> None:
    few, many = ([PassedOver(f"{n}.ply", NO_SPLATS) for n in range(count)] for count in (SHOWN, SHOWN + 1234))
    assert describe([]) == []
    assert describe(few)[-1] == f"passed over: {SHOWN - 1}.ply {NO_SPLATS}"
    assert describe(many) == [*describe(few), "passed over: 1,234 more files that are no scenes"]
    assert summarize([]) == ""
    assert summarize(few[:1]) == f" (0.ply {NO_SPLATS})"
    assert summarize(many) == f" (0.ply {NO_SPLATS}, and 1,238 more are no scenes either)"


def test_scenes_of_real_folders_are_all_found() -> None:
    for folder in (DATA / "scenes", DATA / "malformed"):
        if not folder.is_dir():
            pytest.skip(f"{folder} is not there: SPLATS_DATA names the folder with the real scenes")
        for path in folder.rglob("*.ply"):
            assert may_have_splats(path.read_bytes()[:HEADER_BYTES]), path


def report(name: str) -> Path:
    path = DATA / "reports" / name
    if not path.exists():
        pytest.skip(f"{path} is not there: SPLATS_DATA names the folder with the files made after bug reports")
    return path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("05_inria_model", [f"point_cloud/iteration_{n}/point_cloud.ply" for n in (30000, 7000)]),
        ("06_streamed_sog", []),
    ],
)
def test_folders_of_reports(name: str, expected: list[str]) -> None:
    folder = report(name)
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.*"))}
    scenes, others = found({name: content for name, content in files.items() if content})
    assert scenes == expected
    assert len(others) == 1

"""Binary glTF: values by hand, nodes, SPZ inside, faults in one sentence. `test_peers` compares with others."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from packed_scenes import GLB_PREFIX, build_glb, draw_glb_columns, pack_glb, pack_spz, pack_spz4, pack_spz_glb
from sogs_worker.errors import BadInputError
from sogs_worker.formats import glb, read_scene
from sogs_worker.formats.glb import accessors
from sogs_worker.splats import Splats
from splat_builders import covariances

HALF_TURN = np.array([-1, -1, 1], np.float32)
SPZ_NAMES = [
    "KHR_gaussian_splatting_compression_spz_2",
    "KHR_gaussian_splatting_compression_spz",
    "KHR_spz_gaussian_splats_compression",
]


def write(folder: Path, data: bytes) -> Path:
    path = folder / "a.glb"
    path.write_bytes(data)
    return path


def read(folder: Path, document: Any, body: bytes) -> Splats:
    return read_scene(write(folder, pack_glb(document, body)))


def one(**columns: list[float]) -> dict[str, np.ndarray]:
    names = {"POSITION": "POSITION", "SH0": f"{GLB_PREFIX}SH_DEGREE_0_COEF_0"}
    standard = {"POSITION": [0, 0, 0], "ROTATION": [0, 0, 0, 1], "SCALE": [1, 1, 1], "OPACITY": [0.5], "SH0": [0, 0, 0]}
    return {
        names.get(name, GLB_PREFIX + name): np.array([values], "<f4") for name, values in (standard | columns).items()
    }


def test_values_by_hand_in_the_axes_of_a_ply(tmp_path: Path) -> None:
    columns = one(POSITION=[1, 2, 3], ROTATION=[0, 0, 0, 1], SCALE=[0.5, 0, 2], OPACITY=[0.2], SH0=[1, -2, 0.5])
    for degree in range(1, 4):
        for each in range(2 * degree + 1):
            columns[f"{GLB_PREFIX}SH_DEGREE_{degree}_COEF_{each}"] = np.array([[1, 10 * degree + each, -1]], "<f4")
    splats = read(tmp_path, *build_glb(columns))
    assert splats.positions.tolist() == [[-1, -2, 3]]
    assert np.abs(splats.rotations).tolist() == [[0, 0, 0, 1]]
    assert splats.scales[0] == pytest.approx([np.log(0.5), -np.inf, np.log(2)])
    assert splats.opacities == pytest.approx([np.log(0.25)])
    assert splats.sh0.tolist() == [[1, -2, 0.5]]
    orders = [order for degree in range(1, 4) for order in range(-degree, degree + 1)]
    values = [10 * degree + each for degree in range(1, 4) for each in range(2 * degree + 1)]
    assert splats.shn[0, :, 1] == pytest.approx(
        [(-1) ** order * value for order, value in zip(orders, values, strict=True)]
    )


def test_opacities_at_the_ends_are_finite(tmp_path: Path) -> None:
    columns = {name: np.repeat(values, 3, axis=0) for name, values in one().items()}
    columns[f"{GLB_PREFIX}OPACITY"] = np.array([[0], [1], [np.nan]], "<f4")
    opacities = read(tmp_path, *build_glb(columns)).opacities
    assert opacities[:2] == pytest.approx([-13.8155, 13.8155], rel=1e-5)
    assert np.isnan(opacities[2])


def test_integers_stand_for_fractions_and_rows_may_be_interleaved(tmp_path: Path) -> None:
    columns = one() | {
        f"{GLB_PREFIX}ROTATION": np.array([[0, -127, 0, -128]], "<i1"),
        f"{GLB_PREFIX}SCALE": np.array([[1, 2, 255]], "<u1"),
        f"{GLB_PREFIX}OPACITY": np.array([[13107]], "<u2"),
    }
    splats = read(tmp_path, *build_glb({name: np.repeat(values, 2, axis=0) for name, values in columns.items()}))
    assert np.abs(splats.rotations[0]) == pytest.approx([0, 1, 0, 1])
    assert splats.scales[1] == pytest.approx(np.log([1, 2, 255]))
    assert splats.opacities == pytest.approx([np.log(0.25)] * 2, rel=1e-4)

    document, body = build_glb(one())
    rows = np.arange(14, dtype="<f4").reshape(2, 7)  # position, scale, opacity
    document["bufferViews"].append({"buffer": 0, "byteOffset": len(body), "byteLength": rows.nbytes, "byteStride": 28})
    for index, (accessor, first) in enumerate(zip(document["accessors"], (0, None, 3, 6, None), strict=True)):
        if first is None:
            document["bufferViews"][index]["byteLength"] = 2 * rows.itemsize * (4 if index == 1 else 3)
            document["bufferViews"][index]["byteOffset"] = 0
        else:
            accessor |= {"bufferView": 5, "byteOffset": 4 * first}
        accessor["count"] = 2
    splats = read(tmp_path, document, body + rows.tobytes())
    assert splats.positions.tolist() == [[0, -1, 2], [-7, -8, 9]]
    assert splats.scales[1] == pytest.approx(np.log([10, 11, 12]))


def test_blocks_join_seamlessly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, pack_glb(*build_glb(draw_glb_columns(40))))
    whole = read_scene(path)
    monkeypatch.setattr(accessors, "BLOCK", 7)
    again = read_scene(path)
    for name in whole.__dataclass_fields__:
        assert np.array_equal(getattr(again, name), getattr(whole, name)), name


def test_scales_of_the_review_draft_are_logarithms(tmp_path: Path) -> None:
    columns = draw_glb_columns(20)
    logs = np.log(columns[f"{GLB_PREFIX}SCALE"])
    for scales in (np.exp(logs), logs):
        columns[f"{GLB_PREFIX}SCALE"] = scales
        assert read(tmp_path, *build_glb(columns)).scales == pytest.approx(logs, rel=1e-5)


def test_nodes_place_their_splats(tmp_path: Path) -> None:
    document, body = build_glb(one(POSITION=[1, 0, 0], ROTATION=[0, 0, 0, 1], SCALE=[1, 2, 3]))
    half = 0.5**0.5
    document["nodes"] = [
        {"children": [1], "translation": [0, 0, 5], "scale": [2, 2, 2]},
        {"mesh": 0, "rotation": [0, 0, half, half]},
        {"mesh": 0, "matrix": [1, 0, 0, 0, 0, 0, -1, 0, 0, 1, 0, 0, 7, 8, 9, 1]},
        {"mesh": 0},
    ]
    document["scenes"] = [{"nodes": [3]}, {"nodes": [0, 2]}]
    document["scene"] = 1
    splats = read(tmp_path, document, body)
    assert splats.positions / HALF_TURN == pytest.approx(np.array([[0, 2, 5], [8, 8, 9]]), abs=1e-6)
    expected = np.array([np.diag([16, 4, 36]), np.diag([1, 9, 4])], float)
    assert covariances(splats) == pytest.approx(expected, abs=1e-4)


def test_all_primitives_of_splats_are_one_scene(tmp_path: Path) -> None:
    document, body = build_glb(one())
    (first,) = document["meshes"][0]["primitives"]
    more = {**first["attributes"], **{f"{GLB_PREFIX}SH_DEGREE_1_COEF_{each}": 4 for each in range(3)}}
    second = {**first, "attributes": more}
    document["meshes"] = [{"primitives": [first, {"attributes": {"POSITION": 0}}]}, {"primitives": [second]}]
    document["nodes"] = [{"mesh": 0}, {"mesh": 1}, {"camera": 0}]
    del document["scenes"]
    splats = read(tmp_path, document, body)
    assert (len(splats), splats.sh_bands) == (2, 1)


@pytest.mark.parametrize("name", SPZ_NAMES)
@pytest.mark.parametrize("version", [2, 3, 4])
def test_spz_inside_is_read_as_alone_but_for_its_axes(name: str, version: int, tmp_path: Path) -> None:
    spz = pack_spz4(bands=1) if version == 4 else pack_spz(version=version)
    (tmp_path / "a.spz").write_bytes(spz)
    alone, within = read_scene(tmp_path / "a.spz"), read_scene(write(tmp_path, pack_spz_glb(spz, name)))
    assert np.array_equal(within.positions, alone.positions * HALF_TURN)
    for same in ("scales", "opacities", "sh0"):
        assert np.array_equal(getattr(within, same), getattr(alone, same))
    turned = covariances(alone) * np.outer(HALF_TURN, HALF_TURN)
    assert covariances(within) == pytest.approx(turned, rel=1e-4, abs=1e-6 * np.abs(turned).max())
    assert within.shn == pytest.approx(alone.shn * [[-1], [1], [-1]])


Change = Callable[[dict[str, Any]], object]


def primitive(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["meshes"][0]["primitives"][0]
    return found


def splatting(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = primitive(document)["extensions"]["KHR_gaussian_splatting"]
    return found


CHANGES: dict[str, tuple[Change, str]] = {
    "no splats": (lambda d: primitive(d).update(extensions={}), "has 0 primitives with KHR_gaussian_splatting"),
    "too many": (lambda d: d["meshes"][0].update(primitives=2000 * [primitive(d)]), "has 2,000 primitives"),
    "no scene of that index": (lambda d: d.update(scene=3), r"scenes\[3\], which it has not"),
    "no node": (lambda d: d["scenes"][0].update(nodes=["x"]), r"nodes\['x'\], which it has not"),
    "no mesh": (lambda d: d["nodes"][0].update(mesh=True), r"meshes\[True\], which it has not"),
    "a circle": (lambda d: d["nodes"][0].update(children=[0]), r"nodes\[0\] of the GLB is reached twice"),
    "mirrored": (lambda d: d["nodes"][0].update(scale=[1, -1, 1]), "mirrored or scaled more on one axis"),
    "stretched": (lambda d: d["nodes"][0].update(scale=[1, 2, 1]), "mirrored or scaled more on one axis"),
    "too many nodes": (lambda d: d.update(nodes=[{}] * 20_000), "has 20,000 nodes"),
    "flattened": (lambda d: d["nodes"][0].update(scale=[0, 0, 0]), "mirrored or scaled more on one axis"),
    "overflowing": (lambda d: d["nodes"][0].update(matrix=[1e30] * 16), "mirrored or scaled more on one axis"),
    "no numbers": (lambda d: d["nodes"][0].update(matrix=[float("nan")] * 16), "matrix must be 16 numbers"),
    "instanced": (
        lambda d: d["nodes"][0].update(extensions={"EXT_mesh_gpu_instancing": {}}), "needs EXT_mesh_gpu_instancing",
    ),
    "another kernel": (lambda d: splatting(d).update(kernel="box"), "kernel is 'box', but only ellipse"),
    "linear colours": (lambda d: splatting(d).update(colorSpace="lin_rec709_display"), "only srgb_rec709_display"),
    "unknown requirement": (lambda d: d.update(extensionsRequired=["KHR_draco"]), "requires KHR_draco, which"),
    "compressed view": (
        lambda d: d["bufferViews"][0].update(extensions={"EXT_meshopt_compression": {}}), "needs EXT_meshopt",
    ),
    "compressed otherwise": (lambda d: d["accessors"][0].pop("bufferView"), "compressed in an unknown way"),
    "sparse": (lambda d: d["accessors"][0].update(sparse={}), "is sparse"),
    "another file": (lambda d: d["buffers"][0].update(uri="a.bin"), "lies outside of the GLB"),
    "another buffer": (lambda d: d["bufferViews"][0].update(buffer=1), "lies outside of the GLB"),
    "view too long": (lambda d: d["bufferViews"][0].update(byteLength=1 << 40), "ends at byte 1,099,511,627,776"),
    "view before": (lambda d: d["bufferViews"][0].update(byteOffset=-4), "byteOffset must be an integer from 0 on"),
    "too many rows": (lambda d: d["accessors"][0].update(count=1 << 40), "of its view"),
    "rows too near": (lambda d: d["bufferViews"][0].update(byteStride=4), "rows 4 bytes apart"),
    "rows too far": (lambda d: d["bufferViews"][0].update(byteStride=1 << 40), "bytes apart"),
    "rows differ": (lambda d: d["accessors"][1].update(count=4), "has 4 values for 5 splats"),
    "another type": (lambda d: d["accessors"][1].update(type="VEC3"), "must be VEC4, got 'VEC3'"),
    "another component": (lambda d: d["accessors"][1].update(componentType=5130), "unknown componentType 5130"),
    "no opacity": (lambda d: primitive(d)["attributes"].pop(f"{GLB_PREFIX}OPACITY"), "has no .*OPACITY"),
    "a part of a band": (
        lambda d: primitive(d)["attributes"].pop(f"{GLB_PREFIX}SH_DEGREE_1_COEF_1"), "has no .*SH_DEGREE_1_COEF_1",
    ),
    "indices": (lambda d: primitive(d).update(indices=0), "has indices"),
    "no attributes": (lambda d: primitive(d).update(attributes=[]), "attributes must be an object"),
    "no SPZ": (
        lambda d: splatting(d).update(extensions={SPZ_NAMES[0]: {"bufferView": 0}}), "not an SPZ file",
    ),
    "SPZ nowhere": (lambda d: splatting(d).update(extensions={SPZ_NAMES[0]: {}}), r"bufferViews\[None\]"),
    "nothing": (lambda d: splatting(d).update(extensions={SPZ_NAMES[0]: None}), "must be an object, got None"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_what_cannot_be_honoured_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    change, sentence = CHANGES[name]
    document, body = build_glb(draw_glb_columns())
    change(document)
    refuse(tmp_path, pack_glb(document, body), sentence)


def test_a_document_without_nodes_has_no_splats(tmp_path: Path) -> None:
    refuse(tmp_path, pack_glb({}), "has 0 primitives")


WHOLE = pack_glb(*build_glb(draw_glb_columns()))
FAULTS = {
    "empty": (b"", "is an empty file"),
    "a .gltf": (b'{"asset": {"version": "2.0"}}', "is JSON, not a binary glTF"),
    "version 1": (WHOLE[:4] + b"\1" + WHOLE[5:], "binary glTF version 1"),
    "truncated": (WHOLE[:-1], "cut off after"),
    "a long chunk": (WHOLE[:12] + b"\xff\xff\xff\x7f" + WHOLE[16:], "a chunk of the GLB ends at byte"),
    "no JSON first": (WHOLE[:16] + b"TEXT" + WHOLE[20:], "does not begin with JSON"),
    "no JSON": (pack_glb(b"{"), "JSON is not valid"),
    "deep JSON": (pack_glb(b"[" * 100_000), "JSON is not valid"),
    "a list": (pack_glb([]), "JSON is not an object"),
    "no bytes": (struct.pack("<4sII", b"glTF", 2, 20) + struct.pack("<I4s", 0, b"JSON"), "JSON is not valid"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_of_the_container_are_told_in_one_sentence(name: str, tmp_path: Path) -> None:
    refuse(tmp_path, *FAULTS[name])


def refuse(folder: Path, data: bytes, sentence: str) -> None:
    path = write(folder, data)
    with pytest.raises(BadInputError, match=sentence) as fault:
        read_scene(path)
    assert str(fault.value).startswith(f"{path}: ")
    assert "\n" not in str(fault.value)


def test_many_instances_are_no_way_to_fill_the_memory(tmp_path: Path) -> None:
    document, body = build_glb({name: values.repeat(5000, 0) for name, values in draw_glb_columns(bands=3).items()})
    document["nodes"] = [{"mesh": 0} for _ in range(glb.file.MAX_PIECES)]
    document["scenes"] = [{"nodes": list(range(glb.file.MAX_PIECES))}]
    refuse(tmp_path, pack_glb(document, body), "which .* bytes cannot hold")

"""The rendering model: every file that says one is read so, and every file that can say one does."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packed_scenes import pack_compressed_ply, pack_spz, pack_spz4
from scenes import DATA
from sogs_worker.encode.dropped import Dropped
from sogs_worker.engines import native, sogs
from sogs_worker.engines.parameters import Parameters
from sogs_worker.formats import read_scene
from sogs_worker.formats.ply.file import read_ply, write_ply
from sogs_worker.formats.ply.model import format_model, parse_model
from sogs_worker.formats.sog.file import read_quantized, read_sog, write_sog, write_unbundled
from sogs_worker.formats.sog.layout import EncodedScene
from sogs_worker.formats.sog.meta import parse_meta
from sogs_worker.formats.sog.version1 import DocumentV1
from sogs_worker.splats import ARRAYS, Model, Splats
from splat_builders import build_splats

FAST = Parameters(quality="fast")

SAYING = {
    "SplatRenderMode: default": Model.DEFAULT,
    "SplatRenderMode: mip": Model.ANTIALIASED,
    "SplatRenderMode: 2dgs": Model.SURFELS,
    "antialiased 0": Model.DEFAULT,
    "antialiased 1": Model.ANTIALIASED,
}
SAYING_NOTHING = st.sampled_from(
    ["", "Exported from Brush", "SH degree: 3", "SplatRenderMode: banana", "antialiased", "antialiased 2", "mip 1"]
) | st.text().map(lambda text: f"note {text}")


def shuffled_case(text: str) -> st.SearchStrategy[str]:
    return st.lists(st.booleans(), min_size=len(text), max_size=len(text)).map(
        lambda upper: "".join(c.upper() if up else c.lower() for c, up in zip(text, upper, strict=True))
    )


def with_model(count: int, model: Model, bands: int = 0) -> Splats:
    """A scene as a trainer of that model makes it: surfels have no thickness."""
    splats = replace(build_splats(count, bands=bands), model=model)
    if model is not Model.SURFELS:
        return splats
    scales = splats.scales.copy()
    scales[:, 2] = -np.inf
    return replace(splats, scales=scales)


@given(st.data(), st.lists(SAYING_NOTHING), st.lists(SAYING_NOTHING), st.lists(st.sampled_from(list(SAYING))))
def test_the_last_comment_that_says_a_model_decides(
    data: st.DataObject, before: list[str], after: list[str], saying: list[str]
) -> None:
    written = [data.draw(shuffled_case(text)) for text in saying]
    want = SAYING[saying[-1]] if saying else Model.DEFAULT
    assert parse_model([*before, *written, *after]) is want


@pytest.mark.parametrize("model", Model)
def test_the_comment_of_a_model_says_it(model: Model) -> None:
    assert parse_model(format_model(model)) is model
    assert format_model(Model.DEFAULT) == []


def same(got: Splats, want: Splats) -> bool:
    return got.model is want.model and all(np.array_equal(getattr(got, name), getattr(want, name)) for name in ARRAYS)


@pytest.mark.parametrize("bands", range(4))
@pytest.mark.parametrize("model", Model)
def test_a_ply_comes_back_with_its_model(model: Model, bands: int, tmp_path: Path) -> None:
    splats = with_model(20, model, bands)
    write_ply(tmp_path / "a.ply", splats)
    assert same(read_ply(tmp_path / "a.ply"), splats)
    header = (tmp_path / "a.ply").read_bytes().split(b"end_header")[0]
    assert (b"scale_2" in header) == (model is not Model.SURFELS)
    assert (b"comment" in header) == (model is not Model.DEFAULT)


def test_a_third_scale_that_is_not_the_least_is_written(tmp_path: Path) -> None:
    splats = replace(build_splats(20), model=Model.SURFELS)
    assert (splats.scales[:, 2] > splats.scales[:, 1]).any()
    write_ply(tmp_path / "a.ply", splats)
    assert same(read_ply(tmp_path / "a.ply"), splats)


def rewrite_header(path: Path, old: bytes, new: bytes) -> Path:
    head, end, body = path.read_bytes().partition(b"end_header")
    assert old in head
    path.write_bytes(head.replace(old, new) + end + body)
    return path


def test_two_scales_mean_surfels_whatever_a_comment_says(tmp_path: Path) -> None:
    splats = with_model(9, Model.SURFELS, 1)
    write_ply(tmp_path / "a.ply", splats)
    assert same(read_ply(rewrite_header(tmp_path / "a.ply", b"Mode: 2dgs", b"Mode: mip")), splats)


@pytest.mark.parametrize("comment", SAYING)
def test_a_compressed_ply_says_it_in_a_comment(comment: str, tmp_path: Path) -> None:
    path = tmp_path / "a.compressed.ply"
    path.write_bytes(pack_compressed_ply())
    rewrite_header(path, b"element chunk", f"comment {comment}\nelement chunk".encode())
    assert read_scene(path).model is SAYING[comment]


@pytest.mark.parametrize("is_antialiased", [False, True])
@pytest.mark.parametrize("version", [1, 2, 3, 4])
@pytest.mark.parametrize("others", [0, 0xFC])
def test_a_bit_of_every_version_of_spz_says_it(version: int, is_antialiased: bool, others: int, tmp_path: Path) -> None:
    flags = others | is_antialiased
    packed = pack_spz4(flags=flags) if version == 4 else pack_spz(version=version, flags=flags)
    (tmp_path / "a.spz").write_bytes(packed)
    assert read_scene(tmp_path / "a.spz").model is (Model.ANTIALIASED if is_antialiased else Model.DEFAULT)


def read_document(bundle: Path) -> dict[str, Any]:
    with zipfile.ZipFile(bundle) as archive:
        document: dict[str, Any] = json.loads(archive.read("meta.json"))
    return document


@pytest.mark.parametrize("model", Model)
def test_a_bundle_comes_back_with_its_model(model: Model, tmp_path: Path) -> None:
    scene = native.encode(with_model(80, model), parameters=FAST, device="cpu")
    write_sog(tmp_path / "a.sog", scene)
    write_unbundled(tmp_path / "meta.json", scene)
    assert read_sog(tmp_path / "a.sog").model is read_scene(tmp_path / "meta.json").model is model
    assert read_quantized(tmp_path / "a.sog").model is model
    said = {} if model is Model.DEFAULT else {"model": model.value}
    assert {name: value for name, value in read_document(tmp_path / "a.sog").items() if name == "model"} == said


@pytest.mark.parametrize("model", Model)
def test_a_scene_keeps_its_model_from_ply_to_bundle_to_ply(model: Model, tmp_path: Path) -> None:
    splats = with_model(300, model, 1)
    write_ply(tmp_path / "a.ply", splats)
    write_sog(tmp_path / "a.sog", native.encode(read_ply(tmp_path / "a.ply"), parameters=FAST, device="cpu"))
    write_ply(tmp_path / "b.ply", read_sog(tmp_path / "a.sog"))
    header = (tmp_path / "b.ply").read_bytes().split(b"end_header")[0]
    assert read_ply(tmp_path / "b.ply").model is model
    assert (b"scale_2" in header) == (model is not Model.SURFELS)


OF_DOCUMENTS = [
    ({}, Model.DEFAULT),
    ({"model": "default", "antialias": True}, Model.DEFAULT),
    ({"model": "antialiased", "antialias": False}, Model.ANTIALIASED),
    ({"model": "2dgs"}, Model.SURFELS),
    ({"antialias": True}, Model.ANTIALIASED),
    ({"antialias": False}, Model.DEFAULT),
    ({"antialias": "yes"}, Model.DEFAULT),
    *(({"model": value}, Model.DEFAULT) for value in ("banana", None, 1, ["antialiased"], {}, True)),
]


@pytest.mark.parametrize(("fields", "model"), OF_DOCUMENTS)
def test_metadata_say_it_in_two_ways_and_nonsense_says_nothing(
    fields: dict[str, Any], model: Model, tmp_path: Path
) -> None:
    write_sog(tmp_path / "a.sog", native.encode(build_splats(5), parameters=FAST, device="cpu"))
    assert parse_meta(read_document(tmp_path / "a.sog") | fields).model is model


@pytest.mark.parametrize("model", Model)
def test_the_engine_sogs_keeps_the_model(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the original makes, version 1, knows no model; nor is there a GPU for it here."""
    golden = Path(__file__).parents[2] / "golden" / "sogs-v1"
    document = json.loads((golden / "meta.json").read_bytes())
    images = {path.name: path.read_bytes() for path in golden.glob("*.webp")}
    scene = EncodedScene(DocumentV1(document), images, Dropped())
    monkeypatch.setattr(sogs, "run_original", lambda *_, **__: (scene, np.zeros(400, bool)))
    splats = replace(build_splats(400), model=model)
    write_sog(tmp_path / "a.sog", sogs.encode(splats, parameters=Parameters(engine="sogs"), device="cpu"))
    assert read_sog(tmp_path / "a.sog").model is model


REPORTS = {
    "03_2dgs_two_scales.ply": Model.SURFELS,
    "04a_brush_mip.ply": Model.ANTIALIASED,
    "04b_postshot_antialiased.ply": Model.ANTIALIASED,
    "04c_antialiased_flag_v4.spz": Model.ANTIALIASED,
}


@pytest.mark.parametrize("name", REPORTS)
def test_files_of_trainers_are_read_with_their_model(name: str, tmp_path: Path) -> None:
    path = DATA / "reports" / name
    if not path.exists():
        pytest.skip(f"{path} is not there: SPLATS_DATA names the folder with the files of reports")
    splats = read_scene(path)
    assert splats.model is REPORTS[name]
    scene = native.encode(splats, parameters=FAST, device="cpu")
    write_sog(tmp_path / "a.sog", scene)
    got = read_sog(tmp_path / "a.sog")
    assert (got.model, len(got)) == (REPORTS[name], len(splats) - scene.dropped.invisible)
    assert scene.dropped.unusable == 0


@pytest.mark.parametrize("name", ["02a_flat_some_scale_neginf.ply", "02b_flat_all_scale_neginf.ply"])
def test_flat_splats_of_trainers_are_kept(name: str) -> None:
    path = DATA / "reports" / name
    if not path.exists():
        pytest.skip(f"{path} is not there: SPLATS_DATA names the folder with the files of reports")
    scene = native.encode(read_scene(path), parameters=FAST, device="cpu")
    assert (scene.meta.count, scene.dropped) == (600, Dropped())

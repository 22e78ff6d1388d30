"""SOG bundles: what is written is read back; other encoders' bundles are read; broken ones are named."""

from __future__ import annotations

import io
import json
import re
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scenes import DATA, real_scene
from sogs_worker.encode.dropped import Dropped
from sogs_worker.encode.palette import Palette
from sogs_worker.encode.positions import Means
from sogs_worker.encode.quantized import Coded, QuantizedSplats
from sogs_worker.errors import BadInputError, SourceMissingError, StorageError
from sogs_worker.formats import read_scene, scene_bytes
from sogs_worker.formats.ply.file import read_ply
from sogs_worker.formats.sog.file import count_splats, read_meta, read_quantized, read_sog, write_sog, write_unbundled
from sogs_worker.formats.sog.layout import EncodedScene, Layout
from sogs_worker.formats.sog.webp import decode_plane


def build_quantized(count: int = 100, bands: int = 2, entries: int = 70) -> QuantizedSplats:
    """Make random integers in every attribute, with palette labels that need their high byte."""
    rng = np.random.default_rng(0)

    def draw(*shape: int, low: int = 0, kind: type[np.unsignedinteger[Any]] = np.uint8) -> np.ndarray:
        return rng.integers(low, np.iinfo(kind).max + 1, shape, kind)

    def codebook() -> np.ndarray:
        return np.sort(rng.normal(size=256)).astype(np.float32)

    labels = rng.integers(0, entries, count).astype(np.uint16)
    palette = Palette(draw(entries, (0, 3, 8, 15)[bands], 3), codebook(), labels) if bands else None
    return QuantizedSplats(
        means=Means(draw(count, 3, kind=np.uint16), np.array([-1, -2, 0.1]), np.array([1, 0, 7.3])),
        rotations=np.concatenate([draw(count, 3), draw(count, 1, low=252)], axis=1),
        scales=Coded(draw(count, 3), codebook()),
        sh0=Coded(draw(count, 3), codebook()),
        alphas=draw(count),
        palette=palette,
    )


def lay_out(scene: QuantizedSplats) -> EncodedScene:
    with Layout("cpu") as layout:
        layout.add_scales(scene.scales)
        layout.add_rotations(scene.rotations)
        layout.add_colours(scene.sh0, scene.alphas)
        layout.add_means(scene.means)
        if scene.palette:
            layout.add_palette(scene.palette)
        return layout.finish(Dropped(unusable=3, invisible=4))


def write(path: Path, scene: QuantizedSplats) -> Path:
    write_sog(path, lay_out(scene))
    return path


@pytest.mark.parametrize("bands", range(4))
@pytest.mark.parametrize(("count", "entries"), [(1, 1), (17, 5), (3000, 700)])
def test_every_integer_survives(bands: int, count: int, entries: int, tmp_path: Path) -> None:
    scene = build_quantized(count, bands, entries)
    got = read_quantized(write(tmp_path / "scene.sog", scene))
    assert np.array_equal(got.means.steps, scene.means.steps)
    assert np.array_equal(got.means.mins, scene.means.mins)
    assert np.array_equal(got.means.maxs, scene.means.maxs)
    assert np.array_equal(got.rotations, scene.rotations)
    assert np.array_equal(got.scales.values(), scene.scales.values())
    assert np.array_equal(got.sh0.values(), scene.sh0.values())
    assert np.array_equal(got.alphas, scene.alphas)
    if scene.palette and got.palette:
        assert np.array_equal(got.palette.labels, scene.palette.labels)
        assert np.array_equal(got.palette.entries, scene.palette.entries)
        assert np.array_equal(got.palette.codebook, scene.palette.codebook)
    assert (got.palette is None) == (scene.palette is None)


def test_the_bundle_is_inside_the_envelope_that_all_readers_take(tmp_path: Path) -> None:
    with zipfile.ZipFile(write(tmp_path / "scene.sog", build_quantized())) as archive:
        meta = json.loads(archive.read("meta.json"))
        names = archive.namelist()
    assert meta["version"] == 2
    assert meta["count"] == 100
    assert meta["shN"] | {"codebook": 0} == {
        "count": 70,
        "bands": 2,
        "codebook": 0,
        "files": ["shN_centroids.webp", "shN_labels.webp"],
    }
    for section in ("scales", "sh0", "shN"):
        codebook = meta[section]["codebook"]
        assert len(codebook) == 256
        assert codebook == sorted(codebook)
    planes = ["means_l", "means_u", "scales", "quats", "sh0", "shN_centroids", "shN_labels"]
    assert names == ["meta.json", *(f"{name}.webp" for name in planes)]


def test_an_unbundled_scene_is_the_same_scene(tmp_path: Path) -> None:
    bundle = write(tmp_path / "scene.sog", build_quantized())
    shutil.unpack_archive(bundle, tmp_path / "scene", "zip")
    assert np.array_equal(read_sog(tmp_path / "scene" / "meta.json").positions, read_sog(bundle).positions)
    files = sum(path.stat().st_size for path in (tmp_path / "scene").iterdir())
    assert scene_bytes(tmp_path / "scene" / "meta.json") == files
    assert scene_bytes(bundle) == bundle.stat().st_size
    (tmp_path / "scene" / "sh0.webp").unlink()
    with pytest.raises(BadInputError, match=r"meta\.json: there is no sh0\.webp"):
        read_sog(tmp_path / "scene" / "meta.json")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_unbundled_files_are_those_of_the_bundle(tmp_path: Path) -> None:
    scene = lay_out(build_quantized())
    (tmp_path / "scene").mkdir()
    write_sog(tmp_path / "scene.sog", scene)
    write_unbundled(tmp_path / "scene" / "meta.json", scene)
    with zipfile.ZipFile(tmp_path / "scene.sog") as bundle:
        assert contents(tmp_path / "scene") == {name: bundle.read(name) for name in bundle.namelist()}


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("dies_at", range(6))
def test_metadata_are_there_only_with_their_own_planes(
    dies_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the n-th file gets its name, writing five planes and metadata over those of an earlier scene."""
    write_unbundled(tmp_path / "meta.json", lay_out(build_quantized(90, bands=2)))
    named: list[Path] = []

    def replace(self: Path, target: Path) -> None:
        if len(named) == dies_at:
            raise Killed
        named.append(target)
        self.rename(target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(Killed):
        write_unbundled(tmp_path / "meta.json", lay_out(build_quantized(100, bands=0)))
    assert "meta.json" not in contents(tmp_path)
    assert len(named) == dies_at


def test_a_scene_replaces_all_of_an_earlier_one(tmp_path: Path) -> None:
    write_unbundled(tmp_path / "meta.json", lay_out(build_quantized(90, bands=2)))
    assert "shN_labels.webp" in contents(tmp_path)
    (tmp_path / "notes.txt").touch()
    write_unbundled(tmp_path / "meta.json", lay_out(build_quantized(100, bands=0)))
    planes = {f"{name}.webp" for name in ("means_l", "means_u", "quats", "scales", "sh0")}
    assert contents(tmp_path).keys() == {"meta.json", "notes.txt"} | planes
    assert len(read_sog(tmp_path / "meta.json")) == 100


def test_a_scene_that_cannot_be_written_leaves_the_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_unbundled(tmp_path / "meta.json", lay_out(build_quantized(90)))
    before = contents(tmp_path)
    monkeypatch.setattr(
        "sogs_worker.formats.sog.file.remove", lambda path: (_ for _ in ()).throw(StorageError(f"{path}"))
    )
    with pytest.raises(StorageError, match=r"meta\.json"):
        write_unbundled(tmp_path / "meta.json", lay_out(build_quantized(100)))
    assert contents(tmp_path) == before


@pytest.mark.parametrize("bands", [0, 2])
def test_splats_are_counted_by_decoding_every_plane(bands: int, tmp_path: Path) -> None:
    path = write(tmp_path / "scene.sog", build_quantized(bands=bands))
    assert count_splats(path) == len(read_sog(path)) == 100
    names = [name for name in zipfile.ZipFile(path).namelist() if name.endswith(".webp")]
    assert len(names) == (7 if bands else 5)
    for broken in names:
        with zipfile.ZipFile(path) as whole, zipfile.ZipFile(tmp_path / "broken.sog", "w") as archive:
            for name in whole.namelist():
                archive.writestr(name, whole.read(name)[: -8 if name == broken else None])
        with pytest.raises(BadInputError, match=re.escape(broken)):
            count_splats(tmp_path / "broken.sog")


def test_the_sizes_of_files_add_up(tmp_path: Path) -> None:
    bundle = write(tmp_path / "scene.sog", build_quantized())
    meta, sizes_bytes = read_meta(bundle)
    assert meta.count == 100
    overhead = bundle.stat().st_size - sum(sizes_bytes.values())
    assert 0 < overhead < 200 * len(sizes_bytes)


def test_nothing_is_left_of_a_write_that_fails(tmp_path: Path) -> None:
    (tmp_path / "scene.sog").mkdir()
    with pytest.raises(StorageError, match=r"scene\.sog: cannot be written"):
        write(tmp_path / "scene.sog", build_quantized())
    assert [path.name for path in tmp_path.iterdir()] == ["scene.sog"]
    with pytest.raises(StorageError, match="cannot be written"):
        write(tmp_path / "none" / "scene.sog", build_quantized())


def as_png(data: bytes, mode: str) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        file = io.BytesIO()
        image.convert(mode).save(file, "PNG")
    return file.getvalue()


def test_what_other_encoders_leave_out_or_choose_is_read(tmp_path: Path) -> None:
    scene = build_quantized(100, bands=2, entries=70)
    write_unbundled(tmp_path / "meta.json", lay_out(scene))
    expected = read_quantized(tmp_path / "meta.json")
    meta = json.loads((tmp_path / "meta.json").read_bytes())
    del meta["shN"]["count"]
    for name, section in meta.items():
        if isinstance(section, dict) and "files" in section:
            for file in section["files"]:
                has_alpha = name in ("quats", "sh0")
                (tmp_path / file).with_suffix(".png").write_bytes(
                    as_png((tmp_path / file).read_bytes(), "RGBA" if has_alpha else "RGB")
                )
                (tmp_path / file).unlink()
            section["files"] = [file.replace(".webp", ".png") for file in section["files"]]
    (tmp_path / "meta.json").write_bytes(json.dumps(meta).encode())
    got = read_quantized(tmp_path / "meta.json")
    assert np.array_equal(got.means.steps, expected.means.steps)
    assert np.array_equal(got.rotations, expected.rotations)
    assert np.array_equal(got.alphas, expected.alphas)
    assert got.palette
    assert expected.palette
    assert np.array_equal(got.palette.entries[:70], expected.palette.entries)
    assert len(got.palette.entries) == 128
    assert np.array_equal(got.palette.labels, expected.palette.labels)


@pytest.mark.parametrize(("mode", "words"), [("I;16", "more than 8 bits"), ("F", "")])
def test_an_image_that_is_no_plane_is_refused(mode: str, words: str) -> None:
    file = io.BytesIO()
    Image.new(mode, (4, 4)).save(file, "PNG" if words else "TIFF")
    with pytest.raises(BadInputError, match=words or "not a readable"):
        decode_plane(file.getvalue())


def test_a_huge_png_is_refused_before_it_is_decoded() -> None:
    side = struct.pack(">II", 2**31 - 1, 2**31 - 1)
    header = side + bytes([8, 6, 0, 0, 0])
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    data = struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    with pytest.raises(BadInputError, match="more than the scene can need"):
        decode_plane(b"\x89PNG\r\n\x1a\n" + chunk + data)


Change = Callable[[dict[str, Any]], object]
FAULTS: dict[str, tuple[Change, str]] = {
    "version 1": (lambda meta: meta.pop("version"), "means.shape must be a list"),
    "version text": (lambda meta: meta.update(version="2"), "version '2' cannot be read"),
    "no count": (lambda meta: meta.pop("count"), "count must be 1 or more, got None"),
    "count 0": (lambda meta: meta.update(count=0), "got 0"),
    "count true": (lambda meta: meta.update(count=True), "got True"),
    "count fraction": (lambda meta: meta.update(count=99.5), "got 99.5"),
    "count huge": (lambda meta: meta.update(count=10**18), "claims 1,000,000,000,000,000,000 splats"),
    "count more than planes": (lambda meta: meta.update(count=2000), "fewer than the 2,000 splats"),
    "no means": (lambda meta: meta.pop("means"), "has no means"),
    "means list": (lambda meta: meta.update(means=[1]), "has no means"),
    "two mins": (lambda meta: meta["means"]["mins"].pop(), "means.mins must have 3 numbers, got 2"),
    "text bound": (lambda meta: meta["means"].update(maxs=[1, 2, "3"]), "finite numbers only, got '3'"),
    "null in codebook": (lambda meta: meta["sh0"]["codebook"].__setitem__(5, None), "sh0.codebook must have finite"),
    "number beyond float32": (lambda meta: meta["scales"]["codebook"].__setitem__(5, 10**400), "finite numbers only"),
    "infinite codebook": (lambda meta: meta["scales"]["codebook"].__setitem__(5, 1e999), "got inf"),
    "no codebook": (lambda meta: meta["scales"].pop("codebook"), "scales.codebook must have 256 numbers, got None"),
    "no files": (lambda meta: meta["quats"].pop("files"), "quats.files must name 1 files"),
    "one file of two": (lambda meta: meta["means"]["files"].pop(), "means.files must name 2 files"),
    "absolute path": (lambda meta: meta["quats"].update(files=["/etc/passwd"]), "plain file names"),
    "parent path": (lambda meta: meta["quats"].update(files=["..\\quats.webp"]), "plain file names"),
    "drive": (lambda meta: meta["quats"].update(files=["c:quats.webp"]), "plain file names"),
    "empty name": (lambda meta: meta["quats"].update(files=[""]), "plain file names"),
    "dots": (lambda meta: meta["quats"].update(files=[".."]), "plain file names"),
    "number as name": (lambda meta: meta["quats"].update(files=[7]), "plain file names"),
    "4 bands": (lambda meta: meta["shN"].update(bands=4), "shN.bands must be 1 to 3, got 4"),
    "wrong bands": (lambda meta: meta["shN"].update(bands=3), "expected 960 x 2"),
    "too many entries": (lambda meta: meta["shN"].update(count=70000), "shN.count must be 1 to 65536"),
    "fewer entries": (lambda meta: meta["shN"].update(count=9), "out of range"),
    "rotations elsewhere": (lambda meta: meta["quats"].update(files=["sh0.webp"]), "alpha must be 252 to 255"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_metadata_is_named(fault: str, tmp_path: Path) -> None:
    change, words = FAULTS[fault]
    shutil.unpack_archive(write(tmp_path / "scene.sog", build_quantized()), tmp_path, "zip")
    meta = json.loads((tmp_path / "meta.json").read_bytes())
    change(meta)
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(BadInputError) as caught:
        read_sog(tmp_path / "meta.json")
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'meta.json'}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{", b"\xff\xfe", b"[" * 100_000])
def test_metadata_that_is_no_object_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_bytes(content)
    with pytest.raises(BadInputError, match=r"meta\.json"):
        read_sog(tmp_path / "meta.json")


def malformed(name: str) -> Path:
    path = DATA / "malformed" / name
    if not path.exists():
        pytest.skip(f"{path} is not there: SPLATS_DATA names the folder with the malformed files")
    return path


def test_the_order_of_properties_does_not_matter() -> None:
    plain, shuffled = (read_ply(malformed(name)) for name in ("degree-1-sh.ply", "reordered-properties.ply"))
    assert np.array_equal(plain.shn, shuffled.shn)
    assert np.array_equal(plain.rotations, shuffled.rotations)


@pytest.mark.parametrize(
    ("name", "count", "bands"), [("skull.sog", 94_936, 3), ("playbot/meta.json", 500_000, 2)], ids=["skull", "playbot"]
)
def test_bundles_of_other_encoders_are_read(name: str, count: int, bands: int) -> None:
    splats = read_scene(real_scene(name))
    assert (len(splats), splats.sh_bands) == (count, bands)
    assert np.isfinite(splats.positions).all()
    assert np.abs(np.linalg.norm(splats.rotations, axis=1) - 1).max() < 0.02
    assert -21 < splats.scales.min() < splats.scales.max() < 3


@pytest.mark.parametrize("name", ["scene.obj", "scene.gltf", "scene.txt", "scene"])
def test_other_formats_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(BadInputError, match=r"cannot be read; convert the scene to one of \.ply, .*\.glb, \.sog"):
        read_scene(tmp_path / name)


def test_a_missing_bundle_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SourceMissingError, match=r"none\.sog: no such file"):
        read_scene(tmp_path / "none.sog")

"""Each command reads scenes from buckets and web servers, and writes to buckets, as to paths."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from camera_files import write_colmap, write_colmap_text, write_transforms
from faults.web import QUERY, SECRET, Web, make_identity, running_web
from s3_server import S3Server
from sogs_worker.cli.main import main
from sogs_worker.engines import native
from sogs_worker.engines.parameters import Parameters
from sogs_worker.evaluate import orbit_views
from sogs_worker.formats import read_scene
from sogs_worker.formats.ply.file import write_ply
from sogs_worker.formats.sog.file import write_sog, write_unbundled
from splat_builders import build_splats

COUNT = 120


@dataclass(frozen=True)
class Place:
    """A bucket with the scenes, and what reads and writes it without the code under test."""

    server: S3Server
    bucket: str

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    def put(self, key: str, body: bytes) -> None:
        self.server.client().put_object(Bucket=self.bucket, Key=key, Body=body)

    def get(self, key: str) -> bytes:
        content: bytes = self.server.client().get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return content


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold one scene as PLY, bundled and not, and as the finest level of a streamed SOG."""
    folder = tmp_path_factory.mktemp("scenes")
    splats = build_splats(COUNT, bands=1)
    write_ply(folder / "garden.ply", splats)
    encoded = native.encode(splats, parameters=Parameters(quality="fast"), device="cpu")
    write_sog(folder / "garden.sog", encoded)
    for name in ("bare", "lod/0 0"):
        (folder / name).mkdir(parents=True)
        write_unbundled(folder / name / "meta.json", encoded)
    manifest = {
        "version": 1,
        "count": COUNT,
        "counts": [COUNT],
        "lodLevels": 1,
        "filenames": ["0 0/meta.json"],
        "tree": {"children": [{"lods": {"0": {"file": 0, "offset": 0, "count": COUNT}}}]},
    }
    (folder / "lod" / "lod-meta.json").write_text(json.dumps(manifest))
    (folder / "lod" / "broken").mkdir()
    (folder / "lod" / "broken" / "lod-meta.json").write_text(json.dumps({**manifest, "filenames": ["none/meta.json"]}))
    (folder / "text.ply").write_text("hello")
    (folder / "empty.zip").touch()
    return folder


@pytest.fixture(autouse=True)
def _temporary_folder_is_left_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    yield
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.fixture
def bucket(s3: S3Server, scenes: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name, value in {
        "AWS_ENDPOINT_URL": s3.endpoint,
        "AWS_ACCESS_KEY_ID": s3.admin.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.admin.secret_key,
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    place = Place(s3, s3.new_bucket())
    for path in scenes.rglob("*"):
        if path.is_file():
            place.put(str(path.relative_to(scenes)), path.read_bytes())
    return place


@pytest.fixture
def web(scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """Run a web server whose addresses are signed."""
    ca_pem, tls = make_identity(tmp_path)
    (tmp_path / "ca.pem").write_text(ca_pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with running_web(tmp_path, ca_pem, tls) as running:
        running.files.query = QUERY
        for path in scenes.rglob("*"):
            if path.is_file():
                key = str(path.relative_to(scenes)).replace(" ", "%20")
                running.files.content[f"/{key}"] = path.read_bytes()
        yield running


def call(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main([str(each) for each in arguments])
    return code, *capsys.readouterr()


NAMES = ["garden.ply", "garden.sog", "bare/meta.json", "lod/lod-meta.json"]


@pytest.mark.parametrize("name", NAMES)
def test_a_scene_in_a_bucket_is_read(name: str, bucket: Place, capsys: pytest.CaptureFixture[str]) -> None:
    code, output, errors = call(capsys, "inspect", "--json", bucket.uri(name))
    assert code == 0, errors
    told = json.loads(output)
    assert (told["file"], told["splats"]) == (bucket.uri(name), COUNT)
    assert told["bytes"] > 0


@pytest.mark.parametrize("name", NAMES)
def test_a_scene_of_a_web_server_is_read(name: str, web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    code, output, errors = call(capsys, "inspect", "--json", f"https://{web.host}/{name}?{QUERY}")
    assert code == 0, errors
    told = json.loads(output)
    assert (told["file"], told["splats"]) == (f"https://{web.host}/{name}", COUNT)
    assert SECRET not in output + errors


def test_results_go_to_a_bucket(bucket: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, output, errors = call(capsys, "convert", bucket.uri("garden.sog"), bucket.uri("out/garden.spz"))
    assert (code, output.split()[0]) == (0, bucket.uri("out/garden.spz")), errors
    (tmp_path / "again.spz").write_bytes(bucket.get("out/garden.spz"))
    assert len(read_scene(tmp_path / "again.spz")) == COUNT
    code, _, errors = call(capsys, "render", "--device", "cpu", bucket.uri("garden.sog"), bucket.uri("out/garden.png"))
    assert code == 0, errors
    assert Image.open(io.BytesIO(bucket.get("out/garden.png"))).size == (800, 600)
    head = bucket.server.client().head_object(Bucket=bucket.bucket, Key="out/garden.png")
    assert head["ContentType"] == "image/png"


def test_scenes_elsewhere_are_compared(bucket: Place, web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    camera = {
        "world_to_camera": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 12], [0, 0, 0, 1]],
        **{"K": [[60, 0, 32], [0, 60, 24], [0, 0, 1]], "width": 64, "height": 48},
    }
    bucket.put("cameras.json", json.dumps([camera]).encode())
    options = ["--json", "--device", "cpu", "--cameras", bucket.uri("cameras.json")]
    scenes = (bucket.uri("garden.ply"), f"https://{web.host}/garden.ply?{QUERY}")
    code, output, errors = call(capsys, "evaluate", *options, *scenes)
    assert code == 0, errors
    told = json.loads(output)
    assert told["identical"]
    assert (told["reference"]["file"], told["other"]["file"]) == (scenes[0], f"https://{web.host}/garden.ply")


@pytest.mark.parametrize("name", ["transforms.json", "sparse/0/images.bin", "sparse/0/images.txt"])
def test_what_a_file_of_cameras_needs_is_fetched_with_it(
    name: str, bucket: Place, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    views = orbit_views(read_scene(scenes / "garden.ply"), 2)
    write_transforms(tmp_path / "transforms.json", views)
    write_colmap(tmp_path / "sparse" / "0", views)
    write_colmap_text(tmp_path / "sparse" / "0", views)
    frame = {"transform": np.eye(3, 4).tolist(), "scale": 1.5}
    (tmp_path / name).with_name("dataparser_transforms.json").write_text(json.dumps(frame))
    for file in (path for path in tmp_path.rglob("*") if path.is_file()):
        bucket.put(str(file.relative_to(tmp_path)), file.read_bytes())
    pictures = []
    for number, cameras in enumerate((tmp_path / name, bucket.uri(name))):
        options = ("--device", "cpu", "--size", "64x64", "--cameras", cameras, "--camera", "orbit1")
        code, _, errors = call(capsys, "render", *options, scenes / "garden.ply", tmp_path / f"{number}.png")
        assert code == 0, errors
        pictures.append((tmp_path / f"{number}.png").read_bytes())
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize("command", [["convert"], ["render", "--device", "cpu"]], ids=["convert", "render"])
def test_what_is_there_stays_unless_it_may_be_replaced(
    command: list[str], bucket: Place, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "out.spz" if command == ["convert"] else "out.png"
    bucket.put(name, b"there")
    (tmp_path / name).write_bytes(b"there")
    source = scenes / "garden.ply"
    for target in (bucket.uri(name), str(tmp_path / name)):
        code, output, errors = call(capsys, *command, source, target)
        assert (code, output) == (64, "")
        assert errors == f"sogs-worker: {target}: is there already; add --overwrite\n"
    assert bucket.get(name) == (tmp_path / name).read_bytes() == b"there"
    for target in (bucket.uri(name), str(tmp_path / name)):
        code, _, errors = call(capsys, *command, "-w", source, target)
        assert code == 0, errors
    assert bucket.get(name) == (tmp_path / name).read_bytes() != b"there"


FAULTS = {
    "missing": ("inspect", "none.ply", 66, "{uri} does not exist; upload it or correct IN"),
    "text": ("inspect", "text.ply", 65, "{uri}: is text, not a PLY file"),
    "archive": ("inspect", "empty.zip", 65, "{uri}: is an archive, not a scene; unpack it, or name it to `compress`"),
    "unit": ("inspect", "lod/broken/lod-meta.json", 66, "lod/broken/none/meta.json does not exist"),
    "other": ("render", "scene.obj", 65, "{uri} is of a kind that cannot be read"),
    "folder": ("inspect", "lod/", 64, "{uri}: is a folder; name one file in it"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_is_said_of_the_object(
    name: str, bucket: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, key, expected, words = FAULTS[name]
    target = [tmp_path / "out.png"] if command == "render" else []
    code, output, errors = call(capsys, command, bucket.uri(key), *target)
    assert (code, output) == (expected, ""), errors
    assert words.format(uri=bucket.uri(key)) in errors
    assert str(tmp_path) not in errors
    assert len(errors.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["render", "http://host/a.sog", "a.png"], 64, "it must begin with s3://, https:// or pvc://"),
        (["convert", "pvc://claim/a.sog", "a.ply"], 64, "is not mounted here; give a path instead"),
        (["convert", "a.sog", "https://host/a.ply"], 64, "cannot be written to"),
        (["convert", "a.sog", "s3://bucket/a/"], 64, "must end in"),
        (["convert", "s3://bucket/a.ply", "s3://bucket/a.ply"], 64, "the input would be overwritten"),
    ],
)
def test_an_address_that_cannot_be_is_refused(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    got, output, errors = call(capsys, *arguments)
    assert (got, output, len(errors.splitlines())) == (code, "", 1)
    assert words in errors

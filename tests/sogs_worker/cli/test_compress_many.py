"""`compress` with archives, folders and several inputs: each scene counts for itself."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from archive_builders import KINDS, pack
from sogs_worker.cli.main import main
from sogs_worker.formats.ply.file import write_ply
from sogs_worker.formats.sog.file import read_sog
from sogs_worker.source.search import NO_SCENE, NO_SPLATS
from splat_builders import build_splats

QUICK = ("--device", "cpu", "--quality", "fast")


def scene(count: int, folder: Path) -> bytes:
    path = folder / f"{count}.ply"
    write_ply(path, build_splats(count, bands=0))
    data = path.read_bytes()
    path.unlink()
    return data


def call(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, list[str]]:
    """Run `compress`; return its exit code, its output and the sentences on standard error."""
    code = main(["compress", *QUICK, *map(str, arguments)])
    output, errors = capsys.readouterr()
    return code, output, [line for line in errors.splitlines() if not line.startswith("{")]


def counts(folder: Path) -> dict[str, int]:
    """Return how many splats each bundle below a folder has."""
    return {str(path.relative_to(folder)): len(read_sog(path)) for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {"a/x.ply": scene(10, tmp_path), "b/x.ply": scene(20, tmp_path), "readme.txt": b"hello"}
    path = pack(tmp_path, kind, files, name="town")
    code, output, sentences = call(capsys, "--json", path, f"{tmp_path}/out/")
    assert (code, sentences) == (0, [])
    assert counts(tmp_path / "out") == {"town/a/x.sog": 10, "town/b/x.sog": 20}
    records = [json.loads(line) for line in output.splitlines()]
    assert [record["input"] for record in records] == [f"{path}/a/x.ply", f"{path}/b/x.ply"]
    assert [record["sourceBytes"] for record in records] == [len(files["a/x.ply"]), len(files["b/x.ply"])]


def test_a_trainers_folder_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "model"
    points = b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n0\n"
    for count, folder in ((10, "iteration_7000"), (20, "iteration_30000")):
        (model / "point_cloud" / folder).mkdir(parents=True)
        (model / "point_cloud" / folder / "point_cloud.ply").write_bytes(scene(count, tmp_path))
    (model / "input.ply").write_bytes(points)
    (model / "cameras.json").write_text("[]")
    code, output, sentences = call(capsys, model, f"{tmp_path}/out/")
    assert (code, sentences[0]) == (0, f"sogs-worker: passed over: {model}/input.ply {NO_SPLATS}")
    assert [line.split()[0] for line in output.splitlines()] == [
        "point_cloud/iteration_30000/point_cloud.sog",
        "point_cloud/iteration_7000/point_cloud.sog",
    ]


def test_an_archive_of_one_scene_may_go_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = pack(tmp_path, "zip", {"deep/x.ply": scene(10, tmp_path)})
    code, _, _ = call(capsys, path, tmp_path / "out.sog")
    assert code == 0
    assert len(read_sog(tmp_path / "out.sog")) == 10


def test_an_archive_of_two_scenes_needs_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = pack(tmp_path, "zip", {"x.ply": b"", "y.ply": b""})
    code, _, sentences = call(capsys, path, tmp_path / "out.sog")
    assert code == 64
    assert sentences == [f"sogs-worker: {tmp_path}/out.sog: 2 scenes need a folder as output, a path that ends in /"]


def test_a_folder_is_searched_but_not_the_output_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "scenes"
    (folder / "sub").mkdir(parents=True)
    (folder / ".cache").mkdir()
    (folder / "b.ply").write_bytes(scene(10, tmp_path))
    (folder / ".cache" / "old.ply").write_bytes(b"x")
    (folder / "sub" / "a.ply").write_bytes(scene(20, tmp_path))
    (folder / "meta.json").write_text('{"photos": 3}')
    pack(folder, "tgz", {"x.ply": scene(30, tmp_path)}, name="c")
    for _ in range(2):
        code, output, _ = call(capsys, "--overwrite", folder, f"{folder}/out/")
        assert code == 0
        assert counts(folder / "out") == {"b.sog": 10, "c.sog": 30, "sub/a.sog": 20}
    assert [line.split()[0] for line in output.splitlines()] == ["b.sog", "c.sog", "sub/a.sog"]


def test_an_unbundled_scene_in_an_archive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.ply").write_bytes(scene(40, tmp_path))
    call(capsys, tmp_path / "x.ply", tmp_path / "x.sog")
    with zipfile.ZipFile(tmp_path / "x.sog") as bundle:
        files = {f"garden/{name}": bundle.read(name) for name in bundle.namelist()}
    code, _, _ = call(capsys, pack(tmp_path, "tgz", files | {"y.ply": scene(9, tmp_path)}), f"{tmp_path}/out/")
    assert code == 0
    assert counts(tmp_path / "out") == {"scenes/garden.sog": 40, "scenes/y.sog": 9}


def test_a_broken_scene_does_not_hold_up_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = pack(tmp_path, "tar", {"a.ply": scene(10, tmp_path), "b.ply": b"hello", "c.ply": scene(20, tmp_path)})
    (tmp_path / "no.zip").write_bytes(b"hello")
    code, output, sentences = call(capsys, path, tmp_path / "none.ply", tmp_path / "no.zip", f"{tmp_path}/out/")
    assert code == 66
    assert counts(tmp_path / "out") == {"scenes/a.sog": 10, "scenes/c.sog": 20}
    assert len(output.splitlines()) == 2
    assert [sentence.removeprefix("sogs-worker: ").split(": ")[0] for sentence in sentences] == [
        f"{tmp_path}/none.ply",
        f"{path}/b.ply",
        f"{tmp_path}/no.zip",
        sentences[-1],
    ]
    assert sentences[-1].startswith("2 of 5 scenes compressed, 3 failed, ")


POINTS = b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n0\n"


def test_what_is_no_scene_is_passed_over_in_folders_and_archives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "a.ply").write_bytes(scene(10, tmp_path))
    (folder / "input.ply").write_bytes(POINTS)
    pack(folder, "zip", {"b.ply": scene(20, tmp_path), "mesh.ply": POINTS}, name="mixed")
    pack(folder, "tar", {"photo.jpg": b"x"}, name="photos")
    pack(folder, "tgz", {"mesh.ply": POINTS}, name="mesh")
    code, _, sentences = call(capsys, folder, f"{tmp_path}/out/")
    assert code == 0
    assert counts(tmp_path / "out") == {"a.sog": 10, "mixed.sog": 20}
    passed_over = [line for line in sentences if "passed over: " in line]
    assert [line.split(": ")[2].split()[0].removeprefix(f"{folder}/") for line in passed_over] == [
        "input.ply",
        "mesh.tgz",
        "mixed.zip/mesh.ply",
        "photos.tar",
    ]


def test_an_archive_without_a_scene_that_was_named_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, (sentence,) = call(capsys, pack(tmp_path, "tar", {"photo.jpg": b"x"}), f"{tmp_path}/out/")
    assert (code, "has no scene; see docs/formats.md" in sentence) == (65, True)


def test_scenes_of_one_name_keep_their_suffix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.ply").write_bytes(scene(10, tmp_path))
    call(capsys, tmp_path / "x.ply", tmp_path / "x.sog")
    code, _, _ = call(capsys, tmp_path / "x.ply", tmp_path / "x.sog", f"{tmp_path}/out/")
    assert code == 0
    assert counts(tmp_path / "out") == {"x.ply.sog": 10, "x.sog.sog": 10}


def test_nothing_unpacked_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    path = pack(tmp_path, "zip", {"a.ply": scene(10, tmp_path), "b.ply": b"hello"})
    code, _, _ = call(capsys, path, f"{tmp_path}/out/")
    assert code == 65
    assert list(scratch.iterdir()) == []


def test_archives_without_any_scene_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    path = pack(tmp_path / "in", "zip", {"photo.jpg": b"no scene"})
    code, output, sentences = call(capsys, tmp_path / "in", f"{tmp_path}/out/")
    assert (code, output) == (65, "")
    assert sentences == [
        f"sogs-worker: passed over: {path} {NO_SCENE}",
        f"sogs-worker: {tmp_path}/in has archives only, and no scene is in any; put one there",
    ]

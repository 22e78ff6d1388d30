"""Standard input and output in the place of files: nothing but the result goes to the latter."""

from __future__ import annotations

import gzip
import io
import json
import os
import pty
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from sogs_worker.cli.streams import receive
from sogs_worker.engines import native
from sogs_worker.engines.parameters import Parameters
from sogs_worker.errors import BadInputError
from sogs_worker.formats import WRITERS, read_scene
from sogs_worker.formats.ply.file import read_ply
from sogs_worker.formats.sog.file import read_sog, write_sog
from splat_builders import build_splats
from warm_worker import run_warm

WORKER = Path(__file__).parents[3] / "worker"
COUNT = 90


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold a scene in every format that tells itself by its first bytes."""
    folder = tmp_path_factory.mktemp("scenes")
    splats = build_splats(COUNT, bands=1)
    for suffix, write in WRITERS.items():
        write(folder / f"scene{suffix}", splats)
    write_sog(folder / "scene.sog", native.encode(splats, parameters=Parameters(quality="fast"), device="cpu"))
    with zipfile.ZipFile(folder / "scenes.zip", "w") as archive:
        for name in ("a.ply", "b.ply"):
            archive.write(folder / "scene.ply", name)
    return folder


def run(folder: Path, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    (folder / "tmp").mkdir(exist_ok=True)
    environment = {**os.environ, "TMPDIR": str(folder / "tmp")}
    done = run_warm(*arguments, environment=environment, folder=folder, stdin=stdin)
    assert list((folder / "tmp").iterdir()) == []
    assert b"Traceback" not in done.stderr
    return done


def test_a_scene_comes_in_and_its_bundle_goes_out(scenes: Path, tmp_path: Path) -> None:
    scene = (scenes / "scene.ply").read_bytes()
    done = run(tmp_path, "compress", "--json", "--device", "cpu", "-", "-", stdin=scene)
    assert done.returncode == 0, done.stderr
    (tmp_path / "out.sog").write_bytes(done.stdout)
    assert len(read_sog(tmp_path / "out.sog")) == COUNT
    record = next(each for each in map(json.loads, done.stderr.splitlines()) if "ratio" in each)
    assert (record["input"], record["output"], record["bytes"]) == (
        "standard input",
        "standard output",
        len(done.stdout),
    )


def test_results_go_out_and_what_is_said_of_them_does_not(scenes: Path, tmp_path: Path) -> None:
    bundle = (scenes / "scene.sog").read_bytes()
    done = run(tmp_path, "convert", "-", "-", stdin=bundle)
    (tmp_path / "out.ply").write_bytes(done.stdout)
    assert len(read_ply(tmp_path / "out.ply")) == COUNT
    assert done.stderr.startswith(b"standard output  ")
    done = run(tmp_path, "render", "--device", "cpu", "-", "-", stdin=bundle)
    assert Image.open(io.BytesIO(done.stdout)).size == (800, 600)
    done = run(tmp_path, "convert", "-", "again.spz", stdin=bundle)
    assert done.stdout.startswith(b"again.spz  ")
    assert len(read_scene(tmp_path / "again.spz")) == COUNT


def test_what_comes_in_is_looked_at(scenes: Path, tmp_path: Path) -> None:
    bundle = (scenes / "scene.sog").read_bytes()
    done = run(tmp_path, "evaluate", "--json", "--device", "cpu", str(scenes / "scene.sog"), "-", stdin=bundle)
    told = json.loads(done.stdout)
    assert (told["identical"], told["other"]["file"]) == (True, "standard input")
    told = json.loads(run(tmp_path, "inspect", "--json", "-", stdin=bundle).stdout)
    assert (told["file"], told["splats"], told["bytes"]) == ("standard input", COUNT, len(bundle))


def test_an_archive_comes_in_and_goes_to_a_folder(scenes: Path, tmp_path: Path) -> None:
    archive = (scenes / "scenes.zip").read_bytes()
    done = run(tmp_path, "compress", "--quality", "fast", "--device", "cpu", "-", "out/", stdin=archive)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out/stdin").iterdir()) == ["a.sog", "b.sog"]
    done = run(tmp_path, "compress", "--device", "cpu", "-", "-", stdin=archive)
    assert (done.returncode, done.stdout) == (64, b"")
    assert done.stderr.startswith(b"sogs-worker: standard output: 2 scenes need a folder as output")


REFUSALS = {
    "nothing": (["inspect", "-"], b"", 65, "standard input: is empty"),
    "text": (["inspect", "-"], b"hello", 65, "standard input: is text, not a scene"),
    "metadata": (["inspect", "-"], b'{"version": 2}', 65, "standard input: is JSON, and the files of a scene beside"),
    "no format": (["inspect", "-"], b"\xff\x01" * 320, 65, "standard input: its first bytes tell no format"),
    "half a scene": (["inspect", "-"], b"ply\nformat", 65, "standard input: "),
    "archive": (["inspect", "-"], b"PK\x05\x06" + bytes(18), 65, "standard input: is an archive, not a scene"),
    "twice": (["evaluate", "-", "-"], b"", 64, "standard input can be read only once"),
    "twice at once": (["compress", "-", "-", "out/"], b"", 64, "standard input can be read only once"),
    "picture": (["compress", "--preview", "-", "-"], b"", 64, "--preview draws beside the output"),
    "many files": (["compress", "--format", "sog-unbundled", "-", "-"], b"", 64, "standard output: takes one file"),
    "many scenes": (["compress", "a.ply", "b.ply", "-"], b"", 64, "standard output: 2 scenes need a folder"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_one_sentence(name: str, tmp_path: Path) -> None:
    arguments, stdin, code, words = REFUSALS[name]
    device = ["--device", "cpu"] if arguments[0] in ("compress", "evaluate") else []
    done = run(tmp_path, *arguments[:1], *device, *arguments[1:], stdin=stdin)
    assert (done.returncode, done.stdout) == (code, b""), done.stderr
    assert done.stderr.decode().startswith(f"sogs-worker: {words}")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("stream", ["stdin", "stdout"])
def test_a_terminal_is_no_file(stream: str, scenes: Path) -> None:
    arguments = ["inspect", "-"] if stream == "stdin" else ["convert", "scene.sog", "-"]
    command = [sys.executable, "-m", "sogs_worker", *arguments]
    ours, theirs = pty.openpty()
    try:
        environment = {**os.environ, "PYTHONPATH": str(WORKER)}
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, stream: theirs}
        done = subprocess.run(command, env=environment, cwd=scenes, stderr=subprocess.PIPE, check=False, **streams)
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 64
    assert f"{stream[3:]}put is a terminal or closed" in done.stderr.decode()


@pytest.mark.parametrize("stream", ["0<&-", "1>&-"])
def test_a_closed_stream_is_no_file(stream: str, scenes: Path) -> None:
    command = ["sh", "-c", f'"$0" -m sogs_worker convert {"-" if "0" in stream else "scene.sog"} - {stream}']
    environment = {**os.environ, "PYTHONPATH": str(WORKER)}
    done = subprocess.run([*command, sys.executable], env=environment, cwd=scenes, capture_output=True, check=False)
    assert done.returncode == 64
    assert b"is a terminal or closed" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_reader_that_has_had_enough_is_no_fault(scenes: Path) -> None:
    command = [sys.executable, "-m", "sogs_worker", "convert", "scene.sog", "-"]
    environment = {**os.environ, "PYTHONPATH": str(WORKER)}
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, env=environment, cwd=scenes, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def tar(scenes: Path) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.add(scenes / "scene.ply", "scene.ply")
    return out.getvalue()


def read(name: str) -> Callable[[Path], bytes]:
    return lambda scenes: (scenes / name).read_bytes()


KINDS: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "PLY": (read("scene.ply"), ".ply"),
    "compressed PLY": (read("scene.compressed.ply"), ".ply"),
    "SPZ 4": (read("scene.spz"), ".spz"),
    "SPZ 2": (lambda _: gzip.compress(b"NGSP\2\0\0\0"), ".spz"),
    "half an SPZ 2": (lambda _: gzip.compress(b"NGSP\2\0\0\0")[:9], ".spz"),
    "GLB": (read("scene.glb"), ".glb"),
    "SOG": (read("scene.sog"), ".sog"),
    "half a SOG": (lambda scenes: read("scene.sog")(scenes)[:900], ".sog"),
    "ZIP": (read("scenes.zip"), ".zip"),
    "tar": (tar, ".tar"),
    "packed tar": (lambda scenes: gzip.compress(tar(scenes)), ".tar.gz"),
    "ksplat": (lambda _: b"\0\1\0\0" + b"\xff" * 4092, ".ksplat"),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_format_is_told_by_its_first_bytes(
    name: str, scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, suffix = KINDS[name]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content(scenes))))
    path = receive(tmp_path)
    assert path.name == f"stdin{suffix}"
    assert path.read_bytes() == content(scenes)


def test_what_tells_no_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(bytes(64))))
    with pytest.raises(BadInputError, match="standard input: is nothing but zeros at its beginning, not a scene"):
        receive(tmp_path)

"""The command line as its users meet it: in a process of its own, with its exit codes and its one sentence."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sogs_worker.cli.main import main
from sogs_worker.formats import read_scene
from sogs_worker.formats.ply.file import read_ply, write_ply
from sogs_worker.formats.sog.file import read_sog
from sogs_worker.splats import Model
from splat_builders import build_splats, replace

WORKER = Path(__file__).parents[3] / "worker"


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    write_ply(tmp_path / "scene.ply", build_splats(300, bands=1))
    return tmp_path / "scene.ply"


def call(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """Run a command in this process; return its exit code and what it wrote."""
    code = main([str(each) for each in arguments])
    return code, *capsys.readouterr()


def test_it_runs_as_a_program_and_errors_are_one_line(scene: Path) -> None:
    command = [sys.executable, "-m", "sogs_worker", "compress", "--device", "cpu"]
    environment = {**os.environ, "PYTHONPATH": str(WORKER)}
    for source, code in ((scene, 0), (scene.with_name("none.ply"), 66)):
        arguments = [*command, str(source), str(scene.with_name("out.sog"))]
        ended = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode == code, ended.stderr
        if code:
            assert ended.stderr.splitlines()[-1] == f"sogs-worker: {source}: no such file; check the path"
            assert "Traceback" not in ended.stderr


def test_compress_writes_one_line_for_people(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = scene.with_name("out.sog")
    code, output, errors = call(capsys, "compress", "--device", "cpu", "--quality", "fast", scene, target)
    size = target.stat().st_size
    assert code == 0
    assert output.startswith(f"out.sog  {scene.stat().st_size / 1e3:.1f} kB -> {size / 1e3:.1f} kB  ")
    assert f"{scene.stat().st_size / size:.1f}x  300 splats  " in output
    assert errors == "", "no progress where nobody looks"


def test_compress_writes_json_for_programs(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = scene.with_name("out.sog")
    opacities = np.full(300, np.nan, np.float32)
    opacities[:10] = 0
    write_ply(scene, replace(build_splats(300, bands=1), opacities=opacities))
    code, output, errors = call(capsys, "compress", "--json", "--device", "cpu", "--sh-bands", "0", scene, target)
    record = json.loads(output)
    assert code == 0
    stages = [json.loads(line)["stage"] for line in errors.splitlines()]
    assert (stages[0], stages[-1]) == ("read", "done")
    assert record["bytes"] == target.stat().st_size
    assert record["ratio"] == pytest.approx(record["sourceBytes"] / record["bytes"], abs=0.01)
    assert (record["splats"], record["dropped"], record["device"]) == (10, 290, "cpu")
    assert read_sog(target).sh_bands == 0


def test_several_scenes_go_into_a_folder(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_ply(scene.with_name("other.ply"), build_splats(20))
    folder = f"{scene.parent}/new/folder/"
    code, output, _ = call(capsys, "compress", "--device", "cpu", scene, scene.with_name("other.ply"), folder)
    assert code == 0
    assert [len(read_sog(Path(folder) / name)) for name in ("scene.sog", "other.sog")] == [300, 20]
    assert len(output.splitlines()) == 2


def test_decompress_gives_back_the_scene(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, target = scene.with_name("out.sog"), scene.with_name("back.ply")
    call(capsys, "compress", "--device", "cpu", scene, bundle)
    code, output, _ = call(capsys, "decompress", bundle, target)
    assert code == 0
    assert output == f"{target}  {target.stat().st_size / 1e3:.1f} kB  300 splats\n"
    assert np.array_equal(read_ply(target).positions, read_sog(bundle).positions)


@pytest.mark.parametrize("name", ["b.ply", "b.compressed.ply", "b.spz", "B.GLB"])
@pytest.mark.parametrize("command", ["convert", "decompress"])
def test_any_scene_is_converted_to_any_other_format(
    command: str, name: str, scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    splats = read_ply(scene)
    splats.positions[7] = np.nan
    write_ply(scene, splats)
    target = scene.parent / "new" / name
    code, output, _ = call(capsys, command, scene, target)
    assert code == 0
    assert output == f"{target}  {target.stat().st_size / 1e3:.1f} kB  299 splats  1 unusable dropped\n"
    assert list(target.parent.iterdir()) == [target]
    again = read_scene(target)
    assert (len(again), again.sh_bands) == (299, 1)
    assert again.positions.mean(axis=0) == pytest.approx(np.nanmean(splats.positions, axis=0), abs=0.01)


def test_inspect_tells_what_a_bundle_holds(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = scene.with_name("out.sog")
    call(capsys, "compress", "--device", "cpu", scene, bundle)
    code, output, _ = call(capsys, "inspect", "--json", bundle)
    told = json.loads(output)
    assert code == 0
    assert (told["splats"], told["shBands"], told["bytes"]) == (300, 1, bundle.stat().st_size)
    assert set(told["codebooks"]) == {"scales", "sh0", "shN"}
    assert 64 <= told["palette"] <= 300
    assert told["bounds"]["min"] == pytest.approx(read_ply(scene).positions.min(axis=0), rel=1e-3)
    code, output, _ = call(capsys, "inspect", bundle)
    assert code == 0
    assert "splats     300" in output
    assert "means_l.webp" in output


def test_inspect_tells_what_a_ply_holds(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opacities = np.zeros(300, np.float32)
    opacities[3] = np.nan
    write_ply(scene, replace(build_splats(300, bands=1), opacities=opacities))
    code, output, _ = call(capsys, "inspect", "--json", scene)
    told = json.loads(output)
    assert code == 0
    assert (told["splats"], told["shBands"], told["unusable"], told["model"]) == (300, 1, 1, "default")
    assert told["bytes"] == scene.stat().st_size
    assert "files" not in told


def test_a_model_goes_with_the_scene_through_all_commands(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_ply(scene, dataclasses.replace(build_splats(300, bands=0), model=Model.ANTIALIASED))
    bundle, again = scene.with_name("out.sog"), scene.with_name("again.ply")
    call(capsys, "compress", "--device", "cpu", scene, bundle)
    call(capsys, "decompress", bundle, again)
    for path in (scene, bundle, again):
        assert json.loads(call(capsys, "inspect", "--json", path)[1])["model"] == "antialiased"
        assert "model      antialiased\n" in call(capsys, "inspect", path)[1]


def test_evaluate_tells_how_alike_two_scenes_look(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = scene.with_name("other.ply")
    splats = build_splats(300, bands=1)
    write_ply(other, replace(splats, sh0=splats.sh0 + np.float32(0.1)))
    arguments = ["evaluate", "--device", "cpu", "--views", "2", scene, other]
    code, output, _ = call(capsys, *arguments, "--json")
    told = json.loads(output)
    assert code == 0
    assert [view["name"] for view in told["views"]] == ["orbit0", "orbit1"]
    assert told["psnr"] == pytest.approx(sum(view["psnr"] for view in told["views"]) / 2, abs=0.001)
    assert told["psnrWorst"] == min(view["psnr"] for view in told["views"])
    assert 30 < told["psnrWorst"] <= told["psnr"] < 60
    assert 0.9 < told["ssim"] < 1
    assert (told["identical"], told["device"], told["reference"]["splats"]) == (False, "cpu", 300)
    code, output, _ = call(capsys, *arguments)
    assert code == 0
    assert output == (
        f"{other}  PSNR {told['psnr']:.2f} dB  worst {told['psnrWorst']:.2f} dB ({told['worstView']})"
        f"  SSIM {told['ssim']:.4f}  2 views\n"
    )


def test_evaluate_says_that_scenes_look_identical(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    camera = {
        "world_to_camera": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 12], [0, 0, 0, 1]],
        "K": [[60, 0, 32], [0, 60, 24], [0, 0, 1]],
        "width": 64,
        "height": 48,
    }
    cameras = scene.with_name("cameras.json")
    cameras.write_text(json.dumps([camera] * 3))
    arguments = ["evaluate", "--device", "cpu", "--cameras", cameras, "--views", "2", scene, scene]
    code, output, _ = call(capsys, *arguments, "--json")
    told = json.loads(output)
    assert code == 0
    assert (told["identical"], told["psnr"], told["psnrWorst"], told["ssim"]) == (True, None, None, 1)
    assert told["views"][1] == {"name": "camera1", "psnr": None, "ssim": 1}
    code, output, _ = call(capsys, *arguments)
    assert (code, output) == (0, f"{scene}  identical in 2 views\n")


REFUSALS = {
    "nothing": ([], 64, "COMMAND"),
    "unknown command": (["squash"], 64, "squash"),
    "no output": (["compress", "scene.ply"], 64, "OUT"),
    "unknown option": (["compress", "--fast", "scene.ply", "out.sog"], 64, "--fast"),
    "seed": (["compress", "--seed", "x", "scene.ply", "out.sog"], 64, "--seed"),
    "quality": (["compress", "--quality", "good", "scene.ply", "out.sog"], 64, "fast or balanced or best"),
    "engine": (["compress", "--engine", "gsplat", "scene.ply", "out.sog"], 64, "native or sogs"),
    "format": (["compress", "--format", "sogs-v1", "scene.ply", "out.sog"], 64, "sog"),
    "bands": (["compress", "--sh-bands", "4", "scene.ply", "out.sog"], 64, "0 to 3"),
    "device": (["compress", "--device", "tpu", "scene.ply", "out.sog"], 64, "auto, cuda, cpu"),
    "output is no bundle": (["compress", "scene.ply", "other.ply"], 64, "must end in .sog"),
    "two inputs, one file": (["compress", "scene.ply", "b.ply", "out.sog"], 64, "path that ends in /"),
    "two inputs, one name": (
        ["compress", "scene.ply", "./scene.ply", "out/"],
        64,
        "would both be called scene",
    ),
    "output is input": (["compress", "a.sog", "./a.sog"], 64, "overwritten"),
    "claim": (["compress", "pvc://claim/b.ply", "out.sog"], 64, "is not mounted here; give a path instead"),
    "unknown address": (["compress", "ftp://a/b.ply", "out.sog"], 64, "must begin with s3://, https:// or pvc://"),
    "output on a web server": (["compress", "scene.ply", "https://a/b.sog"], 64, "cannot be written to"),
    "output is a bucket": (["compress", "scene.ply", "s3://bucket"], 64, "must end in .sog, or in /"),
    "missing input": (["compress", "none.ply", "out.sog"], 66, "none.ply: no such file"),
    "text": (["compress", "text.ply", "out.sog"], 65, "text.ply: is text, not a PLY file"),
    "nothing usable": (["compress", "nan.ply", "out.sog"], 65, "nan.ply: all 3 splats"),
    "folder": (["compress", "folder.ply", "out.sog"], 66, "folder.ply has no scene and no archive"),
    "other format": (["compress", "scene.obj", "out.sog"], 65, "scene.obj is of a kind that cannot be read"),
    "output under a file": (
        ["compress", "scene.ply", "text.ply/out.sog"],
        74,
        "cannot be made: text.ply is a file",
    ),
    "pipe": (["compress", "pipe.ply", "out.sog"], 65, "pipe.ply: is a pipe or a device; copy what it gives to a file"),
    "pipe of an archive": (["compress", "pipe.zip", "out.sog"], 65, "pipe.zip: is a pipe or a device"),
    "pipe of a bundle": (["decompress", "pipe.sog", "out.ply"], 65, "pipe.sog: is a pipe or a device"),
    "inspect a pipe": (["inspect", "pipe.spz"], 65, "pipe.spz: is a pipe or a device"),
    "inspect a device": (["inspect", "device.splat"], 65, "device.splat: is a pipe or a device"),
    "inspect an archive": (["inspect", "Scenes.Tar.Gz"], 65, "is an archive, not a scene; unpack it, or name it to"),
    "evaluate an archive": (["evaluate", "scene.ply", "scenes.zip"], 65, "scenes.zip: is an archive, not a scene"),
    "cameras": (
        ["compress", "cameras.json", "out.sog"],
        65,
        "cameras.json is not the meta.json of an unbundled",
    ),
    "other JSON": (["inspect", "frames.json"], 65, "it is an object with ['camera_angle_x', 'frames']; name a scene"),
    "decompress to what": (["decompress", "a.sog", "out.obj"], 64, "must end in .compressed.ply, .ply, .spz or .glb"),
    "convert to SOG": (["convert", "scene.ply", "out.sog"], 64, "; compress makes that"),
    "convert in place": (["convert", "scene.ply", "./scene.ply"], 64, "scene.ply: the input would be overwritten"),
    "convert nothing": (["convert", "none.ply", "out.spz"], 66, "none.ply: no such file"),
    "convert NaN": (["convert", "nan.ply", "out.spz"], 65, "all 3 splats of the scene are NaN"),
    "convert to a file's file": (
        ["convert", "scene.ply", "text.ply/out.spz"],
        74,
        "cannot be made: text.ply is a file",
    ),
    "evaluate one": (["evaluate", "scene.ply"], 64, "B"),
    "evaluate nothing": (["evaluate", "scene.ply", "none.sog"], 66, "none.sog: no such file"),
    "evaluate a text": (["evaluate", "text.ply", "scene.ply"], 65, "text.ply: is text, not a PLY file"),
    "evaluate NaN": (["evaluate", "scene.ply", "nan.ply"], 65, "nan.ply: all 3 splats"),
    "evaluate other formats": (["evaluate", "scene.ply", "scene.obj"], 65, "scene.obj: is an empty file"),
    "evaluate no views": (
        ["evaluate", "--views", "0", "scene.ply", "scene.ply"],
        64,
        "--views must be an integer from 1",
    ),
    "evaluate no cameras": (
        ["evaluate", "--cameras", "no.json", "scene.ply", "scene.ply"],
        66,
        "no.json: no such file",
    ),
    "evaluate text cameras": (
        ["evaluate", "--cameras", "text.ply", "scene.ply", "scene.ply"],
        65,
        "text.ply: not a JSON",
    ),
    "evaluate on what": (["evaluate", "--device", "tpu", "scene.ply", "scene.ply"], 64, "auto, cuda, cpu"),
    "inspect nothing": (["inspect", "none.sog"], 66, "none.sog: no such file"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_one_sentence_with_its_exit_code(
    name: str, scene: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, expected, words = REFUSALS[name]
    monkeypatch.chdir(scene.parent)
    Path("text.ply").write_text("hello\n")
    Path("folder.ply").mkdir()
    for suffix in ("ply", "zip", "sog", "spz"):
        os.mkfifo(f"pipe.{suffix}")
    Path("device.splat").symlink_to("/dev/null")
    Path("cameras.json").write_text('[{"position": [0, 0, 0]}]')
    Path("frames.json").write_text('{"camera_angle_x": 1, "frames": []}')
    for name in ("a.sog", "scene.obj", "Scenes.Tar.Gz", "scenes.zip"):
        Path(name).touch()
    write_ply(Path("nan.ply"), replace(build_splats(3), sh0=np.full((3, 3), np.nan, np.float32)))
    files = sorted(path.name for path in Path().iterdir())
    drawn = arguments[:1] in (["compress"], ["evaluate"]) and "--device" not in arguments
    device = ["--device", "cpu"] if drawn else []
    code, output, errors = call(capsys, *arguments[:1], *device, *arguments[1:])
    sentences = [line for line in errors.splitlines() if not line.startswith("{")]
    assert code == expected, errors
    assert output == ""
    assert len(sentences) == 1
    assert sentences[0].startswith("sogs-worker: ")
    assert words in sentences[0]
    assert sorted(path.name for path in Path().iterdir()) == files


def test_sigterm_ends_it_with_its_exit_code_and_no_output(tmp_path: Path) -> None:
    write_ply(tmp_path / "scene.ply", build_splats(60_000))
    command = [sys.executable, "-m", "sogs_worker", "compress", "--json", "--device", "cpu", "scene.ply", "out.sog"]
    environment = {**os.environ, "PYTHONPATH": str(WORKER)}
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        while json.loads(process.stderr.readline())["stage"] != "encode":
            pass
        process.send_signal(signal.SIGTERM)
        errors = process.stderr.read()
        assert process.wait(timeout=60) == 75
    assert errors.splitlines()[-1] == "sogs-worker: interrupted, no half-written output is left"
    assert [path.name for path in tmp_path.iterdir()] == ["scene.ply"]


HELP = """
import sys
from sogs_worker.cli.main import main
try:
    main(sys.argv[1:])
finally:
    assert not {"numpy", "torch"} & set(sys.modules)
"""


@pytest.mark.parametrize("option", ["--help", "compress --help", "render --help"])
def test_help_does_not_load_numpy_or_torch(option: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(WORKER)}
    command = [sys.executable, "-c", HELP, *option.split()]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "usage: sogs-worker" in ended.stdout


def test_a_reader_that_has_had_enough_is_no_fault(scene: Path) -> None:
    command = [sys.executable, "-m", "sogs_worker", "inspect", scene]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "worker")}
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, env=environment, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")

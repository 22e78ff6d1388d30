"""What `compress` does with outputs that are there, with bounds, and for whom it speaks."""

from __future__ import annotations

import argparse
import json
import re
import signal
import subprocess
import sys
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from sogs_worker.cli.main import main
from sogs_worker.cli.parser import build_parser
from sogs_worker.errors import UsageError
from sogs_worker.formats.ply.file import write_ply
from sogs_worker.formats.sog.file import read_sog
from splat_builders import build_splats

REPOSITORY = Path(__file__).parents[3]
QUICK = ("--quality", "fast", "--device", "cpu")


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    path = tmp_path / "garden.ply"
    write_ply(path, build_splats(60, bands=0))
    return path


def call(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """Run `compress`; return its exit code and what it printed."""
    code = main(["compress", *QUICK, *map(str, arguments)])
    output, errors = capsys.readouterr()
    return code, output, errors


@pytest.mark.parametrize(("target", "left"), [("20", 20), ("50%", 30), ("100%", 60), ("1000", 60)])
def test_a_target_bounds_the_splats(scene: Path, capsys: pytest.CaptureFixture[str], target: str, left: int) -> None:
    code, output, _ = call(capsys, "--json", "--target-splats", target, scene, scene.with_suffix(".sog"))
    record = json.loads(output)
    assert (code, record["splats"], sum(record["removed"].values())) == (0, left, 60 - left)
    assert len(read_sog(scene.with_suffix(".sog"))) == left


def test_what_a_target_removes_is_said(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, output, _ = call(capsys, "--target-splats", "50%", scene, scene.with_suffix(".sog"))
    assert re.search(r"[0-9]+ (merged|pruned)( and [0-9]+ pruned)? splats? dropped", output)


def test_a_target_of_bytes_is_met_and_the_trials_are_said(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = scene.with_suffix(".sog")
    code, output, _ = call(capsys, "--json", "--target-bytes", "20000", scene, target)
    record = json.loads(output)
    assert (code, record["splats"]) == (0, 60)
    assert record["trials"] == [{"splats": 60, "bytes": record["bytes"]}]
    code, _, errors = call(capsys, "--overwrite", "--target-bytes", "10", scene, target)
    assert (code, f"{target} would miss its target" in errors, "--target-bytes is 10" in errors) == (80, True, True)
    assert target.stat().st_size == record["bytes"]


def test_targets_exclude_each_other(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--target-bytes", "10", "--target-psnr", "40")
    code, _, errors = call(capsys, *options, scene, scene.with_suffix(".sog"))
    assert (code, "--target-psnr exclude each other; keep one" in errors) == (64, True)


def test_a_target_is_of_the_engine_native(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, errors = call(
        capsys, "--engine", "sogs", "--quality", "balanced", "--target-splats", "9", scene, scene.with_suffix(".sog")
    )
    assert (code, "--target-splats is of the engine native alone" in errors) == (64, True)


def test_an_output_that_is_there_is_replaced_only_on_demand(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = scene.with_suffix(".sog")
    target.write_bytes(b"mine")
    code, output, errors = call(capsys, scene, target)
    assert (code, output) == (64, "")
    assert errors == (f"sogs-worker: {target}: is there already; add --overwrite, or --skip-existing to keep it\n")
    assert call(capsys, "--skip-existing", scene, target) == (0, "", "")
    assert target.read_bytes() == b"mine"
    assert call(capsys, "-w", scene, target)[0] == 0
    assert len(read_sog(target)) == 60


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--engine", "gsplat", "--engine must be native or sogs, got 'gsplat'"),
        ("--quality", "high", "--quality must be fast or balanced or best or compact or smallest, got 'high'"),
        (
            "--target-splats",
            "0",
            "--target-splats must be an integer of at least 1, or a percentage from 1% to 100%, got 0",
        ),
        ("--target-bytes", "1.5", "--target-bytes must be an integer of at least 1, got 1.5"),
        ("--target-bytes", "1MB", "--target-bytes must be an integer of at least 1, got '1MB'"),
        ("--target-psnr", "high", "--target-psnr must be a number above 0, at most 100 dB, got 'high'"),
        ("--target-psnr", "nan", "--target-psnr must be a number above 0, at most 100 dB, got nan"),
        ("--target-splats", "half", "--target-splats must be an integer of at least 1, or a percentage"),
        ("--sh-bands", "4", "--sh-bands must be an integer from 0 to 3, got 4"),
        ("--format", "sogs-v1", "--format sogs-v1 is of the engine sogs alone"),
    ],
)
@pytest.mark.parametrize("command", ["compress", "sagemaker"])
def test_a_wrong_value_is_told_by_its_option(
    command: str, option: str, value: str, sentence: str, scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = [str(scene), f"{scene.parent}/out/"] if command == "compress" else []
    assert main([command, option, value, *places]) == 64
    assert capsys.readouterr().err.startswith(f"sogs-worker: {sentence}")


def test_a_scene_whose_name_looks_like_a_field_keeps_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = tmp_path / "auto-encoder.ply"
    scene.write_text("hello")
    assert call(capsys, scene, f"{tmp_path}/out/")[2].startswith(f"sogs-worker: {scene}: is text")


def test_a_file_that_may_not_be_written_to_is_told_before_the_work(
    scene: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = scene.with_suffix(".sog")
    target.write_bytes(b"mine")
    target.chmod(0o444)
    monkeypatch.setattr("sogs_worker.scenes.pipeline.produce", pytest.fail)
    code, _, errors = call(capsys, "--overwrite", scene, target)
    assert code == 77
    assert f"{target}: is there and may not be written to" in errors
    assert target.read_bytes() == b"mine"


def test_only_what_is_missing_is_made(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_ply(scene.with_name("lawn.ply"), build_splats(30, bands=0))
    out = scene.with_name("out")
    out.mkdir()
    assert call(capsys, scene, out)[0] == 0
    before = (out / "garden.sog").stat()
    code, output, errors = call(capsys, "--skip-existing", scene.parent, out)
    assert (code, [line.split()[0] for line in output.splitlines()]) == (0, ["lawn.sog"])
    assert errors.startswith("1 of 2 scenes compressed, 1 there already, ")
    assert (out / "garden.sog").stat() == before


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        (("--min-psnr", "99.9"), "--min-psnr is 99.9 dB"),
        (("--max-bytes", "10"), "--max-bytes is 10"),
        (("--min-ratio", "1000"), "--min-ratio is 1000"),
    ],
)
def test_what_misses_a_bound_is_not_kept(
    bound: tuple[str, str], words: str, scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, output, errors = call(capsys, *bound, scene, scene.with_suffix(".sog"))
    assert (code, output) == (80, "")
    assert f"{words}; nothing was published, so choose another --quality or bound" in errors
    assert not scene.with_suffix(".sog").exists()


def test_a_picture_and_a_measure_on_demand(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, output, _ = call(capsys, "--preview", "--psnr", "--json", scene, scene.with_suffix(".sog"))
    record = json.loads(output)
    assert (code, record["preview"]) == (0, str(scene.with_suffix(".png")))
    assert scene.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert 20 < record["psnr"] <= 100


def test_a_fault_that_nobody_expected_ends_no_batch_and_shows_no_traceback(
    scene: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sogs_worker.scenes import pipeline

    whole = pipeline.produce

    def break_first(*_: object, **__: object) -> object:
        monkeypatch.setattr("sogs_worker.scenes.pipeline.produce", whole)
        raise IndexError("list index out of range")

    write_ply(scene.with_name("lawn.ply"), build_splats(30, bands=0))
    monkeypatch.setattr("sogs_worker.scenes.pipeline.produce", break_first)
    code, output, errors = call(capsys, scene, scene.with_name("lawn.ply"), f"{scene.parent}/out/")
    assert (code, [line.split()[0] for line in output.splitlines()]) == (70, ["lawn.sog"])
    assert "the worker failed unexpectedly (IndexError: list index out of range); report it with the scene" in errors
    assert "Traceback" not in errors


def test_a_broken_input_is_never_done(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene.write_text("hello")
    code, _, errors = call(capsys, "--json", scene, scene.with_suffix(".sog"))
    lines = [json.loads(line) for line in errors.splitlines() if line.startswith("{")]
    assert code == 65
    assert "done" not in [line["stage"] for line in lines]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_a_signal_ends_it_with_its_own_exit_code(number: int, code: int, scene: Path) -> None:
    write_ply(scene, build_splats(100_000, bands=0))
    command = [sys.executable, "-m", "sogs_worker", "compress", *QUICK, "--json", scene, scene.with_suffix(".sog")]
    # A shell's background jobs, of which these tests may be one, are started with Ctrl-C ignored.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heed) as process:
        assert process.stderr
        while json.loads(process.stderr.readline())["stage"] != "encode":
            pass
        process.send_signal(number)
        last = process.stderr.read().splitlines()[-1]
    assert (process.returncode, last) == (code, "sogs-worker: interrupted, no half-written output is left")
    assert [path.name for path in scene.parent.iterdir()] == [scene.name]


def test_the_version_is_the_distributions(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"sogs-worker {version('sogs-worker')}\n")


def test_a_source_that_is_not_installed_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_none(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", find_none)
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, capsys.readouterr().out.splitlines()[0].startswith("sogs-worker, run from")) == (0, True)


def test_the_page_has_every_option_and_command() -> None:
    page = (REPOSITORY / "docs" / "command.md").read_text()
    (commands,) = [each for each in build_parser()._actions if isinstance(each, argparse._SubParsersAction)]
    options = {name for each in commands.choices["compress"]._actions for name in each.option_strings}
    missing = {name for name in options - {"-h", "--help", "-q", "-v"} if f"`{name}`" not in page}
    missing |= {name for name in commands.choices if f"| `{name}" not in page}
    assert missing == set()


def test_a_command_that_says_one_thing_only_has_no_levels() -> None:
    with pytest.raises(UsageError, match="unrecognized arguments: --quiet"):
        build_parser().parse_args(["run", "--quiet"])


@pytest.mark.parametrize("command", ["compress", "sagemaker", "decompress", "inspect", "evaluate", "render"])
def test_help_has_choices_and_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    words = capsys.readouterr().out
    assert "sogs-worker" in words.partition("options:")[2] or command == "sagemaker"
    assert "--quiet" in words
    if command in ("compress", "sagemaker"):
        assert "native or sogs" in words

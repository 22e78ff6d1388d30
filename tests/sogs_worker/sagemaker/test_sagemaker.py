"""The container of a Processing job, in the folders that the service mounts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archive_builders import pack
from sogs_worker.cli.main import StoppedError, main
from sogs_worker.formats.ply.file import write_ply
from sogs_worker.formats.sog.file import read_sog
from splat_builders import build_splats

KEYS = {
    "method",
    "algorithm",
    "gpu_accelerated",
    "input_files",
    "output_files",
    "compression_stats",
    "overall_compression_ratio",
    "total_original_mb",
    "total_compressed_mb",
}
STATS = {"original_size_mb", "compressed_size_mb", "compression_ratio", "output_files"}


@pytest.fixture
def ml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the folders of a job with two channels, and its two files."""
    ml = tmp_path / "opt" / "ml"
    for folder in ("processing/input/scenes/town", "processing/input/more", "processing/output", "config", "output"):
        (ml / folder).mkdir(parents=True)
    monkeypatch.setattr("sogs_worker.sagemaker.job.ML", ml)
    configure(ml, {"hosts": ["algo-1"]}, str(ml / "processing" / "output"))
    return ml


def configure(ml: Path, resources: dict[str, Any], uploaded: str) -> None:
    config = {
        "ProcessingJobArn": "arn:aws:sagemaker:eu-west-1:123456789012:processing-job/garden",
        "ProcessingJobName": "garden",
        "AppSpecification": {"ImageUri": "image", "ContainerEntrypoint": None, "ContainerArguments": None},
        "Environment": {"SPLATS_QUALITY": "fast"},
        "ProcessingInputs": [{"InputName": "scenes", "S3Input": {"LocalPath": "/opt/ml/processing/input/scenes"}}],
        "ProcessingOutputConfig": {
            "Outputs": [{"OutputName": "sogs", "S3Output": {"LocalPath": uploaded, "S3UploadMode": "EndOfJob"}}],
            "KmsKeyId": None,
        },
    }
    (ml / "config" / "processingjobconfig.json").write_text(json.dumps(config))
    (ml / "config" / "resourceconfig.json").write_text(json.dumps({"current_host": "algo-1", **resources}))


def scene(path: Path, count: int) -> bytes:
    write_ply(path, build_splats(count, bands=0))
    return path.read_bytes()


def call(ml: Path, *options: str) -> int:
    processing = ml / "processing"
    arguments = ["--input", processing / "input", "--output", processing / "output", "--device", "cpu", *options]
    return main(["sagemaker", *map(str, arguments)])


def summary(ml: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        (ml / "processing" / "output" / "real_sogs_compression_summary.json").read_text()
    )
    return document


def fill(ml: Path) -> dict[str, int]:
    """Lay scenes and archives into both channels; return them in their order, and how many splats each has."""
    inputs = ml / "processing" / "input"
    scene(inputs / "scenes" / "b.ply", 30)
    scene(inputs / "scenes" / "town" / "b.ply", 40)
    data = {count: scene(ml / "scratch.ply", count) for count in (10, 20)}
    pack(inputs / "more", "tar.gz", {"x/a.ply": data[10], "y/a.ply": data[20], "notes.txt": b"hi"}, name="two")
    pack(inputs / "more", "zip", {"z.ply": data[10]}, name="one")
    (inputs / "more" / "readme.txt").write_text("hello")
    return {
        "more/one.zip/z.ply": 10,
        "more/two.tar.gz/x/a.ply": 10,
        "more/two.tar.gz/y/a.ply": 20,
        "scenes/b.ply": 30,
        "scenes/town/b.ply": 40,
    }


def test_every_scene_of_every_channel_gets_its_folder(ml: Path) -> None:
    expected = fill(ml)
    assert call(ml, "--quality", "fast") == 0
    output, told = ml / "processing" / "output", summary(ml)
    assert told["input_files"] == list(expected)
    names = ["one.sog", "a.sog", "a.sog", "b.sog", "b.sog"]
    assert told["output_files"] == [f"sogs_output_{index}/{name}" for index, name in enumerate(names)]
    assert [len(read_sog(output / name)) for name in told["output_files"]] == list(expected.values())
    files = {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}
    assert files == {*told["output_files"], "real_sogs_compression_summary.json"}
    assert not (ml / "output" / "message").exists()


def test_the_summary_says_what_is_true(ml: Path) -> None:
    fill(ml)
    call(ml, "--quality", "fast")
    told, output = summary(ml), ml / "processing" / "output"
    assert set(told) > KEYS
    assert (told["gpu_accelerated"], told["job_name"], told["failures"]) == (False, "garden", [])
    assert "native" in told["method"]
    assert "CPU" in told["method"]
    assert list(told["compression_stats"]) == [f"file_{index}" for index in range(5)]
    for index, stats in enumerate(told["compression_stats"].values()):
        assert set(stats) > STATS
        assert stats["output_files"] == [told["output_files"][index]]
        size_mb = (output / told["output_files"][index]).stat().st_size / 1e6
        assert stats["compressed_size_mb"] == size_mb
        assert stats["compression_ratio"] == pytest.approx(stats["original_size_mb"] / size_mb, abs=0.001)
    for total, each in (("total_original_mb", "original_size_mb"), ("total_compressed_mb", "compressed_size_mb")):
        assert told[total] == pytest.approx(sum(stats[each] for stats in told["compression_stats"].values()))
    ratio = told["total_original_mb"] / told["total_compressed_mb"]
    assert told["overall_compression_ratio"] == pytest.approx(ratio, abs=0.001)


def test_a_scene_of_several_files_has_its_folder_for_itself(ml: Path) -> None:
    counts = fill(ml)
    assert call(ml, "--quality", "fast", "--format", "sog-unbundled") == 0
    output, told = ml / "processing" / "output", summary(ml)
    files: list[str] = []
    for index, count in enumerate(counts.values()):
        folder, stats = output / f"sogs_output_{index}", told["compression_stats"][f"file_{index}"]
        assert len(read_sog(folder / "meta.json")) == count
        assert stats["output_files"][0] == f"sogs_output_{index}/meta.json"
        assert set(stats["output_files"]) == {str(path.relative_to(output)) for path in folder.iterdir()}
        assert stats["compressed_size_mb"] == sum(path.stat().st_size for path in folder.iterdir()) / 1e6
        files += stats["output_files"]
    assert told["output_files"] == files
    assert len(files) == 6 * len(counts)


def test_a_broken_scene_keeps_its_number_and_fails_the_job(ml: Path) -> None:
    inputs = ml / "processing" / "input" / "scenes"
    scene(inputs / "a.ply", 10)
    (inputs / "b.ply").write_text("hello")
    (inputs / "c.zip").write_text("hello")
    scene(inputs / "d.ply", 20)
    assert call(ml, "--quality", "fast") == 65
    told = summary(ml)
    assert told["input_files"] == ["scenes/a.ply", "scenes/b.ply", "scenes/d.ply"]
    assert told["output_files"] == ["sogs_output_0/a.sog", "sogs_output_2/d.sog"]
    assert list(told["compression_stats"]) == ["file_0", "file_2"]
    assert [failure["reason"] for failure in told["failures"]] == ["BadInput", "BadInput"]
    message = (ml / "output" / "message").read_text()
    assert message.startswith(f"{inputs}/b.ply: is text, not a PLY file")
    assert message.endswith("(the first of 2 faults)")


def test_the_environment_has_defaults_and_arguments_win(ml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene(ml / "processing" / "input" / "a.ply", 10)
    monkeypatch.setenv("SPLATS_QUALITY", "fast")
    monkeypatch.setenv("SPLATS_SH_BANDS", "1")
    monkeypatch.setenv("SPLATS_SEED", "5")
    assert call(ml, "--seed", "7") == 0
    assert summary(ml)["encoder"] == {
        "engine": "native",
        "format": "sog",
        "quality": "fast",
        "shBands": 1,
        "seed": 7,
    }


def test_a_target_comes_from_the_environment_or_an_argument(ml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene(ml / "processing" / "input" / "a.ply", 20)
    monkeypatch.setenv("SPLATS_TARGET_SPLATS", "50%")
    assert call(ml, "--quality", "fast") == 0
    assert summary(ml)["encoder"]["target"] == {"maxSplats": "50%"}
    assert call(ml, "--quality", "fast", "--target-splats", "7") == 0
    assert summary(ml)["encoder"]["target"] == {"maxSplats": 7}
    assert call(ml, "--quality", "fast", "--target-bytes", "100000") == 0
    assert summary(ml)["encoder"]["target"] == {"maxBytes": 100000}


def stop(*_: object, **__: object) -> None:
    raise StoppedError


def test_a_rerun_does_not_leave_the_summary_of_the_run_before(ml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene(ml / "processing" / "input" / "a.ply", 10)
    assert call(ml, "--quality", "fast") == 0
    monkeypatch.setattr("sogs_worker.scenes.pipeline.produce", stop)
    assert call(ml) == 75
    assert not (ml / "processing" / "output" / "real_sogs_compression_summary.json").exists()


def refuse(ml: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    """Run a job that does nothing; return its exit code and its message, which is also the last line of its log."""
    code = call(ml, *options)
    message = (ml / "output" / "message").read_text()
    assert capsys.readouterr().err.splitlines() == [f"sogs-worker: {message}"]
    assert list((ml / "processing" / "output").iterdir()) == []
    return code, message


def test_a_fault_that_nobody_expected_is_one_of_the_scene(
    ml: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scene(ml / "processing" / "input" / "a.ply", 10)
    monkeypatch.setattr("sogs_worker.scenes.pipeline.produce", lambda *_, **__: 1 / 0)
    assert call(ml) == 70
    assert [failure["reason"] for failure in summary(ml)["failures"]] == ["Internal"]
    assert "Traceback" not in capsys.readouterr().err


def test_what_is_short_is_told_for_who_has_no_resource(
    ml: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run_out(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    scene(ml / "processing" / "input" / "a.ply", 10)
    monkeypatch.setattr("sogs_worker.scenes.pipeline.produce", run_out)
    assert call(ml) == 74
    told = (ml / "output" / "message").read_text()
    assert told.endswith("No space left on device; if space is short, make room there or set TMPDIR")
    assert summary(ml)["failures"] == [{"reason": "IOError", "message": told}]
    assert '"stage": "done"' not in capsys.readouterr().err


def test_no_scene(ml: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, message = refuse(ml, capsys)
    assert code == 66
    assert "processing/input has no scene and no archive" in message


def test_archives_without_any_scene(ml: Path) -> None:
    pack(ml / "processing" / "input", "zip", {"photo.jpg": b"no scene"})
    assert call(ml) == 65
    assert "processing/input has archives only, and no scene is in any" in (ml / "output" / "message").read_text()
    assert list((ml / "processing" / "output").iterdir()) == []


def test_progress_is_shown_unless_it_is_unwanted(ml: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene(ml / "processing" / "input" / "a.ply", 10)
    assert call(ml) == 0
    assert '"stage": "done"' in capsys.readouterr().err
    assert call(ml, "--quiet") == 0
    assert capsys.readouterr().err == ""


def test_no_input(ml: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, message = refuse(ml, capsys, "--input", str(ml / "none"))
    assert code == 66
    assert "none: no such folder; give the job a ProcessingInput" in message


def test_several_instances_would_overwrite_each_other(ml: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure(ml, {"hosts": ["algo-1", "algo-2"]}, str(ml / "processing" / "output"))
    code, message = refuse(ml, capsys)
    assert code == 78
    assert "the job has 2 instances" in message


@pytest.mark.parametrize("folder", ["processing/results", "processing/output/sogs_output_0", ""])
def test_an_output_that_nobody_uploads(folder: str, ml: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure(ml, {}, str(ml / folder) if folder else "")
    code, message = refuse(ml, capsys)
    assert code == 78
    assert "so nothing would be kept" in message


def test_an_output_above_is_fine(ml: Path) -> None:
    scene(ml / "processing" / "input" / "a.ply", 10)
    configure(ml, {}, str(ml / "processing"))
    assert call(ml, "--quality", "fast") == 0


@pytest.mark.parametrize("text", ["", "[]", "{", '{"ProcessingOutputConfig": {"Outputs": [7]}}', '{"hosts": 7}'])
def test_odd_files_of_the_service_are_no_reason_to_fail(text: str, ml: Path) -> None:
    scene(ml / "processing" / "input" / "a.ply", 10)
    for name in ("processingjobconfig.json", "resourceconfig.json"):
        (ml / "config" / name).write_text(text)
    assert call(ml, "--quality", "fast") == 0


def test_elsewhere_there_is_no_message(ml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sogs_worker.sagemaker.job.ML", ml / "nowhere")
    assert call(ml) == 66
    assert not (ml / "nowhere").exists()


def test_a_message_has_at_most_a_kilobyte_and_is_utf_8(ml: Path) -> None:
    from sogs_worker.sagemaker.job import write_message

    write_message("ü" * 600 + "\udcff")
    data = (ml / "output" / "message").read_bytes()
    assert len(data) == 1024
    assert data.decode() == "ü" * 512


def test_a_stop_is_told(ml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene(ml / "processing" / "input" / "a.ply", 10)
    monkeypatch.setattr("sogs_worker.scenes.pipeline.produce", stop)
    assert call(ml) == 75
    assert (ml / "output" / "message").read_text() == "interrupted, no half-written output is left"
    assert list((ml / "processing" / "output").iterdir()) == []

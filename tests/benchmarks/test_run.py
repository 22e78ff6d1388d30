"""One run over encoders that are small programs: one copies, one fails, one never ends, one is not there."""

from __future__ import annotations

import filecmp
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.encoders import REFERENCE, Encoder
from benchmarks.quality import Judge
from benchmarks.run import OWN_LIMIT_S, Bench, last_reported_seconds, peer_limit_s, run_scene
from benchmarks.scenes import Scene

JUDGE = Judge({"copy": ["cp"]}, ["sh", "-c", """echo '{"psnrMean": 41.5, "psnrWorst": 40.25}'"""])
OURS = Encoder(REFERENCE, "ours", "0.1.0", ("cp", "{scene}", "{out}/scene.sog"), "scene.sog")
WARM_SCRIPT = (
    'cp "$0" "$2/first.sog"; cp "$1" "$2/again-scene.sog"; echo \'{"seconds": 9}\'; echo \'{"seconds": 0.25}\''
)
WARM = Encoder(
    f"{REFERENCE}, warm",
    "ours, warm",
    "0.1.0",
    ("sh", "-c", WARM_SCRIPT, "{scene}", "{again}", "{out}"),
    "{again}.sog",
    is_warm=True,
)


def peer(name: str, script: str) -> Encoder:
    return Encoder(name, name, "1.0", ("sh", "-c", script), "scene.sog")


def build_bench(work: Path, *encoders: Encoder, limit_s: float | None = None) -> Bench:
    return Bench(encoders, JUDGE, work, limit_s, None)


@pytest.mark.parametrize(("own_s", "limit_s"), [(None, OWN_LIMIT_S), (0.5, 60), (6, 60), (6.5, 65), (100, 1000)])
def test_a_peer_may_take_ten_times_as_long_and_at_least_a_minute(own_s: float | None, limit_s: float) -> None:
    assert peer_limit_s(own_s) == limit_s


def test_an_encoder_that_works_has_all_figures(scene: Scene, tmp_path: Path) -> None:
    (row,) = run_scene(build_bench(tmp_path / "work", OURS), scene)
    assert (row.scene, row.splats, row.cameras, row.encoder) == ("garden", 8, True, REFERENCE)
    assert row.bytes == row.source_bytes == scene.size_bytes
    assert (row.psnr_mean, row.psnr_worst, row.decoder, row.note) == (41.5, 40.25, "copy", "")
    assert row.seconds is not None
    assert 0 < row.seconds < 2
    assert row.peak_rss_bytes is not None
    assert row.peak_gpu_bytes is None
    bundle = tmp_path / "work" / "garden" / "ours-balanced" / "scene.sog"
    assert filecmp.cmp(bundle, scene.path, shallow=False)


def test_no_peer_that_fails_ends_the_run(scene: Scene, tmp_path: Path) -> None:
    encoders = [
        peer("fails", "echo 'Error: no adapter' >&2; exit 1"),
        peer("writes nothing", "true"),
        peer("never ends", "sleep 30"),
        replace(peer("not there", "false"), missing="not installed; name its command with --sogs"),
        OURS,
    ]
    rows = {row.encoder: row for row in run_scene(build_bench(tmp_path / "work", *encoders, limit_s=0.3), scene)}
    assert rows["fails"].note == "failed: exit code 1: Error: no adapter"
    assert rows["writes nothing"].note == "failed: wrote no scene.sog"
    assert rows["not there"].note == "not run: not installed; name its command with --sogs"
    over = rows["never ends"]
    assert over.is_over
    assert over.seconds == pytest.approx(0.3, abs=0.3)
    assert over.bytes is over.peak_rss_bytes is None
    assert rows[REFERENCE].bytes == scene.size_bytes


def test_a_warm_time_is_the_one_reported_for_the_second_scene(scene: Scene, tmp_path: Path) -> None:
    cold, warm = run_scene(build_bench(tmp_path / "work", OURS, WARM), scene)
    assert (warm.seconds, warm.bytes, warm.note) == (0.25, cold.bytes, "")
    assert warm.psnr_mean is None


def test_a_warm_bundle_that_differs_is_noted(scene: Scene, tmp_path: Path) -> None:
    other = replace(OURS, command=("sh", "-c", 'echo other > "$0"', "{out}/scene.sog"))
    _, warm = run_scene(build_bench(tmp_path / "work", other, WARM), scene)
    assert warm.note == "its bundle differs from that of the first process"


def test_without_a_judge_there_is_time_alone(scene: Scene, tmp_path: Path) -> None:
    (row,) = run_scene(replace(build_bench(tmp_path / "work", OURS), judge=None), scene)
    assert row.bytes
    assert (row.psnr_mean, row.decoder, row.note) == (None, "", "")


def test_an_older_run_leaves_nothing_behind(scene: Scene, tmp_path: Path) -> None:
    list(run_scene(build_bench(tmp_path / "work", OURS), scene))
    (row,) = run_scene(build_bench(tmp_path / "work", replace(OURS, command=("true",))), scene)
    assert row.note == "failed: wrote no scene.sog"


@pytest.mark.parametrize("output", ["", "done in 3 s", "[1]", '{"bytes": 3}', '{"seconds": null}'])
def test_an_output_without_a_record_has_no_seconds(output: str) -> None:
    assert last_reported_seconds(output) is None

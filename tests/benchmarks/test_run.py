"""One run over encoders that are small programs: one copies, one fails, one never ends, one is not there."""

from __future__ import annotations

import filecmp
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.encoders import Encoder
from benchmarks.process import run_measured
from benchmarks.quality import Judge
from benchmarks.run import Bench, last_reported_seconds, run_scene
from benchmarks.scenes import Scene

OURS_NAME = "ours balanced"
JUDGE = Judge({"copy": ["cp"]}, ["sh", "-c", """echo '{"psnrMean": 41.5, "psnrWorst": 40.25}'"""])
OURS = Encoder(OURS_NAME, "ours", "0.1.0", ("cp", "{scene}", "{out}/scene.sog"), "scene.sog")
WARM_SCRIPT = (
    'cp "$0" "$2/first.sog"; cp "$1" "$2/again-scene.sog"; echo \'{"seconds": 9}\'; echo \'{"seconds": 0.25}\''
)
WARM = Encoder(
    f"{OURS_NAME}, warm",
    "ours, warm",
    "0.1.0",
    ("sh", "-c", WARM_SCRIPT, "{scene}", "{again}", "{out}"),
    "{again}.sog",
    is_warm=True,
)


def peer(name: str, script: str) -> Encoder:
    return Encoder(name, name, "1.0", ("sh", "-c", script), "scene.sog")


def build_bench(work: Path, *encoders: Encoder, limit_s: float = 60) -> Bench:
    return Bench(encoders, JUDGE, work, limit_s, None)


def test_an_encoder_that_works_has_all_figures(scene: Scene, tmp_path: Path) -> None:
    (row,) = run_scene(build_bench(tmp_path / "work", OURS), scene)
    assert (row.scene, row.splats, row.cameras, row.encoder) == ("garden", 8, True, OURS_NAME)
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
    assert rows[OURS_NAME].bytes == scene.size_bytes


def test_ours_may_take_longer_than_a_peer(scene: Scene, tmp_path: Path) -> None:
    slow = replace(OURS, command=("sh", "-c", 'sleep 0.4; cp "$0" "$1"', "{scene}", "{out}/scene.sog"))
    (row,) = run_scene(build_bench(tmp_path / "work", slow, limit_s=0.1), scene)
    assert not row.is_over
    assert row.bytes


def test_the_scene_is_read_before_each_encoder(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What judging one encoder has driven from the page cache is there again for the next."""
    began: list[str] = []
    monkeypatch.setattr("benchmarks.run.read_once", lambda path: began.append(f"read {path.name}"))
    measured = run_measured
    monkeypatch.setattr("benchmarks.run.run_measured", lambda *a, **k: began.append("encode") or measured(*a, **k))
    list(run_scene(build_bench(tmp_path / "work", OURS, WARM, peer("other", "true")), scene))
    assert began == ["read scene.ply", "encode"] * 3


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

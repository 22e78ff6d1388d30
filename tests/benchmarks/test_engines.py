"""The benchmark of both engines."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.__main__ import main
from benchmarks.engine_clock import Clock, native_stage, sogs_stage

from scenes import made_scene
from sogs_worker.engines.sogs.process import SHARES


def test_native_has_its_figures_and_sogs_says_what_it_lacks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = made_scene(tmp_path / "made.ply", 500)
    assert main(["engines", str(scene), "--work", str(tmp_path / "work"), "--splat-transform", "false"]) == 0
    lines = capsys.readouterr().out.splitlines()
    header, _, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("|")]
    native, sogs = (dict(zip(header, row, strict=True)) for row in rows)
    stages = ("load", "read", "sort", "palette", "rest", "write")
    assert (native["scene"], native["engine"], native["splats"]) == ("made", "native", "500")
    assert float(native["dB mean"]) >= float(native["dB worst"]) > 20
    assert sum(float(native[stage]) for stage in stages) == pytest.approx(float(native["seconds"]), abs=0.05)
    assert (sogs["engine"], sogs["bytes"], sogs["seconds"]) == ("sogs", "", "")
    assert lines[-1].startswith("- made, sogs: ")
    assert "the engine sogs needs" in lines[-1]


def test_the_clock_adds_up_what_passed_in_each_stage() -> None:
    clock = Clock(iter([0.0, 1.0, 3.0, 6.0]).__next__)
    for stage in ("read", "sort", "read"):
        clock.lap(stage)
    assert clock.seconds == {"read": 4.0, "sort": 2.0}


def test_stages_are_known_by_what_the_engines_tell() -> None:
    assert [native_stage(fraction) for fraction in (0.0, 0.25, 0.3, 0.75, 1.0)] == [
        *("sort", "sort", "palette", "palette", "rest")
    ]
    assert [native_stage(fraction, has_palette=False) for fraction in (0.0, 0.8, 1.0)] == ["sort", "sort", "rest"]
    assert [sogs_stage(fraction) for fraction in (0.0, *SHARES.values(), 1.0)] == [
        *("rest", "sort", "rest", "rest", "rest", "rest", "palette", "rest", "rest")
    ]

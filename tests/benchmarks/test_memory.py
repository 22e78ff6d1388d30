"""The benchmark of a run's memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.__main__ import main

from scenes import made_scene


def test_each_scene_is_run_for_a_bundle_and_for_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = made_scene(tmp_path / "made.ply", 500)
    assert main(["memory", str(scene), "--work", str(tmp_path / "work")]) == 0
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in capsys.readouterr().out.splitlines()]
    assert [(row[0], row[2]) for row in table[2:]] == [
        ("made.ply", "a bundle"),
        ("made.ply", "with preview and gate"),
    ]
    for row in table[2:]:
        peak_mb, times = (float(figure.replace(",", "")) for figure in row[4:])
        assert peak_mb > 100, "torch alone has more"
        assert times == pytest.approx(peak_mb * 1e6 / scene.stat().st_size, rel=0.01)
    assert list((tmp_path / "work").iterdir()) == []


def test_a_missing_scene_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["memory", str(tmp_path / "none.ply"), "--work", str(tmp_path / "work")]) == 1
    assert capsys.readouterr().err == f"benchmarks: {tmp_path}/none.ply: no such file; name a scene\n"

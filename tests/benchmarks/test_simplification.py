"""The benchmark of scenes with fewer splats."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from benchmarks.__main__ import main
from benchmarks.scenes import Scene


def rows(text: str) -> list[dict[str, str]]:
    header, _, *lines = [[cell.strip() for cell in each.split("|")[1:-1]] for each in text.splitlines() if "|" in each]
    return [dict(zip(header, line, strict=True)) for line in lines]


def test_ours_and_the_converter_have_a_row_for_each_percentage(
    drawable_scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The converter is a copy of the scene here, and has all splats."""
    copy = tmp_path / "converter.py"
    copy.write_text("import shutil, sys\nshutil.copy(sys.argv[sys.argv.index('-w') + 1], sys.argv[-1])\n")
    arguments = ["simplify", str(drawable_scene.path), "--percent", "50", "10", "--work", str(tmp_path / "work")]
    assert main([*arguments, "--splat-transform", f"{sys.executable} {copy}"]) == 0
    output = capsys.readouterr().out
    half, copied, tenth, _ = rows(output)
    assert [(row["tool"], row["kept, %"], row["splats"]) for row in (half, copied, tenth)] == [
        *(("ours", "50", "300"), ("splat-transform", "50", "600"), ("ours", "10", "60"))
    ]
    assert float(half["dB mean"]) > float(tenth["dB mean"]) > 10
    assert "splat-transform: every picture is that of the scene: infinite dB" in output
    assert list((tmp_path / "work").iterdir()) == []


def test_a_tool_that_fails_says_so(drawable_scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["simplify", str(drawable_scene.path), "--percent", "50", "--work", str(tmp_path / "work")]
    assert main([*arguments, "--splat-transform", "false"]) == 0
    ours, theirs = rows(capsys.readouterr().out)
    assert (ours["splats"], theirs["splats"], theirs["dB mean"]) == ("300", "0", "")

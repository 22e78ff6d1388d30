"""What becomes of every malformed file: the command's exit code and, where it is refused, a part of the sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scenes import DATA
from sogs_worker.cli.main import main
from sogs_worker.formats.sog.file import read_sog

FOLDER = DATA / "malformed"

REFUSED = {
    "bad-zip.sog": "not a ZIP archive",
    "corrupt-plane.sog": "scales.webp: not a readable WebP or PNG image",
    "count-exceeds-plane.sog": "fewer than the 4,096 splats",
    "duplicate-sh-index.ply": "same index",
    "empty-vertex.ply": "0 vertices",
    "escaping-plane-name.sog": "'../scales.webp'",
    "labels-out-of-range.sog": "label 1 is out of range",
    "list-property.ply": "opacity is a list",
    "malformed-meta.sog": "not valid JSON",
    "missing-opacity.ply": "lacks opacity",
    "missing-plane.sog": "no scales.webp",
    "non-contiguous-sh.ply": "f_rest_2 is missing",
    "sh-count-not-rgb.ply": "2 f_rest",
    "short-codebook.sog": "256 numbers, got 255",
    "truncated-binary-le.ply": "expected 56 bytes of vertices, got 12",
    "version-3.sog": "SOG version 3",
}

UNUSABLE = {
    "nan-opacity-binary-le.ply": "all 1 splats of the scene are NaN",
    "out-of-range-double.ply": "all 1 splats of the scene are NaN, infinite",
}
"""Files that can be described, but have nothing to compress."""

SOUND = {
    "degree-1-sh.ply": (1, 1),
    "degree-2-sh.ply": (1, 2),
    "degree-4-sh.ply": (1, 3),
    "epfl_pc_short_100.ply": (100, 3),
    "kit-multi-degree3.sog": (3, 3),
    "one-gaussian-ascii.ply": (1, 0),
    "reordered-properties.ply": (1, 1),
    "three-gaussian-binary-le.ply": (3, 1),
    "wgpu3dgs_9pts.ply": (9, 3),
}
"""Odd files that are read: splats and SH bands."""


def malformed(name: str) -> Path:
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"{path} is not there: SPLATS_DATA names the folder with the malformed files")
    return path


def compress(path: Path, target: Path) -> int:
    return main(["compress", "--json", "--device", "cpu", "--quality", "fast", str(path), str(target)])


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("name", REFUSED | UNUSABLE)
def test_compress_refuses_it_in_one_sentence(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = malformed(name)
    assert compress(path, tmp_path / "out.sog") == 65
    sentence = last_line(capsys)
    assert f"{path}: " in sentence
    assert (REFUSED | UNUSABLE)[name] in sentence
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", REFUSED)
def test_inspect_refuses_it_in_the_same_sentence(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = malformed(name)
    assert main(["inspect", "--json", str(path)]) == 65
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"sogs-worker: {path}: ")
    assert REFUSED[name] in output.err
    assert output.err.count("\n") == 1


@pytest.mark.parametrize("name", UNUSABLE)
def test_inspect_counts_what_is_unusable(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "--json", str(malformed(name))]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["splats"], told["unusable"], told["bounds"]) == (1, 1, None)


@pytest.mark.parametrize("name", SOUND)
def test_an_odd_but_sound_file_is_compressed(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, target = malformed(name), tmp_path / "out.sog"
    assert main(["inspect", "--json", str(path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["splats"], told["shBands"]) == SOUND[name]
    assert compress(path, target) == 0
    assert len(read_sog(target)) == SOUND[name][0]


def test_the_tables_name_every_file() -> None:
    folder = malformed("bad-zip.sog").parent
    assert sorted(REFUSED | UNUSABLE | SOUND) == sorted(path.name for path in folder.iterdir())

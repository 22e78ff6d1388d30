"""How the encoders are called."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from benchmarks.encoders import QUALITIES, Encoder, bundle_bytes, fill, original_sogs, our_encoders, splat_transform

PATHS = {"scene": Path("/in/room.ply"), "again": Path("/in/again-room.ply"), "out": Path("/out")}


def write_tool(path: Path, body: str) -> list[str]:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return [str(path)]


def converter(tmp_path: Path, gpus: str) -> list[str]:
    body = f'case "$1" in --version) echo "splat-transform v3.7.0 (0f60b17)" >&2;; --list-gpus) echo "{gpus}";; esac'
    return write_tool(tmp_path / "splat-transform", body)


def test_ours_run_cold_at_each_quality_and_then_warm() -> None:
    encoders = list(our_encoders(["sogs-worker"]))
    names = [f"ours {quality}" for quality in QUALITIES]
    assert [encoder.name for encoder in encoders] == [*names, *(f"{name}, warm" for name in names)]
    assert [encoder.is_warm for encoder in encoders] == [False] * 3 + [True] * 3
    command, result = fill(encoders[1], **PATHS)
    assert command == ["sogs-worker", "compress", "/in/room.ply", "/out/scene.sog", "--quality", "balanced"]
    assert result == Path("/out/scene.sog")
    command, result = fill(encoders[4], **PATHS)
    assert command[1:5] == ["compress", "/in/room.ply", "/in/again-room.ply", "/out/"]
    assert command[5:] == ["--quality", "balanced", "--json"]
    assert result == Path("/out/again-room.sog")


@pytest.mark.parametrize(
    ("gpus", "asked", "options"),
    [
        ("[0] NVIDIA H100", "auto", []),
        ("No GPU adapters found.", "auto", ["-g", "cpu"]),
        ("[0] NVIDIA H100", "cpu", ["-g", "cpu"]),
        ("[0] a\n[1] b", "1", ["-g", "1"]),
    ],
    ids=["a GPU", "no GPU", "the CPU is asked for", "the second GPU is asked for"],
)
def test_splat_transform_runs_on_a_gpu_where_it_finds_one(
    gpus: str, asked: str, options: list[str], tmp_path: Path
) -> None:
    tool = converter(tmp_path, gpus)
    encoder = splat_transform(tool, gpu=asked)
    assert fill(encoder, **PATHS) == ([*tool, "-w", *options, "/in/room.ply", "/out/scene.sog"], Path("/out/scene.sog"))
    assert encoder.name == ("splat-transform on the CPU" if "cpu" in options else "splat-transform")
    assert (encoder.version, encoder.missing) == ("3.7.0", "")


def test_a_converter_that_is_not_there_is_missing(tmp_path: Path) -> None:
    encoder = splat_transform([str(tmp_path / "none")], gpu="auto")
    assert encoder.missing == f"{tmp_path}/none does not answer; install it or name it with --splat-transform"


def test_the_original_needs_its_command_and_a_gpu(tmp_path: Path) -> None:
    tool = write_tool(tmp_path / "sogs-compress", "echo 1.1.0")
    assert original_sogs([], has_gpu=True).missing == "not installed; name its command with --sogs"
    assert original_sogs(tool, has_gpu=False).missing == "needs CUDA, and there is no NVIDIA GPU"
    encoder = original_sogs(tool, has_gpu=True)
    assert (encoder.version, encoder.missing) == ("1.1.0", "")
    command, result = fill(encoder, **PATHS)
    assert command == [*tool, "--ply", "/in/room.ply", "--output-dir", "/out/bundle"]
    assert result == Path("/out/bundle/meta.json")


def test_bytes_of_a_bundle_and_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_bytes(b"12")
    (tmp_path / "quats.webp").write_bytes(b"345")
    assert bundle_bytes(tmp_path / "quats.webp") == 3
    assert bundle_bytes(tmp_path / "meta.json") == 5


def test_braces_in_paths_are_left_alone() -> None:
    encoder = Encoder("e", "e", "", ("{scene}", "{out}/x"), "x")
    command, _ = fill(encoder, scene=Path("/{out}.ply"), again=Path("/b"), out=Path("/o"))
    assert command[1] == "/o/x"

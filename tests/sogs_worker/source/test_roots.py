"""Scenes in folders of this machine, and several sources as one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from archive_builders import PLANES, build_meta, pack
from sogs_worker.errors import WorkerError
from sogs_worker.source.objects import SourceObject
from sogs_worker.source.roots import find_items, local_root


def lay(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def find(*paths: Path, without: Path | None = None) -> tuple[list[SourceObject], list[WorkerError]]:
    findings = find_items([local_root(path, without=without) for path in paths])
    return [item.entry for item in findings.items], findings.faults


def found(*paths: Path, without: Path | None = None) -> list[str]:
    objects, faults = find(*paths, without=without)
    assert faults == []
    return [entry.key for entry in objects]


def test_a_folder_is_searched_in_the_order_of_paths(tmp_path: Path) -> None:
    lay(tmp_path, "b.ply", "a/z.sog", "c/a.compressed.ply", "a.PLY", ".hidden/x.ply", "c/.x.ply", "notes.txt")
    pack(tmp_path, "zip", {"y.ply": b"", "x.ply": b""}, name="b")
    assert found(tmp_path) == ["a.PLY", "a/z.sog", "b.ply", "b.zip", "c/a.compressed.ply"]


def test_several_sources_are_named_as_one(tmp_path: Path) -> None:
    lay(tmp_path, "a/garden.ply", "b/garden.sog", "b/lawn.ply")
    objects, _ = find(tmp_path / "a/garden.ply", tmp_path / "b")
    assert [str(entry.output) for entry in objects] == ["garden.ply", "garden.sog", "lawn"]


def test_unbundled_scenes_count_with_their_planes(tmp_path: Path) -> None:
    folder = tmp_path / "playbot"
    lay(folder, *PLANES)
    (folder / "meta.json").write_bytes(build_meta())
    lay(tmp_path, "photos/meta.json")
    for named, key in ((tmp_path, "playbot/meta.json"), (folder, "meta.json"), (folder / "meta.json", "meta.json")):
        (entry,), faults = find(named)
        assert (entry.key, faults) == (key, [])
        assert entry.size_bytes == len(build_meta()) + len(PLANES)
        assert str(entry.output) == "playbot"


def test_the_output_is_not_searched(tmp_path: Path) -> None:
    lay(tmp_path, "a.ply", "out/a.sog", "out/deep/b.sog", "outer/c.ply")
    assert found(tmp_path, without=tmp_path / "x" / ".." / "out") == ["a.ply", "outer/c.ply"]


def test_links_to_folders_and_pipes_are_passed_over(tmp_path: Path) -> None:
    lay(tmp_path, "in/a.ply")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    os.mkfifo(tmp_path / "in" / "pipe.ply")
    assert found(tmp_path / "in") == ["a.ply"]


def test_each_fault_is_told_and_the_others_are_found(tmp_path: Path) -> None:
    lay(tmp_path, "in/a.ply", "in/gr\udcfcn.ply")
    (tmp_path / "empty").mkdir()
    objects, faults = find(tmp_path / "none.ply", tmp_path / "empty", tmp_path / "in")
    assert [entry.key for entry in objects] == ["a.ply"]
    assert [fault.exit_code for fault in faults] == [66, 66, 65]
    assert [str(fault).isprintable() for fault in faults] == [True] * 3


def test_a_folder_that_cannot_be_searched_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str | Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    lay(tmp_path, "a.ply")
    monkeypatch.setattr("os.scandir", refuse)
    objects, (fault,) = find(tmp_path)
    assert objects == []
    assert fault.exit_code == 77
    assert str(fault) == f"{tmp_path}: cannot be searched: Permission denied; change its mode"


POINTS = b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n0\n"


def test_what_is_no_scene_is_passed_over_where_it_is_found_and_refused_where_it_is_named(tmp_path: Path) -> None:
    lay(tmp_path, "a.ply")
    (tmp_path / "input.ply").write_bytes(POINTS)
    findings = find_items([local_root(tmp_path), local_root(tmp_path / "input.ply")])
    assert [(item.entry.key, item.is_named) for item in findings.items] == [("a.ply", False)]
    assert [each.name for each in findings.passed_over] == [f"{tmp_path}/input.ply"]
    assert [str(fault) for fault in findings.faults] == [
        f"{tmp_path}/input.ply is a PLY of points or a mesh, without splats; name a scene"
    ]

"""Scenes in folders of this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from archive_builders import PLANES, build_meta, pack
from sogs_worker.source.local import find_scenes


def lay(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def found(*inputs: Path, output: Path | None = None) -> list[str]:
    scenes, faults = find_scenes(inputs, output)
    assert faults == []
    return [f"{scene.origin.file}:{scene.origin.member}" for scene in scenes]


def test_a_folder_is_searched_in_the_order_of_names(tmp_path: Path) -> None:
    lay(tmp_path, "b.ply", "a/z.sog", "c/a.compressed.ply", "a.PLY", ".hidden/x.ply", "c/.x.ply", "notes.txt")
    pack(tmp_path, "zip", {"y.ply": b"", "x.ply": b""}, name="b")
    assert found(tmp_path) == [
        "a.PLY:None",
        "b.ply:None",
        "b.zip:y.ply",
        "b.zip:x.ply",
        "a/z.sog:None",
        "c/a.compressed.ply:None",
    ]


def test_unbundled_scenes_count_with_their_planes(tmp_path: Path) -> None:
    folder = tmp_path / "playbot"
    lay(folder, *PLANES)
    (folder / "meta.json").write_bytes(build_meta())
    lay(tmp_path, "photos/meta.json")
    for named, file in ((tmp_path, "playbot/meta.json"), (folder, "meta.json"), (folder / "meta.json", "meta.json")):
        (scene,), faults = find_scenes([named])
        assert (str(scene.origin.file), faults) == (file, [])
        assert scene.size_bytes == len(build_meta()) + len(PLANES)
        assert named == tmp_path or scene.origin.folder == "playbot"


def test_the_output_is_not_searched(tmp_path: Path) -> None:
    lay(tmp_path, "a.ply", "out/a.sog", "out/deep/b.sog", "outer/c.ply")
    assert found(tmp_path, output=tmp_path / "x" / ".." / "out") == ["a.ply:None", "outer/c.ply:None"]


def test_links_to_folders_and_pipes_are_passed_over(tmp_path: Path) -> None:
    lay(tmp_path, "in/a.ply")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    os.mkfifo(tmp_path / "in" / "pipe.ply")
    assert found(tmp_path / "in") == ["a.ply:None"]


def test_each_fault_is_told_and_the_others_are_found(tmp_path: Path) -> None:
    lay(tmp_path, "in/a.ply", "in/b.zip", "in/gr\udcfcn.ply")
    (tmp_path / "empty").mkdir()
    scenes, faults = find_scenes([tmp_path / "none.ply", tmp_path / "empty", tmp_path / "in"])
    assert [scene.name for scene in scenes] == [f"{tmp_path}/in/a.ply"]
    assert [fault.exit_code for fault in faults] == [66, 65, 65, 65]
    assert [str(fault).isprintable() for fault in faults] == [True] * 4


def test_a_folder_that_cannot_be_searched_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str | Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    lay(tmp_path, "a.ply")
    monkeypatch.setattr("os.scandir", refuse)
    scenes, (fault,) = find_scenes([tmp_path])
    assert scenes == []
    assert fault.exit_code == 77
    assert str(fault) == f"{tmp_path}: cannot be searched: Permission denied; change its mode"

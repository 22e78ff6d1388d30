"""A pack of the cluster's programs: found by the next start, and refused when it is of other versions."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from cluster import go_groups, packing, python_tools
from cluster.cache import Cache, link_into
from cluster.errors import ClusterError


@pytest.fixture
def built(tmp_path: Path) -> Cache:
    """A cache with small files in the places of all programs but those for real GPUs."""
    cache = Cache(tmp_path / "built")
    names = [name for group in go_groups.groups(real_gpus=False) for name in group.binaries] + [*python_tools.PROGRAMS]
    programs = {name: tmp_path / "programs" / name for name in names}
    (tmp_path / "programs").mkdir()
    for name, path in programs.items():
        path.write_text(name)
        path.chmod(0o755)
    link_into(cache.bin, programs)
    return cache


@pytest.fixture
def other(tmp_path: Path) -> Cache:
    """The cache of another machine, empty."""
    return Cache(tmp_path / "other")


@pytest.mark.parametrize("compression", ["", "xz"])
def test_another_machine_uses_the_programs(built: Cache, other: Cache, tmp_path: Path, compression: str) -> None:
    packing.pack(built, tmp_path / "pack.tar", real_gpus=False)
    archive = tmp_path / "pack"
    with tarfile.open(tmp_path / "pack.tar") as tar, tarfile.open(archive, f"w:{compression}") as again:
        for member in tar:
            again.addfile(member, tar.extractfile(member) if member.isfile() else None)
    packing.unpack(other, archive)
    assert packing.use_packed(other, real_gpus=False)
    assert {path.name for path in other.bin.iterdir()} >= {path.name for path in built.bin.iterdir()}
    assert (other.bin / "kubelet").read_text() == "hyperkube"
    assert (other.bin / "etcd").stat().st_mode & 0o777 == 0o755


def test_a_pack_without_nvidias_tools_is_none_for_real_gpus(built: Cache, other: Cache, tmp_path: Path) -> None:
    packing.pack(built, tmp_path / "pack.tar", real_gpus=False)
    packing.unpack(other, tmp_path / "pack.tar")
    assert not packing.use_packed(other, real_gpus=True)


def test_a_pack_of_other_versions_is_refused(
    built: Cache, other: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packing.pack(built, tmp_path / "pack.tar", real_gpus=False)
    monkeypatch.setattr(packing, "pins", lambda: "other")
    with pytest.raises(ClusterError, match="other versions than this checkout"):
        packing.unpack(other, tmp_path / "pack.tar")
    assert not packing.use_packed(other, real_gpus=False)


def test_what_is_no_archive_is_refused(other: Cache, tmp_path: Path) -> None:
    (tmp_path / "pack.tar").write_text("no archive")
    with pytest.raises(ClusterError, match="cannot be unpacked"):
        packing.unpack(other, tmp_path / "pack.tar")

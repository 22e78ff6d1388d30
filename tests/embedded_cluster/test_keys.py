"""Cache keys: a result is made again when anything that decides it has changed, and only then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.cache import key_of, link_into
from cluster.go_groups import FAKE_NODES, groups
from cluster.go_toolchain import parse_version


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inner").mkdir()
    (tmp_path / "go.mod").write_text("module a")
    (tmp_path / "inner" / "main.go").write_text("package main")
    return tmp_path


def test_a_copy_elsewhere_has_the_same_key(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    copy = tmp_path_factory.mktemp("copy")
    for path in (folder / "inner" / "main.go", folder / "go.mod"):
        target = copy / path.relative_to(folder)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    assert key_of("go1.26", folder=copy) == key_of("go1.26", folder=folder)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda folder: (folder / "go.mod").write_text("module b"), id="content"),
        pytest.param(lambda folder: (folder / "go.mod").rename(folder / "go.sum"), id="name"),
        pytest.param(lambda folder: (folder / "inner" / "main.go").rename(folder / "main.go"), id="place"),
        pytest.param(lambda folder: (folder / "empty").touch(), id="one more"),
        pytest.param(lambda folder: (folder / "go.mod").unlink(), id="one less"),
    ],
)
def test_each_change_of_the_folder_changes_the_key(folder: Path, change: Callable[[Path], object]) -> None:
    before = key_of("go1.26", folder=folder)
    change(folder)
    assert key_of("go1.26", folder=folder) != before


def test_parameters_do_not_run_into_each_other() -> None:
    assert key_of("ab", "c") != key_of("a", "bc")


def test_the_compiler_is_part_of_every_groups_key() -> None:
    built = (*groups(real_gpus=True), FAKE_NODES)
    keys = {group.key(go) for group in built for go in ("go1.26.6", "go1.26.8")}
    assert len(keys) == 2 * len(built)


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("go version go1.27 linux/arm64", (1, 27)),
        ("go version devel +a1b2c3", (0,)),
    ],
)
def test_the_version_of_go(printed: str, version: tuple[int, ...]) -> None:
    assert parse_version(printed) == version


def test_links_follow_the_newest_result(tmp_path: Path) -> None:
    for result in ("old", "new"):
        link_into(tmp_path / "bin", {"etcd": tmp_path / result / "etcd"})
    assert (tmp_path / "bin" / "etcd").readlink() == tmp_path / "new" / "etcd"

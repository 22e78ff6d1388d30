"""A process is ended only while it is the one that was started."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.processes import Identity, Registry, end, identify, parse_stat

# proc(5): pid, name, state, ..., start time as field 22.
STAT = "4242 ({name}) {state} 1 4242 4242 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 4096 1 18446744073709551615"


@pytest.mark.parametrize("name", ["etcd", "a b", "kube-(proxy)", ") R 1 2 3"])
def test_the_name_does_not_shift_the_fields(name: str) -> None:
    assert parse_stat(STAT.format(name=name, state="S")) == ("S", 987654)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    made = Registry(tmp_path, tmp_path / "logs")
    yield made
    made.stop(made.all(), grace_s=0)


def test_a_started_process_is_found_by_the_next_command(registry: Registry, tmp_path: Path) -> None:
    registry.start("sleeper", ["sleep", "60"])
    again = Registry(tmp_path, tmp_path / "logs")
    assert again.dead() == []
    assert again.all()["sleeper"] == identify(again.all()["sleeper"].pid)


def test_a_stopped_process_is_gone(registry: Registry) -> None:
    registry.start("sleeper", ["sleep", "60"])
    registry.stop(["sleeper"], grace_s=5)
    assert registry.dead() == ["sleeper"]


def test_one_that_ignores_the_request_is_killed(registry: Registry, tmp_path: Path) -> None:
    deaf = f"trap '' TERM; touch {tmp_path}/deaf; while :; do sleep 0.1; done"
    registry.start("deaf", ["sh", "-c", deaf])
    while not (tmp_path / "deaf").exists():
        os.sched_yield()
    registry.stop(["deaf"], grace_s=0.1)
    assert registry.dead() == ["deaf"]


def test_only_the_named_are_stopped(registry: Registry) -> None:
    registry.start("one", ["sleep", "60"])
    registry.start("other", ["sleep", "60"])
    registry.stop(["one"], grace_s=5)
    assert registry.dead() == ["one"]


def test_a_process_gets_nothing_of_the_callers_environment(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    registry.start("printer", ["sh", "-c", "env > found.tmp; mv found.tmp found; sleep 60"])
    while not (tmp_path / "found").exists():
        os.sched_yield()
    assert "PROXY" not in (tmp_path / "found").read_text()


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(lambda identity: replace(identity, started=identity.started - 1), id="pid used again"),
        pytest.param(lambda identity: replace(identity, boot="another"), id="after a reboot"),
    ],
)
def test_another_process_with_the_pid_lives_on(registry: Registry, changed: object) -> None:
    registry.start("sleeper", ["sleep", "60"])
    identity = registry.all()["sleeper"]
    assert callable(changed)
    stale: Identity = changed(identity)
    assert not stale.is_alive()
    end([stale], signal.SIGKILL, wait_s=0)
    assert identity.is_alive()


def test_a_pid_that_nobody_has() -> None:
    assert identify(2**22 + 1) is None

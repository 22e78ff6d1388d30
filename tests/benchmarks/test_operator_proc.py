"""What /proc tells of a process, in texts as it writes them and of real processes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.operator.clock import now_s
from benchmarks.operator.proc import (
    TICKS_A_SECOND,
    find_container,
    parse_memory,
    parse_times,
    read_memory,
    read_times,
    wait_for_end,
)

STATUS = "Name:\tpython\nVmPeak:\t  690540 kB\nVmHWM:\t   95653 kB\nVmRSS:\t   71942 kB\nThreads:\t4\n"
STAT = "{pid} ({name}) S 1 7 7 0 -1 4194560 9 0 0 0 {user} {kernel} 0 0 20 0 4 0 {started} 700 900 184 1 1 0"
POD = "/kubepods/burstable/pod5b2e8f0a"


def test_memory_is_in_bytes() -> None:
    memory = parse_memory(STATUS)
    assert (memory.rss_bytes, memory.peak_bytes) == (71942 * 1024, 95653 * 1024)


def test_times_are_found_behind_a_name_with_spaces_and_parentheses() -> None:
    times = parse_times(STAT.format(pid=7, name="a (b) c", user=300, kernel=50, started=1200))
    assert (times.cpu_s, times.started_s) == (350 / TICKS_A_SECOND, 1200 / TICKS_A_SECOND)


def test_this_process_has_started_before_now_and_has_a_peak() -> None:
    times, memory = read_times(os.getpid()), read_memory(os.getpid())
    assert 0 < times.started_s < now_s()
    assert 0 < times.cpu_s < now_s() - times.started_s + time.process_time()
    assert 10_000_000 < memory.rss_bytes <= memory.peak_bytes


def _add_process(proc: Path, pid: int, group: str, *, started: int) -> None:
    folder = proc / str(pid)
    folder.mkdir()
    (folder / "cgroup").write_text(f"2:memory:{group}\n0::{group}\n")
    (folder / "stat").write_text(STAT.format(pid=pid, name="python", user=1, kernel=1, started=started))


def test_a_containers_process_is_the_oldest_in_its_control_group(tmp_path: Path) -> None:
    _add_process(tmp_path, 12, f"{POD}/c0ffee", started=900)
    _add_process(tmp_path, 9, f"{POD}/c0ffee", started=950)
    _add_process(tmp_path, 5, f"{POD}/decaf", started=100)
    (tmp_path / "13").mkdir()  # it has ended, and its files are gone
    assert find_container("c0ffee", tmp_path) == 12
    assert find_container("decaf", tmp_path) == 5


def test_a_container_of_another_machine_has_no_process_here(tmp_path: Path) -> None:
    _add_process(tmp_path, 12, "/", started=900)
    assert find_container("c0ffee", tmp_path) is None


def test_the_end_of_a_process_is_waited_for() -> None:
    async def wait() -> None:
        with subprocess.Popen([sys.executable, "-IS", "-c", "input()"], stdin=subprocess.PIPE) as process:
            waiting = asyncio.create_task(wait_for_end(process.pid))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            assert process.stdin
            process.stdin.close()
            await asyncio.wait_for(waiting, 5)
        await asyncio.wait_for(wait_for_end(process.pid), 5)  # one that is gone already

    asyncio.run(wait())

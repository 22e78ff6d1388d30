"""A process of this machine, as /proc tells of it (proc(5))."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Memory:
    """Resident memory of a process.

    Attributes:
        rss_bytes: now.
        peak_bytes: at most since its start.
    """

    rss_bytes: int
    peak_bytes: int


@dataclass(frozen=True)
class Times:
    """Times of a process.

    Attributes:
        cpu_s: what it has spent, in user and kernel mode.
        started_s: its start, in seconds since the machine's.
    """

    cpu_s: float
    started_s: float


def parse_memory(status: str) -> Memory:
    """Read the text of /proc/PID/status."""
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return Memory(*(1024 * int(fields[name].split()[0]) for name in ("VmRSS", "VmHWM")))


def parse_times(stat: str) -> Times:
    """Read the text of /proc/PID/stat, of which the second field, the name, may hold spaces and parentheses."""
    fields = stat[stat.rindex(")") + 2 :].split()
    user, kernel, started = (int(fields[number - 3]) for number in (14, 15, 22))
    return Times((user + kernel) / TICKS_A_SECOND, started / TICKS_A_SECOND)


def read_memory(pid: int) -> Memory:
    """Read the memory of a process that runs."""
    return parse_memory((PROC / str(pid) / "status").read_text())


def read_times(pid: int) -> Times:
    """Read the times of a process that runs."""
    return parse_times((PROC / str(pid) / "stat").read_text())


def find_container(container_id: str, proc: Path = PROC) -> int | None:
    """Return the first process of a container of this machine: the oldest in the control group of that name."""
    folders = [file.parent for file in proc.glob("[0-9]*/cgroup") if container_id in _read(file)]
    stats = {int(folder.name): _read(folder / "stat") for folder in folders}
    started = {pid: parse_times(stat).started_s for pid, stat in stats.items() if stat}
    return min(started, key=lambda pid: (started[pid], pid), default=None)


async def wait_for_end(pid: int) -> None:
    """Wait until a process has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _read(file: Path) -> str:
    """Read a file of /proc; nothing of a process that has ended meanwhile."""
    try:
        return file.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""

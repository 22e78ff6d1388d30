"""Processes that outlive the command which starts them: known by pid and start time, ended by nothing else."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from cluster.prerequisites import SYSTEM_PATH

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Identity:
    """One process for good: pids are used again, but not with the same start time in the same boot.

    Attributes:
        pid: Process id.
        started: Clock ticks between boot and start, field 22 of /proc/<pid>/stat (proc(5)).
        boot: The kernel's random name of this boot.
    """

    pid: int
    started: int
    boot: str

    def is_alive(self) -> bool:
        """True while that very process runs; a zombie does not."""
        return identify(self.pid) == self


def parse_stat(stat: str) -> tuple[str, int]:
    """State letter and start time from the text of /proc/<pid>/stat.

    The second field is the command's name in parentheses, which may hold spaces and parentheses: count from its end.
    """
    fields = stat[stat.rindex(")") + 2 :].split()
    return fields[0], int(fields[19])


def identify(pid: int) -> Identity | None:
    """The process that has `pid` now; None when there is none, or one that has ended and waits for its parent."""
    try:
        state, started = parse_stat(Path(f"/proc/{pid}/stat").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in "ZX" else Identity(pid=pid, started=started, boot=_BOOT_ID.read_text().strip())


class Registry:
    """The processes of the cluster, by name, in a file that survives this command."""

    def __init__(self, folder: Path, logs: Path) -> None:
        self._file = folder / "processes.json"
        self._folder = folder
        self._logs = logs
        self._children: list[subprocess.Popen[bytes]] = []

    def all(self) -> dict[str, Identity]:
        """Every recorded process, dead or alive, in the order of their start."""
        if not self._file.exists():
            return {}
        return {name: Identity(**identity) for name, identity in json.loads(self._file.read_text()).items()}

    def dead(self) -> list[str]:
        """Names of recorded processes that no longer run."""
        return [name for name, identity in self.all().items() if not identity.is_alive()]

    def start(self, name: str, argv: list[str], *, path: Iterable[Path] = ()) -> None:
        """Start a process in a session of its own and record it.

        It gets none of this command's environment: a proxy or an AWS variable of the caller would change the cluster.
        """
        environment = {"PATH": ":".join([*map(str, path), SYSTEM_PATH]), "HOME": str(self._folder)}
        self._logs.mkdir(parents=True, exist_ok=True)
        with (self._logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self._folder,
                start_new_session=True,
            )
        self._children.append(process)
        identity = identify(process.pid)
        if identity:  # else it has ended already, and the wait for its readiness will say so
            self._record({**self.all(), name: identity})

    def stop(self, names: Iterable[str], *, grace_s: float) -> None:
        """SIGTERM, and SIGKILL to those that still run after `grace_s`; returns when all are gone."""
        running = [identity for name, identity in self.all().items() if name in set(names)]
        end(running, signal.SIGTERM, wait_s=grace_s)
        end(running, signal.SIGKILL, wait_s=5.0)
        for child in self._children:
            child.poll()  # those that this command has started itself would stay zombies until its end

    def _record(self, identities: Mapping[str, Identity]) -> None:
        draft = self._file.with_suffix(".tmp")
        draft.write_text(json.dumps({name: asdict(identity) for name, identity in identities.items()}, indent=1))
        draft.replace(self._file)


def end(identities: Iterable[Identity], number: signal.Signals, *, wait_s: float) -> None:
    """Send a signal to those that still are who they were, and wait up to `wait_s` for them to go."""
    alive = [identity for identity in identities if identity.is_alive()]
    for identity in alive:
        try:
            os.kill(identity.pid, number)
        except ProcessLookupError:
            continue
    deadline = time.monotonic() + wait_s
    while any(identity.is_alive() for identity in alive) and time.monotonic() < deadline:
        time.sleep(0.02)

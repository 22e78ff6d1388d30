"""The machine a run took place on, as its reports name it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """What decides the figures.

    Attributes:
        cpu: the model's name.
        cores: those this process may use.
        gpu: the product's name; empty: none.
        torch: version; empty: not installed.
        python: version.
    """

    cpu: str
    cores: int
    gpu: str
    torch: str
    python: str

    def __str__(self) -> str:
        """Name it in one line."""
        torch = f"torch {self.torch}" if self.torch else "no torch"
        cores = f"{self.cores} core{'s' if self.cores != 1 else ''}"
        return f"{self.cpu}, {cores}, {self.gpu or 'no GPU'}, {torch}, Python {self.python}"


def describe_machine(gpu: str) -> Machine:
    """Describe this machine; `gpu` is the GPU's name or empty."""
    cpu = parse_cpu_model(Path("/proc/cpuinfo").read_text(errors="replace")) or platform.machine()
    try:
        # Not torch.__version__: importing it would take a GPU's memory that is to be measured.
        torch = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        torch = ""
    return Machine(cpu, len(os.sched_getaffinity(0)), gpu, torch, platform.python_version())


def parse_cpu_model(cpuinfo: str) -> str:
    """Return the model's name in the text of /proc/cpuinfo, or nothing."""
    lines = (line.partition(":") for line in cpuinfo.splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == "model name"), "")

"""The node's GPUs: what the container runtime does for each, as CDI specifications, and the plugin that offers them.

Two kinds, by the variable GPUS: `advertised` (the default) are counted by the scheduler and have no device behind them,
so that every machine is the same cluster; `real` are those of this machine's NVIDIA driver.
"""

import json
import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cluster.cache import Cache
from cluster.errors import ClusterError
from cluster.processes import Registry

RESOURCE = "nvidia.com/gpu"
_ADVERTISED = 16
"""More than a machine's pods of tests at one time: what waits for a GPU in a test asks for more than any node has."""
# Where a machine has the driver whose libraries the linker's cache does not name.
_DRIVER_LIBRARIES = "/usr/local/nvidia/lib64"


def are_real_wanted() -> bool | None:
    """What GPUS asks for; None where it is not set, and whatever runs will do.

    Raises:
        ClusterError: it has another value.
    """
    wanted = os.environ.get("GPUS", "")
    if wanted not in ("", "advertised", "real"):
        raise ClusterError(f"GPUS is {wanted!r}: say advertised, or real on a machine with an NVIDIA driver.")
    return wanted == "real" if wanted else None


def are_real(cache: Cache) -> bool:
    """True when the cluster has this machine's GPUs: then device nodes come with them."""
    return any("deviceNodes" in device["containerEdits"] for device in _devices(cache))


def count(cache: Cache) -> int:
    """How many GPUs the node has to have: those of the specification, which has one name for each."""
    return len(_devices(cache))


def describe_gpus(cache: Cache, *, real: bool) -> str:
    """The specification, JSON.

    Raises:
        ClusterError: this machine's real GPUs cannot be described.
    """
    return _ask_driver(cache) if real else json.dumps(advertised_specification(), indent=1)


def advertised_specification() -> dict[str, Any]:
    """Devices that do nothing to a container but tell it which of them it has, in a variable."""
    edits = [{"env": [f"GPU_{number}=advertised"]} for number in range(_ADVERTISED)]
    devices = [{"name": str(number), "containerEdits": edit} for number, edit in enumerate(edits)]
    return {"cdiVersion": "0.6.0", "kind": RESOURCE, "devices": devices}


def write_specification(cache: Cache, specification: str) -> None:
    """Put it where containerd and the plugin look, which is not the machine's own /etc/cdi or /run/cdi."""
    cache.cdi.mkdir(parents=True)
    _file(cache).write_text(specification)


def start_device_plugin(cache: Cache, registry: Registry) -> None:
    """Start the plugin; the kubelet finds it by its socket, whichever of the two is there first."""
    folders = [str(cache.cdi), str(cache.cluster / "kubelet" / "plugins_registry")]
    registry.start("device-plugin", [str(cache.bin / "device-plugin"), RESOURCE, *folders])


def _ask_driver(cache: Cache) -> str:
    """By NVIDIA's tool; one name a GPU, its UUID, or the plugin would offer it more than once.

    Into a folder, as the tool may write further files, of the same GPUs under other kinds.
    """
    before = os.environ.get("LD_LIBRARY_PATH", "")
    with TemporaryDirectory() as folder:
        file = Path(folder, "gpus.json")
        done = subprocess.run(
            [
                *(str(cache.bin / "nvidia-ctk"), "cdi", "generate", f"--output={file}", "--no-all-device"),
                *("--device-name-strategy=uuid", f"--nvidia-cdi-hook-path={cache.bin / 'nvidia-cdi-hook'}"),
                f"--library-search-path={_DRIVER_LIBRARIES}",
            ],
            env={**os.environ, "LD_LIBRARY_PATH": f"{_DRIVER_LIBRARIES}:{before}".strip(":")},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
            raise ClusterError(f"This machine's GPUs cannot be described, does nvidia-smi work? nvidia-ctk: {last}")
        specification = file.read_text()
    if not json.loads(specification).get("devices"):
        raise ClusterError("This machine's driver knows no GPU: does nvidia-smi list one?")
    return specification


def _file(cache: Cache) -> Path:
    return cache.cdi / "gpus.json"


def _devices(cache: Cache) -> list[dict[str, Any]]:
    file = _file(cache)
    devices: list[dict[str, Any]] = json.loads(file.read_text())["devices"] if file.exists() else []
    return devices

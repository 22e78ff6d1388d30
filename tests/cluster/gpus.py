"""The node's GPUs: what the container runtime does for each, as CDI specifications, and the plugin that offers them.

Two kinds, by the variable GPUS: `advertised` (the default) are counted by the scheduler and have no device behind them,
so that every machine is the same cluster; `real` are those of this machine's NVIDIA driver.
"""

import json
import os
import subprocess
from pathlib import Path

from cluster.cache import Cache
from cluster.errors import ClusterError
from cluster.processes import Registry

RESOURCE = "nvidia.com/gpu"
_ADVERTISED = 2
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
    """True when the running cluster has this machine's GPUs."""
    return _specification(cache, real=True).exists()


def write_specification(cache: Cache, *, real: bool) -> None:
    """Write what containerd and the plugin read, not in the machine's own /etc/cdi and /run/cdi."""
    file = _specification(cache, real=real)
    file.parent.mkdir(parents=True)
    if real:
        _generate(cache, file)
    else:
        file.write_text(json.dumps(advertised_specification(), indent=1))


def advertised_specification() -> dict[str, object]:
    """Devices that do nothing to a container but tell it which of them it has, in a variable."""
    edits = [{"env": [f"GPU_{number}=advertised"]} for number in range(_ADVERTISED)]
    devices = [{"name": str(number), "containerEdits": edit} for number, edit in enumerate(edits)]
    return {"cdiVersion": "0.6.0", "kind": RESOURCE, "devices": devices}


def start_device_plugin(cache: Cache, registry: Registry) -> None:
    """Start the plugin; the kubelet finds it by its socket, whichever of the two is there first."""
    folders = [str(cache.cdi), str(cache.cluster / "kubelet" / "plugins_registry")]
    registry.start("device-plugin", [str(cache.bin / "device-plugin"), RESOURCE, *folders])


def count(cache: Cache) -> int:
    """How many GPUs the node has to have: those of the specification, which has one name for each."""
    return sum(len(json.loads(file.read_text())["devices"]) for file in cache.cdi.glob("*.json"))


def _specification(cache: Cache, *, real: bool) -> Path:
    return cache.cdi / f"{'real' if real else 'advertised'}.json"


def _generate(cache: Cache, file: Path) -> None:
    """Ask NVIDIA's tool, which asks the driver."""
    before = os.environ.get("LD_LIBRARY_PATH", "")
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
    if done.returncode != 0 or not file.exists():
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise ClusterError(f"This machine's GPUs cannot be described, does `nvidia-smi` work? nvidia-ctk said: {last}")

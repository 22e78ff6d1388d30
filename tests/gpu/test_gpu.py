"""A real GPU of a real node: given to the pods that ask for it, to no others, and used by both engines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bucket import Bucket
from kubectl import Kubectl
from scenes import made_scene
from sogs_worker.formats import read_scene

pytestmark = [pytest.mark.e2e, pytest.mark.gpu]
Build = Callable[..., dict[str, Any]]

SPLATS = 30_000
# A new node reads gigabytes of libraries from its disk.
START_S = 180
# The kernels of the engine sogs are compiled in its pod: a minute.
COMPILE_S = 300
NAMES = "import torch; n = torch.cuda.device_count(); print([torch.cuda.get_device_name(i) for i in range(n)])"


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene that both engines compress in seconds."""
    return made_scene(tmp_path_factory.mktemp("scenes") / "knot.ply", SPLATS)


def start_python(kubectl: Kubectl, name: str, code: str, *, gpus: int) -> None:
    """Run a line of Python in the worker's image, as restricted as the operator's Jobs."""
    (operator,) = kubectl.list("deployments", "--all-namespaces", "-l", "app.kubernetes.io/name=splat-operator")
    environment = operator["spec"]["template"]["spec"]["containers"][0]["env"]
    container = {
        "name": "python",
        "image": next(variable["value"] for variable in environment if variable["name"] == "SPLATS_WORKER_IMAGE"),
        # A pod that fails would be waited for in vain.
        "command": ["sh", "-c", 'python3 -c "$0" || echo failed', code],
        "resources": {"limits": {"nvidia.com/gpu": gpus} if gpus else {}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }
    security = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"restartPolicy": "Never", "securityContext": security, "containers": [container]}
    kubectl.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})


def output_of(kubectl: Kubectl, name: str) -> str:
    """The last line that the pod printed."""
    kubectl.wait("pod", name, "jsonpath={.status.phase}=Succeeded", START_S)
    return kubectl.run("logs", name).splitlines()[-1]


def test_a_pod_sees_the_gpus_it_asks_for_and_no_others(gpu_name: str, kubectl: Kubectl) -> None:
    start_python(kubectl, "one", NAMES, gpus=1)
    start_python(kubectl, "none", NAMES, gpus=0)
    assert output_of(kubectl, "one") == str([gpu_name])
    assert output_of(kubectl, "none") == "[]"


@pytest.mark.parametrize("engine", ["native", "sogs"])
def test_an_engine_compresses_on_the_gpu(
    gpu_name: str, kubectl: Kubectl, bucket: Bucket, compression: Build, scene: Path, tmp_path: Path, engine: str
) -> None:
    source = bucket.put("knot.ply", scene)
    kubectl.apply(compression("knot", source, encoder={"engine": engine}, retries=0))
    kubectl.wait("splat", "knot", "condition=Reconciling=false", COMPILE_S)
    status = kubectl.get("splat", "knot")["status"]
    assert status["phase"] == "Succeeded", status["conditions"]
    shown = {name: status[name] for name in ("phase", "engine", "device", "splats", "outputBytes", "compressionRatio")}
    print(f"{engine} on {gpu_name}: {json.dumps(shown)}")
    assert (status["engine"], status["device"]) == (engine, gpu_name)

    (output,) = status["outputs"]
    bundle = bucket.fetch(output["uri"], tmp_path / "knot.sog")
    assert hashlib.sha256(bundle.read_bytes()).hexdigest() == output["sha256"]
    assert len(read_scene(bundle)) == status["splats"] > 0.9 * SPLATS
    assert status["compressionRatio"] > 3

    (pod,) = kubectl.list("pods")
    (container,) = pod["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not container["securityContext"].get("privileged")
    assert not pod["spec"].get("hostNetwork")
    assert not [volume for volume in pod["spec"]["volumes"] if "hostPath" in volume]

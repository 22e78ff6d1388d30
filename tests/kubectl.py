"""kubectl as the tests' eyes and hands: what a user would type, and waits for conditions instead of sleeping."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TIMEOUT_S = 180


@dataclass(frozen=True)
class Kubectl:
    """kubectl with an environment and a namespace.

    Attributes:
        environment: of its processes; has PATH and KUBECONFIG.
        namespace: that all calls are for.
    """

    environment: Mapping[str, str]
    namespace: str

    def run(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """Return what kubectl prints.

        Raises:
            KubectlError: with what it printed on standard error, if it fails and `check` is set.
        """
        command = ["kubectl", "--namespace", self.namespace, *arguments]
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, check=False, env=dict(self.environment)
        )
        if check and done.returncode:
            raise KubectlError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def apply(self, manifest: Mapping[str, Any]) -> None:
        """Apply one object."""
        self.run("apply", "-f", "-", stdin=json.dumps(manifest))

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Read one object."""
        found: dict[str, Any] = json.loads(self.run("get", kind, name, "-o", "json"))
        return found

    def list(self, kind: str, *arguments: str) -> list[dict[str, Any]]:
        """Read all objects of a kind."""
        found: list[dict[str, Any]] = json.loads(self.run("get", kind, "-o", "json", *arguments))["items"]
        return found

    def wait(self, kind: str, name: str, condition: str, timeout_s: int = TIMEOUT_S) -> None:
        """Wait for a condition, `kubectl wait --for`'s words; say how the object looked when it did not come."""
        try:
            self.run("wait", f"{kind}/{name}", f"--for={condition}", f"--timeout={timeout_s}s")
        except KubectlError as error:
            raise KubectlError(f"{error}\n{self.run('describe', kind, name, check=False)}") from error

    def finish(self, name: str, phase: str = "Succeeded") -> dict[str, Any]:
        """Wait until a SplatCompression is in a phase, and read it."""
        self.wait("splat", name, f"jsonpath={{.status.phase}}={phase}")
        return self.get("splat", name)


class KubectlError(Exception):
    """kubectl refused, or what was waited for did not come."""


def secret(name: str, access_key: str, secret_key: str) -> dict[str, Any]:
    """Build a Secret with S3 credentials."""
    data = {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}

"""kubectl as the tests' eyes and hands: what a user would type, and waits for conditions instead of sleeping."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
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

    def patch(self, kind: str, name: str, changes: Mapping[str, Any]) -> None:
        """Apply a JSON merge patch."""
        self.run("patch", kind, name, "--type=merge", "--patch", json.dumps(changes))

    def delete(self, kind: str, name: str, *arguments: str, timeout_s: int = 60) -> None:
        """Delete one object and wait until it is gone."""
        self.run("delete", kind, name, f"--timeout={timeout_s}s", *arguments)

    def evict(self, pod: str) -> None:
        """End a pod as the drain of its node would."""
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod}/eviction"
        self.run("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))

    def wait(self, kind: str, name: str, condition: str, timeout_s: int = TIMEOUT_S) -> None:
        """Wait for a condition, `kubectl wait --for`'s words; say how the object looked when it did not come."""
        try:
            self.run("wait", f"{kind}/{name}", f"--for={condition}", f"--timeout={timeout_s}s")
        except KubectlError as error:
            raise KubectlError(f"{error}\n{self.run('describe', kind, name, check=False)}") from error

    def wait_for_definition(self, name: str) -> None:
        """Wait until a CustomResourceDefinition can be used.

        One that was just made has `conditions: null`, on which `kubectl wait` for a condition gives up.
        """
        self.wait("crd", name, f"jsonpath={{.status.acceptedNames.plural}}={name.split('.')[0]}")
        self.wait("crd", name, "condition=Established")

    def finish(self, name: str, phase: str = "Succeeded", timeout_s: int = TIMEOUT_S) -> dict[str, Any]:
        """Wait until a SplatCompression is in a phase, and read it."""
        self.wait("splat", name, f"jsonpath={{.status.phase}}={phase}", timeout_s)
        return self.get("splat", name)

    def wait_for_reason(self, name: str, reason: str) -> dict[str, Any]:
        """Wait until that is the reason why a SplatCompression is ready or not, and read it."""
        self.wait("splat", name, f'jsonpath={{.status.conditions[?(@.type=="Ready")].reason}}={reason}')
        return self.get("splat", name)

    def wait_for_words(self, name: str, words: str) -> dict[str, Any]:
        """Wait until the sentence about why a SplatCompression is ready or not holds the words, and read it."""
        give_up_at = time.monotonic() + TIMEOUT_S
        while words not in condition(resource := self.get("splat", name))["message"]:
            if time.monotonic() > give_up_at:
                raise KubectlError(f"{words!r} did not come:\n{self.run('describe', 'splat', name)}")
            time.sleep(0.2)
        return resource

    def reasons(self, name: str) -> Counter[str]:
        """Count the Events of a SplatCompression by their reasons."""
        events = [event for event in self.list("events") if event["involvedObject"]["name"] == name]
        return Counter(event["reason"] for event in events for _ in range(event.get("count", 1)))


class KubectlError(Exception):
    """kubectl refused, or what was waited for did not come."""


def condition(resource: Mapping[str, Any], kind: str = "Ready") -> dict[str, Any]:
    """Find a condition in the status of a SplatCompression."""
    found: dict[str, Any] = next(each for each in resource["status"]["conditions"] if each["type"] == kind)
    return found


def secret(name: str, access_key: str, secret_key: str) -> dict[str, Any]:
    """Build a Secret with S3 credentials."""
    data = {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}

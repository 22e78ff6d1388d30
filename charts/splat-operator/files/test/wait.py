"""The pod of `helm test`: waits until the SplatCompression of the test has ended, and says what became of it."""

import os
import sys
import time

from kubernetes import client, config

POLL_S = 1.0


def main() -> int:
    """Return 0 if it succeeded, 1 if it failed or did not end in time."""
    namespace, name = os.environ["NAMESPACE"], os.environ["NAME"]
    config.load_incluster_config()
    api = client.CustomObjectsApi()
    give_up_at = time.monotonic() + float(os.environ["TIMEOUT_SECONDS"])
    while True:
        resource = api.get_namespaced_custom_object("splats.dev", "v1alpha1", namespace, "splatcompressions", name)
        conditions = {each["type"]: each for each in resource.get("status", {}).get("conditions", [])}
        if is_true(conditions, "Ready"):
            print(f"{namespace}/{name} succeeded: {conditions['Ready']['message']}")
            return 0
        if is_true(conditions, "Stalled"):
            print(f"{namespace}/{name} failed: {conditions['Stalled']['message']}")
            return 1
        if time.monotonic() > give_up_at:
            print(f"{namespace}/{name} has not ended within {os.environ['TIMEOUT_SECONDS']} s: {progress(conditions)}")
            return 1
        time.sleep(POLL_S)


def is_true(conditions: dict[str, dict[str, str]], kind: str) -> bool:
    """Whether there is such a condition and it holds."""
    return conditions.get(kind, {}).get("status") == "True"


def progress(conditions: dict[str, dict[str, str]]) -> str:
    """Say what it waits for."""
    if "Ready" in conditions:
        return conditions["Ready"]["message"]
    return "the operator has not looked at it; see the operator's log, and whether it serves this namespace"


if __name__ == "__main__":
    sys.exit(main())

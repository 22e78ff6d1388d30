"""What the chart's ValidatingAdmissionPolicy refuses on a real API server, beside what the operator would refuse."""

from __future__ import annotations

import json
import random
import secrets
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client import ApiException

from chart.helm import Helm, of_kind
from crd.refusals import SMALLEST
from crd.schema import merged
from restricted_pods import CASES as PODS
from restricted_pods import edited, random_edits
from splat_operator.api.environment import read_settings
from splat_operator.api.model import Key
from splat_operator.api.settings import Settings
from splat_operator.api.spec import parse_spec
from splat_operator.decide.policies.permission import forbidden_place, forbidden_pod
from splat_operator.manifests.job import build_job
from splat_operator.manifests.merge import MergeError

pytestmark = pytest.mark.e2e

Json = dict[str, Any]
CONTROLLER = "test.splats.dev/policy"
VALUES: Json = {
    "controllerName": CONTROLLER,
    "allowed": {
        "sources": ["s3://scenes/", "https://example.com/a\"b'c\\d/"],
        "destinations": ["s3://scenes/compressed/"],
        "endpoints": ["https://s3.example:8333", "http://minio:9000/"],
        "images": ["registry.example/team/", "registry.example:5000/tool"],
        "serviceAccounts": ["reader"],
    },
    "worker": {"s3": {"endpoint": "https://s3.example:8333"}},
}
BEFORE = "before"
"""Name of a resource that was there before the policy."""
SEEDS = range(120)
PATIENCE_S = 30.0


@dataclass(frozen=True)
class Policy:
    """An installed policy: asks the API server about specs, and the operator with the same values."""

    api: client.CustomObjectsApi
    namespace: str
    settings: Settings

    @property
    def place(self) -> tuple[str, str, str, str]:
        """Where its resources are, for the client."""
        return ("splats.dev", "v1alpha1", self.namespace, "splatcompressions")

    def body(self, spec: Json) -> Json:
        return merged(SMALLEST, {"spec": {"managedBy": CONTROLLER, **spec}})

    def refusal(self, spec: Json) -> str:
        """What the API server says against a resource with this spec, empty where it takes it."""
        try:
            self.api.create_namespaced_custom_object(
                *self.place, self.body(spec), dry_run="All", field_validation="Strict"
            )
        except ApiException as error:
            return str(json.loads(error.body)["message"])
        return ""

    def operators(self, spec: Json) -> str:
        """What the operator says against it."""
        parsed = parse_spec(self.body(spec)["spec"])
        if refusal := forbidden_place(parsed, self.settings):
            return refusal.message
        try:
            job = build_job(spec=parsed, key=Key(self.namespace, "garden"), uid="uid", settings=self.settings)
        except MergeError as error:
            return str(error)
        refusal = forbidden_pod(job["spec"]["template"], self.settings)
        return refusal.message if refusal else ""


def _kubectl(environment: dict[str, str], *arguments: str, manifest: str = "") -> None:
    command = ["kubectl", *arguments]
    answer = subprocess.run(command, env=environment, input=manifest, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr


@pytest.fixture(scope="module")
def policy(
    helm: Helm,
    environment: dict[str, str],
    api_client: client.ApiClient,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Policy]:
    name = f"policy-{secrets.token_hex(4)}"
    values = tmp_path_factory.mktemp("policy") / "values.json"
    values.write_text(json.dumps({**VALUES, "watchNamespaces": [name]}))
    options = ("--values", str(values), "--set", "crds.enabled=false")
    manifest = helm.template(*options, "--show-only", "templates/admissionpolicy.yaml", release=name, namespace=name)
    (deployment,) = of_kind(helm.objects(*options, release=name, namespace=name), "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    settings = read_settings({each["name"]: each.get("value", "a-pod") for each in container["env"]})
    _kubectl(environment, "create", "namespace", name)
    try:
        made = Policy(client.CustomObjectsApi(api_client), name, settings)
        before = merged(made.body({"image": "evil:1"}), {"metadata": {"name": BEFORE}})
        made.api.create_namespaced_custom_object(*made.place, before)
        _kubectl(environment, "apply", "-f", "-", manifest=manifest)
        _wait_until_enforced(made)
        yield made
    finally:
        _kubectl(environment, "delete", "--ignore-not-found", "-f", "-", manifest=manifest)
        _kubectl(environment, "delete", "namespace", name, "--wait=false")


def _wait_until_enforced(policy: Policy) -> None:
    """The API server takes a policy up a moment after it is made."""
    deadline = time.monotonic() + PATIENCE_S
    while not policy.refusal({"serviceAccountName": "root"}):
        assert time.monotonic() < deadline, "the policy refuses nothing"
        time.sleep(0.2)


ASK = "correct it or ask the cluster's administrator."
REFUSED: dict[str, tuple[Json, str]] = {
    "bucket": (
        {"source": {"uri": "s3://others/garden.ply"}},
        "spec.source.uri s3://others/garden.ply is not allowed here: it must be below s3://scenes/ or https://",
    ),
    "query": (
        {"source": {"uri": "https://evil.example/a.ply?token=1"}},
        "spec.source.uri https://evil.example/a.ply is",
    ),
    "dots": ({"source": {"uri": "s3://scenes/../secret/garden.ply"}}, "spec.source.uri s3://scenes/../secret"),
    "prefix": (
        {"destination": {"uri": "s3://scenes/"}},
        f"spec.destination.uri s3://scenes/ is not allowed here: it must be below s3://scenes/compressed/; {ASK}",
    ),
    "endpoint": (
        {"s3": {"endpoint": "http://evil.example"}},
        f"an S3 endpoint of spec is not allowed here: it must be https://s3.example:8333 or http://minio:9000; {ASK}",
    ),
    "endpoint of one side": ({"source": {"s3": {"endpoint": "http://evil.example"}}}, "an S3 endpoint"),
    "no endpoint beside the default": ({"s3": {"region": "eu-west-1"}}, "an S3 endpoint"),
    "image": ({"image": "evil:1"}, "an image of spec is not allowed here: it must be of registry.example/team/ or"),
    "image of a like name": ({"image": "registry.example:5000/toolbox"}, "an image of spec"),
    "image of a container": ({"podTemplate": {"spec": {"containers": [{"name": "a", "image": "evil"}]}}}, "an image"),
    "image of an init container": (
        {"podTemplate": {"spec": {"initContainers": [{"name": "a", "image": "evil"}]}}},
        "an image",
    ),
    "image of a volume": (
        {"podTemplate": {"spec": {"volumes": [{"name": "a", "image": {"reference": "evil"}}]}}},
        "an image",
    ),
    "account": (
        {"serviceAccountName": "root"},
        f"a service account of spec is not allowed here: it must be reader; {ASK}",
    ),
    "account of the template": ({"podTemplate": {"spec": {"serviceAccountName": "root"}}}, "a service account"),
    "account by its old name": ({"podTemplate": {"spec": {"serviceAccount": "root"}}}, "a service account"),
    "host network": (
        {"podTemplate": {"spec": {"hostNetwork": True}}},
        "spec.podTemplate leaves the Pod Security profile restricted: hostNetwork, hostPID and hostIPC must not be",
    ),
    "host path": ({"podTemplate": {"spec": {"volumes": [{"name": "a", "hostPath": {"path": "/"}}]}}}, "volumes may be"),
    "privileged": (
        {"podTemplate": {"spec": {"containers": [{"name": "worker", "securityContext": {"privileged": True}}]}}},
        "containers must not be privileged",
    ),
    "root": ({"podTemplate": {"spec": {"securityContext": {"runAsUser": 0}}}}, "runAsUser not 0"),
}
TAKEN: dict[str, Json] = {
    "nothing of its own": {},
    "the default endpoint by name": {"s3": {"endpoint": "https://s3.example:8333"}},
    "with a slash": {"s3": {"endpoint": "https://s3.example:8333/"}},
    "without a slash": {"s3": {"endpoint": "http://minio:9000"}},
    "volumes have no endpoint": {"source": {"uri": "s3://scenes/a.ply"}, "podTemplate": {}},
    "quotes in a place": {"source": {"uri": "https://example.com/a\"b'c\\d/garden.ply"}},
    "image below": {"image": "registry.example/team/a/b:1"},
    "image with a tag": {"image": "registry.example:5000/tool:1"},
    "image with a digest": {"image": f"registry.example:5000/tool@sha256:{'ab' * 32}"},
    "the namespace's own account": {"serviceAccountName": "default"},
    "account": {"serviceAccountName": "reader"},
    "null takes away": {"podTemplate": {"spec": {"volumes": [{"name": "a", "hostPath": None, "emptyDir": {}}]}}},
    "a merge's directive": {"podTemplate": {"spec": {"volumes": [{"name": "scratch", "$patch": "delete"}]}}},
}


@pytest.mark.parametrize("case", REFUSED)
def test_is_refused_by_both(policy: Policy, case: str) -> None:
    spec, words = REFUSED[case]
    assert words in policy.refusal(spec)
    assert policy.operators(spec)


@pytest.mark.parametrize("case", TAKEN)
def test_is_taken_by_both(policy: Policy, case: str) -> None:
    assert policy.refusal(TAKEN[case]) == ""
    assert policy.operators(TAKEN[case]) == ""


def test_what_it_refuses_of_pods_the_operator_refuses(policy: Policy) -> None:
    """It is no stricter; what it lets through the operator still judges."""
    templates = [case.spec for case in PODS.values()]
    templates += [edited(random_edits(random.Random(seed))) for seed in SEEDS]  # noqa: S311 - for tests
    both = 0
    for template in templates:
        spec = {"podTemplate": {"spec": _with_own_images(template)}}
        refusal, operators = policy.refusal(spec), policy.operators(spec)
        assert operators or "denied request" not in refusal, (template, refusal)
        both += bool(operators and "restricted" in refusal)
    assert both > len(templates) / 4


def _with_own_images(template: Json) -> Json:
    """So that the profile decides and not an image."""
    text = json.dumps(template)
    for image in ("worker:1", "setup:1"):
        text = text.replace(f'"{image}"', f'"registry.example/team/{image}"')
    return dict(json.loads(text))


def test_a_resource_from_before_may_be_labelled_and_deleted_but_gets_no_other_spec_like_it(policy: Policy) -> None:
    """The operator's finalizer, too, goes through."""
    policy.api.patch_namespaced_custom_object(*policy.place, BEFORE, {"metadata": {"labels": {"a": "b"}}})
    with pytest.raises(ApiException, match="an image of spec"):
        policy.api.patch_namespaced_custom_object(*policy.place, BEFORE, {"spec": {"retries": 5}})
    policy.api.delete_namespaced_custom_object(*policy.place, BEFORE)


def test_resources_of_another_release_are_not_its_to_judge(policy: Policy) -> None:
    foreign = merged(policy.body({"image": "evil:1"}), {"spec": {"managedBy": "test.splats.dev/another"}})
    policy.api.create_namespaced_custom_object(*policy.place, foreign, dry_run="All")

"""The real API server takes what the contract allows, with its defaults, and refuses the rest in one sentence."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from crd.refusals import MANAGER_STAYS, REFUSALS, SMALLEST, TWO_REFUSALS, Refusal
from crd.resources import NAMESPACE, Resources
from crd.schema import ROOT, merged, root_schema, walk

pytestmark = pytest.mark.e2e

DEFAULTS = {
    "s3": {"addressingStyle": "auto", "insecureSkipTLSVerify": False},
    "encoder": {"engine": "native", "format": "sog", "quality": "balanced", "shBands": 3, "seed": 0},
    "preview": False,
    "gpu": {"resourceName": "nvidia.com/gpu", "count": 1},
    "parallelism": 1,
    "suspend": False,
    "retries": 3,
    "ttlSecondsAfterFinished": 86400,
    "deletionPolicy": "Retain",
    "cache": "Use",
    "dryRun": False,
}

CONNECTION = {
    "endpoint": "https://s3.example:8333/path",
    "region": "eu-central-1",
    "addressingStyle": "path",
    "caSecretRef": {"name": "s3-ca"},
    "insecureSkipTLSVerify": False,
    "credentialsSecretRef": {"name": "s3-credentials"},
}
ENCRYPTION = {"serverSideEncryption": {"type": "aws:kms", "kmsKeyId": "arn:aws:kms:eu-central-1:111122223333:key/a"}}

# Every field, each with a value of its own.
EVERYTHING: dict[str, Any] = {
    "source": {
        "uri": "s3://scenes/a/b.c/",
        "s3": CONNECTION,
        "include": ["**/*.ply"],
        "exclude": ["a/[!b]?.*", "c/**"],
    },
    "destination": {"uri": "s3://other.bucket/gardens/", "names": "v2/{top} {stem}", "s3": CONNECTION | ENCRYPTION},
    "s3": CONNECTION | ENCRYPTION,
    "encoder": {
        "engine": "native",
        "format": "sog",
        "quality": "best",
        "shBands": 0,
        "seed": 4294967295,
        "target": {"maxSplats": "50%"},
    },
    "preview": True,
    "gpu": {"resourceName": "nvidia.com/mig-1g.10gb", "count": 3},
    "parallelism": 1000,
    "resources": {"requests": {"cpu": 2, "memory": "4Gi"}, "limits": {"memory": "8Gi", "ephemeral-storage": "1e9"}},
    "nodeSelector": {"gpu": "h100", "empty": ""},
    "tolerations": [
        {"operator": "Exists"},
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "spot", "value": "yes", "effect": "NoExecute", "tolerationSeconds": 60},
    ],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]
            }
        },
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 1, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname"}}
            ]
        },
    },
    "topologySpreadConstraints": [
        {
            "maxSkew": 1,
            "topologyKey": "zone",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"a": "b"}},
            "matchLabelKeys": ["a"],
            "nodeAffinityPolicy": "Honor",
            "nodeTaintsPolicy": "Ignore",
        }
    ],
    "priorityClassName": "batch",
    "runtimeClassName": "nvidia",
    "serviceAccountName": "encoder",
    "imagePullSecrets": [{"name": "registry"}],
    "image": "registry.example:5000/splat-worker@sha256:" + "0" * 64,
    "imagePullPolicy": "Always",
    "podTemplate": {"metadata": {"labels": {"team": "a"}}, "spec": {"containers": [{"name": "worker", "tty": True}]}},
    "queueName": "gpus",
    "managedBy": "splats.dev/splat-operator",
    "suspend": True,
    "retries": 0,
    "activeDeadlineSeconds": 3600,
    "pendingDeadlineSeconds": 600,
    "ttlSecondsAfterFinished": 0,
    "deletionPolicy": "Delete",
    "cache": "Ignore",
    "gate": {"minPSNR": 35.5, "maxSizeBytes": 50000000, "minRatio": 10},
    "dryRun": True,
}


def test_smallest_gets_the_defaults(resources: Resources) -> None:
    assert resources.create(SMALLEST)["spec"] == SMALLEST["spec"] | DEFAULTS


def test_everything_is_stored_as_it_is(resources: Resources) -> None:
    assert resources.create(SMALLEST | {"spec": EVERYTHING})["spec"] == EVERYTHING


TTL = "ttlSecondsAfterFinished"
PATHS = dict(walk(root_schema()))


@pytest.mark.parametrize(
    ("ttl", "stored"), [({}, 86400), ({TTL: 0}, 0), ({TTL: None}, None)], ids=["absent", "0", "null"]
)
def test_null_keeps_the_job_for_ever(
    resources: Resources, environment: dict[str, str], ttl: dict[str, Any], stored: int | None
) -> None:
    """A field left out has the default, and an explicit null is another value: when made and when changed."""
    assert resources.create(SMALLEST | {"spec": SMALLEST["spec"] | ttl})["spec"][TTL] == stored
    with applied(resources, environment, "--server-side") as apply:
        for spec in (ttl, {**ttl, "retries": 1}, {TTL: 60}, ttl):
            assert apply(spec)[TTL] == (60 if spec == {TTL: 60} else stored)


def test_client_side_apply_drops_a_null(resources: Resources, environment: dict[str, str]) -> None:
    """So kubectl does to each resource; the description names another value for it."""
    for_ever = PATHS[f"spec.{TTL}"]["maximum"]
    assert str(for_ever) in PATHS[f"spec.{TTL}"]["description"]
    with applied(resources, environment) as apply:
        assert apply({TTL: None})[TTL] == 86400
        assert apply({TTL: for_ever})[TTL] == for_ever


@contextmanager
def applied(
    resources: Resources, environment: dict[str, str], *how: str
) -> Iterator[Callable[[dict[str, Any]], dict[str, Any]]]:
    """Gives what `kubectl apply`s a resource and returns its spec then; the resource goes in the end."""

    def apply(changed: dict[str, Any]) -> dict[str, Any]:
        body = {**SMALLEST, "apiVersion": f"{resources.group}/v1alpha1", "spec": {**SMALLEST["spec"], **changed}}
        command = ["kubectl", "--namespace", NAMESPACE, "apply", *how, "--output=json", "--filename=-"]
        done = subprocess.run(
            command, env=environment, input=json.dumps(body), capture_output=True, text=True, check=True
        )
        return dict(json.loads(done.stdout)["spec"])

    try:
        yield apply
    finally:
        resources.delete(SMALLEST["metadata"]["name"])


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param({"metadata": {"name": "g" * 52}}, id="name of 52 characters"),
        pytest.param({"spec": {"source": {"sha256": "0123456789abcdef" * 4}}}, id="checksum"),
        pytest.param({"spec": {"destination": {"uri": "s3://scenes/garden.sog"}}}, id="exact key"),
        pytest.param({"spec": {"gpu": {"count": 0}}}, id="CPU"),
        pytest.param({"spec": {"gpu": {"resourceName": "nvidia.com/gpu.shared"}}}, id="shared GPU"),
        pytest.param({"spec": {"destination": {"uri": "s3://scenes/"}}}, id="the whole bucket as prefix"),
        pytest.param({"spec": {"source": {"uri": "s3://scenes/raw/"}}}, id="all scenes below a prefix"),
        pytest.param({"spec": {"source": {"uri": "s3://scenes/gardens.tar.gz"}}}, id="archive"),
        pytest.param({"spec": {"source": {"uri": "s3://scenes/garden.compressed.ply"}}}, id="compressed PLY"),
        *(
            pytest.param({"spec": {"source": {"uri": uri + suffix}}}, id=f"{uri}{suffix}")
            for suffix in ("ply", "spz", "splat", "ksplat", "glb", "sog")
            for uri in ("s3://scenes/garden.", "https://example.com/garden.")
        ),
        *(
            pytest.param({"spec": {"source": {"uri": uri, "include": ["*.ply"], "exclude": ["**/input.ply"]}}}, id=uri)
            for uri in (
                "s3://scenes/",
                "pvc://raw/runs/",
                "s3://scenes/a.tar.gz",
                "pvc://raw/A.ZIP",
                "https://a.b/c.tgz?d=/",
            )
        ),
        *(
            pytest.param({"spec": {"source": {"uri": "s3://scenes/", "include": [glob]}}}, id=glob)
            for glob in ("**", "a", "a b/[!c]*.ply", "**/a/**/b?.*", "ä/...", "a.zip/**", ".a/..b")
        ),
        *(
            pytest.param({"spec": {"destination": {"names": names}}}, id=names)
            for names in ("{path}", "{top}", "v2/{folder}-{stem}", "garden", "ä b", "a..b/{stem}.c")
        ),
        pytest.param({"spec": {"source": {"include": [], "exclude": []}}}, id="one scene and no globs"),
        pytest.param(
            {"spec": {"destination": {"uri": "s3://out/a.sog", "names": "{path}"}}}, id="one key and the default names"
        ),
        pytest.param(
            {
                "spec": {
                    "source": {"uri": "s3://scenes/", "include": ["a" * 1024] * 64},
                    "destination": {"names": "b" * 256},
                }
            },
            id="as much as there may be",
        ),
        pytest.param({"spec": {"source": {"uri": "s3://scenes/GARDEN.PLY"}}}, id="suffix in capitals"),
        pytest.param({"spec": {"source": {"uri": "https://example.com/Gardens.Tar.Gz?t=1"}}}, id="web, capitals"),
        pytest.param({"spec": {"source": {"uri": "s3://scenes/a b/gärten #1?.ply"}}}, id="key of any letters"),
        pytest.param(
            {"spec": {"source": {"uri": "pvc://raw/a.ply"}, "destination": {"uri": "pvc://out/"}}}, id="claims alone"
        ),
        pytest.param({"spec": {"s3": {"serverSideEncryption": {"type": "AES256"}}}}, id="encryption without a key"),
        pytest.param({"spec": {"s3": {"insecureSkipTLSVerify": True}}}, id="no check of certificates"),
        pytest.param({"spec": {"resources": {"limits": {"amd.com/gpu": 1}}}}, id="another extended resource"),
    ],
)
def test_accepts(resources: Resources, patch: dict[str, Any]) -> None:
    assert resources.refusal(merged(SMALLEST, patch)) == []


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in REFUSALS])
def test_refuses_in_one_sentence(resources: Resources, case: Refusal) -> None:
    (cause,) = resources.refusal(merged(SMALLEST, case.patch))
    assert cause.message.endswith(f": {case.message}")
    assert cause.field == (case.field or "<nil>")


@pytest.mark.parametrize(("patch", "messages"), TWO_REFUSALS.values(), ids=TWO_REFUSALS)
def test_names_both_faults(resources: Resources, patch: dict[str, Any], messages: list[str]) -> None:
    causes = resources.refusal(merged(SMALLEST, patch))
    assert len(causes) == len(messages)
    assert all(any(cause.message.endswith(f": {message}") for cause in causes) for message in messages)


OUT_OF_RANGE: list[tuple[dict[str, Any], str, str]] = [
    ({"source": None}, "spec.source", "Required value"),
    ({"source": {"uri": None}}, "spec.source.uri", "Required value"),
    ({"destination": None}, "spec.destination", "Required value"),
    ({"encoder": {"engine": "cuda"}}, "spec.encoder.engine", 'supported values: "native", "sogs"'),
    ({"encoder": {"format": "ply"}}, "spec.encoder.format", 'supported values: "sog", "sog-unbundled", "sogs-v1"'),
    ({"encoder": {"quality": "top"}}, "spec.encoder.quality", 'supported values: "fast", "balanced", "best"'),
    ({"encoder": {"shBands": 4}}, "spec.encoder.shBands", "should be less than or equal to 3"),
    ({"encoder": {"shBands": -1}}, "spec.encoder.shBands", "should be greater than or equal to 0"),
    ({"encoder": {"seed": 4294967296}}, "spec.encoder.seed", "should be less than or equal to 4294967295"),
    ({"encoder": {"target": {"maxSplats": "a" * 5}}}, "spec.encoder.target.maxSplats", "Too long"),
    ({"encoder": {"target": {"maxBytes": 0}}}, "spec.encoder.target.maxBytes", "should be greater than or equal to 1"),
    ({"encoder": {"target": {"minPSNR": 0}}}, "spec.encoder.target.minPSNR", "should be greater than 0"),
    ({"encoder": {"target": {"minPSNR": 101}}}, "spec.encoder.target.minPSNR", "should be less than or equal to 100"),
    ({"s3": {"addressingStyle": "dns"}}, "spec.s3.addressingStyle", 'supported values: "auto", "path", "virtual"'),
    (
        {"s3": {"serverSideEncryption": {"type": "kms"}}},
        "spec.s3.serverSideEncryption.type",
        'supported values: "AES256", "aws:kms"',
    ),
    ({"gpu": {"count": -1}}, "spec.gpu.count", "should be greater than or equal to 0"),
    ({"parallelism": 0}, "spec.parallelism", "should be greater than or equal to 1"),
    ({"parallelism": 1001}, "spec.parallelism", "should be less than or equal to 1000"),
    ({"queueName": "q" * 64}, "spec.queueName", "Too long"),
    ({"retries": -1}, "spec.retries", "should be greater than or equal to 0"),
    ({"retries": 101}, "spec.retries", "should be less than or equal to 100"),
    ({"activeDeadlineSeconds": 0}, "spec.activeDeadlineSeconds", "should be greater than or equal to 1"),
    ({"pendingDeadlineSeconds": 0}, "spec.pendingDeadlineSeconds", "should be greater than or equal to 1"),
    ({"ttlSecondsAfterFinished": -1}, "spec.ttlSecondsAfterFinished", "should be greater than or equal to 0"),
    ({"ttlSecondsAfterFinished": 2**31}, "spec.ttlSecondsAfterFinished", "should be less than or equal to 2147483647"),
    ({"imagePullPolicy": "Sometimes"}, "spec.imagePullPolicy", '"Always", "IfNotPresent", "Never"'),
    ({"source": {"uri": "s3://scenes/" + "g" * 2048 + ".ply"}}, "spec.source.uri", "Too long"),
    ({"source": {"uri": "s3://scenes/", "include": ["a"] * 65}}, "spec.source.include", "Too many"),
    ({"source": {"uri": "s3://scenes/", "exclude": ["a" * 1025]}}, "spec.source.exclude[0]", "Too long"),
    ({"destination": {"names": "a" * 257}}, "spec.destination.names", "Too long"),
]


@pytest.mark.parametrize(("spec", "field", "message"), OUT_OF_RANGE, ids=[field for _, field, _ in OUT_OF_RANGE])
def test_refuses_a_value_out_of_range(resources: Resources, spec: dict[str, Any], field: str, message: str) -> None:
    causes = resources.refusal(merged(SMALLEST, {"spec": spec}))
    assert any(cause.field == field and message in cause.message for cause in causes), causes


MISSPELT: list[tuple[dict[str, Any], str]] = [
    ({"sources": {}}, "spec.sources"),
    ({"encoder": {"qualty": "best"}}, "spec.encoder.qualty"),
    ({"encoder": {"target": {"maxSplats": 5, "splats": 5}}}, "spec.encoder.target.splats"),
    ({"s3": {"endpointURL": "http://s3.example"}}, "spec.s3.endpointURL"),
    ({"resources": {"limit": {}}}, "spec.resources.limit"),
    ({"tolerations": [{"key": "a", "efect": "NoSchedule"}]}, "spec.tolerations[0].efect"),
    ({"affinity": {"nodeAfinity": {}}}, "spec.affinity.nodeAfinity"),
    ({"podTemplate": {"containers": []}}, "spec.podTemplate.containers"),
]


@pytest.mark.parametrize(("spec", "field"), MISSPELT, ids=[field for _, field in MISSPELT])
def test_refuses_a_misspelt_field(resources: Resources, spec: dict[str, Any], field: str) -> None:
    (cause,) = resources.refusal(merged(SMALLEST, {"spec": spec}))
    assert f'unknown field "{field}"' in cause.message


@pytest.mark.parametrize(("before", "after"), [("a.example/b", "c.example/d"), ("a.example/b", None), (None, "a.b/c")])
def test_the_manager_stays(resources: Resources, before: str | None, after: str | None) -> None:
    made = resources.create(merged(SMALLEST, {"spec": {"managedBy": before}}), dry_run=False)
    try:
        message = resources.patch_refusal(made["metadata"]["name"], {"spec": {"managedBy": after}})
        assert MANAGER_STAYS in message
    finally:
        resources.delete(made["metadata"]["name"])


EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_takes_each_example(resources: Resources, path: Path) -> None:
    assert resources.refusal(yaml.safe_load(path.read_text())) == []

"""The CRD holds all that the contract names, explains it, and has a test for each of its refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from crd.refusals import MANAGER_STAYS, REFUSALS, SMALLEST, TWO_REFUSALS
from crd.schema import ROOT, read_crd, root_schema, rules, version, walk


def _fields(text: str, *, below: str) -> list[str]:
    return [f"{below}{name}" for name in text.split()]


# The contract's tables, a word a field.
CONNECTION = """
endpoint region addressingStyle caSecretRef.name insecureSkipTLSVerify credentialsSecretRef.name
serverSideEncryption.type serverSideEncryption.kmsKeyId
"""
SPEC = """
source.uri source.sha256 source.include[] source.exclude[] destination.uri destination.names
encoder.engine encoder.format encoder.quality encoder.shBands encoder.seed
encoder.target.maxSplats encoder.target.maxBytes encoder.target.minPSNR
gate.minPSNR gate.maxSizeBytes gate.minRatio preview gpu.resourceName gpu.count parallelism resources nodeSelector
tolerations affinity topologySpreadConstraints priorityClassName runtimeClassName serviceAccountName imagePullSecrets
podTemplate image imagePullPolicy queueName queuePriorityClassName suspend retries activeDeadlineSeconds
pendingDeadlineSeconds ttlSecondsAfterFinished deletionPolicy cache dryRun managedBy
"""
STATUS = """
observedGeneration phase conditions[].type conditions[].status conditions[].reason conditions[].message
conditions[].lastTransitionTime conditions[].observedGeneration progress.percent progress.stage progress.etaSeconds
progress.scenesDone progress.scenesTotal outputs[].name outputs[].uri outputs[].sha256 outputs[].bytes
outputs[].sourceBytes outputs[].splats outputs[].ratio outputs[].psnr outputs[].previewUri manifestUri inputBytes
outputBytes compressionRatio splats removed gpuSeconds cost.amount cost.currency engine device cacheHits jobName
startTime
completionTime duration retryOn
failures[].pod failures[].reason failures[].exitCode failures[].message failures[].time
"""
CONTRACT = [
    *_fields(SPEC, below="spec."),
    *_fields(CONNECTION, below="spec.s3."),
    *_fields(CONNECTION, below="spec.source.s3."),
    *_fields(CONNECTION, below="spec.destination.s3."),
    *_fields(STATUS, below="status."),
]

PATHS = dict(walk(root_schema()))


def test_names() -> None:
    spec = read_crd()["spec"]
    assert (spec["group"], spec["scope"]) == ("splats.dev", "Namespaced")
    names = spec["names"]
    assert (names["kind"], names["plural"], names["shortNames"]) == (
        "SplatCompression",
        "splatcompressions",
        ["splat", "splats"],
    )
    assert version()["name"] == "v1alpha1"
    assert version()["subresources"] == {"status": {}}


@pytest.mark.parametrize("path", CONTRACT)
def test_has_every_field_of_the_contract(path: str) -> None:
    assert path in PATHS


def test_has_no_field_beside_the_contract() -> None:
    top = {name.split(".")[0].removesuffix("[]") for name in SPEC.split()} | {"s3"}
    assert PATHS["spec"]["properties"].keys() == top


def test_columns() -> None:
    columns = [(column["name"], column.get("priority", 0)) for column in version()["additionalPrinterColumns"]]
    assert [name for name, priority in columns if not priority] == ["Phase", "Ratio", "Progress", "Age", "Message"]
    wide = [name for name, priority in columns if priority]
    assert wide == ["Input", "Output", "Splats", "PSNR", "Device", "Duration"]


def test_everything_is_described() -> None:
    scalars_of_maps = {path for path in PATHS if path.endswith("{}")}
    mute = {path for path, schema in PATHS.items() if not schema.get("description")}
    assert mute - scalars_of_maps == {"metadata"}  # the API server allows none there


def test_optional_spec_fields_say_what_unset_means() -> None:
    """By a default in words, or by what happens without."""
    fields = PATHS["spec"]["properties"]
    optional = {name: fields[name]["description"] for name in fields.keys() - set(PATHS["spec"]["required"])}
    silent = [name for name, text in optional.items() if "nset" not in text and "Default" not in text]
    assert silent == []


def test_defaults_are_told_in_words() -> None:
    scalars = {path: schema for path, schema in PATHS.items() if schema.get("default", {}) != {}}
    assert [path for path, schema in scalars.items() if "Default" not in schema["description"]] == []


def test_spec_and_fields_with_rules_are_bounded() -> None:
    """A rule's cost is reckoned from the greatest size; a string, list or map without one makes the CRD invalid."""
    unbounded = [
        path
        for path, schema in PATHS.items()
        if path.startswith("spec.")
        and (
            (schema.get("type") == "string" and not {"maxLength", "enum"} & set(schema))
            or (schema.get("type") == "array" and "maxItems" not in schema)
            or ("additionalProperties" in schema and "maxProperties" not in schema)
        )
    ]
    assert unbounded == []


def test_every_rule_has_a_case() -> None:
    """A rule that no case trips could be lost, or wrong, without a test noticing."""
    tested = {case.message for case in REFUSALS} | {text for _, texts in TWO_REFUSALS.values() for text in texts}
    tested.add(MANAGER_STAYS)
    assert {rule["message"] for _, rule in rules(root_schema())} <= tested


def test_every_rule_names_its_field() -> None:
    for path, rule in rules(root_schema()):
        assert (path or "metadata.name").replace("[]", "").removesuffix(".name") in rule["message"]


@pytest.mark.parametrize("side", ["source", "destination"])
def test_overrides_are_as_the_connection_but_without_defaults(side: str) -> None:
    """A default in an override would undo what spec.s3 says."""
    override = _bare(PATHS[f"spec.{side}.s3"], f"spec.{side}.s3")
    rule = "has(self.serverSideEncryption)"
    override["x-kubernetes-validations"] = [r for r in override["x-kubernetes-validations"] if rule not in r["rule"]]
    assert override == _bare(PATHS["spec.s3"], "spec.s3")
    assert not any("default" in schema for _, schema in walk(PATHS[f"spec.{side}.s3"]))


def _bare(schema: dict[str, Any], path: str) -> dict[str, Any]:
    """A schema without descriptions, defaults and its own path."""

    def without(node: Any) -> Any:
        if isinstance(node, list):
            return [without(item) for item in node]
        if not isinstance(node, dict):
            return node
        texts = {key for key in ("description", "default") if not isinstance(node.get(key), dict) or node[key] == {}}
        return {key: without(value) for key, value in node.items() if key not in texts}

    return json.loads(json.dumps(without(schema)).replace(f"{path}.", "PATH."))


def test_smallest_example_is_the_contracts() -> None:
    example = yaml.safe_load((ROOT / "examples" / "job.yaml").read_text())
    connection = {"endpoint": "http://s3.example:8333", "credentialsSecretRef": {"name": "s3-credentials"}}
    assert example == SMALLEST | {"spec": SMALLEST["spec"] | {"s3": connection}}

"""What can be said of the chart without Helm: copies agree, values are explained and bounded."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import yaml

from chart.generated import CRD, generate
from chart.helm import CHART, ROOT
from chart.values_table import Value, read_values


def test_generated_parts_are_current() -> None:
    """Remedy: make chart."""
    assert {path: path.read_text() for path in generate()} == generate()


def test_versions_agree() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    projects = [tomllib.loads((ROOT / name / "pyproject.toml").read_text()) for name in ("operator", "worker")]
    assert {chart["appVersion"], *(each["project"]["version"] for each in projects)} == {chart["version"]}


def test_pages_name_this_version() -> None:
    """Who pastes their commands gets what the chart looks for."""
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]
    pattern = r"(?:splat-(?:operator|worker)[:-]|--version )(\d+\.\d+\.\d+)"
    for name in ("README.md", "charts/splat-operator/README.md", "Dockerfile.operator", "Dockerfile.worker"):
        assert set(re.findall(pattern, (ROOT / name).read_text())) == {version}, name


def test_annotations_describe_this_version() -> None:
    """As Artifact Hub reads them: lists, as YAML in text."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    changes, (crd,), examples, images = (
        yaml.safe_load(chart["annotations"][f"artifacthub.io/{name}"])
        for name in ("changes", "crds", "crdsExamples", "images")
    )
    section = (ROOT / "CHANGELOG.md").read_text().partition(f"\n## {chart['version']}")[2].partition("\n## ")[0]
    assert len(changes) == section.count("\n- ") > 0
    assert crd["name"] == yaml.safe_load((ROOT / "crds" / CRD).read_text())["metadata"]["name"]
    assert examples == [yaml.safe_load((ROOT / "examples" / "job.yaml").read_text())]
    assert {image["image"].rpartition(":")[2] for image in images} == {chart["appVersion"]}


def test_artifact_hub_passes_over_what_is_no_release() -> None:
    repository = yaml.safe_load((ROOT / "charts" / "artifacthub-repo.yml").read_text())
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    (ignored,) = repository["ignore"]
    assert ignored["name"] == chart["name"]
    assert re.search(ignored["version"], f"{chart['version']}-rc.1")
    assert not re.search(ignored["version"], chart["version"])


def test_table_of_values_has_comments_types_and_defaults() -> None:
    text = """# A prefix | of
# names.
name: ""

# Where it runs.
nodeSelector: {}
tolerations: []

# Which one acts.
election:
  # True: one.
  enabled: true
  mode: strict
"""
    properties = {
        "name": {"type": "string"},
        "nodeSelector": {"$ref": "#/definitions/strings"},
        "tolerations": {"type": "array"},
        "election": {"properties": {"enabled": {"type": "boolean"}, "mode": {"enum": ["strict", "loose"]}}},
    }
    schema = {"properties": properties, "definitions": {"strings": {"type": "object"}}}
    assert list(read_values(text, schema)) == [
        Value("name", "string", '""', r"A prefix \| of names."),
        Value("nodeSelector", "object", "{}", "Where it runs."),
        Value("tolerations", "array", "[]", "Where it runs."),
        Value("election", "object", "", "Which one acts."),
        Value("election.enabled", "boolean", "true", "True: one."),
        Value("election.mode", "`strict`, `loose`", '"strict"', ""),
    ]


def test_schema_knows_every_value_and_no_other() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    # A parent chart's values, which have no default here.
    parents = {"global.imageRegistry", "global.imagePullSecrets"}
    leaves = _paths(values) - {"global"}
    assert leaves == _schema_paths(schema, schema["definitions"], leaves=leaves) - parents


def test_every_value_is_explained() -> None:
    """A comment stands above each top-level value, or above the block of values that it begins."""
    blocks = (CHART / "values.yaml").read_text().split("\n\n")
    mute = [block for block in blocks if "#" not in block]
    assert mute == []


OPEN = ("resources", "podSecurityContext", "securityContext", "labels")
"""Values with defaults whose fields are not the chart's: the API server knows them, or anything may be one."""


def _paths(values: dict[str, Any], prefix: str = "") -> set[str]:
    """Dotted paths of the values that the chart names itself; what a user fills is a leaf."""
    paths = set()
    for name, value in values.items():
        path = f"{prefix}{name}"
        is_branch = isinstance(value, dict) and value and name not in OPEN
        paths |= _paths(value, f"{path}.") if is_branch else {path}
    return paths


def _schema_paths(
    schema: dict[str, Any], definitions: dict[str, Any], prefix: str = "", *, leaves: set[str]
) -> set[str]:
    """Dotted paths that the schema has, those below a leaf excepted."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[1]]
    if "properties" not in schema or prefix.rstrip(".") in leaves:
        return {prefix.rstrip(".")}
    children = schema["properties"].items()
    below = (_schema_paths(child, definitions, f"{prefix}{name}.", leaves=leaves) for name, child in children)
    return {path for paths in below for path in paths}

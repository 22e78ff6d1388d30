"""What can be said of the chart without Helm: copies agree, values are explained and bounded."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import yaml

from chart.helm import CHART, ROOT


def test_copy_of_the_crd_is_the_crd() -> None:
    """Remedy: cp crds/splats.dev_splatcompressions.yaml charts/splat-operator/files/."""
    name = "splats.dev_splatcompressions.yaml"
    assert (CHART / "files" / name).read_text() == (ROOT / "crds" / name).read_text()


def test_versions_agree() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((ROOT / "operator" / "pyproject.toml").read_text())["project"]
    assert (chart["version"], chart["appVersion"]) == (project["version"], project["version"])


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


KUBERNETES_OWN = ("resources", "podSecurityContext", "securityContext")
"""Values that the API server knows the fields of."""


def _paths(values: dict[str, Any], prefix: str = "") -> set[str]:
    """Dotted paths of the values that the chart names itself; what a user fills is a leaf."""
    paths = set()
    for name, value in values.items():
        path = f"{prefix}{name}"
        is_branch = isinstance(value, dict) and value and name not in KUBERNETES_OWN
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

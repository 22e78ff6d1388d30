"""What an API server knows of its kinds, as the JSON schemas that kubeconform reads.

Kubernetes publishes OpenAPI 3.0 for each group and version, also for those of CRDs. Its schemas are JSON Schema but for
`nullable`, and they do not refuse fields that they do not name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kubectl import Kubectl

Schema = Mapping[str, Any]

LOCATION = "{{.Group}}_{{.ResourceAPIVersion}}_{{.ResourceKind}}.json"
"""The names of the files, in the words of kubeconform's option -schema-location."""


def write_schemas(kubectl: Kubectl, kinds: Iterable[tuple[str, str]], folder: Path) -> None:
    """Write a schema for each (apiVersion, kind) that the API server knows; the file of another will be missing."""
    wanted = set(kinds)
    for version in {version for version, _ in wanted}:
        path = f"/openapi/v3/{'apis' if '/' in version else 'api'}/{version}"
        if document := kubectl.run("get", "--raw", path, check=False):
            for kind, schema in read_kinds(document).items():
                if (version, kind) in wanted:
                    (folder / file_name(version, kind)).write_text(json.dumps(schema))


def file_name(version: str, kind: str) -> str:
    """Name a schema's file. For kubeconform the group of `v1` is v1."""
    parts = version.split("/")
    return f"{parts[0]}_{parts[-1]}_{kind.lower()}.json"


def read_kinds(document: str) -> dict[str, Schema]:
    """Build a schema for each kind of an OpenAPI document. All have the document's definitions in them."""
    components = json.loads(document.replace("#/components/schemas/", "#/definitions/"))["components"]["schemas"]
    definitions = {name: close(schema) for name, schema in components.items()}
    return {
        each["kind"]: {"allOf": [{"$ref": f"#/definitions/{name}"}], "definitions": definitions}
        for name, schema in components.items()
        for each in schema.get("x-kubernetes-group-version-kind", [])
    }


def close(schema: Schema) -> Schema:
    """Refuse fields that the schema does not name, all the way down, and write `nullable` as JSON Schema does."""
    closed = dict(schema)
    if "properties" in schema:
        closed["properties"] = {name: close(each) for name, each in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            closed.setdefault("additionalProperties", False)
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), Mapping):
            closed[keyword] = close(schema[keyword])
    if closed.pop("nullable", False):
        closed["type"] = [closed["type"], "null"]
    return closed

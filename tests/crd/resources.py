"""SplatCompressions on a real API server."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from kubernetes import client
from kubernetes.client import ApiException

from crd.schema import merged

NAMESPACE = "default"


@dataclass(frozen=True)
class Cause:
    """Why the API server refused: the field, and its sentence about it."""

    field: str
    message: str


@dataclass(frozen=True)
class Resources:
    """The SplatCompressions of one API group."""

    api: client.CustomObjectsApi
    group: str

    def create(self, body: dict[str, Any], *, dry_run: bool = True) -> dict[str, Any]:
        """The resource as the API server stores it (or would). Unknown fields are errors, as with kubectl."""
        body = merged(body, {"apiVersion": f"{self.group}/v1alpha1"})
        arguments = (self.group, "v1alpha1", NAMESPACE, "splatcompressions", body)
        options = {"dry_run": "All"} if dry_run else {}
        return self.api.create_namespaced_custom_object(*arguments, field_validation="Strict", **options)

    def refusal(self, body: dict[str, Any]) -> list[Cause]:
        """The causes for which the API server refuses `body`; empty where it takes it."""
        try:
            self.create(body)
        except ApiException as error:
            status = json.loads(error.body)
            causes = status.get("details", {}).get("causes", [])
            return [Cause(cause["field"], cause["message"]) for cause in causes] or [Cause("", status["message"])]
        return []

    def patch_refusal(self, name: str, patch: dict[str, Any]) -> str:
        """What the API server says against a merge patch, empty where it takes it."""
        arguments = (self.group, "v1alpha1", NAMESPACE, "splatcompressions", name, patch)
        try:
            self.api.patch_namespaced_custom_object(*arguments, field_validation="Strict")
        except ApiException as error:
            return str(json.loads(error.body)["message"])
        return ""

    def delete(self, name: str) -> None:
        self.api.delete_namespaced_custom_object(self.group, "v1alpha1", NAMESPACE, "splatcompressions", name)

    def patch_status(self, name: str, status: dict[str, Any]) -> None:
        arguments = (self.group, "v1alpha1", NAMESPACE, "splatcompressions", name, {"status": status})
        self.api.patch_namespaced_custom_object_status(*arguments, field_validation="Strict")

    def get(self, name: str) -> dict[str, Any]:
        return self.api.get_namespaced_custom_object(self.group, "v1alpha1", NAMESPACE, "splatcompressions", name)

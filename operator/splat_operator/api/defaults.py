"""What an administrator gives to specs that leave it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from splat_operator.api.spec import POD_FIELDS, S3, Json, Scheduling, Spec, parse_connection

DEFAULT_FIELDS: Mapping[str, type] = {
    "s3": dict,
    "resources": dict,
    "nodeSelector": dict,
    "tolerations": list,
    "runtimeClassName": str,
    "imagePullSecrets": list,
    "scratch": dict,
}
"""Fields of a spec that can have such a default, and `scratch`, with their types."""


@dataclass(frozen=True)
class Scratch:
    """The pods' room for temporary files; without a class it is the node's own disk."""

    size: str | None = None
    """A quantity, such as 50Gi. Required with a class; without one None is no limit."""
    storage_class: str | None = None


@dataclass(frozen=True)
class Defaults:
    """Each is for specs that leave the whole field out, and only says how the next pod is made.

    Names and hashes of Jobs are those of the spec alone: a change of a default runs nothing again.
    """

    s3: S3 = field(default_factory=S3)
    """Of a side in S3 about which the spec says nothing at all."""
    resources: Json = field(default_factory=dict)
    pod: Json = field(default_factory=dict)
    """Fields of POD_FIELDS."""
    scratch: Scratch = Scratch()

    def complete(self, spec: Spec) -> Spec:
        """The spec with what it leaves out."""
        source, destination = spec.output.source, spec.output.destination
        output = replace(
            spec.output,
            source=replace(source, s3=self._connection(source.uri, source.s3)),
            destination=replace(destination, s3=self._connection(destination.uri, destination.s3)),
        )
        return replace(spec, output=output, scheduling=self._scheduling(spec.scheduling))

    def _connection(self, uri: str, s3: S3) -> S3:
        return self.s3 if s3 == S3() and uri.startswith("s3://") else s3

    def _scheduling(self, scheduling: Scheduling) -> Scheduling:
        resources = scheduling.resources or self.resources
        return replace(scheduling, resources=resources, pod={**self.pod, **scheduling.pod})


def parse_defaults(raw: Mapping[str, Any]) -> Defaults:
    """Defaults from fields named and written as in a spec, and `scratch` {size, storageClassName}."""
    scratch = raw.get("scratch", {})
    return Defaults(
        s3=parse_connection(raw.get("s3", {})),
        resources=raw.get("resources", {}),
        pod={name: raw[name] for name in POD_FIELDS if raw.get(name)},
        scratch=Scratch(scratch.get("size"), scratch.get("storageClassName")),
    )

"""What one run is to do: the document of docs/job.md and the secrets of the environment, parsed and checked."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sogs_worker.engines.parameters import parse_parameters
from sogs_worker.errors import UsageError
from sogs_worker.naming import META, is_target, target_ending
from sogs_worker.source.listing import require_many
from sogs_worker.source.names import PATHS, Pattern, parse_pattern
from sogs_worker.source.objects import name_object
from sogs_worker.source.selection import ALL, Selection, parse_selection
from sogs_worker.task.assignment import Assignment
from sogs_worker.task.fields import Fields
from sogs_worker.task.gate import Gate
from sogs_worker.task.place import Place, is_same_place, parse_place
from sogs_worker.task.shard import Shard, parse_shard

VERSION = 1


@dataclass(frozen=True)
class Task(Assignment):
    """A run that compresses.

    Attributes:
        source: the scene.
        source_sha256: what its content must be; None: anything.
        preview: whether to publish a picture beside each output.
        gate: what outputs must be to be published.
        selection: what is taken of the source.
        names: how outputs are named.
        use_cache: whether an output that was made from the same is kept.
        shard: the part of the source that this pod works on; None: all.
    """

    source: Place
    source_sha256: str | None
    preview: bool
    gate: Gate
    use_cache: bool
    selection: Selection = ALL
    names: Pattern = PATHS
    shard: Shard | None = None

    @property
    def hidden_folder(self) -> str:
        """Where all runs of this resource, or all attempts at this part of a run, keep what is not published yet."""
        return self.shard.own_folder(self.manifest_key) if self.shard else super().hidden_folder


@dataclass(frozen=True)
class Deletion(Assignment):
    """A run that removes what the resource has published."""


def load_task(path: Path, environment: Mapping[str, str]) -> Task | Deletion:
    """Read the document at `path`.

    Raises:
        UsageError: it is not there, not JSON, of another version, or asks for what this worker cannot do.
        ConfigurationError: a Secret's keys are incomplete.
    """
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"the run document {path} cannot be read: {error}; SPLATS_RUN names it") from error
    try:
        return parse_task(document, environment)
    except UsageError as error:
        raise UsageError(f"the run document {path}: {error}") from error


def parse_task(document: object, environment: Mapping[str, str]) -> Task | Deletion:
    """Parse the document; see `load_task`."""
    fields = Fields(document, "")
    version = fields.required("version", int)
    if version != VERSION:
        raise UsageError(
            f"version is {version}, this worker knows {VERSION}; use a worker image of the operator's version"
        )
    destination = Fields(fields.required("destination", dict), "destination")
    shared = {
        "name": fields.required("name", str),
        "namespace": fields.required("namespace", str),
        "destination": parse_place(destination, "destination", environment),
        "encoder": parse_parameters(fields.required("encoder", dict)),
        "digest": hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest(),
    }
    if fields.choice("operation", ("compress", "delete"), "compress") == "delete":
        for part in (fields, destination):
            part.finish()
        return Deletion(**shared)
    return parse_compression(fields, destination, shared, environment)


def parse_compression(
    fields: Fields, destination: Fields, shared: Mapping[str, Any], environment: Mapping[str, str]
) -> Task:
    """Parse what only a run that compresses has, beside the fields that all have."""
    source, names = Fields(fields.required("source", dict), "source"), destination.optional("names", str)
    task = Task(
        **shared,
        source_sha256=parse_digest(source.optional("sha256", str)),
        source=parse_place(source, "source", environment),
        preview=bool(fields.optional("preview", bool)),
        gate=parse_gate(fields.optional("gate", dict)),
        use_cache=fields.choice("cache", ("Use", "Ignore"), "Ignore") == "Use",
        selection=parse_selection(source.texts("include"), source.texts("exclude")),
        names=PATHS if names is None else parse_pattern(names),
        shard=parse_shard(fields.optional("shards", int), environment),
    )
    for part in (fields, source, destination):
        part.finish()
    check_places(task)
    return task


def check_places(task: Task) -> None:
    """Refuse sources and destinations that do not fit each other."""
    source, destination = task.source.location, task.destination.location
    require_many(source, f"spec.source.uri {source.uri}", task.selection)
    if not (destination.is_prefix or task.names.is_default):
        raise UsageError(
            f"spec.destination.uri is {destination.uri!r}, exactly one key, so spec.destination.names has no meaning;"
            " remove it or end the key with a slash"
        )
    if source.is_prefix and task.source_sha256:
        raise UsageError("spec.source.sha256 is of one object, and spec.source.uri is a prefix; remove one of them")
    if source.file.name == META and task.source_sha256:
        raise UsageError("spec.source.sha256 is of one object, and an unbundled scene has several; remove it")
    if destination.scheme == "https":
        raise UsageError(f"spec.destination.uri is {destination.uri!r}; name s3://bucket/prefix/ or pvc://claim/path/")
    if source.is_prefix and not destination.is_prefix:
        raise UsageError(f"spec.destination.uri is {destination.uri!r}, one key for many scenes; end it with a slash")
    if not (destination.is_prefix or is_target(destination.key, task.encoder.format)):
        raise UsageError(
            f"spec.destination.uri is {destination.uri!r}, but with spec.encoder.format {task.encoder.format} it must"
            f" end in {target_ending(task.encoder.format)}, or in a slash; correct one of them"
        )
    if not is_same_place(task.source, task.destination):
        return
    if source.is_prefix and destination.key.startswith(source.key):
        raise UsageError(
            f"spec.destination.uri {destination.uri!r} lies in the source's prefix, where the next run would take its"
            " outputs for scenes; name another prefix"
        )
    if not source.is_prefix and task.target_key(name_object(source, task.names)) == source.key:
        raise UsageError(f"the output would replace its source {source.uri}; correct spec.destination.uri")


def parse_gate(document: dict[str, object] | None) -> Gate:
    """Parse the bounds that outputs have to keep."""
    fields = Fields(document or {}, "gate")
    gate = Gate(
        min_psnr=fields.number("minPSNR"),
        max_size_bytes=fields.optional("maxSizeBytes", int),
        min_ratio=fields.number("minRatio"),
    )
    fields.finish()
    return gate


def parse_digest(text: str | None) -> str | None:
    """Check that a digest can be one, and write it in lower case."""
    if text is not None and not re.fullmatch("[0-9a-fA-F]{64}", text):
        raise UsageError(f"source.sha256 must be 64 hexadecimal digits, got {text!r}")
    return text and text.lower()

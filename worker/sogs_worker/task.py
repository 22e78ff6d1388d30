"""What one run is to do: the document of docs/job.md and the secrets of the environment, parsed and checked."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sogs_worker.document import Fields
from sogs_worker.engines.parameters import Parameters, parse_parameters
from sogs_worker.errors import ConfigurationError, UsageError
from sogs_worker.gate import Gate
from sogs_worker.outputs import META
from sogs_worker.sources import name_object
from sogs_worker.storage.connection import AddressingStyle, Connection, Credentials, Encryption, Side
from sogs_worker.storage.location import Location, parse_location
from sogs_worker.targets import is_target, name_target, stem_of, target_ending

VERSION = 1
ADDRESSING_STYLES: tuple[AddressingStyle, ...] = ("auto", "path", "virtual")
ENCRYPTIONS = ("AES256", "aws:kms")


@dataclass(frozen=True)
class Place:
    """One side of a run: an object or a prefix, and how to reach it."""

    location: Location
    connection: Connection


@dataclass(frozen=True)
class Task:
    """One run.

    Attributes:
        name: of the resource.
        namespace: of the resource.
        source: the scene.
        source_sha256: what its content must be; None: anything.
        destination: a prefix, or the exact key of the one output's target.
        encoder: what decides the output.
        preview: whether to publish a picture beside each output.
        gate: what outputs must be to be published.
        use_cache: whether an output that was made from the same is kept.
        digest: hexadecimal SHA-256 of the document: the same for all attempts at this task.
    """

    name: str
    namespace: str
    source: Place
    source_sha256: str | None
    destination: Place
    encoder: Parameters
    preview: bool
    gate: Gate
    use_cache: bool
    digest: str

    def target_key(self, output: PurePosixPath) -> str:
        """Where the output goes that is called so: the key of its bundle, or of its meta.json."""
        destination = self.destination.location
        return (
            f"{destination.key}{name_target(output, self.encoder.format)}" if destination.is_prefix else destination.key
        )

    def preview_key(self, output: PurePosixPath) -> str:
        """Where its picture goes: beside the bundle, or beside the folder."""
        return stem_of(self.target_key(output)) + ".png"

    @property
    def manifest_key(self) -> str:
        """Where the manifest goes: named after the resource, or after the output's exact key."""
        return f"{self._stem}.manifest.json"

    @property
    def sheet_key(self) -> str:
        """Where the contact sheet goes: beside the manifest."""
        return f"{self._stem}.contact-sheet.png"

    @property
    def _stem(self) -> str:
        destination = self.destination.location
        return f"{destination.key}{self.name}" if destination.is_prefix else stem_of(destination.key)


def load_task(path: Path, environment: Mapping[str, str]) -> Task:
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


def parse_task(document: object, environment: Mapping[str, str]) -> Task:
    """Parse the document; see `load_task`."""
    fields = Fields(document, "")
    version = fields.required("version", int)
    if version != VERSION:
        raise UsageError(
            f"version is {version}, this worker knows {VERSION}; use a worker image of the operator's version"
        )
    source = Fields(fields.required("source", dict), "source")
    destination = Fields(fields.required("destination", dict), "destination")
    task = Task(
        name=fields.required("name", str),
        namespace=fields.required("namespace", str),
        source_sha256=parse_digest(source.optional("sha256", str)),
        source=parse_place(source, "source", environment),
        destination=parse_place(destination, "destination", environment),
        encoder=parse_parameters(fields.required("encoder", dict)),
        preview=bool(fields.optional("preview", bool)),
        gate=parse_gate(fields.optional("gate", dict)),
        use_cache=fields.choice("cache", ("Use", "Ignore"), "Ignore") == "Use",
        digest=hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest(),
    )
    for part in (fields, source, destination):
        part.finish()
    check_places(task)
    return task


def check_places(task: Task) -> None:
    """Refuse sources and destinations that do not fit each other."""
    source, destination = task.source.location, task.destination.location
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
    if not source.is_prefix and task.target_key(name_object(source)) == source.key:
        raise UsageError(f"the output would replace its source {source.uri}; correct spec.destination.uri")


def is_same_place(one: Place, other: Place) -> bool:
    """Say whether two sides speak of the same bucket or claim."""
    return (one.location.address, one.connection.endpoint) == (other.location.address, other.connection.endpoint)


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


def parse_place(fields: Fields, side: Side, environment: Mapping[str, str]) -> Place:
    """Parse a side's address and connection."""
    location = parse_location(fields.required("uri", str), f"spec.{side}.uri")
    options = Fields(fields.optional("s3", dict) or {}, f"{side}.s3")
    connection = Connection(
        side=side,
        endpoint=parse_endpoint(options.optional("endpoint", str)),
        region=options.optional("region", str),
        addressing_style=options.choice("addressingStyle", ADDRESSING_STYLES, "auto"),
        insecure_skip_tls_verify=bool(options.optional("insecureSkipTLSVerify", bool)),
        encryption=parse_encryption(options.optional("serverSideEncryption", dict), side),
        credentials=parse_credentials(side, environment),
        secret_name=environment.get(f"SPLATS_CREDENTIALS_{side.upper()}"),
        ca_pem=environment.get(f"{side.upper()}_CA_PEM"),
    )
    options.finish()
    return Place(location, connection)


def parse_endpoint(text: str | None) -> str | None:
    """Check that an endpoint is a URL."""
    if text is not None and not re.match("https?://[^/]", text):
        raise UsageError(f"s3.endpoint is {text!r}, it must begin with http:// or https://")
    return text


def parse_encryption(document: object, side: Side) -> Encryption | None:
    """Parse the encryption at rest."""
    if document is None:
        return None
    fields = Fields(document, f"{side}.s3.serverSideEncryption")
    encryption = Encryption(fields.choice("type", ENCRYPTIONS, "AES256"), fields.optional("kmsKeyId", str))
    fields.finish()
    if encryption.kms_key_id and encryption.type != "aws:kms":
        raise UsageError("s3.serverSideEncryption.kmsKeyId is given, so its type must be aws:kms")
    return encryption


def parse_credentials(side: Side, environment: Mapping[str, str]) -> Credentials | None:
    """Take a side's key pair from the environment; None where there is none at all."""
    prefix = side.upper()
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    # A Secret made from a file often ends in a line break, which no key has.
    key, secret, token = (environment.get(f"{prefix}_{name}", "").strip() for name in names)
    if not key and not secret:
        return None
    if not key or not secret:
        holder = environment.get(f"SPLATS_CREDENTIALS_{prefix}", f"of the {side}'s credentials")
        raise ConfigurationError(f"the Secret {holder} has no {names[1] if key else names[0]}; add that key to it")
    return Credentials(key, secret, token or None)

"""The run document: what it becomes, and every refusal."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sogs_worker.engines.parameters import Parameters
from sogs_worker.errors import ConfigurationError, UsageError
from sogs_worker.source.names import Pattern
from sogs_worker.source.objects import name_object
from sogs_worker.source.selection import Selection
from sogs_worker.storage.connection import Connection, Credentials, Encryption
from sogs_worker.storage.location import Location
from sogs_worker.task.gate import Gate
from sogs_worker.task.shard import Shard
from sogs_worker.task.task import Task, load_task, parse_task

ENVIRONMENT = {
    "SOURCE_AWS_ACCESS_KEY_ID": "AKIA",
    "SOURCE_AWS_SECRET_ACCESS_KEY": "secret\n",
    "SOURCE_AWS_SESSION_TOKEN": "token",
    "SPLATS_CREDENTIALS_SOURCE": "s3-credentials",
    "DESTINATION_CA_PEM": "PEM",
}


def build_document(**changes: Any) -> dict[str, Any]:
    """Write a document down; a change `source__uri` is of the field `uri` of `source`."""
    document: dict[str, Any] = {
        "version": 1,
        "name": "my-garden",
        "namespace": "default",
        "source": {"uri": "s3://scenes/raw/garden.ply"},
        "destination": {"uri": "s3://scenes/compressed/"},
        "encoder": {},
    }
    for path, value in changes.items():
        *parents, name = path.split("__")
        target = document
        for parent in parents:
            target = target.setdefault(parent, {})
        target[name] = value
    return document


def test_takes_defaults_for_what_is_absent() -> None:
    task = parse_task(build_document(), {})
    assert (task.name, task.namespace, task.source_sha256, task.preview) == ("my-garden", "default", None, False)
    assert task.source.location == Location("s3", "scenes", "raw/garden.ply")
    assert task.source.connection == Connection("source")
    assert task.destination.connection == Connection("destination")
    assert task.encoder == Parameters()


def test_takes_everything_that_is_there() -> None:
    document = build_document(
        source__sha256="AB" * 32,
        source__s3={"endpoint": "http://s3:8333", "region": "eu-1", "addressingStyle": "path"},
        destination__s3={
            "insecureSkipTLSVerify": True,
            "serverSideEncryption": {"type": "aws:kms", "kmsKeyId": "alias/splats"},
        },
        encoder={"engine": "native", "format": "sog", "quality": "best", "shBands": 1, "seed": 7},
        preview=True,
    )
    task = parse_task(document, ENVIRONMENT)
    assert task.source_sha256 == "ab" * 32
    assert task.source.connection == Connection(
        "source",
        endpoint="http://s3:8333",
        region="eu-1",
        addressing_style="path",
        credentials=Credentials("AKIA", "secret", "token"),
        secret_name="s3-credentials",  # noqa: S106  (a name, not a secret)
    )
    assert task.destination.connection == Connection(
        "destination",
        insecure_skip_tls_verify=True,
        encryption=Encryption("aws:kms", "alias/splats"),
        ca_pem="PEM",
    )
    assert task.encoder == Parameters(quality="best", sh_bands=1, seed=7)
    assert task.preview


def test_reads_what_is_taken_and_how_it_is_called() -> None:
    changes = {"source__include": ["**/a.ply", "b/*"], "source__exclude": ["c"], "destination__names": "{top}/{stem}"}
    task = parse_task(build_document(**changes, source__uri="s3://scenes/raw/"), {})
    assert (task.selection, task.names) == (Selection(("**/a.ply", "b/*"), ("c",)), Pattern("{top}/{stem}"))
    task = parse_task(build_document(source__uri="s3://scenes/raw/tour.zip", source__include=["a/*"]), {})
    assert (task.selection, task.names) == (Selection(("a/*",)), Pattern("{path}"))


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("a/garden/point_cloud.ply", "garden-point_cloud-garden"),
        ("point_cloud.ply", "scenes-point_cloud-scenes"),
        ("a/tour.zip", "tour-tour-tour"),
        ("a/garden/meta.json", "garden-garden-garden"),
    ],
)
def test_names_a_source_by_its_folder(source: str, output: str) -> None:
    changes = {"source__uri": f"s3://scenes/{source}", "destination__names": "{folder}-{stem}-{top}"}
    task = parse_task(build_document(**changes), {})
    assert str(name_object(task.source.location, task.names)) == output


@pytest.mark.parametrize(
    ("source", "destination", "output_format", "keys"),
    [
        ("raw/garden.ply", "out/", "sog", ("out/garden.sog", "out/garden.png", "out/my-garden.manifest.json")),
        ("a.compressed.ply", "", "sog", ("a.sog", "a.png", "my-garden.manifest.json")),
        ("old.sog", "out/", "sog", ("out/old.sog", "out/old.png", "out/my-garden.manifest.json")),
        ("two.dots.PLY", "out/", "sog", ("out/two.dots.sog", "out/two.dots.png", "out/my-garden.manifest.json")),
        ("garden.ply", "out/x.sog", "sog", ("out/x.sog", "out/x.png", "out/x.manifest.json")),
        (
            "garden.ply",
            "out/",
            "sog-unbundled",
            ("out/garden/meta.json", "out/garden.png", "out/my-garden.manifest.json"),
        ),
        ("a/b/meta.json", "out/", "sog-unbundled", ("out/b/meta.json", "out/b.png", "out/my-garden.manifest.json")),
        ("garden.ply", "out/x/meta.json", "sog-unbundled", ("out/x/meta.json", "out/x.png", "out/x.manifest.json")),
        ("garden.ply", "meta.json", "sog-unbundled", ("meta.json", "meta.png", "meta.manifest.json")),
    ],
)
def test_names_what_is_published(source: str, destination: str, output_format: str, keys: tuple[str, str, str]) -> None:
    uris = {"source__uri": f"s3://scenes/{source}", "destination__uri": f"s3://scenes/{destination}"}
    task = parse_task(build_document(**uris, encoder__format=output_format), {})
    output = name_object(task.source.location)
    assert (task.target_key(output), task.preview_key(output), task.manifest_key) == keys


def test_reads_the_bounds_of_the_gate() -> None:
    gate = {"minPSNR": 30, "maxSizeBytes": 1000, "minRatio": 2.5}
    assert parse_task(build_document(gate=gate), {}).gate == Gate(30.0, 1000, 2.5)
    assert parse_task(build_document(), {}).gate == Gate()


@pytest.mark.parametrize(("word", "use_cache"), [("Use", True), ("Ignore", False), (None, False)])
def test_uses_the_cache_where_it_may(word: str | None, use_cache: bool) -> None:
    assert parse_task(build_document(cache=word), {}).use_cache is use_cache


def test_a_task_is_the_same_as_long_as_its_document_is() -> None:
    digest = parse_task(build_document(), {}).digest
    assert parse_task(build_document(), ENVIRONMENT).digest == digest
    assert parse_task(build_document(encoder__seed=1), {}).digest != digest


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 2}, "version is 2, this worker knows 1"),
        ({"version": True}, "version must be of type int, got True"),
        ({"name": None}, "name is missing"),
        ({"source": "s3://scenes/a.ply"}, "source must be of type dict"),
        ({"source__uri": "ftp://host/a.ply"}, "spec.source.uri is 'ftp://host/a.ply'"),
        ({"destination__uri": "https://host/a.sog"}, "spec.destination.uri is 'https://host/a.sog'"),
        (
            {"source__uri": "s3://scenes/raw/", "destination__uri": "s3://scenes/x.sog"},
            "one key for many scenes; end it with a slash",
        ),
        ({"source__uri": "s3://scenes/", "destination__uri": "s3://scenes/out/"}, "lies in the source's prefix"),
        ({"source__uri": "s3://scenes/raw/", "source__sha256": "a" * 64}, "spec.source.sha256 is of one object"),
        (
            {"source__uri": "s3://scenes/garden.sog", "destination__uri": "s3://scenes/garden.sog"},
            "the output would replace its source s3://scenes/garden.sog",
        ),
        (
            {
                "source__uri": "s3://scenes/garden/meta.json",
                "destination__uri": "s3://scenes/",
                "encoder__format": "sog-unbundled",
            },
            "the output would replace its source s3://scenes/garden/meta.json",
        ),
        ({"destination__uri": "s3://scenes/x"}, "with spec.encoder.format sog it must end in .sog, or in a slash"),
        (
            {"destination__uri": "s3://scenes/x.sog", "encoder__format": "sog-unbundled"},
            "with spec.encoder.format sog-unbundled it must end in meta.json, or in a slash",
        ),
        ({"source__sha256": "abc"}, "source.sha256 must be 64 hexadecimal digits, got 'abc'"),
        ({"source__s3__endpoint": "s3.example"}, "must begin with http:// or https://"),
        ({"source__s3__addressingStyle": "dns"}, "addressingStyle must be one of auto, path, virtual, got 'dns'"),
        ({"source__s3__insecureSkipTLSVerify": "yes"}, "insecureSkipTLSVerify must be of type bool"),
        ({"destination__s3__serverSideEncryption": {"type": "rot13"}}, "type must be one of AES256, aws:kms"),
        ({"destination__s3__serverSideEncryption": {"kmsKeyId": "k"}}, "its type must be aws:kms"),
        ({"encoder__engine": "gsplat"}, "encoder.engine must be native or sogs"),
        ({"encoder__quality": 5}, "encoder.quality must be"),
        ({"gate": {"minPSNR": "high"}}, "gate.minPSNR must be a number, got 'high'"),
        ({"gate": {"minSSIM": 1}}, "gate.minSSIM is not known to this worker"),
        ({"cache": "Never"}, "cache must be one of Use, Ignore, got 'Never'"),
        ({"dryRun": True}, "dryRun is not known to this worker"),
        ({"source__s3__profile": "me"}, "source.s3.profile is not known"),
        ({"source__include": "*.ply"}, "source.include must be of type list, got '*.ply'"),
        ({"source__exclude": ["*.ply", 1]}, "source.exclude must have strings only, got 1"),
        (
            {"source__uri": "s3://scenes/raw/", "source__include": ["/a"]},
            "spec.source.include has '/a'; a glob is",
        ),
        (
            {"source__include": ["*.ply"], "source__exclude": ["x"]},
            "spec.source.uri s3://scenes/raw/garden.ply is one scene and spec.source.include and spec.source.exclude"
            " cannot select from it; name a folder or an archive, or no globs",
        ),
        ({"destination__names": ""}, "spec.destination.names is ''; it must be a path"),
        ({"destination__names": "{name}"}, "spec.destination.names is '{name}'; it must be a path"),
        (
            {"destination__uri": "s3://scenes/x.sog", "destination__names": "{stem}"},
            "exactly one key, so spec.destination.names has no meaning; remove it or end the key with a slash",
        ),
        (
            {
                "source__uri": "s3://scenes/a/x.sog",
                "destination__uri": "s3://scenes/",
                "destination__names": "a/x",
            },
            "the output would replace its source s3://scenes/a/x.sog",
        ),
        (
            {"source__uri": "s3://scenes/../x.ply", "destination__names": "{folder}"},
            "s3://scenes/../x.ply would get the name .., which no output can have",
        ),
    ],
)
def test_refuses(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        parse_task(build_document(**changes), {})


SHARD = {"JOB_COMPLETION_INDEX": "1", "SPLATS_RUN_ID": "0c1d"}


def test_a_shard_has_folders_of_its_own() -> None:
    task, other = (parse_task(build_document(shards=2), {**SHARD, "JOB_COMPLETION_INDEX": index}) for index in "10")
    assert isinstance(task, Task)
    assert task.shard == Shard(1, 2, "0c1d")
    assert task.hidden_folder == "compressed/.splats/my-garden/0c1d/1/"
    assert other.hidden_folder == "compressed/.splats/my-garden/0c1d/0/"
    whole = parse_task(build_document(), SHARD)
    assert isinstance(whole, Task)
    assert whole.shard is None


@pytest.mark.parametrize(
    ("shards", "environment", "words"),
    [
        (1, {}, "shards is 1, it must be 2 or more"),
        (0, {}, "shards is 0, it must be 2 or more"),
        (2.5, {}, "shards must be of type int, got 2.5"),
        (2, {"JOB_COMPLETION_INDEX": ""}, "JOB_COMPLETION_INDEX must be from 0 to 1, got ''"),
        (2, {"JOB_COMPLETION_INDEX": "2"}, "JOB_COMPLETION_INDEX must be from 0 to 1, got '2'"),
        (2, {"JOB_COMPLETION_INDEX": "-1"}, "JOB_COMPLETION_INDEX must be from 0 to 1, got '-1'"),
        (2, {"SPLATS_RUN_ID": ""}, "SPLATS_RUN_ID must be the Job's UID, got ''"),
        (2, {"SPLATS_RUN_ID": "../x"}, "SPLATS_RUN_ID must be the Job's UID, got '../x'"),
    ],
)
def test_refuses_a_shard_that_is_none(shards: float, environment: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        parse_task(build_document(shards=shards), {**SHARD, **environment})


@pytest.mark.parametrize("missing", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_names_the_secret_that_is_incomplete(missing: str) -> None:
    environment = {name: value for name, value in ENVIRONMENT.items() if name != f"SOURCE_{missing}"}
    with pytest.raises(ConfigurationError, match=f"the Secret s3-credentials has no {missing}; add that key to it"):
        parse_task(build_document(), environment)


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"\xff\xfe"])
def test_names_a_document_that_is_none(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "run.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=str(path)):
        load_task(path, {})


def test_reads_the_file(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps(build_document()))
    assert load_task(tmp_path / "run.json", {}) == parse_task(build_document(), {})

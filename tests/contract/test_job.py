"""Operator and worker share no code but one page, docs/job.md: here each is held against it and against the other."""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from crd.schema import root_schema, rules
from sogs_worker import errors, naming
from sogs_worker.engines.parameters import Parameters
from sogs_worker.engines.target import Target
from sogs_worker.formats import READERS
from sogs_worker.job.termination import encode_failure, encode_success
from sogs_worker.naming import ARCHIVE_SUFFIXES, SCENE_SUFFIXES
from sogs_worker.publish.manifest import Output, Result
from sogs_worker.reporting import log, progress
from sogs_worker.reporting.display import Lines
from sogs_worker.source.listing import is_readable
from sogs_worker.source.names import Pattern
from sogs_worker.source.selection import Selection
from sogs_worker.storage.connection import Connection, Encryption
from sogs_worker.storage.location import Location, parse_location
from sogs_worker.task.gate import Gate
from sogs_worker.task.task import Deletion, Place, Task, parse_task
from splat_operator.api import names
from splat_operator.api.model import Key, Progress
from splat_operator.api.spec import parse_spec
from splat_operator.cluster import destinations
from splat_operator.decide.report import Failure, parse_failure, parse_progress, parse_result
from splat_operator.manifests.task import cleanup_document, run_document

PAGE = (Path(__file__).parents[2] / "docs/job.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (\d+) \| `(\w+)` \| (yes|no) \|$", re.MULTILINE)
EXITS = {int(code): (reason, retried == "yes") for code, reason, retried in ROW.findall(PAGE)}
EXAMPLE = json.loads(PAGE.split("```json")[1].split("```")[0])


def worker_errors(base: type[errors.WorkerError] = errors.WorkerError) -> Iterator[type[errors.WorkerError]]:
    """Give all classes of expected failures."""
    for kind in base.__subclasses__():
        yield kind
        yield from worker_errors(kind)


def test_both_know_the_endings_of_what_the_worker_reads() -> None:
    assert {*naming.SCENE_SUFFIXES, *naming.ARCHIVE_SUFFIXES} == set(destinations.ENDINGS)
    assert {f".{suffix.rpartition('.')[2]}" for suffix in naming.SCENE_SUFFIXES} == READERS.keys() - {".json"}


def test_the_page_has_its_table() -> None:
    assert len(EXITS) == 12


def test_the_operator_knows_every_exit_code() -> None:
    assert {code: reason for code, (reason, _) in EXITS.items()} == names.EXIT_REASONS


def test_the_operator_retries_what_the_page_says() -> None:
    assert set(names.PERMANENT_EXIT_CODES) == {code for code, (_, retried) in EXITS.items() if not retried}


@pytest.mark.parametrize("kind", sorted(set(worker_errors()), key=lambda kind: (kind.exit_code, kind.__name__)))
def test_the_worker_exits_as_the_page_says(kind: type[errors.WorkerError]) -> None:
    assert EXITS[kind.exit_code] == (kind.reason, not kind.is_permanent)


def test_the_worker_has_each_exit_code_once() -> None:
    codes = [kind.exit_code for kind in errors.WorkerError.__subclasses__()]
    assert len(codes) == len(set(codes))


def test_the_worker_reports_the_stages_of_the_page() -> None:
    (sentence,) = re.findall(r"^Stages in order: (.*?)\. ", PAGE, re.MULTILINE)
    assert re.findall(r"`(\w+)`", sentence) == list(progress.SHARES)


def build_spec(**changes: Any) -> dict[str, Any]:
    """Write a resource's spec down."""
    return {"source": {"uri": "s3://scenes/garden.ply"}, "destination": {"uri": "s3://scenes/compressed/"}, **changes}


def hand_over(spec: dict[str, Any]) -> Task:
    """Let the operator write the document and the worker read it."""
    return parse_task(json.loads(run_document(parse_spec(spec), Key("default", "garden"))), {})


def test_the_worker_reads_the_smallest_document_that_the_operator_writes() -> None:
    assert hand_over(build_spec()) == Task(
        name="garden",
        namespace="default",
        source=Place(Location("s3", "scenes", "garden.ply"), Connection("source")),
        source_sha256=None,
        destination=Place(Location("s3", "scenes", "compressed/"), Connection("destination")),
        encoder=Parameters(),
        preview=False,
        gate=Gate(),
        use_cache=True,
        digest=ANY,
    )


def test_the_worker_reads_the_fullest_document_that_the_operator_writes() -> None:
    connection = {"endpoint": "http://s3:8333", "region": "eu-1", "addressingStyle": "path"}
    task = hand_over(
        build_spec(
            source={"uri": "s3://scenes/garden.ply", "sha256": "0" * 64},
            s3={
                **connection,
                "insecureSkipTLSVerify": True,
                "serverSideEncryption": {"type": "aws:kms", "kmsKeyId": "k"},
            },
            encoder={
                "engine": "native",
                "format": "sog",
                "quality": "best",
                "shBands": 0,
                "seed": 3,
                "target": {"maxSplats": "50%"},
            },
            preview=True,
            gate={"minPSNR": 35.5, "maxSizeBytes": 1000},
            cache="Ignore",
        )
    )
    assert (task.gate, task.use_cache) == (Gate(min_psnr=35.5, max_size_bytes=1000), False)
    expected = {"endpoint": "http://s3:8333", "region": "eu-1", "addressing_style": "path"}
    encryption = Encryption("aws:kms", "k")
    assert task.source.connection == Connection("source", **expected, insecure_skip_tls_verify=True)
    assert task.destination.connection == Connection(
        "destination", **expected, insecure_skip_tls_verify=True, encryption=encryption
    )
    assert (task.source_sha256, task.preview) == ("0" * 64, True)
    assert task.encoder == Parameters(quality="best", sh_bands=0, seed=3, target=Target("50%"))


def test_the_worker_reads_what_is_taken_and_how_it_is_called() -> None:
    task = hand_over(
        build_spec(
            source={"uri": "s3://scenes/raw/", "include": ["**/a.ply", "b/*"], "exclude": ["c/**"]},
            destination={"uri": "s3://scenes/compressed/", "names": "{top}/{stem}"},
        )
    )
    assert (task.selection, task.names) == (Selection(("**/a.ply", "b/*"), ("c/**",)), Pattern("{top}/{stem}"))


def fields(document: dict[str, Any], prefix: str = "") -> set[str]:
    """List the paths of a document's fields."""
    found = set()
    for name, value in document.items():
        found.add(prefix + name)
        if isinstance(value, dict):
            found |= fields(value, f"{prefix}{name}.")
    return found


def test_the_operator_writes_the_fields_of_the_page() -> None:
    written = json.loads(
        run_document(
            parse_spec(
                build_spec(
                    source={"uri": "s3://a-b/c", "sha256": "0" * 64, "include": ["*"], "exclude": ["*"]},
                    destination={"uri": "s3://a-b/d/", "names": "{top}"},
                    encoder={"target": {"maxSplats": 1}},
                    gate={"minPSNR": 1, "maxSizeBytes": 1, "minRatio": 1},
                )
            ),
            Key("d", "n"),
        )
    )
    optional = {"source.s3.endpoint", "source.s3.region"}
    # The page's example shortens the destination's connection to what it has beside the source's.
    shown = {path for path in fields(EXAMPLE) if not path.startswith("destination.s3.")}
    assert {path for path in fields(written) if not path.startswith("destination.s3.")} == shown - optional


def test_the_worker_reads_which_share_is_its() -> None:
    spec = parse_spec(build_spec(source={"uri": "s3://scenes/raw/"}, parallelism=3))
    document = json.loads(run_document(spec, Key("default", "garden")))
    task = parse_task(document, {"JOB_COMPLETION_INDEX": "2", "SPLATS_RUN_ID": "5b2e8f0a"})
    assert isinstance(task, Task)
    assert task.shard is not None
    assert (task.shard.index, task.shard.count) == (2, 3)


def test_the_worker_reads_what_the_operator_wants_deleted() -> None:
    spec = parse_spec(build_spec(s3={"endpoint": "http://s3:8333"}, encoder={"format": "sog-unbundled"}))
    deletion = parse_task(json.loads(cleanup_document(spec.output, Key("default", "garden"))), {})
    assert isinstance(deletion, Deletion)
    assert deletion.manifest_key == "compressed/garden.manifest.json"


OUTPUT = Output(
    "garden", "s3://scenes/garden.sog", "0" * 64, 100, 1000, 7, "s3://scenes/garden.png", removed={"invisible": 3}
)
RESULT = Result((OUTPUT,), "s3://scenes/garden.manifest.json", 30.5, 12.25, "cuda", Parameters())


def test_the_operator_reads_the_workers_result() -> None:
    read = parse_result(encode_success(RESULT).decode())
    assert read
    assert read.status == {
        "outputs": [OUTPUT.to_document()],
        "inputBytes": 1000,
        "outputBytes": 100,
        "compressionRatio": 10.0,
        "splats": 7,
        "removed": {"invisible": 3},
        "cacheHits": 0,
        "manifestUri": "s3://scenes/garden.manifest.json",
        "engine": "native",
        "device": "cuda",
    }


def test_the_worker_writes_the_fields_of_the_page() -> None:
    example = json.loads(PAGE.split("After success")[1].split("```json")[1].split("```")[0])
    written = json.loads(encode_success(RESULT))
    assert fields(written) == fields(example)
    assert fields(written["outputs"][0]) == fields(example["outputs"][0])


@pytest.mark.parametrize("kind", [errors.WorkerError, *worker_errors()])
def test_the_operator_reads_the_workers_failure(kind: type[errors.WorkerError]) -> None:
    read = parse_failure(encode_failure(kind("the object is gone; put it back")).decode())
    assert read == Failure(kind.reason, "The object is gone; put it back.")


def test_the_operator_reads_the_workers_progress(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = itertools.count().__next__
    told = progress.Progress(Lines(sys.stdout, seconds), clock=lambda: 0.0)
    told.report("read", 0.0)
    log.write_message("something else")
    told.report("encode", 0.0)
    told.report("encode", 0.4)
    log.write_message("and more")
    assert parse_progress(capsys.readouterr().out) == Progress(
        percent=40, stage="encode", eta_s=0, scenes_done=0, scenes_total=1
    )


ENDINGS = [*SCENE_SUFFIXES, *ARCHIVE_SUFFIXES, "/meta.json", "meta.json", "/lod-meta.json", ".obj", ".gz", ".json", ""]


@pytest.mark.parametrize("ending", [case(each) for each in ENDINGS for case in (str.lower, str.upper, str.title)])
@pytest.mark.parametrize(("place", "rest"), [("s3://bucket", ""), ("pvc://claim", ""), ("https://host", "?token=A.b")])
def test_the_operator_accepts_the_sources_that_the_worker_reads(place: str, rest: str, ending: str) -> None:
    uri = f"{place}/folder/garden{ending}{rest}"
    told = [rule for path, rule in rules(root_schema()) if path == "spec.source.uri" and "file name" in rule["message"]]
    (rule,) = (each["rule"] for each in told if ("https" in each["rule"]) == place.startswith("https"))
    *_, pattern = re.findall(r"matches\(\s*r'([^']*)'", rule)
    assert bool(re.search(pattern, uri)) == is_readable(parse_location(uri, "IN").key)

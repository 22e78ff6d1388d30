"""Deleting what a resource has published: all of it, nothing of others, whenever an attempt is killed."""

from __future__ import annotations

import io
import json
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from mortal_store import Killed, Mortal
from sogs_worker.engines.parameters import Parameters
from sogs_worker.errors import BadInputError, UsageError
from sogs_worker.job.deletion import Deleting
from sogs_worker.naming import beside, stem_of
from sogs_worker.publish.manifest import Deleted, Output, OutputFile, Result
from sogs_worker.publish.publication import Publication
from sogs_worker.publish.staged import Staged
from sogs_worker.reporting.display import Lines
from sogs_worker.reporting.progress import Progress
from sogs_worker.storage.connection import Connection
from sogs_worker.storage.local.store import LocalStore
from sogs_worker.storage.location import parse_location
from sogs_worker.storage.transfer.integrity import digest_file
from sogs_worker.task.assignment import Assignment
from sogs_worker.task.place import Place
from sogs_worker.task.task import Deletion, Task, parse_task

from .conftest import Ended, Job, build_ply

OURS, THEIRS = {"made-by": "default/garden"}, {"made-by": "other/garden"}
ADDRESS = "pvc://scenes/"


def assignment(destination: str = "out/", output_format: str = "sog", namespace: str = "default") -> Assignment:
    place = Place(parse_location(f"{ADDRESS}{destination}", "uri"), Connection("destination"))
    engine = "sogs" if output_format == "sogs-v1" else "native"
    return Assignment("garden", namespace, place, Parameters(engine=engine, format=output_format), "a" * 64)


class World:
    """A volume and who writes to it."""

    def __init__(self, root: Path) -> None:
        self.store = LocalStore(root / "store", ADDRESS)
        self.scratch = root / "scratch"
        self.scratch.mkdir(parents=True)

    def publish(
        self,
        run: Assignment,
        names: Mapping[str, Mapping[str, str]],
        *,
        store: LocalStore | None = None,
        sheet: bool = False,
        **changes: Any,
    ) -> list[Output]:
        """Publish outputs with pictures, with the metadata in `names`; change what is told of them."""
        publication = Publication(
            store or self.store, run.hidden_folder, mark=run.mark, task=run.digest, attempt="1", scratch=self.scratch
        )
        publication.resume(run.manifest_key)
        staged, outputs = [], []
        for name, metadata in names.items():
            files, output = self._stage(publication, run, name, metadata)
            staged += files
            outputs.append(replace(output, **changes))
        if sheet:
            staged.append(self._upload(publication, run.sheet_key, run.mark))
        result = Result(tuple(outputs), self.store.uri(run.manifest_key), 1.0, 0.0, "cpu", run.encoder)
        publication.commit(staged, result.to_manifest())
        return outputs

    def _stage(
        self, publication: Publication, run: Assignment, name: str, metadata: Mapping[str, str]
    ) -> tuple[list[Staged], Output]:
        output = Output(name, "", "", 1, 1, 1)
        key = run.target_key(output.path)
        picture = stem_of(key) + ".png"
        names = () if key.endswith(".sog") else ("means.webp", "zz.webp")
        planes = [self._upload(publication, beside(key, plane)) for plane in names]
        target = self._upload(publication, key, metadata)
        files = [OutputFile(Path(each.key).name, each.sha256, 1) for each in (*planes, target)]
        described = replace(
            output,
            uri=self.store.uri(key),
            sha256=target.sha256,
            preview_uri=self.store.uri(picture),
            files=tuple(files) if planes else (),
        )
        return [*planes, target, self._upload(publication, picture)], described

    def _upload(self, publication: Publication, key: str, metadata: Mapping[str, str] | None = None) -> Staged:
        path = self.scratch / "file"
        path.write_text(f"content of {key}")
        return publication.stage(path, key, content_type="x/y", metadata=metadata)

    def put(self, key: str, text: str = "foreign", metadata: Mapping[str, str] | None = None) -> None:
        """Write an object as somebody else does."""
        path = self.scratch / "put"
        path.write_text(text)
        self.store.upload(path, key, sha256=digest_file(path), content_type="x/y", metadata=metadata)

    def delete(self, run: Assignment, store: LocalStore | None = None) -> Deleted:
        return Deleting(run, store or self.store, self.scratch, Progress(Lines(io.StringIO()))).run()

    def objects(self) -> set[str]:
        return {entry.key for entry in self.store.list("")}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


FORMATS = ("sog", "sog-unbundled", "sogs-v1")


@pytest.mark.parametrize("output_format", FORMATS)
@pytest.mark.parametrize("destination", ["out/", ""])
def test_all_that_was_published_below_a_prefix_goes(world: World, output_format: str, destination: str) -> None:
    run = assignment(destination, output_format)
    world.publish(run, {"a": OURS, "b/c": OURS}, sheet=True)
    visible = world.objects()
    world.put("out/notes.txt")
    assert world.delete(run) == Deleted(len(visible), 0)
    assert world.objects() == {"out/notes.txt"}
    assert world.delete(run) == Deleted(0, 0)


@pytest.mark.parametrize(("key", "output_format"), [("out/x.sog", "sog"), ("out/x/meta.json", "sog-unbundled")])
def test_an_exact_key_goes_and_what_is_called_alike_stays(world: World, key: str, output_format: str) -> None:
    run = assignment(key, output_format)
    world.publish(run, {"a": OURS})
    others = {"out/x.sogs", "out/x/own.webp", "out/x.txt"}
    for other in others:
        world.put(other)
    assert world.delete(run).kept == 0
    assert world.objects() == others


def test_outputs_of_others_and_of_older_versions_stay_with_their_pictures(world: World) -> None:
    run = assignment()
    world.publish(run, {"ours": OURS, "theirs": THEIRS, "old": {}})
    assert world.delete(run) == Deleted(3, 2)
    assert world.objects() == {"out/theirs.sog", "out/theirs.png", "out/old.sog", "out/old.png"}


def test_what_was_written_over_stays(world: World) -> None:
    run = assignment(output_format="sog-unbundled")
    world.publish(run, {"a": OURS, "b": OURS, "c": OURS})
    world.put("out/a/meta.json")
    world.put("out/b/means.webp")
    world.put("out/c/meta.json", "another content", OURS)
    before = world.objects()
    assert world.delete(run).kept == 2
    left = {key for key in before if key.startswith(("out/a", "out/c"))}
    assert world.objects() == left | {"out/b/means.webp"}


def test_what_is_gone_is_no_hindrance(world: World) -> None:
    run = assignment(output_format="sog-unbundled")
    world.publish(run, {"a": OURS, "b": OURS})
    for key in ("out/a/meta.json", "out/b/means.webp", "out/b.png"):
        world.store.delete(key)
    assert world.delete(run).kept == 0
    assert world.objects() == set()


@pytest.mark.parametrize(
    "uri",
    [
        "pvc://scenes/raw/a.sog",
        "pvc://scenes/out/../raw/a.sog",
        "pvc://other/raw/a.sog",
        "s3://scenes/out/a.sog",
        "pvc://scenes/out/",
        "pvc://scenes/out/a.txt",
        "raw/a.sog",
    ],
)
def test_an_address_outside_of_the_destination_is_not_followed(world: World, uri: str) -> None:
    """The object there has all that shows it to be the resource's own."""
    key = uri.partition("://")[2].partition("/")[2].replace("out/../", "")
    place = key if key.endswith((".sog", ".txt")) else "raw/a.sog"
    world.put(place, "content", OURS)
    run = assignment()
    world.publish(run, {"a": OURS}, uri=uri, sha256=world.store.stat(place).sha256)
    assert world.delete(run).kept == 1
    assert place in world.objects()


def test_an_exact_key_has_no_other_outputs(world: World) -> None:
    run = assignment("out/x.sog")
    world.put("out/y.sog", "content", OURS)
    changes = {"uri": f"{ADDRESS}out/y.sog", "sha256": world.store.stat("out/y.sog").sha256}
    world.publish(run, {"a": OURS}, **changes)
    assert world.delete(run).kept == 1
    assert "out/y.sog" in world.objects()


def test_planes_and_pictures_of_other_places_are_not_followed(world: World) -> None:
    run = assignment(output_format="sog-unbundled")
    world.put("out/secret.webp", "content")
    (output,) = world.publish(run, {"a": OURS}, preview_uri=f"{ADDRESS}out/secret.webp")
    digest = world.store.stat("out/secret.webp").sha256
    files = (OutputFile("../secret.webp", digest or "", 1), *output.files)
    entry = replace(output, files=files).to_entry()
    world.put(run.manifest_key, json.dumps({"outputs": [entry]}), OURS)
    assert world.delete(run).kept == 0
    assert world.objects() == {"out/secret.webp", "out/a.png"}


@pytest.mark.parametrize(("made_by", "words"), [(THEIRS, "made by other/garden"), ({}, "made by an older version")])
def test_nothing_goes_where_the_manifest_is_anothers(
    world: World, capsys: pytest.CaptureFixture[str], made_by: dict[str, str], words: str
) -> None:
    run = assignment()
    world.publish(run, {"a": OURS})
    world.put(run.manifest_key, (world.store.root / run.manifest_key).read_text(), made_by)
    world.put("out/.splats/garden/bbbb/record.json", "{}")
    before = world.objects()
    assert world.delete(run) == Deleted(0, 1)
    assert world.objects() == before
    assert words in capsys.readouterr().out


def test_a_foreign_file_in_the_manifests_place_is_no_failure(world: World) -> None:
    run = assignment()
    world.put(run.manifest_key, "no JSON")
    assert world.delete(run) == Deleted(0, 0)
    world.put(run.manifest_key, "no JSON", OURS)
    with pytest.raises(BadInputError, match=r"out/garden\.manifest\.json does not say what was published"):
        world.delete(run)


def test_without_a_manifest_only_what_is_hidden_goes(world: World) -> None:
    for key in ("out/.splats/garden/bbbb/1/part", "out/.splats/garden2/bbbb/1/part", "out/a.sog"):
        world.put(key, metadata=OURS)
    assert world.delete(assignment()) == Deleted(0, 0)
    assert world.objects() == {"out/.splats/garden2/bbbb/1/part", "out/a.sog"}


@pytest.mark.parametrize("output_format", ["sog", "sog-unbundled"])
def test_what_a_killed_run_had_made_visible_goes(tmp_path: Path, output_format: str) -> None:
    """At each of its writes, from before the record until after the manifest, there is something else to be found."""
    run = assignment(output_format=output_format)
    seen = set()
    for dies_at in range(100):
        for is_done in (False, True):
            world = World(tmp_path / f"{dies_at}{is_done}")
            store = Mortal(world.store.root, ADDRESS, dies_at=dies_at, is_done=is_done)
            try:
                world.publish(run, {"a": OURS, "b": OURS}, store=store)
            except Killed:
                seen |= {key for key in world.objects() if "/.splats/" not in key}
                assert world.delete(run).kept == 0
                assert world.objects() == set()
            else:
                assert {run.target_key(Path("a")), "out/b.png", run.manifest_key} <= seen
                return
    pytest.fail("the run never ended")


@pytest.mark.parametrize("output_format", ["sog", "sog-unbundled"])
def test_whenever_an_attempt_is_killed_the_next_one_ends_well(tmp_path: Path, output_format: str) -> None:
    run = assignment(output_format=output_format)
    for dies_at in range(100):
        for is_done in (False, True):
            world = World(tmp_path / f"{dies_at}{is_done}")
            world.publish(run, {"a": OURS, "theirs": THEIRS, "b": OURS}, sheet=True)
            world.put("out/.splats/garden/bbbb/1/part")
            kept = {run.target_key(Path("theirs")), "out/theirs.png"}
            kept |= {key for key in world.objects() if key.startswith("out/theirs/")}
            try:
                world.delete(run, Mortal(world.store.root, ADDRESS, dies_at=dies_at, is_done=is_done))
            except Killed:
                has_manifest = run.manifest_key in world.objects()
                assert has_manifest or world.objects() == kept, "the manifest went before what it names"
                assert world.delete(run).kept == has_manifest
                assert world.objects() == kept
            else:
                assert dies_at > 6
                return
    pytest.fail("the deletion never ended")


def deletion_of(job: Job) -> dict[str, Any]:
    """Write down that what a run has published be removed."""
    shared = {name: job.document[name] for name in ("version", "name", "namespace", "destination", "encoder")}
    return {**shared, "operation": "delete"}


def delete(job: Job) -> Ended:
    run, job.document = job.document, deletion_of(job)
    ended = job.run()
    job.document = run
    return ended


def test_a_bucket_is_as_before(job: Job) -> None:
    job.put("raw/lawn.ply", build_ply(50))
    job.document["source"]["uri"] = f"s3://{job.bucket}/raw/"
    job.document["preview"] = True
    assert job.run().code == 0
    client = job.server.client()
    for key in ("compressed/.splats/my-garden/bbbb/1/part", "compressed/my-garden.manifest.json"):
        client.create_multipart_upload(Bucket=job.bucket, Key=key)
    job.put("compressed/.splats/my-garden/bbbb/1/output", b"of a killed run")
    job.put("compressed/notes.txt", b"foreign")
    ended = delete(job)
    assert (ended.code, ended.message) == (0, {"version": 1, "deleted": 6, "kept": 0}), ended.errors
    assert job.server.keys(job.bucket) == {"raw/garden.ply", "raw/lawn.ply", "compressed/notes.txt"}
    assert "Uploads" not in client.list_multipart_uploads(Bucket=job.bucket)
    assert delete(job).message == {"version": 1, "deleted": 0, "kept": 0}


def test_a_volume_is_as_before_but_for_its_folders(job: Job) -> None:
    claim = job.folder / "volumes/scenes"
    claim.mkdir(parents=True)
    job.environment["SPLATS_VOLUMES"] = str(claim.parent)
    job.document["destination"] = {"uri": "pvc://scenes/out/"}
    job.document["encoder"]["format"] = "sog-unbundled"
    assert job.run().code == 0
    ended = delete(job)
    assert (ended.code, ended.message["deleted"]) == (0, 9), ended.message
    left = {path.relative_to(claim).as_posix() for path in claim.rglob("*") if path.is_file()}
    assert {Path(name).name for name in left} <= {".lock"}


def test_what_a_run_only_found_stays(job: Job) -> None:
    job.document["cache"] = "Use"
    assert job.run().code == 0
    job.document["name"] = "copy"
    assert job.run().message["cacheHits"] == 1
    assert delete(job).message == {"version": 1, "deleted": 1, "kept": 1}
    assert job.server.keys(job.bucket) == {
        "raw/garden.ply",
        "compressed/garden.sog",
        "compressed/my-garden.manifest.json",
    }
    job.document["name"] = "my-garden"
    assert delete(job).message == {"version": 1, "deleted": 2, "kept": 0}


def test_a_deletion_needs_no_gpu(job: Job) -> None:
    job.environment["SPLATS_DEVICE"] = "cuda"
    ended = delete(job)
    assert ended.code == 0, ended.message
    lines = [line for line in ended.lines if "stage" in line]
    assert (lines[-1]["stage"], lines[-1]["percent"]) == ("done", 100)


def test_a_deletion_loads_no_torch(job: Job) -> None:
    (job.folder / "scratch/splats-run").mkdir(parents=True)
    job.document = deletion_of(job)
    script = "import sys; from sogs_worker.job import process; sys.exit(process.main() or 'torch' in sys.modules)"
    assert job.finish(job.start(command=[sys.executable, "-c", script])).code == 0


def test_a_deletion_that_may_not_write_says_so(job: Job) -> None:
    assert job.run().code == 0
    before = job.server.keys(job.bucket)
    job.authenticate(job.server.reader, "DESTINATION")
    ended = delete(job)
    assert ended.failure == (77, "NotPermitted")
    assert "may not delete s3://" in ended.sentence
    assert job.server.keys(job.bucket) == before


def test_a_deletion_stops_at_once(job: Job) -> None:
    """Its server takes the connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        job.document["destination"]["s3"]["endpoint"] = f"http://127.0.0.1:{silent.getsockname()[1]}"
        job.document = deletion_of(job)
        process = job.start()
        with silent.accept()[0]:
            begun_s = time.monotonic()
            process.send_signal(signal.SIGTERM)
            ended = job.finish(process)
    assert time.monotonic() - begun_s < 5
    assert ended.failure == (75, "Interrupted")


def test_a_deletion_has_nothing_of_a_source(job: Job) -> None:
    document = deletion_of(job)
    assert parse_task(document, {}) == Deletion(
        name="my-garden",
        namespace="default",
        destination=Place(parse_location(f"s3://{job.bucket}/compressed/", "uri"), ANY),
        encoder=Parameters(quality="fast"),
        digest=ANY,
    )
    for name in ("source", "gate", "preview", "cache"):
        with pytest.raises(UsageError, match=f"{name} is not known to this worker"):
            parse_task({**document, name: job.document.get(name, {})}, {})
    with pytest.raises(UsageError, match="operation must be one of compress, delete, got 'remove'"):
        parse_task({**document, "operation": "remove"}, {})
    assert isinstance(parse_task({**job.document, "operation": "compress"}, job.environment), Task)

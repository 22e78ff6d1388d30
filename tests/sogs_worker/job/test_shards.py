"""One source over several pods: what they publish together is what one pod would, whenever one of them is killed."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mortal_store import Killed, Mortal
from sogs_worker.errors import BadInputError, NotPermittedError, StorageError
from sogs_worker.job import process as entry
from sogs_worker.job.deletion import Deleting
from sogs_worker.job.supervisor import prepare_scratch
from sogs_worker.publish.manifest import Deleted, Result
from sogs_worker.reporting.display import Lines
from sogs_worker.reporting.progress import Progress
from sogs_worker.storage.base import ConflictError, Receipt
from sogs_worker.storage.local.store import LocalStore
from sogs_worker.task.environment import read_settings
from sogs_worker.task.task import Deletion, Task, parse_task

from .conftest import Job, build_ply

ADDRESS = "pvc://scenes/"
RUN = "0c1d-run"
HOME = "out/.splats/my-garden/"


class Pods:
    """A volume with a source, and the pods of Jobs that compress it."""

    def __init__(self, root: Path, scenes: Mapping[str, bytes], *, shards: int = 2, **changes: Any) -> None:
        self.root = root
        self.claim = root / "volumes/scenes"
        for name, body in scenes.items():
            path = self.claim / "raw" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        self.store = LocalStore(self.claim, ADDRESS)
        self.document: dict[str, Any] = {
            "version": 1,
            "name": "my-garden",
            "namespace": "default",
            "source": {"uri": f"{ADDRESS}raw/"},
            "destination": {"uri": f"{ADDRESS}out/"},
            "encoder": {"quality": "fast", "shBands": 0},
            "shards": shards,
            **changes,
        }

    def environment(self, index: int, run: str) -> dict[str, str]:
        return {
            "SPLATS_RUN": str(self.root / "run.json"),
            "SPLATS_SCRATCH": str(self.root / f"scratch-{run}-{index}"),
            "SPLATS_VOLUMES": str(self.claim.parent),
            "JOB_COMPLETION_INDEX": str(index),
            "SPLATS_RUN_ID": run,
        }

    def run(
        self, index: int, monkeypatch: pytest.MonkeyPatch | None = None, run: str = RUN, store: LocalStore | None = None
    ) -> Result:
        """Do one attempt of a pod, in this process; with `store` in the place of the volume."""
        environment = self.environment(index, run)
        Path(environment["SPLATS_SCRATCH"]).mkdir(exist_ok=True)
        settings = read_settings(environment)
        prepare_scratch(settings)
        task = parse_task(self.document, environment)
        assert isinstance(task, Task)
        progress = Progress(Lines(io.StringIO()))
        if monkeypatch is None or store is None:
            return entry.run_task(task, settings, progress)
        with monkeypatch.context() as patched:
            patched.setattr(entry, "open_destination", lambda *_: store)
            return entry.run_task(task, settings, progress)

    def alone(self) -> dict[str, Any]:
        """Let one pod do all, elsewhere; return its manifest as if it were here."""
        shards = self.document.pop("shards")
        self.document["destination"]["uri"] = f"{ADDRESS}alone/"
        self.run(0)
        self.document |= {"shards": shards, "destination": {"uri": f"{ADDRESS}out/"}}
        text = (self.claim / "alone/my-garden.manifest.json").read_text()
        return timeless(json.loads(text.replace("/alone/", "/out/")))

    def manifest(self) -> dict[str, Any]:
        return dict(json.loads((self.claim / "out/my-garden.manifest.json").read_bytes()))

    def visible(self) -> dict[str, bytes]:
        keys = [entry.key for entry in self.store.list("out/") if "/.splats/" not in entry.key]
        return {key: (self.claim / key).read_bytes() for key in keys}

    def hidden(self) -> list[str]:
        return [entry.key.removeprefix(HOME) for entry in self.store.list(HOME)]


def timeless(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the times, and which pod has made what."""
    outputs = [{name: value for name, value in each.items() if name != "shard"} for each in manifest["outputs"]]
    rest = {name: value for name, value in manifest.items() if name not in ("seconds", "gpuSeconds", "shards")}
    return {**rest, "outputs": outputs}


def archive(**scenes: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, body in scenes.items():
            file.writestr(f"{name}.ply", body)
    return stream.getvalue()


SCENES = {
    "lawn.ply": build_ply(40, seed=1),
    "a/shed.ply": build_ply(70, seed=2),
    "tour.zip": archive(first=build_ply(30, seed=3), second=build_ply(35, seed=4)),
    "well.ply": build_ply(20, seed=5),
}


@pytest.fixture
def pods(tmp_path: Path) -> Pods:
    return Pods(tmp_path, SCENES)


def test_pods_one_after_the_other_publish_what_one_would(pods: Pods) -> None:
    alone = pods.alone()
    pods.document["shards"] = 3
    results = [pods.run(index) for index in (2, 0, 1)]
    manifest = pods.manifest()
    assert timeless(manifest) == alone
    names = [{output.name for output in result.outputs} for result in results]
    assert sorted(map(len, names)) == [1, 2, 2]
    assert set().union(*names) == {output["name"] for output in manifest["outputs"]}
    assert {"tour/first", "tour/second"} in names
    for index, result in zip((2, 0, 1), results, strict=True):
        assert {e["name"] for e in manifest["outputs"] if e["shard"] == index} == {o.name for o in result.outputs}
        assert manifest["shards"][index]["seconds"] == result.seconds
        assert result.manifest_uri == manifest["manifestUri"]
    assert manifest["seconds"] == max(result.seconds for result in results)
    for output in manifest["outputs"]:
        key = output["uri"].removeprefix(ADDRESS)
        assert pods.visible()[key] == (pods.claim / key.replace("out/", "alone/", 1)).read_bytes()
    assert pods.hidden() == []


def test_pods_take_and_name_what_one_would(tmp_path: Path) -> None:
    tour = archive(**{f"{name}/scan": build_ply(30, seed=3) for name in ("first", "second", "third")})
    pods = Pods(tmp_path, {**SCENES, "a/tour.zip": tour, "a/sheds.zip": archive(shed=build_ply(25))})
    pods.document["source"] |= {"include": ["a/**"], "exclude": ["**/first/*"]}
    pods.document["destination"]["names"] = "{folder}-{stem}"
    alone = pods.alone()
    pods.document["destination"]["names"] = "{folder}-{stem}"
    results = [pods.run(index) for index in (1, 0)]
    assert timeless(pods.manifest()) == alone
    assert [output["name"] for output in alone["outputs"]] == [
        "a-shed",
        "sheds-sheds",
        "tour-tour/second-scan",
        "tour-tour/third-scan",
    ]
    assert all(result.outputs for result in results)


def test_a_manifest_comes_with_the_last_part_only(pods: Pods) -> None:
    pods.run(1)
    assert "out/my-garden.manifest.json" not in pods.visible()
    assert [name.split("/")[-1] for name in pods.hidden()] == ["part-1.json", "plan.json"]
    pods.run(0)
    assert "out/my-garden.manifest.json" in pods.visible()


def test_a_shard_without_objects_succeeds(tmp_path: Path) -> None:
    pods = Pods(tmp_path, {"lawn.ply": SCENES["lawn.ply"]}, shards=3)
    results = {index: pods.run(index) for index in (1, 0, 2)}
    assert [len(results[index].outputs) for index in range(3)] == [1, 0, 0]
    assert [output["name"] for output in pods.manifest()["outputs"]] == ["lawn"]
    assert results[1].to_message()["scenes"] == 0
    assert pods.hidden() == []


def test_archives_without_any_scene_are_refused_by_the_last_pod(tmp_path: Path) -> None:
    pods = Pods(tmp_path, {f"{name}.zip": archive() for name in "abc"})
    assert pods.run(0).outputs == ()
    with pytest.raises(BadInputError, match="has archives only, and no scene is in any"):
        pods.run(1)
    assert "out/my-garden.manifest.json" not in pods.visible()


def test_previews_of_all_pods_make_one_contact_sheet(tmp_path: Path) -> None:
    pods = Pods(tmp_path, SCENES, preview=True)
    alone = pods.alone()
    results = [pods.run(index) for index in (0, 1)]
    assert timeless(pods.manifest()) == alone
    assert [result.sheet_uri for result in results] == [None, alone["contactSheetUri"]]
    sheets = [pods.claim / folder / "my-garden.contact-sheet.png" for folder in ("alone", "out")]
    assert sheets[0].read_bytes() == sheets[1].read_bytes()


def test_pods_go_by_the_first_ones_plan_though_the_source_changes(pods: Pods) -> None:
    first = pods.run(0)
    shutil.copy(pods.claim / "raw/well.ply", pods.claim / "raw/late.ply")
    second = pods.run(1)
    names = {output.name for result in (first, second) for output in result.outputs}
    assert names == {"lawn", "a/shed", "tour/first", "tour/second", "well"}
    assert {output["name"] for output in pods.manifest()["outputs"]} == names


@pytest.mark.parametrize("scheme", ["s3", "pvc"])
def test_all_pods_at_once_agree(job: Job, scheme: str) -> None:
    """Each in a process of its own, on one bucket or one volume."""
    for name, body in SCENES.items():
        job.put(f"raw/{name}", body)
    job.document |= {"shards": 3, "source": {**job.document["source"], "uri": f"s3://{job.bucket}/raw/"}}
    (job.folder / "volumes/scenes").mkdir(parents=True)
    job.environment["SPLATS_VOLUMES"] = str(job.folder / "volumes")
    if scheme == "pvc":
        job.document["destination"] = {"uri": f"{ADDRESS}out/"}
    pods = [pod_of(job, index) for index in range(3)]
    ended = [pod.finish(process) for pod, process in [(pod, pod.start()) for pod in pods]]
    assert [each.code for each in ended] == [0, 0, 0], [each.message for each in ended]
    names = sorted(output["name"] for each in ended for output in each.message["outputs"])
    assert names == ["a/shed", "garden", "lawn", "tour/first", "tour/second", "well"]
    if scheme == "s3":
        manifest = json.loads(job.get("compressed/my-garden.manifest.json"))
        assert not any("/.splats/" in key for key in job.server.keys(job.bucket))
    else:
        manifest = json.loads((job.folder / "volumes/scenes/out/my-garden.manifest.json").read_bytes())
        assert not (job.folder / "volumes/scenes/out/.splats").exists()
    assert [output["name"] for output in manifest["outputs"]] == names
    assert {each.message["manifestUri"] for each in ended} == {manifest["manifestUri"]}
    last = [next(line for line in reversed(each.lines) if "stage" in line) for each in ended]
    assert sum(line["scenesTotal"] for line in last) == 6, "progress is that of a pod's own objects"


def pod_of(job: Job, index: int) -> Job:
    """Prepare one pod of an Indexed Job."""
    folder = job.folder / f"pod-{index}"
    folder.mkdir()
    places = {"RUN": "run.json", "SCRATCH": "scratch", "TERMINATION_LOG": "termination-log"}
    own = {f"SPLATS_{name}": str(folder / place) for name, place in places.items()}
    own |= {"JOB_COMPLETION_INDEX": str(index), "SPLATS_RUN_ID": RUN}
    return Job(job.server, job.bucket, folder, job.document, {**job.environment, **own})


def test_many_pods_meet_at_the_plan_and_at_the_merge(tmp_path: Path) -> None:
    """Pods with little to do are the likeliest to meet: threads, as starting processes would keep them apart."""
    pods = Pods(tmp_path, {f"{index}.ply": build_ply(10 + index, seed=index) for index in range(6)}, shards=12)
    with ThreadPoolExecutor(12) as pool:
        results = list(pool.map(pods.run, range(12)))
    assert sorted(len(result.outputs) for result in results) == [0] * 6 + [1] * 6
    assert [output["name"] for output in pods.manifest()["outputs"]] == [str(index) for index in range(6)]
    assert pods.hidden() == []


TWO = {"a.ply": build_ply(12, seed=1), "b.ply": build_ply(10, seed=2)}


@pytest.mark.parametrize("killed", [0, 1], ids=["the first", "the last"])
def test_whenever_a_pod_is_killed_its_next_attempt_ends_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: int
) -> None:
    """The other pod comes after the first pod's killed attempt, or has ended before the last one's."""
    alone = Pods(tmp_path / "alone", TWO).alone()
    ends = set()
    for dies_at in range(100):
        for is_done in (False, True):
            pods = Pods(tmp_path / f"{dies_at}{is_done}", TWO)
            if killed == 1:
                pods.run(0)
            mortal = Mortal(pods.claim, ADDRESS, dies_at=dies_at, is_done=is_done)
            try:
                pods.run(killed, monkeypatch, store=mortal)
            except Killed:
                ends.add((f"{HOME}{RUN}/part-{killed}.json" in [HOME + name for name in pods.hidden()], merged(pods)))
                if merged(pods):
                    assert timeless(pods.manifest()) == alone, "the manifest came before all was there"
            else:
                assert dies_at > 5
                assert ends >= {(False, False), (True, False)} | ({(True, True), (False, True)} if killed else set())
                return
            for index in (0, 1) if killed == 0 else (1,):
                result = pods.run(index)
                assert [output.name for output in result.outputs] == ["ab"[index]]
            assert timeless(pods.manifest()) == alone
            assert pods.hidden() == []
    pytest.fail("the run never ended")


def merged(pods: Pods) -> bool:
    return (pods.claim / "out/my-garden.manifest.json").exists()


def test_what_a_shard_has_recorded_is_finished_without_its_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for dies_at in range(100):
        pods = Pods(tmp_path / str(dies_at), TWO)
        pods.run(0)
        with pytest.raises(Killed):
            pods.run(1, monkeypatch, store=Mortal(pods.claim, ADDRESS, dies_at=dies_at))
        claims = [name for name in pods.hidden() if "/1/" in name and name.endswith("/attempt.json")]
        if any(json.loads((pods.claim / HOME / name).read_bytes())["record"] for name in claims):
            break
    assert "out/b.sog" not in pods.visible()
    (pods.claim / "raw/b.ply").unlink()
    assert [output.name for output in pods.run(1).outputs] == ["b"]
    assert [output["name"] for output in pods.manifest()["outputs"]] == ["a", "b"]


def test_a_late_attempt_leaves_the_merged_manifest_as_it_is(pods: Pods) -> None:
    """It needs neither the plan nor the source, and tells the same."""
    results = [pods.run(index) for index in (0, 1)]
    before = pods.visible()
    shutil.rmtree(pods.claim / "raw")
    again = [pods.run(index) for index in (0, 1)]
    assert [result.to_message() for result in again] == [result.to_message() for result in results]
    assert pods.visible() == before
    assert pods.hidden() == []


def test_merging_removes_what_earlier_jobs_have_left_and_nothing_of_others(pods: Pods) -> None:
    pods.run(0, run="stale")
    theirs = {**pods.document, "namespace": "other"}
    mine, pods.document = pods.document, theirs
    pods.run(0, run="theirs")
    pods.document = mine
    left = {name for name in pods.hidden() if name.startswith("theirs/")}
    assert len(left) == 2
    for index in (0, 1):
        pods.run(index)
    assert set(pods.hidden()) == left


def test_a_new_job_makes_a_plan_and_a_manifest_of_its_own(pods: Pods) -> None:
    pods.document["cache"] = "Use"
    for index in (0, 1):
        pods.run(index)
    (pods.claim / "raw/late.ply").write_bytes(build_ply(15))
    results = [pods.run(index, run="second") for index in (0, 1)]
    assert sum(output.is_cached for result in results for output in result.outputs) == 5
    manifest = pods.manifest()
    assert (manifest["scenes"], manifest["cacheHits"]) == (6, 5)


def test_a_plan_that_is_none_is_refused(pods: Pods) -> None:
    pods.run(0)
    plan = pods.claim / HOME / RUN / "plan.json"
    for text in ("{", "[]", plan.read_text().replace("raw/well.ply", "other/well.ply")):
        plan.write_text(text)
        with pytest.raises(BadInputError, match=r"plan\.json is not what a pod of this run has written"):
            pods.run(1)
    assert "out/my-garden.manifest.json" not in pods.visible()


def test_a_part_by_another_plan_is_not_merged(pods: Pods) -> None:
    """The plan was removed by hand; the next pod to come makes another."""
    pods.run(0)
    pods.store.delete(f"{HOME}{RUN}/plan.json")
    (pods.claim / "raw/late.ply").write_bytes(build_ply(15))
    pods.run(1)
    assert "out/my-garden.manifest.json" not in pods.visible()
    pods.run(0)
    assert len(pods.manifest()["outputs"]) == 6


class Replanned(LocalStore):
    """A volume on which somebody removes the plan while a pod works."""

    def upload(self, path: Path, key: str, **options: Any) -> Receipt:
        if "/.splats/" in key and not key.endswith(".json"):
            super().delete(f"{HOME}{RUN}/plan.json")
        return super().upload(path, key, **options)


def test_a_pod_whose_plan_is_gone_publishes_nothing(pods: Pods, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StorageError, match=r"plan\.json was removed or replaced during the run"):
        pods.run(0, monkeypatch, store=Replanned(pods.claim, ADDRESS))
    assert pods.visible() == {}
    for index in (0, 1):
        pods.run(index)
    assert len(pods.manifest()["outputs"]) == 5


class Undeletable(LocalStore):
    """A volume on which nobody may remove anything."""

    def delete_many(self, keys: Iterable[str]) -> None:
        if [*keys]:
            raise NotPermittedError("nobody may delete here")


def test_cleaning_up_fails_no_pod(
    pods: Pods, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for index in (0, 1):
        pods.run(index, monkeypatch, store=Undeletable(pods.claim, ADDRESS))
    assert len(pods.manifest()["outputs"]) == 5
    assert "could not be removed: nobody may delete here" in capsys.readouterr().out
    for index in (0, 1):
        pods.run(index)
    assert pods.hidden() == []


class Overtaken(LocalStore):
    """A volume on which a later run ends when a pod of this one is about to write the manifest."""

    def __init__(self, root: Path, later: Callable[[], object]) -> None:
        super().__init__(root, ADDRESS)
        self.later = later

    def upload(self, path: Path, key: str, **options: Any) -> Receipt:
        if key == "out/my-garden.manifest.json":
            later, self.later = self.later, lambda: None
            later()
        return super().upload(path, key, **options)


def test_a_pod_that_is_late_writes_no_manifest_over_that_of_a_later_run(
    pods: Pods, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node was thought dead; the Job was made anew meanwhile."""
    pods.run(0, run="earlier")

    def later() -> None:
        (pods.claim / "raw/late.ply").write_bytes(build_ply(15))
        for index in (0, 1):
            pods.run(index, run="later")

    with pytest.raises(ConflictError):
        pods.run(1, monkeypatch, run="earlier", store=Overtaken(pods.claim, later))
    assert len(pods.manifest()["outputs"]) == 6
    assert pods.hidden() == []


def test_a_pod_that_is_late_removes_nothing_of_a_later_run(pods: Pods) -> None:
    for index in (0, 1):
        pods.run(0, run="earlier" if index == 0 else "later")
    before = {name for name in pods.hidden() if name.startswith("later/")}
    assert len(before) == 2
    pods.run(1, run="earlier")
    assert set(pods.hidden()) == before
    pods.run(1, run="later")
    assert pods.hidden() == []


def test_deleting_finds_what_pods_have_published_without_a_manifest(pods: Pods) -> None:
    pods.run(0)
    assert pods.visible()
    shared = {name: pods.document[name] for name in ("version", "name", "namespace", "destination", "encoder")}
    run = parse_task({**shared, "operation": "delete"}, {})
    assert isinstance(run, Deletion)
    gone = Deleting(run, pods.store, pods.root / f"scratch-{RUN}-0", Progress(Lines(io.StringIO()))).run()
    assert gone == Deleted(3, 0)
    assert (pods.visible(), pods.hidden()) == ({}, [])
